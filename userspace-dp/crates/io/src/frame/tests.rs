use super::*;
use crate::{FramePool, FrameSize, HugePages, Umem, UmemConfig};
use proptest::prelude::*;
use std::sync::Arc;

fn region(frame_size: FrameSize) -> (Arc<Umem>, FramePool) {
    let config =
        UmemConfig { frame_size, huge_pages: HugePages::Never, ..UmemConfig::with_frames(4) };
    Umem::new(config).unwrap()
}

#[test]
fn a_fresh_frame_is_empty_behind_the_headroom() {
    let (umem, mut pool) = region(FrameSize::Bytes4096);
    let frame = pool.take().unwrap();
    assert!(frame.is_empty());
    assert_eq!(frame.headroom(), usize::from(umem.headroom()));
    assert_eq!(frame.headroom() + frame.tailroom(), 4096);
    pool.put(frame);
}

#[test]
fn outer_headers_go_in_front_without_moving_the_packet() {
    let (_umem, mut pool) = region(FrameSize::Bytes4096);
    let mut frame = pool.take().unwrap();
    frame.fill(b"inner").unwrap();
    let inner = frame.data().as_ptr();
    frame.push_front(6).unwrap().copy_from_slice(b"outer ");
    frame.extend_back(4).unwrap().copy_from_slice(b" tag");
    assert_eq!(frame.data(), b"outer inner tag");
    frame.pull_front(6).unwrap();
    frame.truncate(5);
    assert_eq!(frame.data(), b"inner");
    assert_eq!(frame.data().as_ptr(), inner);
    pool.put(frame);
}

#[test]
fn a_window_never_leaves_its_frame() {
    let (_umem, mut pool) = region(FrameSize::Bytes2048);
    let mut frame = pool.take().unwrap();
    frame.fill(&[7; 100]).unwrap();
    let (headroom, tailroom) = (frame.headroom(), frame.tailroom());
    let error = frame.push_front(headroom + 1).unwrap_err();
    assert_eq!(error, NoRoom { wanted: headroom + 1, available: headroom });
    assert!(frame.extend_back(tailroom + 1).is_err());
    assert!(frame.pull_front(101).is_err());
    assert!(frame.push_front(usize::MAX).is_err());
    assert!(frame.extend_back(usize::MAX).is_err());
    assert_eq!(frame.data(), [7; 100]);
    assert_eq!(frame.push_front(headroom).unwrap().len(), headroom);
    assert_eq!(frame.extend_back(tailroom).unwrap().len(), tailroom);
    assert_eq!(frame.len(), 2048);
    frame.reset(5000);
    assert_eq!((frame.headroom(), frame.tailroom(), frame.len()), (2047, 1, 0));
    pool.put(frame);
}

#[test]
fn truncating_beyond_the_end_changes_nothing() {
    let (_umem, mut pool) = region(FrameSize::Bytes2048);
    let mut frame = pool.take().unwrap();
    frame.fill(b"abc").unwrap();
    frame.truncate(70_000);
    assert_eq!(frame.data(), b"abc");
    pool.put(frame);
}

#[test]
fn a_packet_is_copied_across_regions_when_it_fits() {
    let (_large, mut from) = region(FrameSize::Bytes4096);
    let (small, mut to) = region(FrameSize::Bytes2048);
    let (mut source, mut target) = (from.take().unwrap(), to.take().unwrap());
    source.fill(&[9; 1500]).unwrap();
    source.copy_into(&mut target).unwrap();
    assert_eq!(target.data(), [9; 1500]);
    assert!(target.belongs_to(&small) && !source.belongs_to(&small));
    source.fill(&[9; 2000]).unwrap();
    assert!(source.copy_into(&mut target).is_err());
    assert!(target.is_empty());
    from.put(source);
    to.put(target);
}

#[derive(Clone, Debug)]
enum Move {
    PushFront(usize),
    PullFront(usize),
    ExtendBack(usize),
    Truncate(usize),
    Reset(usize),
}

fn movement() -> impl Strategy<Value = Move> {
    let length = || prop_oneof![0..200_usize, 0..5000_usize];
    prop_oneof![
        length().prop_map(Move::PushFront),
        length().prop_map(Move::PullFront),
        length().prop_map(Move::ExtendBack),
        length().prop_map(Move::Truncate),
        length().prop_map(Move::Reset),
    ]
}

proptest! {
    /// The oracle holds the frame's bytes in a vector and the window as two numbers.
    #[test]
    fn any_sequence_of_moves_agrees_with_a_plain_array(moves in prop::collection::vec(movement(), 1..60)) {
        let (_umem, mut pool) = region(FrameSize::Bytes2048);
        let mut frame = pool.take().unwrap();
        let mut bytes = vec![0_u8; 2048];
        let (mut start, mut end) = (frame.headroom(), frame.headroom());
        for (stamp, step) in moves.into_iter().enumerate() {
            let stamp = stamp as u8;
            match step {
                Move::PushFront(count) => match frame.push_front(count) {
                    Ok(new) => {
                        new.fill(stamp);
                        start -= count;
                        bytes[start..start + count].fill(stamp);
                    }
                    Err(_) => prop_assert!(count > start),
                },
                Move::PullFront(count) => match frame.pull_front(count) {
                    Ok(()) => start += count,
                    Err(_) => prop_assert!(count > end - start),
                },
                Move::ExtendBack(count) => match frame.extend_back(count) {
                    Ok(new) => {
                        new.fill(stamp);
                        bytes[end..end + count].fill(stamp);
                        end += count;
                    }
                    Err(_) => prop_assert!(count > 2048 - end),
                },
                Move::Truncate(length) => {
                    frame.truncate(length);
                    end = end.min(start + length);
                }
                Move::Reset(headroom) => {
                    frame.reset(headroom);
                    (start, end) = (headroom, headroom);
                }
            }
            // An empty packet at the very end moves one byte to the front.
            if start >= 2048 {
                (start, end) = (2047, 2047);
            }
            prop_assert_eq!(frame.data(), &bytes[start..end]);
            prop_assert_eq!(frame.headroom(), start);
            prop_assert_eq!(frame.tailroom(), 2048 - end);
        }
        pool.put(frame);
    }
}
