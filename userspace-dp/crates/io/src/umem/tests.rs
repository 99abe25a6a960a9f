use super::*;
use crate::Frame;

fn config(frames: u32) -> UmemConfig {
    UmemConfig { huge_pages: HugePages::Never, ..UmemConfig::with_frames(frames) }
}

#[test]
fn a_region_hands_out_each_frame_once() {
    let (umem, mut pool) = Umem::new(config(32)).unwrap();
    let mut seen: Vec<u32> = Vec::new();
    let mut frames: Vec<Frame> = Vec::new();
    while let Some(frame) = pool.take() {
        seen.push(frame.index().0);
        frames.push(frame);
    }
    assert_eq!(seen, (0..32).collect::<Vec<_>>());
    frames.into_iter().for_each(|frame| pool.put(frame));
    (pool.census() + umem.census()).audit(&umem).unwrap();
}

#[test]
fn frames_do_not_overlap() {
    for frame_size in [FrameSize::Bytes2048, FrameSize::Bytes4096] {
        let (umem, mut pool) = Umem::new(UmemConfig { frame_size, ..config(16) }).unwrap();
        let mut frames: Vec<Frame> = std::iter::from_fn(|| pool.take()).collect();
        for frame in &mut frames {
            frame.reset(0);
            let fill = frame.index().0 as u8;
            frame.extend_back(umem.frame_size()).unwrap().fill(fill);
        }
        for frame in frames {
            assert!(frame.data().iter().all(|&byte| byte == frame.index().0 as u8));
            pool.put(frame);
        }
    }
}

#[test]
fn the_mapping_lives_until_the_last_frame_is_home() {
    let (umem, mut pool) = Umem::new(config(8)).unwrap();
    let region = Arc::downgrade(&umem);
    let mut frame = pool.take().unwrap();
    let other = FramePool::empty(&umem);
    drop(pool);
    drop(umem);
    assert!(region.upgrade().is_some());
    frame.fill(b"alive").unwrap();
    assert_eq!(frame.data(), b"alive");
    let mut other = other;
    other.put(frame);
    drop(other);
    assert!(region.upgrade().is_none());
}

#[test]
fn the_mapping_outlives_the_frames_while_the_region_is_in_use() {
    let (umem, pool) = Umem::new(config(8)).unwrap();
    let region = Arc::downgrade(&umem);
    drop(pool);
    assert!(region.upgrade().is_some());
    assert_eq!(umem.census().retired, 8);
    drop(umem);
    assert!(region.upgrade().is_none());
}

#[test]
fn a_forgotten_frame_keeps_the_mapping_for_good() {
    let (umem, mut pool) = Umem::new(config(8)).unwrap();
    let region = Arc::downgrade(&umem);
    std::mem::forget(pool.take().unwrap());
    drop((umem, pool));
    assert!(region.upgrade().is_some());
}

#[test]
fn a_dropped_frame_is_counted_as_lost() {
    let (umem, mut pool) = Umem::new(config(8)).unwrap();
    let frame = pool.take().unwrap();
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(frame)));
    assert_eq!(dropped.is_err(), cfg!(debug_assertions));
    assert_eq!(umem.census().lost, 1);
    (pool.census() + umem.census()).audit(&umem).unwrap();
}

#[test]
fn a_frame_lost_last_still_ends_the_mapping() {
    let (umem, mut pool) = Umem::new(config(2)).unwrap();
    let region = Arc::downgrade(&umem);
    let frame = pool.take().unwrap();
    drop((umem, pool));
    assert!(region.upgrade().is_some());
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(frame)));
    assert!(region.upgrade().is_none());
}

#[test]
fn impossible_regions_are_refused() {
    assert!(matches!(Umem::new(config(0)), Err(UmemError::NoFrames)));
    let headroom = UmemConfig { headroom: 2048 - 256, ..config(1) };
    let small = UmemConfig { frame_size: FrameSize::Bytes2048, ..headroom };
    assert!(matches!(Umem::new(small), Err(UmemError::Headroom { .. })));
    assert!(Umem::new(headroom).is_ok());
}

#[test]
fn required_huge_pages_are_given_or_refused_and_never_replaced() {
    let config = UmemConfig { huge_pages: HugePages::Require, ..config(16) };
    match Umem::new(config) {
        Ok((umem, _pool)) => assert_eq!(umem.pages(), Pages::Huge),
        Err(error) => assert!(matches!(error, UmemError::HugePages { .. }), "{error}"),
    }
}

#[test]
fn the_largest_mtu_leaves_room_for_link_header_and_headroom() {
    let (umem, _pool) = Umem::new(config(1)).unwrap();
    assert_eq!(umem.largest_mtu(), 4096 - 256 - 128 - 22);
}
