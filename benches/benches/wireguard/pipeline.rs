//! The whole packet path around the cipher: a burst of 64 frames in, 64 frames out.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use io::BURST;
use pipeline::testing::{GATEWAY_MAC, HOST_MAC, LAN, LAN_HOST, PEERS, Remote, Site, WAN};
use pipeline::{Arrivals, Entry, Ingress, PortId};
use ringwall_benches::report::{Contender, Sample};
use wire::build::Packet;

use crate::packets::COUNT;

/// The peer at the other end.
const PEER: u32 = 0;
/// Bursts per sample, so that a sample is about a millisecond.
const BURSTS: usize = 16;

/// Which way packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From frames of a local device to tunnel packets on the other.
    Encapsulate,
    /// From tunnel packets to frames of a local device.
    Decapsulate,
}

/// The path of packets whose inner length is `length`.
pub fn path(way: Way, length: usize) -> Contender<'static> {
    match way {
        Way::Encapsulate => encapsulate(length),
        Way::Decapsulate => decapsulate(length),
    }
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

fn encapsulate(length: usize) -> Contender<'static> {
    let frame = inner(length, LAN_HOST, PEERS[PEER as usize].host).frame();
    let frames = vec![frame; COUNT];
    let gateway = RefCell::new(Gateway::new());
    let sealed =
        wireguard::message_length(length, usize::from(pipeline::testing::INNER_MTU)) + 14 + 20 + 8;
    Contender::new("ringwall", move || {
        measure(|| gateway.borrow_mut().burst(LAN, &frames), &gateway, WAN, sealed)
    })
}

fn decapsulate(length: usize) -> Contender<'static> {
    let packet = inner(length, PEERS[PEER as usize].host, LAN_HOST).ip();
    let gateway = RefCell::new(Gateway::new());
    Contender::new("ringwall", move || {
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
