use super::*;
use crate::memory::{CableConfig, MemoryPort, Station, WhenFull, cable};
use crate::ring::RingSize;
use crate::{HugePages, UmemConfig};

type Faced = Station<Faulty<MemoryPort>>;

/// A host behind faults, and a host at the other end of its cable.
fn hosts(receive: Faults, transmit: Faults, seed: u64) -> (Faced, Station<MemoryPort>) {
    let config = UmemConfig { huge_pages: HugePages::Never, ..UmemConfig::with_frames(1024) };
    let (umem, mut pool) = Umem::new(config).unwrap();
    let ring_size = RingSize::new(256).unwrap();
    let (left, right) = cable(&umem, &umem, CableConfig { ring_size, when_full: WhenFull::Wait });
    let faulty = Faulty::new(left, receive, transmit, seed, pool.split(64));
    let right_pool = pool.split(480);
    (Station::new(faulty, pool), Station::new(right, right_pool))
}

fn audit(left: &Faced, right: &Station<MemoryPort>) {
    (left.census() + right.census() + left.umem().census()).audit(left.umem()).unwrap();
}

fn chance(parts: u32) -> PartsPerMillion {
    PartsPerMillion(parts)
}

/// Sends numbered packets through the transmit faults, and returns the numbers that arrive.
fn through_transmit(faults: Faults, seed: u64, packets: u32) -> Vec<u32> {
    let (mut left, mut right) = hosts(Faults::NONE, faults, seed);
    let mut got = Vec::new();
    for number in 0..packets {
        // A stall makes `send` fail; the sender tries again.
        while !left.send(&number.to_le_bytes()).unwrap() {}
        got.extend(right.receive_all());
        audit(&left, &right);
    }
    left.poll();
    got.extend(right.receive_all());
    got.into_iter().map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

#[test]
fn without_faults_everything_passes_in_order() {
    assert_eq!(through_transmit(Faults::NONE, 1, 500), (0..500).collect::<Vec<_>>());
}

#[test]
fn the_same_seed_repeats_the_same_run_and_another_does_not() {
    let faults = Faults {
        drop: chance(100_000),
        duplicate: chance(100_000),
        reorder: chance(100_000),
        corrupt: chance(100_000),
        stall: chance(50_000),
    };
    let run = |seed| through_transmit(faults, seed, 300);
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn drops_lose_about_as_many_packets_as_asked_and_no_frame() {
    let got = through_transmit(Faults { drop: chance(250_000), ..Faults::NONE }, 2, 2000);
    assert!((1300..1700).contains(&got.len()), "{}", got.len());
    assert!(got.is_sorted());
    let all = through_transmit(Faults { drop: PartsPerMillion::ALWAYS, ..Faults::NONE }, 2, 500);
    assert!(all.is_empty());
}

#[test]
fn duplicates_come_twice() {
    let got =
        through_transmit(Faults { duplicate: PartsPerMillion::ALWAYS, ..Faults::NONE }, 3, 400);
    let twice: Vec<u32> = (0..400).flat_map(|number| [number, number]).collect();
    assert_eq!(got, twice);
}

#[test]
fn reordered_packets_come_late_and_all_of_them_come() {
    let faults = Faults { reorder: chance(300_000), ..Faults::NONE };
    let (mut left, mut right) = hosts(faults, Faults::NONE, 4);
    let mut got = Vec::new();
    for group in 0..50_u32 {
        for number in 0..10 {
            assert!(right.send(&(group * 10 + number).to_le_bytes()).unwrap());
        }
        got.extend(left.receive_all());
        audit(&left, &right);
    }
    left.port().set_faults(Faults::NONE, Faults::NONE);
    got.extend(left.receive_all());
    let mut numbers: Vec<u32> =
        got.into_iter().map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap())).collect();
    assert!(!numbers.is_sorted());
    numbers.sort_unstable();
    assert_eq!(numbers, (0..500).collect::<Vec<_>>());
}

#[test]
fn corruption_flips_exactly_one_bit() {
    let faults = Faults { corrupt: PartsPerMillion::ALWAYS, ..Faults::NONE };
    let (mut left, mut right) = hosts(faults, Faults::NONE, 5);
    for _ in 0..200 {
        assert!(right.send(&[0; 40]).unwrap());
        let got = left.receive().unwrap();
        assert_eq!(got.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
    }
    audit(&left, &right);
}

#[test]
fn a_stall_is_a_full_ring_for_the_sender_and_passes() {
    let faults = Faults { stall: PartsPerMillion::ALWAYS, ..Faults::NONE };
    let (mut left, mut right) = hosts(faults, faults, 6);
    assert!(!left.send(b"stuck").unwrap());
    assert!(right.send(b"quiet").unwrap());
    assert_eq!(left.receive(), None);
    left.port().set_faults(Faults::NONE, Faults::NONE);
    let mut sent = false;
    for _ in 0..LONGEST_STALL {
        sent |= !sent && left.send(b"stuck").unwrap();
    }
    assert!(sent);
    let mut got = None;
    for _ in 0..=LONGEST_STALL {
        got = got.or_else(|| left.receive());
    }
    assert_eq!(got.as_deref(), Some(&b"quiet"[..]));
    assert_eq!(right.receive().as_deref(), Some(&b"stuck"[..]));
    audit(&left, &right);
}

#[test]
fn frames_inside_the_faults_are_retired_with_them() {
    let faults = Faults { reorder: PartsPerMillion::ALWAYS, ..Faults::NONE };
    let (mut left, right) = hosts(Faults::NONE, faults, 9);
    let mut frame = left.pool().take().unwrap();
    frame.fill(b"held back").unwrap();
    let mut burst = Burst::from_iter([frame]);
    assert_eq!(left.port().transmit(&mut burst), 1);
    let umem = Arc::clone(left.umem());
    drop((left, right));
    umem.census().audit(&umem).unwrap();
    assert_eq!(umem.census().lost, 0);
}
