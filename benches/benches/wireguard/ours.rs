//! Our side: two session tables joined by one session.

use std::cell::RefCell;

use aead::{Aead, Choice, TAG_LENGTH};
use arrayvec::ArrayVec;
use clock::Time;
use ringwall_benches::report::Contender;
use wireguard::{
    DATA_HEADER_LENGTH, Endpoint, Inbound, Keypair, Outbound, Payload, PeerHandle, Role, Sessions,
    SymmetricKey, message_length,
};

use crate::packets::{COUNT, FRAME, INNER, MTU, Set, frames, sample};

const PEER: PeerHandle = PeerHandle::new(5, 1);
const NOW: Time = Time::from_nanos(1_000_000_000_000);
const MESSAGE: usize = INNER - DATA_HEADER_LENGTH;

/// A sender and a receiver.
struct Tunnel {
    sender: Sessions,
    receiver: Sessions,
    aead: Aead,
    frames: Vec<[u8; FRAME]>,
}

fn endpoint() -> Endpoint {
    Endpoint::new(([192, 0, 2, 1], 51820).into(), [198, 51, 100, 1].into())
}

impl Tunnel {
    fn new() -> Self {
        Self {
            sender: side(Role::Initiator),
            receiver: side(Role::Responder),
            aead: Aead::new(Choice::Auto).expect("a cipher"),
            frames: frames(),
        }
    }

    /// Puts the inner packets into their frames.
    fn fill(&mut self, set: &Set) {
        for (frame, inner) in self.frames.iter_mut().zip(&set.inner) {
            frame[INNER..INNER + inner.len()].copy_from_slice(inner);
        }
    }

    fn seal(&mut self, set: &Set, batch: usize) {
        let inner = set.inner.chunks(batch);
        for (frames, inner) in self.frames.chunks_mut(batch).zip(inner) {
            // Pushed in place: collecting would move the whole array once more.
            let mut burst = ArrayVec::<Outbound<'_>, COUNT>::new();
            for (frame, inner) in frames.iter_mut().zip(inner) {
                let end = MESSAGE + message_length(inner.len(), MTU);
                burst.push(Outbound::new(&mut frame[MESSAGE..end], inner.len(), PEER));
            }
            self.sender.seal_burst(&self.aead, &mut burst, NOW);
            assert!(burst.iter().all(|outbound| outbound.result.is_ok()));
        }
    }

    /// Opens all frames; the sum of the inner lengths.
    fn open(&mut self, set: &Set, batch: usize) -> usize {
        let mut total = 0;
        let inner = set.inner.chunks(batch);
        for (frames, inner) in self.frames.chunks_mut(batch).zip(inner) {
            let mut burst = ArrayVec::<Inbound<'_>, COUNT>::new();
            for (frame, inner) in frames.iter_mut().zip(inner) {
                let end = MESSAGE + message_length(inner.len(), MTU);
                burst.push(Inbound::new(&mut frame[MESSAGE..end], endpoint(), None));
            }
            self.receiver.open_burst(&self.aead, &mut burst, NOW);
            for inbound in &burst {
                let payload = inbound.payload();
                if Payload::classify(payload) == Ok(Payload::Ip)
                    && let [_, _, high, low, ..] = payload
                {
                    total += usize::from(u16::from_be_bytes([*high, *low])).min(payload.len());
                }
            }
        }
        total
    }
}

fn side(role: Role) -> Sessions {
    let mut sessions = Sessions::new(16, 0x9e37_79b9_7f4a_7c15, NOW);
    sessions.add_peer(PEER, Some(endpoint()), None, NOW).expect("a free place");
    let (ours, theirs) = match role {
        Role::Initiator => (0x1234_5678, 0x8765_4321),
        Role::Responder => (0x8765_4321, 0x1234_5678),
    };
    let (send, receive) = match role {
        Role::Initiator => (1, 2),
        Role::Responder => (2, 1),
    };
    let keypair = Keypair {
        local_index: ours,
        remote_index: theirs,
        send_key: SymmetricKey::from_bytes([send; 32]),
        receive_key: SymmetricKey::from_bytes([receive; 32]),
        role,
        born: NOW,
    };
    sessions.install(PEER, keypair, None, NOW).expect("a free index");
    sessions
}

/// From inner packets to messages.
pub fn encapsulate(set: &Set, batch: usize) -> Contender<'_> {
    let tunnel = RefCell::new(Tunnel::new());
    Contender::new("ringwall", move || {
        sample(|| tunnel.borrow_mut().fill(set), |()| tunnel.borrow_mut().seal(set, batch))
    })
}

/// From messages to inner packets.
pub fn decapsulate(set: &Set, batch: usize) -> Contender<'_> {
    let tunnel = RefCell::new(Tunnel::new());
    let expected: usize = set.inner.iter().map(Vec::len).sum();
    Contender::new("ringwall", move || {
        let prepare = || {
            let mut tunnel = tunnel.borrow_mut();
            tunnel.fill(set);
            tunnel.seal(set, COUNT);
        };
        let taken = sample(prepare, |()| {
            let total = tunnel.borrow_mut().open(set, batch);
            assert_eq!(total, expected, "everything was opened");
        });
        let tunnel = tunnel.borrow();
        for (frame, inner) in tunnel.frames.iter().zip(&set.inner) {
            assert_eq!(frame[INNER..INNER + inner.len()], inner[..]);
            assert!(inner.len() + TAG_LENGTH <= FRAME - INNER);
        }
        taken
    })
}
