//! A gateway reduced to this crate: gate, engine and one worker's sessions, wired as the daemon wires them, with
//! the network and the clock in the hands of the test.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use core::net::SocketAddr;
use core::num::NonZeroU32;
use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use aead::{Aead, Choice};
use clock::Time;
use rand::SeedableRng;
use rand::rngs::StdRng;
use ringwall_wireguard::{
    Arrival, DATA_HEADER_LENGTH, Endpoint, Gate, GateSettings, HandshakeSettings, Handshakes,
    Inbound, Outbound, Outcome, Parsed, Payload, PeerHandle, PresharedKey, PrivateKey, PublicKey,
    Rejected, RetryEvent, STAGED_PACKETS, Sessions, Tai64N, TimerEvent, Verdict, message_length,
};

pub const START: Time = Time::from_nanos(1_000_000_000_000);
pub const MTU: usize = 1420;

/// The time of day that belongs to a monotonic time.
pub fn wall(now: Time) -> Tai64N {
    let nanos = now.as_nanos();
    Tai64N::from_unix(1_700_000_000 + nanos / 1_000_000_000, (nanos % 1_000_000_000) as u32)
}

/// A datagram on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

/// What happened, in numbers.
#[derive(Debug, Default)]
pub struct Counts {
    pub rejected: HashMap<Rejected, u64>,
    pub cookie_replies: u64,
    pub cookies_kept: u64,
    pub sessions: u64,
    pub keepalives_received: u64,
    pub given_up: u64,
}

pub struct Gateway {
    pub key: PublicKey,
    pub gate: Gate,
    pub engine: Handshakes,
    pub sessions: Sessions,
    pub address: SocketAddr,
    pub delivered: Vec<Vec<u8>>,
    pub counts: Counts,
    aead: Aead,
    staged: HashMap<PeerHandle, VecDeque<Vec<u8>>>,
}

impl Gateway {
    pub fn new(private: &PrivateKey, address: &str, seed: u64) -> Self {
        Self::with_gate(private, address, seed, &GateSettings::STANDARD)
    }

    pub fn with_gate(private: &PrivateKey, address: &str, seed: u64, gate: &GateSettings) -> Self {
        let settings = HandshakeSettings::new(NonZeroU32::MIN, 16);
        let engine = Handshakes::new(private, &settings, Box::new(StdRng::seed_from_u64(seed)));
        let mut rng = StdRng::seed_from_u64(!seed);
        Self {
            key: private.public_key(),
            gate: Gate::new(engine.public_key(), gate, engine.outstanding(), &mut rng),
            engine,
            sessions: Sessions::new(16, seed, START),
            address: address.parse().unwrap(),
            delivered: Vec::new(),
            counts: Counts::default(),
            aead: Aead::new(Choice::Auto).unwrap(),
            staged: HashMap::new(),
        }
    }

    pub fn add_peer(
        &mut self,
        key: PublicKey,
        preshared: Option<PresharedKey>,
        at: Option<SocketAddr>,
        keepalive: Option<Duration>,
    ) -> PeerHandle {
        let peer = self.engine.add_peer(key, preshared).unwrap();
        self.sessions.add_peer(peer, at.map(Endpoint::configured), keepalive, START).unwrap();
        peer
    }

    /// An inner packet for the peer: sent, or kept until there is a session.
    pub fn send(&mut self, peer: PeerHandle, packet: &[u8], now: Time) -> Vec<Datagram> {
        match self.seal(peer, packet, now) {
            Ok(datagram) => datagram.into_iter().collect(),
            Err(Rejected::NoSession) => {
                let staged = self.staged.entry(peer).or_default();
                if staged.len() == STAGED_PACKETS {
                    staged.pop_front();
                }
                staged.push_back(packet.to_vec());
                self.turn(now)
            }
            Err(cause) => panic!("{cause:?}"),
        }
    }

    /// A datagram from the network.
    pub fn receive(&mut self, from: SocketAddr, bytes: &[u8], now: Time) -> Vec<Datagram> {
        if bytes.first() == Some(&4) {
            self.receive_data(from, bytes, now)
        } else {
            self.receive_handshake(from, bytes, now)
        }
    }

    /// One turn of the loops of worker and handshake thread.
    pub fn turn(&mut self, now: Time) -> Vec<Datagram> {
        let mut out = Vec::new();
        while let Some(event) = self.sessions.poll_timers(now) {
            match event {
                TimerEvent::SendKeepalive(peer) => {
                    if let Ok(datagram) = self.seal(peer, &[], now) {
                        out.extend(datagram);
                    }
                }
                TimerEvent::StartHandshake(peer) => {
                    if let Ok(initiation) = self.engine.initiate(peer, 0, now, wall(now)) {
                        out.extend(self.to_peer(peer, initiation.message.to_vec()));
                    }
                }
                TimerEvent::SessionsWiped(_) => {}
            }
        }
        while let Some(event) = self.engine.poll(now, wall(now)) {
            match event {
                RetryEvent::Send(initiation) => {
                    self.sessions.forget_local_address(initiation.peer);
                    out.extend(self.to_peer(initiation.peer, initiation.message.to_vec()));
                }
                RetryEvent::GaveUp(peer) => {
                    self.counts.given_up += 1;
                    self.staged.remove(&peer);
                }
            }
        }
        out
    }

