use std::collections::VecDeque;
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::mapping::Mapping;

fn size(entries: u32) -> RingSize {
    RingSize::new(entries).unwrap()
}

fn push_all(ring: &mut Producer<u64>, entries: impl IntoIterator<Item = u64>) -> usize {
    entries.into_iter().take_while(|&entry| ring.reserve(1).push(entry)).count()
}

#[test]
fn an_empty_ring_yields_nothing() {
    let (_producer, mut consumer) = pair::<u64>(size(8));
    assert_eq!(consumer.take(8).count(), 0);
    assert_eq!(consumer.pending(), 0);
}

#[test]
fn a_full_ring_takes_nothing_until_an_entry_is_read() {
    let (mut producer, mut consumer) = pair(size(4));
    assert_eq!(push_all(&mut producer, 0..10), 4);
    assert_eq!(producer.reserve(1).room(), 0);
    assert_eq!(consumer.take(1).collect::<Vec<_>>(), [0]);
    assert_eq!(push_all(&mut producer, 4..10), 1);
    assert_eq!(consumer.take(8).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn a_ring_of_one_entry_works() {
    let (mut producer, mut consumer) = pair(size(1));
    for entry in 0..5 {
        assert_eq!(push_all(&mut producer, [entry, 99]), 1);
        assert_eq!(consumer.take(9).collect::<Vec<_>>(), [entry]);
    }
}

#[test]
fn order_survives_the_wrap_of_slots_and_of_the_32_bit_indices() {
    let (mut producer, mut consumer) = pair_starting_at(size(8), u32::MAX - 20);
    let mut expected = 0..;
    for entry in 0..100_u64 {
        assert!(producer.reserve(1).push(entry));
        if entry % 3 == 2 {
            for got in consumer.take(3) {
                assert_eq!(Some(got), expected.next());
            }
        }
    }
    assert_eq!(expected.start, 99);
}

#[test]
fn a_ring_can_be_full_across_the_wrap_of_the_indices() {
    let (mut producer, mut consumer) = pair_starting_at(size(8), u32::MAX - 3);
    assert_eq!(push_all(&mut producer, 0..9), 8);
    assert_eq!((producer.pending(), consumer.pending()), (8, 8));
    assert_eq!(consumer.take(9).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    assert_eq!(producer.reserve(9).room(), 8);
}

#[test]
fn entries_appear_when_the_writer_is_done_and_not_before() {
    let (mut producer, mut consumer) = pair(size(8));
    let mut writer = producer.reserve(3);
    writer.push(1_u64);
    writer.push(2);
    assert_eq!(consumer.pending(), 0);
    drop(writer);
    assert_eq!(consumer.take(8).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn entries_that_were_not_read_stay() {
    let (mut producer, mut consumer) = pair(size(8));
    push_all(&mut producer, 0..4);
    assert_eq!(consumer.take(4).next(), Some(0));
    assert_eq!(producer.pending(), 3);
    assert_eq!(consumer.take(4).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn a_writer_pushes_no_more_than_it_reserved() {
    let (mut producer, _consumer) = pair(size(8));
    let mut writer = producer.reserve(2);
    assert!(writer.push(1_u64) && writer.push(2));
    assert!(!writer.push(3));
}

#[test]
fn the_consumer_asks_for_a_wake_up_through_the_flag() {
    let (producer, consumer) = pair::<u64>(size(8));
    assert!(!producer.needs_wakeup());
    consumer.set_needs_wakeup(true);
    assert!(producer.needs_wakeup());
    consumer.set_needs_wakeup(false);
    assert!(!producer.needs_wakeup());
}

#[test]
fn an_index_that_the_other_side_made_up_never_yields_more_than_the_ring_holds() {
    let memory = RingMemory::<u64>::plain(size(8), 0);
    // SAFETY: the only producer of this ring.
    let mut producer = unsafe { Producer::over(memory.clone()) };
    memory.consumer().store(12_345, Ordering::Release);
    assert_eq!(producer.reserve(100).room(), 0);
    assert!(producer.pending() <= 8);

    let memory = RingMemory::<u64>::plain(size(8), 0);
    // SAFETY: the only consumer of this ring.
    let mut consumer = unsafe { Consumer::over(memory.clone()) };
    memory.producer().store(u32::MAX, Ordering::Release);
    assert_eq!(consumer.take(100).count(), 8);
}

#[test]
fn only_powers_of_two_are_ring_sizes() {
    for entries in [0, 3, 100, (1 << 24) + 1, 1 << 25, u32::MAX] {
        assert_eq!(RingSize::new(entries), Err(RingSizeError(entries)));
    }
    for shift in 0..=24 {
        assert_eq!(size(1 << shift).get(), 1 << shift);
    }
}

#[test]
fn parts_outside_of_the_mapping_are_refused() {
    let good = Offsets { producer: 0, consumer: 64, flags: 128, slots: 192 };
    let build = |offsets| {
        let mapping = Mapping::anonymous(4096).unwrap();
        RingMemory::<Descriptor>::mapped(mapping, offsets, size(64)).is_some()
    };
    assert!(build(good));
    assert!(!build(Offsets { producer: 4096, ..good }));
    assert!(!build(Offsets { flags: usize::MAX - 1, ..good }));
    assert!(!build(Offsets { consumer: 2, ..good }));
    assert!(!build(Offsets { slots: 196, ..good }));
    assert!(!build(Offsets { slots: 4096 - 64 * 16 + 8, ..good }));
}

#[test]
fn two_threads_lose_duplicate_and_reorder_nothing() {
    const ENTRIES: u64 = if cfg!(miri) { 200 } else { 400_000 };
    let (mut producer, mut consumer) = pair_starting_at(size(64), u32::MAX - 1000);
    let writer = thread::spawn(move || {
        let mut next = 0;
        while next < ENTRIES {
            let mut room = producer.reserve(7);
            while next < ENTRIES && room.push(Descriptor { address: next, length: !0, options: 7 })
            {
                next += 1;
            }
            let full = room.room() == 0;
            drop(room);
            if full {
                thread::yield_now();
            }
        }
    });
    let mut expected = 0;
    while expected < ENTRIES {
        let before = expected;
        for entry in consumer.take(13) {
            assert_eq!(entry, Descriptor { address: expected, length: !0, options: 7 });
            expected += 1;
        }
        if expected == before {
            thread::yield_now();
        }
    }
    writer.join().unwrap();
    assert_eq!(consumer.pending(), 0);
}

#[derive(Clone, Debug)]
enum Operation {
    Push { reserve: u32, write: u32 },
    Take { limit: u32, read: u32 },
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        (0..40_u32, 0..40_u32).prop_map(|(reserve, write)| Operation::Push { reserve, write }),
        (0..40_u32, 0..40_u32).prop_map(|(limit, read)| Operation::Take { limit, read }),
    ]
}

proptest! {
    #[test]
    fn a_ring_behaves_like_a_bounded_queue(
        shift in 0..6_u32,
        start in prop_oneof![Just(0), (u32::MAX - 100)..=u32::MAX, any::<u32>()],
        operations in prop::collection::vec(operation(), 1..200),
    ) {
        let entries = 1 << shift;
        let (mut producer, mut consumer) = pair_starting_at::<u64>(size(entries), start);
        let mut oracle = VecDeque::new();
        let mut next = 0;
        for operation in operations {
            match operation {
                Operation::Push { reserve, write } => {
                    let mut writer = producer.reserve(reserve);
                    prop_assert_eq!(writer.room(), reserve.min(entries - oracle.len() as u32));
                    for _ in 0..write {
                        if !writer.push(next) {
                            break;
                        }
                        oracle.push_back(next);
                        next += 1;
                    }
                }
                Operation::Take { limit, read } => {
                    let reader = consumer.take(limit);
                    prop_assert_eq!(reader.len(), oracle.len().min(limit as usize));
                    for entry in reader.take(read as usize) {
                        prop_assert_eq!(Some(entry), oracle.pop_front());
                    }
                }
            }
            prop_assert_eq!(producer.pending() as usize, oracle.len());
            prop_assert_eq!(consumer.pending() as usize, oracle.len());
        }
    }
}
