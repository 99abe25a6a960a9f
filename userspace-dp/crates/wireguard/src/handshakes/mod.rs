//! The handshake engine: all asymmetric cryptography of the gateway, for the handshake thread.
//!
//! It holds our static key, the peers with their secrets, and the handshakes under way. Messages come in as
//! [`Admitted`], so the gate has seen them; requests come from workers that need a session. What comes out are
//! messages to send and [`Keypair`]s to install at the owner. No I/O, no clock: `now` is the monotonic time and
//! `wall` the time of day for timestamps. A message that fails changes nothing (WireGuard paper, sections 5 and 6).

mod indices;
mod initiate;
mod peers;
mod respond;

#[cfg(test)]
mod tests;

use core::num::NonZeroU32;
use core::time::Duration;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use clock::Time;
use rand::CryptoRng;

use self::indices::Indices;
pub use self::initiate::{Initiation, RetryEvent};
pub use self::peers::PeerError;
use self::peers::Peers;
use crate::gate::Handshake;
use crate::noise::Transcript;
use crate::noise::curve::{Curve, KeyObject};
use crate::protocol::{HANDSHAKE_GIVE_UP, RESPONSE_LENGTH};
use crate::{
    Admitted, Endpoint, Keypair, Outstanding, PeerHandle, PresharedKey, PrivateKey, PublicKey,
    Rejected,
};

/// What the engine is told at start.
#[derive(Clone, Copy, Debug)]
pub struct HandshakeSettings {
    /// Receiver indices name their worker modulo this.
    pub workers: NonZeroU32,
    /// How many peers there may be.
    pub peers: usize,
    /// A handshake without an answer is given up after this long.
    pub give_up: Duration,
}

impl HandshakeSettings {
    /// For this many workers and peers; gives up after 90 s.
    pub const fn new(workers: NonZeroU32, peers: usize) -> Self {
        Self { workers, peers, give_up: HANDSHAKE_GIVE_UP }
    }
}

/// What an admitted message led to.
#[derive(Debug)]
pub enum Outcome {
    /// A peer made a session with us: send the response, install the keys.
    Accepted {
        /// The peer.
        peer: PeerHandle,
        /// The worker that owns it.
        owner: u32,
        /// For the owner to install. Installed before the response leaves, or the first packet finds no session.
        keypair: Keypair,
        /// To send to `endpoint`.
        response: [u8; RESPONSE_LENGTH],
        /// Where the initiation came from.
        endpoint: Endpoint,
    },
    /// A peer answered us: install the keys.
    Completed {
        /// The peer.
        peer: PeerHandle,
        /// The worker that owns it.
        owner: u32,
        /// For the owner to install.
        keypair: Keypair,
        /// Where the response came from.
        endpoint: Endpoint,
    },
    /// A loaded peer gave us a cookie for the next initiation. Nothing to send, and no endpoint moves.
    CookieKept {
        /// The peer.
        peer: PeerHandle,
    },
}

/// What the engine did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandshakeStatistics {
    /// Shared secrets computed with X25519.
    pub agreements: u64,
    /// Initiations sent, repeated ones included.
    pub initiations_sent: u64,
    /// Of those, repeated ones.
    pub retries: u64,
    /// Sessions made as responder.
    pub accepted: u64,
    /// Sessions made as initiator.
    pub completed: u64,
    /// Cookies received.
    pub cookies_kept: u64,
    /// Handshakes given up.
    pub given_up: u64,
}

/// The engine.
pub struct Handshakes {
    own: KeyObject,
    /// The beginning of every handshake towards us.
    beginning: Transcript,
    peers: Peers,
    indices: Indices,
    outstanding: Outstanding,
    curve: Curve,
    rng: Box<dyn CryptoRng + Send>,
    give_up: Duration,
    retries: BinaryHeap<Reverse<(Time, u32, u32)>>,
    statistics: HandshakeStatistics,
}

