//! Parse: from an Ethernet frame to addresses, ports, flags and payload bounds, with every check.
//!
//! Ours is `wire::parse`. The peers answer the same question through the glue that the differential
//! test holds against ours on a million frames, with the same duties: lengths, versions, the IPv4
//! header checksum, at most two VLAN tags, extension headers. Everybody parses bursts of 64 frames
//! into an array of results, frames in a shuffled order, each in memory of its own.
//!
//! * `parse.mixed`: 4,096 frames: WireGuard data, TCP and UDP over both families with and without
//!   options and VLAN tags, ICMP, IPIP.
//! * `parse.udp4`, `parse.tcp6`: 1,024 frames of one kind.
//! * `parse.wireguard`: WireGuard data over both families, parsed down to receiver index and counter.
//!
//! Left out: cold caches (frames stay in the second-level cache), and what a driver costs.

#[path = "../../userspace-dp/crates/wire/tests/oracle/mod.rs"]
#[allow(dead_code)]
mod oracle;

use std::hint::black_box;

use oracle::Summary;
use ringwall_benches::report::{Contender, Family, Sample, Unit};
use wire::build::Packet;
use wire::tcp::Flags;
use wire::wireguard::{Data, DataRepr};
use wire::{Malformed, Parsed, protocol};

const BURST: usize = 64;

fn main() {
    let mut family = Family::from_arguments("parse");
    figure(&mut family, "parse.mixed", &mixed());
    figure(&mut family, "parse.udp4", &repeated(&[udp4(18), udp4(100), udp4(1200)]));
    figure(&mut family, "parse.tcp6", &repeated(&[tcp6(0), tcp6(100), tcp6(1200)]));
    wireguard(&mut family);
    family.finish();
}

/// One figure over `frames`: parse each, keep all that was found.
fn figure(family: &mut Family, name: &str, frames: &[Vec<u8>]) {
    for frame in frames {
        oracle::compare(frame).expect("everybody finds the same in what is timed");
    }
    let ours = Contender::new("ringwall", || {
        bursts(frames, [Err(Malformed::NotIp); BURST], |frame| -> Result<Parsed, Malformed> {
            wire::parse(frame)
        })
    });
    let smoltcp =
        Contender::new("smoltcp", || bursts(frames, [None; BURST], oracle::smoltcp::parse));
    let etherparse =
        Contender::new("etherparse", || bursts(frames, [None; BURST], oracle::etherparse::parse));
    family.compare(name, Unit::NanosPerPacket, ours, vec![smoltcp, etherparse]);
}

/// WireGuard data: the packet, and receiver index and counter of the message in it.
fn wireguard(family: &mut Family) {
    let frames = repeated(&[
        data("198.51.100.1:51820", "203.0.113.2:51820"),
        data("[2001:db8::1]:51820", "[2001:db8::2]:51820"),
    ]);
    let ours = Contender::new("ringwall", || {
        bursts(&frames, [None; BURST], |frame| {
            let parsed = wire::parse(frame).ok()?;
            let data = Data::parse(frame.get(parsed.payload_range())?).ok()?;
            Some((parsed, data.receiver, data.counter))
        })
    });
    let smoltcp = Contender::new("smoltcp", || {
        bursts(&frames, [None; BURST], |frame| framed(frame, oracle::smoltcp::parse(frame)?))
    });
    let etherparse = Contender::new("etherparse", || {
        bursts(&frames, [None; BURST], |frame| framed(frame, oracle::etherparse::parse(frame)?))
    });
    let peers = vec![smoltcp, etherparse];
    family.compare("parse.wireguard", Unit::NanosPerPacket, ours, peers);
}

/// The peers know no WireGuard; this reads the data header for them, as briefly as can be.
#[inline(always)]
fn framed(frame: &[u8], summary: Summary) -> Option<(Summary, u32, u64)> {
    let message = frame.get(usize::from(summary.payload)..usize::from(summary.payload_end))?;
    if message.len() < 32 || message[..4] != [4, 0, 0, 0] {
        return None;
    }
    let receiver = u32::from_le_bytes(message[4..8].try_into().ok()?);
    let counter = u64::from_le_bytes(message[8..16].try_into().ok()?);
    Some((summary, receiver, counter))
}

