use std::thread;

use proptest::prelude::*;

use super::*;
use crate::{Frame, FrameSize, HugePages, PortStatistics, UmemConfig};

fn region(frames: u32) -> (Arc<Umem>, FramePool) {
    let config = UmemConfig { huge_pages: HugePages::Never, ..UmemConfig::with_frames(frames) };
    Umem::new(config).unwrap()
}

fn config(entries: u32, when_full: WhenFull) -> CableConfig {
    CableConfig { ring_size: RingSize::new(entries).unwrap(), when_full }
}

/// Two hosts on a cable, of one region or of two.
fn hosts(
    one_region: bool,
    entries: u32,
    when_full: WhenFull,
) -> (Station<MemoryPort>, Station<MemoryPort>) {
    let (left, mut left_pool) = region(64);
    let (right, right_pool) =
        if one_region { (Arc::clone(&left), left_pool.split(32)) } else { region(32) };
    let (left_port, right_port) = cable(&left, &right, config(entries, when_full));
    (Station::new(left_port, left_pool), Station::new(right_port, right_pool))
}

fn audit(left: &Station<MemoryPort>, right: &Station<MemoryPort>) {
    if Arc::ptr_eq(left.umem(), right.umem()) {
        let all = left.census() + right.census() + left.umem().census();
        all.audit(left.umem()).unwrap();
    } else {
        for host in [left, right] {
            (host.census() + host.umem().census()).audit(host.umem()).unwrap();
        }
    }
}

#[test]
fn packets_cross_both_ways_within_one_region_and_between_two() {
    for one_region in [true, false] {
        let (mut left, mut right) = hosts(one_region, 16, WhenFull::Wait);
        for number in 0..1000_u32 {
            let packet = number.to_le_bytes().repeat(20);
            assert!(left.send(&packet).unwrap());
            assert_eq!(right.receive(), Some(packet.clone()));
            assert!(right.send(&packet).unwrap());
            assert_eq!(left.receive(), Some(packet));
            audit(&left, &right);
        }
        assert_eq!(left.receive(), None);
        assert_eq!(left.statistics().received, 1000);
        assert_eq!(left.statistics().transmitted_bytes, 80_000);
    }
}

#[test]
fn within_one_region_the_frame_itself_crosses() {
    let (umem, mut pool) = region(8);
    let (mut left, mut right) = cable(&umem, &umem, config(4, WhenFull::Wait));
    right.refill(&mut pool);
    let mut frame = pool.take().unwrap();
    frame.fill(b"hello").unwrap();
    let index = frame.index();
    let mut burst = Burst::from_iter([frame]);
    assert_eq!(left.transmit(&mut burst), 1);
    assert_eq!(left.kick(), Kick::Woken);
    assert_eq!(right.receive(&mut burst), 1);
    let frame = burst.pop().unwrap();
    assert_eq!((frame.index(), frame.data()), (index, &b"hello"[..]));
    pool.put(frame);
    assert_eq!(left.reap(&mut pool), 1);
    drop((left, right));
    (pool.census() + umem.census()).audit(&umem).unwrap();
}

#[test]
fn a_packet_that_begins_before_the_headroom_arrives_behind_it() {
    let (umem, mut pool) = region(8);
    let (mut left, mut right) = cable(&umem, &umem, config(4, WhenFull::Wait));
    right.refill(&mut pool);
    let mut frame = pool.take().unwrap();
    frame.reset(10);
    frame.extend_back(3).unwrap().copy_from_slice(b"abc");
    let mut burst = Burst::from_iter([frame]);
    left.transmit(&mut burst);
    left.kick();
    right.receive(&mut burst);
    let frame = burst.pop().unwrap();
    assert_eq!(frame.data(), b"abc");
    assert_eq!(frame.headroom(), usize::from(umem.headroom()));
    pool.put(frame);
}

#[test]
fn a_cable_that_waits_loses_nothing_when_the_far_end_is_full() {
    let (mut left, mut right) = hosts(false, 4, WhenFull::Wait);
    let mut sent = 0_u8;
    while left.send(&[sent; 50]).unwrap() {
        sent += 1;
    }
    assert!(sent >= 8, "a transmit ring and a receive ring of four each");
    assert_eq!(left.poll(), Kick::BackPressure);
    let mut got = Vec::new();
    for _ in 0..10 {
        got.extend(right.receive_all());
        left.poll();
        audit(&left, &right);
    }
    assert_eq!(got, (0..sent).map(|number| vec![number; 50]).collect::<Vec<_>>());
}

