use super::*;
use crate::{HugePages, Umem, UmemConfig};

fn region(frames: u32) -> (Arc<Umem>, FramePool) {
    let config = UmemConfig { huge_pages: HugePages::Never, ..UmemConfig::with_frames(frames) };
    Umem::new(config).unwrap()
}

#[test]
fn the_last_frame_put_is_the_first_taken() {
    let (_umem, mut pool) = region(8);
    let (first, second) = (pool.take().unwrap(), pool.take().unwrap());
    let warm = second.index();
    pool.put(first);
    pool.put(second);
    let again = pool.take().unwrap();
    assert_eq!(again.index(), warm);
    pool.put(again);
}

#[test]
fn a_frame_comes_out_of_the_pool_empty_however_it_went_in() {
    let (umem, mut pool) = region(1);
    let mut frame = pool.take().unwrap();
    frame.reset(3);
    frame.extend_back(500).unwrap().fill(1);
    pool.put(frame);
    let frame = pool.take().unwrap();
    assert!(frame.is_empty());
    assert_eq!(frame.headroom(), usize::from(umem.headroom()));
    pool.put(frame);
}

#[test]
fn splitting_and_moving_keeps_every_frame() {
    let (umem, mut pool) = region(10);
    let mut other = pool.split(4);
    assert_eq!((pool.len(), other.len()), (6, 4));
    assert_eq!(pool.split(100).len(), 6);
    assert_eq!(umem.census().retired, 6);
    assert_eq!(pool.move_from(&mut other, 3), 3);
    assert_eq!(pool.move_from(&mut other, 3), 1);
    assert!(other.is_empty());
    (pool.census() + other.census() + umem.census()).audit(&umem).unwrap();
}

#[test]
fn an_empty_pool_gives_none() {
    let (_umem, mut pool) = region(1);
    let frame = pool.take().unwrap();
    assert!(pool.take().is_none());
    pool.put(frame);
}

#[test]
fn frames_of_another_region_stay_out() {
    let (umem, mut pool) = region(2);
    let (_other_umem, mut other) = region(2);
    assert_eq!(pool.move_from(&mut other, 2), 0);
    let stray = other.take().unwrap();
    let put = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.put(stray)));
    assert_eq!(put.is_err(), cfg!(debug_assertions));
    assert_eq!(pool.len(), 2);
    (pool.census() + umem.census()).audit(&umem).unwrap();
    assert_eq!(other.umem().census().lost, 1);
}

#[test]
fn an_audit_finds_a_missing_frame() {
    let (umem, mut pool) = region(4);
    let frame = pool.take().unwrap();
    let found = (pool.census() + umem.census()).audit(&umem).unwrap_err();
    assert_eq!((found.frames, found.census.total()), (4, 3));
    (pool.census() + umem.census() + Census::held(1)).audit(&umem).unwrap();
    pool.put(frame);
}

#[test]
fn frames_go_to_other_threads_and_come_back() {
    let (umem, mut pool) = region(64);
    let threads: Vec<_> = (0..4)
        .map(|stamp| {
            let mut own = pool.split(16);
            std::thread::spawn(move || {
                for _ in 0..100 {
                    let mut frame = own.take().unwrap();
                    frame.fill(&[stamp; 100]).unwrap();
                    assert_eq!(frame.data(), [stamp; 100]);
                    own.put(frame);
                }
                own
            })
        })
        .collect();
    for thread in threads {
        pool.move_from(&mut thread.join().unwrap(), 16);
    }
    assert_eq!(pool.len(), 64);
    (pool.census() + umem.census()).audit(&umem).unwrap();
}