impl Handshakes {
    /// An engine without peers for the gateway with this key. All randomness is drawn from `rng`.
    pub fn new(
        private: &PrivateKey,
        settings: &HandshakeSettings,
        rng: Box<dyn CryptoRng + Send>,
    ) -> Self {
        let own = KeyObject::new(private);
        Self {
            beginning: Transcript::new(own.public()),
            own,
            peers: Peers::new(settings.peers),
            indices: Indices::new(settings.workers.get()),
            outstanding: Outstanding::new(settings.peers),
            curve: Curve::default(),
            rng,
            give_up: settings.give_up,
            retries: BinaryHeap::new(),
            statistics: HandshakeStatistics::default(),
        }
    }

    /// Our public key.
    pub fn public_key(&self) -> &PublicKey {
        self.own.public()
    }

    /// Which messages are unanswered, for the gate: it stays true as the engine goes on.
    pub fn outstanding(&self) -> Outstanding {
        self.outstanding.clone()
    }

    /// Changes our identity, for every handshake from here on. Sessions are the workers', know nothing of it and live as
    /// long as they would have; timestamps of peers are kept. Handshakes under way are forgotten, since nobody can
    /// answer them: yields the peers that they were with, which may be called anew at once. The gate takes the new
    /// identity by [`Gate::with_identity`](crate::Gate::with_identity). Costs one agreement a peer.
    pub fn set_private_key(&mut self, private: &PrivateKey) -> Vec<PeerHandle> {
        self.own = KeyObject::new(private);
        self.beginning = Transcript::new(self.own.public());
        let ended = self.peers.change_identity(&mut self.curve, &self.own, &self.outstanding);
        let mut interrupted = Vec::new();
        for (peer, awaiting) in ended {
            self.indices.release(awaiting.index);
            if !awaiting.superseded {
                interrupted.push(peer);
            }
        }
        interrupted
    }

    /// Changes how long a handshake goes on without an answer.
    pub fn set_give_up(&mut self, give_up: Duration) {
        self.give_up = give_up;
    }

    /// Takes a peer on. If it was removed earlier in this process, its old initiations stay refused.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn add_peer(
        &mut self,
        public: PublicKey,
        preshared: Option<PresharedKey>,
    ) -> Result<PeerHandle, PeerError> {
        self.peers.add(&mut self.curve, &self.own, public, preshared)
    }

    /// Changes the preshared key, from the next handshake on. False when the handle is stale.
    pub fn set_preshared_key(&mut self, peer: PeerHandle, preshared: Option<PresharedKey>) -> bool {
        let preshared = preshared.unwrap_or(PresharedKey::NONE);
        self.peers.get_mut(peer).map(|state| state.preshared = preshared).is_some()
    }

    /// Forgets a peer and the handshake under way with it. The owner worker wipes its sessions. False when the
    /// handle is stale.
    pub fn remove_peer(&mut self, peer: PeerHandle) -> bool {
        let Some(mut removed) = self.peers.remove(peer) else { return false };
        removed.expect_no_cookie(&self.outstanding);
        if let Some(awaiting) = removed.awaiting {
            self.indices.release(awaiting.index);
        }
        true
    }

    /// The peer with this public key.
    pub fn find(&self, public: &PublicKey) -> Option<PeerHandle> {
        self.peers.by_key(public)
    }

    /// The worker that owns the peer, once it has one.
    pub fn owner(&self, peer: PeerHandle) -> Option<u32> {
        self.peers.get(peer)?.owner
    }

    /// Makes `worker` the owner, for indices drawn from here on. False when the handle is stale.
    pub fn set_owner(&mut self, peer: PeerHandle, worker: u32) -> bool {
        self.peers.get_mut(peer).map(|state| state.owner = Some(worker)).is_some()
    }

    /// Works on a message that the gate let through.
    ///
    /// # Errors
    /// The reason to drop it; see [`Rejected`].
    pub fn handle(&mut self, admitted: Admitted, now: Time) -> Result<Outcome, Rejected> {
        self.indices.expire(now);
        let (message, arrival) = admitted.open();
        match message {
            Handshake::Initiation(bytes) => self.handle_initiation(&bytes, &arrival, now),
            Handshake::Response(bytes) => self.handle_response(&bytes, &arrival, now),
            Handshake::CookieReply(bytes) => self.handle_cookie_reply(&bytes, now),
        }
    }

    /// What the engine did so far.
    pub fn statistics(&self) -> HandshakeStatistics {
        HandshakeStatistics { agreements: self.curve.agreements(), ..self.statistics }
    }
}