#[test]
fn a_cable_that_drops_counts_it_at_the_far_end_and_returns_the_frames() {
    let (mut left, mut right) = hosts(true, 4, WhenFull::Drop);
    for number in 0..20 {
        assert!(left.send(&[number; 50]).unwrap());
    }
    audit(&left, &right);
    let got = right.receive_all();
    assert_eq!(got, (0..4).map(|number| vec![number; 50]).collect::<Vec<_>>());
    assert_eq!(right.statistics().fill_ring_empty, 16);
    assert!(left.send(b"again").unwrap());
    assert_eq!(right.receive().as_deref(), Some(&b"again"[..]));
}

#[test]
fn a_packet_too_long_for_the_far_end_is_dropped_and_counted() {
    let (left, left_pool) = region(16);
    let small = UmemConfig {
        frame_size: FrameSize::Bytes2048,
        huge_pages: HugePages::Never,
        ..UmemConfig::with_frames(16)
    };
    let (right, right_pool) = Umem::new(small).unwrap();
    let (left_port, right_port) = cable(&left, &right, config(8, WhenFull::Wait));
    let mut left = Station::new(left_port, left_pool);
    let mut right = Station::new(right_port, right_pool);
    assert!(left.send(&[1; 3000]).unwrap());
    assert!(left.send(&[2; 1500]).unwrap());
    assert_eq!(right.receive_all(), [vec![2; 1500]]);
    assert_eq!(right.statistics().fill_ring_empty, 1);
    audit(&left, &right);
}

#[test]
fn an_empty_frame_is_taken_out_and_comes_back() {
    let (umem, mut pool) = region(4);
    let (mut left, _right) = cable(&umem, &umem, config(4, WhenFull::Wait));
    let mut burst = Burst::from_iter([pool.take().unwrap()]);
    assert_eq!(left.transmit(&mut burst), 0);
    assert!(burst.is_empty());
    assert_eq!((left.statistics().empty, left.census().recycle), (1, 1));
    assert_eq!(left.reap(&mut pool), 0);
    assert_eq!(pool.len(), 4);
}

#[test]
fn a_pool_of_another_region_neither_fills_nor_reaps() {
    let (umem, _pool) = region(4);
    let (_other, mut strangers) = region(4);
    let (mut left, _right) = cable(&umem, &umem, config(4, WhenFull::Wait));
    assert_eq!(left.refill(&mut strangers), 0);
    assert_eq!(left.reap(&mut strangers), 0);
    assert_eq!(strangers.len(), 4);
}

#[test]
fn a_foreign_frame_does_not_stop_or_reorder_the_others() {
    let (umem, mut pool) = region(16);
    let (_other, mut strangers) = region(2);
    let (mut left, mut right) = cable(&umem, &umem, config(8, WhenFull::Wait));
    let mut receiving = pool.split(8);
    right.refill(&mut receiving);
    let mut number = 0;
    let mut next = |pool: &mut FramePool| {
        let mut frame = pool.take().unwrap();
        frame.fill(&[number]).unwrap();
        number += 1;
        frame
    };
    let mut burst = Burst::new();
    burst.push(next(&mut pool));
    burst.push(next(&mut strangers));
    burst.push(next(&mut pool));
    assert_eq!(left.transmit(&mut burst), 2);
    assert_eq!(burst.iter().map(|frame| frame.data()[0]).collect::<Vec<_>>(), [1]);
    assert_eq!(left.statistics().foreign, 1);
    strangers.put(burst.pop().unwrap());
    left.kick();
    right.receive(&mut burst);
    assert_eq!(burst.iter().map(|frame| frame.data()[0]).collect::<Vec<_>>(), [0, 2]);
    burst.drain(..).for_each(|frame| pool.put(frame));
}

#[test]
fn frames_of_both_ends_are_retired_when_both_are_gone() {
    let (left_host, right_host) = hosts(true, 8, WhenFull::Wait);
    let umem = Arc::clone(left_host.umem());
    let (mut left_host, mut right_host) = (left_host, right_host);
    left_host.send(b"under way").unwrap();
    right_host.send(b"under way").unwrap();
    drop(left_host);
    assert!(umem.census().total() < u64::from(umem.frames()));
    assert_eq!(right_host.poll(), Kick::LinkDown);
    drop(right_host);
    umem.census().audit(&umem).unwrap();
    assert_eq!(umem.census().lost, 0);
}

