//! Two session tables, driven by a script of bytes: install, send, deliver, damage, forget, let time pass.
//!
//! Promises: no counter is used twice under one key; a packet is delivered at most once, and as it was sent; a
//! damaged packet is never delivered; timers come to rest.

use std::collections::HashSet;

use aead::{Aead, Choice};
use clock::Time;
use core::time::Duration;
use wireguard::{
    DATA_HEADER_LENGTH, Endpoint, Inbound, Keypair, Outbound, PeerHandle, Role, Sessions,
    SymmetricKey, message_length,
};

const PEER: PeerHandle = PeerHandle::new(1, 0);
const START: Time = Time::from_nanos(1_000_000_000_000);
const STEPS: usize = 200;

struct World {
    sides: [Sessions; 2],
    aead: Aead,
    now: Time,
    sessions: u32,
    sent: Vec<(usize, Vec<u8>, u8)>,
    headers: HashSet<Vec<u8>>,
    delivered: HashSet<Vec<u8>>,
}

/// See the module's promises. Each two bytes are a step.
pub fn run(data: &[u8]) {
    let side = |seed| {
        let mut sessions = Sessions::new(2, seed, START);
        sessions.add_peer(PEER, None, None, START).expect("a place");
        sessions
    };
    let mut world = World {
        sides: [side(1), side(2)],
        aead: Aead::new(Choice::Auto).expect("a cipher"),
        now: START,
        sessions: 0,
        sent: Vec::new(),
        headers: HashSet::new(),
        delivered: HashSet::new(),
    };
    for step in data.chunks_exact(2).take(STEPS) {
        world.step(step[0], step[1]);
    }
}

impl World {
    fn step(&mut self, what: u8, detail: u8) {
        let side = usize::from(what >> 7);
        match what & 7 {
            0 => self.install(side),
            1 | 2 => self.send(side, detail),
            3 | 4 => self.deliver(detail, None),
            5 => self.deliver(detail >> 2, Some(detail)),
            6 => self.pass(Duration::from_secs(u64::from(detail))),
            _ => self.forget(side),
        }
    }

    /// A new session begun by `side`.
    fn install(&mut self, side: usize) {
        self.sessions += 1;
        let (number, now) = (self.sessions, self.now);
        let keypair = |role: Role| {
            let (own, other) = match role {
                Role::Initiator => (number * 2, number * 2 + 1),
                Role::Responder => (number * 2 + 1, number * 2),
            };
            let key = |index: u32| {
                let mut bytes = [0; 32];
                bytes[..4].copy_from_slice(&index.to_le_bytes());
                SymmetricKey::from_bytes(bytes)
            };
            Keypair {
                local_index: own,
                remote_index: other,
                send_key: key(own),
                receive_key: key(other),
                role,
                born: now,
            }
        };
        let installed = self.sides[1 - side].install(PEER, keypair(Role::Responder), None, now);
        installed.expect("an unused index");
        let installed = self.sides[side].install(PEER, keypair(Role::Initiator), None, now);
        installed.expect("an unused index");
    }

    fn send(&mut self, side: usize, detail: u8) {
        let length = usize::from(detail);
        let mut message = vec![0; message_length(length, 250)];
        message[DATA_HEADER_LENGTH..][..length].fill(detail);
        let mut burst = [Outbound::new(&mut message, length, PEER)];
        self.sides[side].seal_burst(&self.aead, &mut burst, self.now);
        if burst[0].result.is_ok() {
            // The header names the receiver's session and the counter.
            let header = message[..DATA_HEADER_LENGTH].to_vec();
            assert!(self.headers.insert(header), "a counter was used twice");
            self.sent.push((1 - side, message, detail));
        }
    }

    fn deliver(&mut self, which: u8, damage: Option<u8>) {
        let Some(last) = self.sent.len().checked_sub(1) else { return };
        let (to, message, fill) = self.sent[last.saturating_sub(usize::from(which))].clone();
        let mut message = message;
        if let Some(damage) = damage {
            let at = usize::from(damage) % message.len();
            message[at] ^= 1 << (damage % 8);
        }
        let original = message.clone();
        let endpoint = Endpoint::configured(([192, 0, 2, 1], 5).into());
        let mut burst = [Inbound::new(&mut message, endpoint, None)];
        self.sides[to].open_burst(&self.aead, &mut burst, self.now);
        if burst[0].result.is_ok() {
            assert!(damage.is_none(), "a damaged packet was delivered");
            assert!(self.delivered.insert(original), "a packet was delivered twice");
            let (data, padding) = burst[0].payload().split_at(usize::from(fill));
            assert!(data.iter().all(|byte| *byte == fill) && padding.iter().all(|byte| *byte == 0));
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        for side in &mut self.sides {
            let events = core::iter::from_fn(|| side.poll_timers(self.now)).take(100).count();
            assert!(events < 100, "timers fire without end");
        }
    }

    fn forget(&mut self, side: usize) {
        assert!(self.sides[side].remove_peer(PEER));
        self.sides[side].add_peer(PEER, None, None, self.now).expect("the place is free");
    }
}

/// Scripts that reach most of it, as seeds of the corpus.
pub fn seeds() -> [(&'static str, Vec<u8>); 3] {
    let talk = [[0, 0], [1, 40], [3, 0], [0x81, 99], [3, 0], [1, 0], [3, 0], [3, 0], [5, 77]];
    let renew = [[6, 121], [1, 9], [0, 0], [0x80, 0], [1, 16], [3, 1], [3, 0], [0x81, 17], [3, 0]];
    let expire = [[6, 179], [1, 1], [6, 2], [3, 0], [6, 255], [6, 255], [1, 1], [7, 0], [0, 0]];
    [
        ("talk", talk.concat()),
        ("renew", [talk, renew].concat().concat()),
        ("expire", [talk, expire, talk].concat().concat()),
    ]
}