/// Runs `parse` over all frames, burst by burst. A tenth of a millisecond at a time: enough to be timed,
/// and short enough that a busy machine disturbs few rounds of anybody.
fn bursts<R: Copy>(
    frames: &[Vec<u8>],
    mut results: [R; BURST],
    parse: impl Fn(&[u8]) -> R,
) -> Sample {
    let rounds = 8_192 / frames.len();
    Sample::of((rounds * frames.len()) as u64, || {
        for _ in 0..rounds {
            for burst in frames.chunks_exact(BURST) {
                for (result, frame) in results.iter_mut().zip(burst) {
                    *result = parse(frame);
                }
                black_box(&mut results);
            }
        }
    })
}

fn udp4(len: usize) -> Vec<u8> {
    Packet::udp("10.0.0.1:40000", "192.0.2.2:53").payload_len(len).frame()
}

fn tcp6(len: usize) -> Vec<u8> {
    let packet = Packet::tcp("[fd00::1]:40000", "[2001:db8::2]:443", Flags::ACK);
    packet.with_tcp(|tcp| tcp.timestamps = Some((1, 2))).payload_len(len).frame()
}

fn data(source: &str, destination: &str) -> Vec<u8> {
    let mut message = [7; 128];
    let header = DataRepr { receiver: 1, counter: 2 };
    header.emit(&mut message).expect("room for the header");
    Packet::udp(source, destination).payload(&message).frame()
}

fn repeated(kinds: &[Vec<u8>]) -> Vec<Vec<u8>> {
    shuffled(kinds.iter().cycle().take(1024).cloned().collect())
}

/// What a gateway between a LAN and tunnels sees, in parts of a hundred.
fn mixed() -> Vec<Vec<u8>> {
    let (a, b) = ("10.0.0.1:40000", "192.0.2.2:443");
    let tcp4 = |flags, len| Packet::tcp(a, b, flags).payload_len(len);
    let inner = tcp4(Flags::ACK, 100).ip();
    let hop = Packet::udp("[fd00::1]:1", "[fd00::2]:2")
        .extension(protocol::HOP_BY_HOP, &[1, 4, 0, 0, 0, 0]);
    let kinds = [
        (22, data("198.51.100.1:51820", "203.0.113.2:51820")),
        (8, data("[2001:db8::1]:51820", "[2001:db8::2]:51820")),
        (12, tcp4(Flags::ACK, 0).with_tcp(|tcp| tcp.timestamps = Some((1, 2))).frame()),
        (12, tcp4(Flags::ACK, 1200).frame()),
        (4, tcp4(Flags::SYN, 0).mss(1460).frame()),
        (8, tcp4(Flags::ACK, 600).vlan(100).frame()),
        (8, tcp6(0)),
        (8, tcp6(1200)),
        (7, udp4(60)),
        (4, Packet::udp("[fd00::1]:1", "[fd00::2]:53").payload_len(60).frame()),
        (2, Packet::ping("10.0.0.1", "192.0.2.2", 1, 1).payload_len(56).frame()),
        (1, Packet::ping("fd00::1", "fd00::2", 1, 1).payload_len(56).frame()),
        (3, Packet::ipip("198.51.100.1", "203.0.113.2", &inner).frame()),
        (1, hop.frame()),
    ];
    let hundred: Vec<_> =
        kinds.iter().flat_map(|(parts, frame)| std::iter::repeat_n(frame, *parts)).collect();
    assert_eq!(hundred.len(), 100);
    shuffled(hundred.into_iter().cycle().take(4096).cloned().collect())
}

/// The same order in every run.
fn shuffled(mut frames: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut state = 1_u64;
    for index in (1..frames.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        frames.swap(index, (state >> 33) as usize % (index + 1));
    }
    frames
}
