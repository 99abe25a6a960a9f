//! Numbered packets, and whether they arrive: once each, and in order within their flow.

use std::collections::BTreeMap;

use pipeline::testing::{GATEWAY_MAC, HOST_MAC, LAN, LAN_HOST, LAN_HOST6, PEERS, SERVER};
use rand::Rng;
use wire::build::Packet;

use crate::world::World;

/// Where packets go. Packets of one flow and family stay in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
    /// From a host of the LAN to one behind a peer.
    ToPeer(usize),
    /// From behind a peer to a host of the LAN.
    ToHost(usize),
    /// From behind one peer to behind another.
    Across(usize, usize),
    /// From a host of the LAN to the Internet, by no tunnel.
    Transit(u16),
}

impl Flow {
    /// The packet numbered `serial`.
    pub fn packet(self, serial: u64, v6: bool) -> Vec<u8> {
        self.builder(serial, v6).ip()
    }

    fn builder(self, serial: u64, v6: bool) -> Packet {
        let (from, to) = match (self, v6) {
            (Self::ToPeer(peer), false) => (LAN_HOST, PEERS[peer].host),
            (Self::ToPeer(peer), true) => (LAN_HOST6, PEERS[peer].host6),
            (Self::ToHost(peer), false) => (PEERS[peer].host, LAN_HOST),
            (Self::ToHost(peer), true) => (PEERS[peer].host6, LAN_HOST6),
            (Self::Across(from, to), false) => (PEERS[from].host, PEERS[to].host),
            (Self::Across(from, to), true) => (PEERS[from].host6, PEERS[to].host6),
            (Self::Transit(_), _) => (LAN_HOST, SERVER),
        };
        let port = match self {
            Self::Transit(port) => 2000 + port,
            Self::ToPeer(_) | Self::ToHost(_) | Self::Across(..) => 1000,
        };
        let socket = |address: &str, port: u16| {
            std::net::SocketAddr::new(address.parse().expect("an address"), port)
        };
        Packet::udp(socket(from, port), socket(to, 7000))
            .payload(&[&serial.to_be_bytes()[..], &self.tag(v6)].concat())
            .macs(HOST_MAC, GATEWAY_MAC)
    }

    /// The flow as bytes, so that what arrives says what it is.
    fn tag(self, v6: bool) -> [u8; 4] {
        let v6 = u8::from(v6);
        match self {
            Self::ToPeer(peer) => [1, peer as u8, 0, v6],
            Self::ToHost(peer) => [2, peer as u8, 0, v6],
            Self::Across(from, to) => [3, from as u8, to as u8, v6],
            Self::Transit(port) => [4, port as u8, 0, v6],
        }
    }
}

/// All packets of one scene.
pub struct Flows {
    next: BTreeMap<[u8; 4], u64>,
    arrived: BTreeMap<[u8; 4], Vec<u64>>,
    sent: usize,
    workers: u16,
}

impl Flows {
    pub fn new(world: &World) -> Self {
        Self { next: BTreeMap::new(), arrived: BTreeMap::new(), sent: 0, workers: world.workers }
    }

    /// Packets that went onto a cable.
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// Packets that arrived where they should.
    pub fn received(&self) -> usize {
        self.arrived.values().map(Vec::len).sum()
    }

    /// Sends `count` packets of random flows, most of them plain transit.
    pub fn send(&mut self, world: &mut World, count: usize) {
        for _ in 0..count {
            let draw = world.rng.next_u32();
            let (peer, other) =
                ((draw >> 8) as usize % PEERS.len(), (draw >> 16) as usize % PEERS.len());
            let flow = match draw % 8 {
                0 => Flow::ToPeer(peer),
                1 => Flow::ToHost(peer),
                2 if peer != other => Flow::Across(peer, other),
                _ => Flow::Transit((draw >> 8) as u16 % 16),
            };
            let v6 = !matches!(flow, Flow::Transit(_)) && draw >> 31 == 1;
            let next = self.next.entry(flow.tag(v6)).or_default();
            let serial = *next;
            let queue = match flow {
                Flow::ToPeer(peer) => (peer as u16 + u16::from(v6)) % self.workers,
                Flow::Transit(port) => port % self.workers,
                Flow::ToHost(peer) | Flow::Across(peer, _) => world.queue_of(peer),
            };
            let taken = match flow {
                Flow::ToPeer(_) | Flow::Transit(_) => {
                    usize::from(world.send(LAN, queue, &flow.builder(serial, v6).frame()))
                }
                Flow::ToHost(peer) | Flow::Across(peer, _) => {
                    let now = world.now();
                    let side = &mut world.peers[peer];
                    let datagrams = side.client.send(side.gateway, &flow.packet(serial, v6), now);
                    world.send_from_peer(peer, datagrams, queue)
                }
            };
            *next += 1;
            self.sent += taken;
        }
    }

    /// Notes what arrived.
    pub fn receive(&mut self, world: &mut World) {
        for frame in world.deliver_to_peers().into_iter().chain(world.received(LAN)) {
            let parsed = wire::parse(&frame).expect("a valid frame");
            self.note(&frame[parsed.payload_range()]);
        }
        for peer in 0..world.peers.len() {
            for packet in core::mem::take(&mut world.peers[peer].client.delivered) {
                let parsed = wire::parse_ip(&packet, 0).expect("a valid packet");
                self.note(&packet[parsed.payload_range()]);
            }
        }
    }

    /// Takes what arrived and looks at none of it.
    pub fn forget(&mut self, world: &mut World) {
        let _ = (world.deliver_to_peers(), world.received(LAN));
        for peer in &mut world.peers {
            peer.client.delivered.clear();
        }
    }

    fn note(&mut self, payload: &[u8]) {
        let (serial, tag) = payload.split_at(8);
        let serial = u64::from_be_bytes(*serial.first_chunk().expect("eight bytes"));
        self.arrived.entry(*tag.first_chunk().expect("four bytes")).or_default().push(serial);
    }

    pub fn assert_complete_and_in_order(&self) {
        assert!(self.next.len() > 20, "many flows");
        for (flow, count) in &self.next {
            let arrived = self.arrived.get(flow).map(Vec::as_slice).unwrap_or_default();
            let expected: Vec<u64> = (0..*count).collect();
            assert_eq!(arrived, expected, "flow {flow:?}");
        }
    }
}