#[test]
fn ends_in_two_threads_exchange_everything_in_order() {
    const PACKETS: u32 = 50_000;
    for one_region in [true, false] {
        let (left, right) = hosts(one_region, 16, WhenFull::Wait);
        let run = |mut host: Station<MemoryPort>| {
            thread::spawn(move || {
                let (mut sent, mut expected) = (0_u32, 0_u32);
                while sent < PACKETS || expected < PACKETS {
                    let before = (sent, expected);
                    if sent < PACKETS && host.send(&sent.to_le_bytes()).unwrap() {
                        sent += 1;
                    }
                    for packet in host.receive_all() {
                        assert_eq!(packet, expected.to_le_bytes());
                        expected += 1;
                    }
                    if before == (sent, expected) {
                        thread::yield_now();
                    }
                }
                // The far end may still wait for a last wake-up.
                while host.port().census().transmit > 0 {
                    host.poll();
                    thread::yield_now();
                }
                host
            })
        };
        let (left, right) = (run(left), run(right));
        let (left, right) = (left.join().unwrap(), right.join().unwrap());
        audit(&left, &right);
    }
}

/// Takes out of a ring entry what no sane kernel would put there.
#[test]
fn entries_that_name_no_window_of_a_frame_are_counted_and_never_become_a_packet() {
    let (umem, mut pool) = region(4);
    let (near, mut far) = rings(RingSize::new(8).unwrap());
    let mut queue = Queue::new(&umem, near);
    assert_eq!(queue.refill(&mut pool), 4);
    let mut filled = far.fill.take(4);
    let mut writer = far.receive.reserve(4);
    let entry = |address, length, options| ring::Descriptor { address, length, options };
    let (first, second) = (filled.next().unwrap(), filled.next().unwrap());
    writer.push(entry(u64::MAX, 60, 0));
    writer.push(entry(4 * 4096, 60, 0));
    writer.push(entry(first + 4000, 97, 0));
    writer.push(entry(second + 4000, 96, 0));
    drop(writer);
    let mut burst = Burst::new();
    assert_eq!(queue.receive(&mut burst), 1);
    assert_eq!(burst[0].len(), 96);
    assert_eq!(queue.statistics.invalid, 3);
    burst.drain(..).for_each(|frame| pool.put(frame));
    queue.reap(&mut pool);
    assert_eq!(pool.len(), 2);
    (pool.census() + queue.census() + umem.census()).audit(&umem).unwrap();
}

#[test]
fn a_packet_of_several_buffers_is_dropped_whole_wherever_bursts_cut_it() {
    let (umem, mut pool) = region(8);
    let (near, mut far) = rings(RingSize::new(8).unwrap());
    let mut queue = Queue::new(&umem, near);
    queue.refill(&mut pool);
    let filled: Vec<u64> = far.fill.take(8).collect();
    let more = libc::XDP_PKT_CONTD;
    let mut got = Vec::new();
    for (address, options) in filled.into_iter().zip([0, more, more, 0, 0, more, 0, 0]) {
        far.receive.reserve(1).push(ring::Descriptor { address, length: 100, options });
        let mut burst = Burst::new();
        queue.receive(&mut burst);
        got.push(burst.len());
        burst.drain(..).for_each(|frame: Frame| pool.put(frame));
    }
    assert_eq!(got, [1, 0, 0, 0, 1, 0, 0, 1]);
    assert_eq!(queue.statistics.fragmented, 2);
    assert_eq!(queue.census().recycle, 5);
    queue.reap(&mut pool);
    assert_eq!(pool.len(), 8);
}

proptest! {
    /// Any interleaving of sends, polls and receipts keeps order, packets and frames.
    #[test]
    fn a_waiting_cable_is_a_queue(
        one_region in any::<bool>(),
        steps in prop::collection::vec((0..4_u8, 1..100_usize), 1..200),
    ) {
        let (mut left, mut right) = hosts(one_region, 4, WhenFull::Wait);
        let mut under_way = std::collections::VecDeque::new();
        for (kind, length) in steps {
            match kind {
                0 | 1 => {
                    let packet = vec![length as u8; length];
                    if left.send(&packet).unwrap() {
                        under_way.push_back(packet);
                    }
                }
                2 => drop(left.poll()),
                _ => for packet in right.receive_all() {
                    prop_assert_eq!(Some(packet), under_way.pop_front());
                },
            }
            audit(&left, &right);
        }
        while !under_way.is_empty() {
            left.poll();
            for packet in right.receive_all() {
                prop_assert_eq!(Some(packet), under_way.pop_front());
            }
        }
        prop_assert_eq!(left.statistics().invalid, PortStatistics::default().invalid);
    }
}
