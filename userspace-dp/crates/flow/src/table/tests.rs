//! The table by hand: each rule once. What all of it does together is held against a reference in `tests/reference`.

mod lookup;
mod places;
mod times;

use core::net::Ipv4Addr;

use wire::Addresses;
use wire::tcp::Flags;

use super::*;
use crate::hash::tests::hash_key;
use crate::{Segment, Tuple};

const UDP: u8 = 17;
const TCP: u8 = 6;

fn settings(capacity: u32) -> FlowSettings {
    FlowSettings {
        capacity,
        on_exhausted: OnExhausted::EvictUnconfirmed,
        pickup: Pickup::Off,
        timeouts: Timeouts::DEFAULT,
        departed_keys: 1024,
        departed_for: Duration::from_secs(60),
    }
}

/// A table of numbers.
fn table(capacity: u32) -> FlowTable<u32> {
    FlowTable::new(&settings(capacity), hash_key(1), at(0))
}

fn at(seconds: u64) -> Time {
    Time::from_nanos(seconds * 1_000_000_000)
}

/// The key of client `number`'s packets to the server, in zone 1.
fn key(protocol: u8, number: u32) -> Key {
    let source = Ipv4Addr::from_bits(0x0a00_0000 + (number >> 8));
    let addresses = Addresses::V4 { source, destination: Ipv4Addr::new(192, 0, 2, 1) };
    let ports =
        if matches!(protocol, UDP | TCP) { (1000 + (number & 0xff) as u16, 443) } else { (0, 0) };
    Key { zone: 1, tuple: Tuple { addresses, protocol, ports } }
}

/// The key of what comes back, from zone 2.
fn back(key: &Key) -> Key {
    Key { zone: 2, tuple: key.tuple.reversed() }
}

fn datagram(number: u32) -> NewFlow<u32> {
    let opening = key(UDP, number);
    NewFlow {
        opening,
        answers: back(&opening),
        content: Content::Datagram,
        payload: [number, number + 1],
    }
}

fn segment(flags: Flags, sequence: u32, acknowledgment: u32) -> Content {
    Content::Tcp(Segment {
        sequence,
        acknowledgment,
        length: 0,
        window: 8192,
        flags,
        scale: None,
        timestamps: false,
        fragmented: false,
    })
}

fn syn(number: u32) -> NewFlow<u32> {
    let opening = key(TCP, number);
    let content = segment(Flags::SYN, 100, 0);
    NewFlow { opening, answers: back(&opening), content, payload: [number, number + 1] }
}

/// Every flow that expires at `now`.
fn expired(table: &mut FlowTable<u32>, now: Time) -> Vec<Removed<u32>> {
    let mut budget = u32::MAX;
    core::iter::from_fn(|| table.expire(now, &mut budget)).collect()
}

fn open(table: &mut FlowTable<u32>, new: NewFlow<u32>, now: Time) -> FlowId {
    let opened = table.open(new, now).expect("room");
    assert_eq!(opened.made_room, None);
    opened.id
}