    /// When something is due without anything being received.
    pub fn next_deadline(&self) -> Time {
        self.sessions.next_deadline().min(self.engine.next_deadline())
    }

    pub fn rejected(&self, cause: Rejected) -> u64 {
        self.counts.rejected.get(&cause).copied().unwrap_or(0)
    }

    fn to_peer(&self, peer: PeerHandle, bytes: Vec<u8>) -> Option<Datagram> {
        let to = self.sessions.endpoint(peer)?.remote();
        Some(Datagram { to, bytes })
    }

    fn seal(
        &mut self,
        peer: PeerHandle,
        packet: &[u8],
        now: Time,
    ) -> Result<Option<Datagram>, Rejected> {
        let mut message = vec![0; message_length(packet.len(), MTU)];
        message[DATA_HEADER_LENGTH..][..packet.len()].copy_from_slice(packet);
        let mut burst = [Outbound::new(&mut message, packet.len(), peer)];
        self.sessions.seal_burst(&self.aead, &mut burst, now);
        burst[0].result?;
        Ok(self.to_peer(peer, message))
    }

    fn flush(&mut self, peer: PeerHandle, now: Time) -> Vec<Datagram> {
        let staged = self.staged.remove(&peer).unwrap_or_default();
        staged.iter().flat_map(|packet| self.send(peer, packet, now)).collect()
    }

    fn receive_data(&mut self, from: SocketAddr, bytes: &[u8], now: Time) -> Vec<Datagram> {
        let mut message = bytes.to_vec();
        let endpoint = Endpoint::new(from, self.address.ip());
        let mut burst = [Inbound::new(&mut message, endpoint, None)];
        self.sessions.open_burst(&self.aead, &mut burst, now);
        let received = match burst[0].result {
            Ok(received) => received,
            Err(cause) => return self.reject(cause),
        };
        match Payload::classify(burst[0].payload()) {
            Ok(Payload::Keepalive) => self.counts.keepalives_received += 1,
            Ok(Payload::Ip | Payload::Framed { .. }) => {
                self.delivered.push(burst[0].payload().to_vec());
            }
            Err(cause) => return self.reject(cause),
        }
        if received.confirmed { self.flush(received.peer, now) } else { Vec::new() }
    }

    fn receive_handshake(&mut self, from: SocketAddr, bytes: &[u8], now: Time) -> Vec<Datagram> {
        let parsed = match Parsed::read(bytes) {
            Ok(parsed) => parsed,
            Err(cause) => return self.reject(cause),
        };
        let arrival = Arrival { worker: 0, endpoint: Endpoint::new(from, self.address.ip()) };
        let admitted = match self.gate.screen(parsed, arrival, now) {
            Verdict::Admitted(admitted) => admitted,
            Verdict::CookieReply(reply) => {
                self.counts.cookie_replies += 1;
                return vec![Datagram { to: from, bytes: reply.to_vec() }];
            }
            Verdict::Rejected(cause) => return self.reject(cause),
        };
        match self.engine.handle(admitted, now) {
            Ok(Outcome::Accepted { peer, keypair, response, endpoint, .. }) => {
                self.counts.sessions += 1;
                self.sessions.install(peer, keypair, Some(endpoint), now).unwrap();
                vec![Datagram { to: endpoint.remote(), bytes: response.to_vec() }]
            }
            Ok(Outcome::Completed { peer, keypair, endpoint, .. }) => {
                self.counts.sessions += 1;
                self.sessions.install(peer, keypair, Some(endpoint), now).unwrap();
                let mut out = self.flush(peer, now);
                out.extend(self.turn(now));
                out
            }
            Ok(Outcome::CookieKept { .. }) => {
                self.counts.cookies_kept += 1;
                Vec::new()
            }
            Err(cause) => self.reject(cause),
        }
    }

    fn reject(&mut self, cause: Rejected) -> Vec<Datagram> {
        *self.counts.rejected.entry(cause).or_default() += 1;
        Vec::new()
    }
}

/// An inner packet that tells its number, as an IPv4 header would begin.
pub fn packet(number: u32, length: usize) -> Vec<u8> {
    let mut packet = vec![0x5a; length.max(20)];
    packet[..8].copy_from_slice(&[0x45, 0, 0, 0, 0, 0, 0, 0]);
    let total = packet.len() as u16;
    packet[2..4].copy_from_slice(&total.to_be_bytes());
    packet[12..16].copy_from_slice(&[10, 0, 0, 1]);
    packet[16..20].copy_from_slice(&[10, 0, 0, 2]);
    packet[4..8].copy_from_slice(&number.to_be_bytes());
    packet
}
