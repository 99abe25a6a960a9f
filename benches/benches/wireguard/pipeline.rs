//! The whole packet path around the cipher: a burst of 64 frames in, 64 frames out.
//!
//! Beside it the cipher alone, over as many frames that lie in memory the same way. The bursts of a sample are filled
//! before the clock starts, so both find their packets in the second-level cache, not in the first: as behind a
//! device that writes into a ring which the worker keeps short.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use io::BURST;
use pipeline::testing::{GATEWAY_MAC, HOST_MAC, LAN, LAN_HOST, PEERS, Remote, Site, WAN};
use pipeline::{Arrivals, Entry, Ingress, PortId};
use ringwall_benches::report::{Contender, Sample};
use wire::build::Packet;

use crate::packets::{COUNT, FRAME, INNER, Set};
use crate::peers::BareCipher;

/// The peer at the other end.
const PEER: u32 = 0;
/// Bursts per sample: half a megabyte of frames.
const BURSTS: usize = 4;

/// Which way packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From frames of a local device to tunnel packets on the other.
    Encapsulate,
    /// From tunnel packets to frames of a local device.
    Decapsulate,
}

/// The path of packets whose inner length is `length`; going several ways, a sample goes one after the other.
pub fn path(ways: &[Way], length: usize) -> Contender<'static> {
    let ways: Vec<_> = ways.iter().map(|way| one_way(*way, length)).collect();
    Contender::new("ringwall", in_turn(ways))
}

/// The cipher alone, for the packets of `set`.
pub fn cipher<'s>(ways: &[Way], set: &'s Set) -> Contender<'s> {
    let ways: Vec<_> = ways.iter().map(|way| cipher_one_way(*way, set)).collect();
    Contender::new("ring", in_turn(ways))
}

type Work<'a> = Box<dyn FnMut() -> Sample + 'a>;

fn in_turn(mut works: Vec<Work<'_>>) -> impl FnMut() -> Sample {
    move || {
        let samples = works.iter_mut().map(|work| work());
        samples.fold(Sample { elapsed: Duration::ZERO, items: 0 }, |sum, sample| Sample {
            elapsed: sum.elapsed + sample.elapsed,
            items: sum.items + sample.items,
        })
    }
}

fn one_way(way: Way, length: usize) -> Work<'static> {
    match way {
        Way::Encapsulate => encapsulate(length),
        Way::Decapsulate => decapsulate(length),
    }
}

fn cipher_one_way(way: Way, set: &Set) -> Work<'_> {
    let mut cipher = BareCipher::new();
    let mut frames = vec![[0; FRAME]; BURSTS * COUNT];
    Box::new(move || {
        for (frame, inner) in frames.iter_mut().zip(set.inner.iter().cycle()) {
            frame[INNER..INNER + inner.len()].copy_from_slice(inner);
        }
        if way == Way::Decapsulate {
            frames.chunks_mut(COUNT).for_each(|burst| cipher.seal(burst, set));
        }
        let mut elapsed = Duration::ZERO;
        for burst in frames.chunks_mut(COUNT) {
            let start = Instant::now();
            match way {
                Way::Encapsulate => cipher.seal(burst, set),
                Way::Decapsulate => cipher.open(burst, set),
            }
            elapsed += start.elapsed();
        }
        Sample { elapsed, items: (BURSTS * COUNT) as u64 }
    })
}

struct Gateway {
    site: Site,
    remote: Remote,
}

impl Gateway {
    fn new() -> Self {
        let mut site = Site::new();
        let remote = site.connect(PEER);
        Self { site, remote }
    }

    fn burst(&mut self, port: PortId, frames: &[Vec<u8>]) -> Arrivals {
        let arrived = self.site.now;
        let fill = |bytes: &Vec<u8>| {
            let frame = self.site.frame(bytes);
            Ingress { frame, entry: Entry::Port(port), arrived, hops: 0 }
        };
        frames.iter().map(fill).collect()
    }

    /// Gives the frames back and makes sure that none is missing.
    fn clear(&mut self, port: PortId, length: usize) {
        let mut left = 0;
        while let Some(outgoing) = self.site.out.pop(port) {
            assert_eq!(outgoing.frame.len(), length);
            self.site.pool.put(outgoing.frame);
            left += 1;
        }
        assert_eq!(left, BURST, "{:?}", self.site.drops());
    }
}

fn inner(length: usize, from: &str, to: &str) -> Packet {
    let headers = 20 + 8;
    Packet::udp(format!("{from}:4000").as_str(), format!("{to}:4001").as_str())
        .payload_len(length - headers)
        .macs(HOST_MAC, GATEWAY_MAC)
}

fn encapsulate(length: usize) -> Work<'static> {
    let frame = inner(length, LAN_HOST, PEERS[PEER as usize].host).frame();
    let frames = vec![frame; COUNT];
    let gateway = RefCell::new(Gateway::new());
    let sealed =
        wireguard::message_length(length, usize::from(pipeline::testing::INNER_MTU)) + 14 + 20 + 8;
    Box::new(move || measure(|| gateway.borrow_mut().burst(LAN, &frames), &gateway, WAN, sealed))
}

fn decapsulate(length: usize) -> Work<'static> {
    let packet = inner(length, PEERS[PEER as usize].host, LAN_HOST).ip();
    let gateway = RefCell::new(Gateway::new());
    Box::new(move || {
        let prepare = || {
            let mut gateway = gateway.borrow_mut();
            let now = gateway.site.now;
            let frames: Vec<Vec<u8>> =
                (0..COUNT).map(|_| gateway.remote.frame(&packet, now)).collect();
            gateway.burst(WAN, &frames)
        };
        measure(prepare, &gateway, LAN, length + 14)
    })
}

/// Times only the path itself: all bursts are filled before and looked at after, outside the clock, so that what
/// makes them does not take the caches from what is measured.
fn measure(
    mut prepare: impl FnMut() -> Arrivals,
    gateway: &RefCell<Gateway>,
    port: PortId,
    length: usize,
) -> Sample {
    let bursts: Vec<Arrivals> = (0..BURSTS).map(|_| prepare()).collect();
    let mut gateway = gateway.borrow_mut();
    let mut elapsed = Duration::ZERO;
    for mut arrivals in bursts {
        let start = Instant::now();
        gateway.site.process(&mut arrivals);
        elapsed += start.elapsed();
        gateway.clear(port, length);
    }
    Sample { elapsed, items: (BURSTS * COUNT) as u64 }
}
