//! The initiator's side: starting a handshake, repeating it, and what answers it.

use core::time::Duration;
use std::cmp::Reverse;

use clock::Time;
use rand::CryptoRng;

use super::peers::{Awaiting, Sent};
use super::{Handshakes, Outcome};
use crate::cookie::{read_reply, reply_key, sign};
use crate::message::{COOKIE_RECEIVER, RESPONSE_RECEIVER, word};
use crate::noise::{self, Identity};
use crate::protocol::{
    COOKIE_REPLY_LENGTH, INITIATION_LENGTH, REKEY_JITTER, REKEY_TIMEOUT, RESPONSE_LENGTH,
};
use crate::{Arrival, Keypair, PeerHandle, Rejected, Role, Tai64N};

/// An initiation to send to a peer, wherever its owner knows it to be.
#[derive(Debug)]
pub struct Initiation {
    /// The peer.
    pub peer: PeerHandle,
    /// The worker that owns it.
    pub owner: u32,
    /// The message.
    pub message: [u8; INITIATION_LENGTH],
}

/// What time brings about.
#[derive(Debug)]
pub enum RetryEvent {
    /// Send this again, as a new message. The owner forgets which of our addresses the peer was reached from.
    Send(Initiation),
    /// No answer for too long: the owner drops the packets that wait for a session.
    GaveUp(PeerHandle),
}

impl Handshakes {
    /// Starts a handshake for `worker`, which becomes the owner of the peer if it has none. Initiations of one peer
    /// are at least five seconds apart, and repeat themselves until answered or given up.
    ///
    /// # Errors
    /// [`Rejected::StalePeer`]; [`Rejected::HandshakeUnderWay`] when there is nothing to do but wait.
    pub fn initiate(
        &mut self,
        peer: PeerHandle,
        worker: u32,
        now: Time,
        wall: Tai64N,
    ) -> Result<Initiation, Rejected> {
        self.indices.expire(now);
        let state = self.peers.get_mut(peer).ok_or(Rejected::StalePeer)?;
        state.owner.get_or_insert(worker);
        let waiting = state.awaiting.as_ref().is_some_and(|awaiting| !awaiting.superseded);
        if waiting || state.initiated_at.is_some_and(|at| now < at + REKEY_TIMEOUT) {
            return Err(Rejected::HandshakeUnderWay);
        }
        self.send_initiation(peer, now, now, wall)
    }

    /// What is due: the next repeated initiation, or the next handshake to give up.
    pub fn poll(&mut self, now: Time, wall: Tai64N) -> Option<RetryEvent> {
        self.indices.expire(now);
        while let Some(Reverse((due, index, generation))) = self.retries.peek().copied()
            && due <= now
        {
            self.retries.pop();
            let event = self.retry(PeerHandle::new(index, generation), now, wall);
            if event.is_some() {
                return event;
            }
        }
        None
    }

    /// When [`Handshakes::poll`] can next yield something, or a little earlier.
    pub fn next_deadline(&self) -> Time {
        self.retries.peek().map_or(Time::NEVER, |Reverse((due, ..))| *due)
    }

    fn retry(&mut self, peer: PeerHandle, now: Time, wall: Tai64N) -> Option<RetryEvent> {
        let state = self.peers.get_mut(peer)?;
        // An entry of a handshake that is over, or that was started anew since.
        let awaiting = state.awaiting.take_if(|awaiting| awaiting.retry_at <= now)?;
        self.indices.release(awaiting.index);
        state.note_answered(awaiting.index, &self.outstanding);
        if awaiting.superseded {
            return None;
        }
        if now >= awaiting.began + self.give_up {
            self.statistics.given_up += 1;
            return Some(RetryEvent::GaveUp(peer));
        }
        let initiation = self.send_initiation(peer, awaiting.began, now, wall).ok()?;
        self.statistics.retries += 1;
        Some(RetryEvent::Send(initiation))
    }

    fn send_initiation(
        &mut self,
        peer: PeerHandle,
        began: Time,
        now: Time,
        wall: Tai64N,
    ) -> Result<Initiation, Rejected> {
        let state = self.peers.get_mut(peer).ok_or(Rejected::StalePeer)?;
        if let Some(superseded) = state.awaiting.take() {
            self.indices.release(superseded.index);
        }
        let owner = state.owner.unwrap_or(0);
        let local_index = self.indices.draw(&mut *self.rng, peer, owner)?;
        let timestamp = wall.later_than(state.stamped);
        let identity =
            Identity { own: &self.own, peer: &state.public, static_static: &state.static_static };
        let ephemeral = self.curve.ephemeral(&mut *self.rng);
        let begun = noise::begin(&mut self.curve, &identity, ephemeral, local_index, timestamp);
        let (mut message, awaiting) = match begun {
            Ok(begun) => begun,
            Err(cause) => {
                self.indices.release(local_index);
                return Err(cause);
            }
        };
        let mac1 = sign(&mut message, &state.mac1_key, state.cookie(now));
        state.note_sent(Sent { index: local_index, mac1 }, &self.outstanding);
        state.stamped = Some(timestamp);
        state.initiated_at = Some(now);
        let retry_at = now + REKEY_TIMEOUT + jitter(&mut *self.rng);
        state.awaiting = Some(Awaiting {
            index: local_index,
            state: awaiting,
            began,
            retry_at,
            superseded: false,
        });
        self.retries.push(Reverse((retry_at, peer.index(), peer.generation())));
        self.statistics.initiations_sent += 1;
        Ok(Initiation { peer, owner, message })
    }

    pub(super) fn handle_response(
        &mut self,
        message: &[u8; RESPONSE_LENGTH],
        arrival: &Arrival,
        now: Time,
    ) -> Result<Outcome, Rejected> {
        let local_index = word(message, RESPONSE_RECEIVER);
        let handle = self
            .indices
            .holder(local_index)
            .filter(|holder| holder.awaiting)
            .map(|holder| holder.peer)
            .ok_or(Rejected::UnknownHandshake)?;
        let peer = self.peers.get_mut(handle).ok_or(Rejected::UnknownHandshake)?;
        let awaiting = peer
            .awaiting
            .take_if(|awaiting| awaiting.index == local_index)
            .ok_or(Rejected::UnknownHandshake)?;
        let Awaiting { state, .. } = awaiting;
        let transport = match state.finish(&mut self.curve, &self.own, &peer.preshared, message) {
            Ok(transport) => transport,
            Err((state, cause)) => {
                // Anyone who saw the initiation can send such a message; the true answer may still come.
                peer.awaiting = Some(Awaiting { state, ..awaiting });
                return Err(cause);
            }
        };
        peer.note_answered(local_index, &self.outstanding);
        self.indices.becomes_session(local_index, now);
        self.statistics.completed += 1;
        let keypair = Keypair {
            local_index,
            remote_index: transport.remote_index,
            send_key: transport.send_key,
            receive_key: transport.receive_key,
            role: Role::Initiator,
            born: now,
        };
        let owner = peer.owner.unwrap_or(0);
        Ok(Outcome::Completed { peer: handle, owner, keypair, endpoint: arrival.endpoint })
    }

    pub(super) fn handle_cookie_reply(
        &mut self,
        message: &[u8; COOKIE_REPLY_LENGTH],
        now: Time,
    ) -> Result<Outcome, Rejected> {
        let index = word(message, COOKIE_RECEIVER);
        let holder = self.indices.holder(index);
        let handle = holder.map(|holder| holder.peer).ok_or(Rejected::CookieUnsolicited)?;
        let peer = self.peers.get_mut(handle).ok_or(Rejected::CookieUnsolicited)?;
        let Sent { mac1, .. } = peer.sent(index).ok_or(Rejected::CookieUnsolicited)?;
        let cookie = read_reply(&reply_key(&peer.public), message, mac1)
            .ok_or(Rejected::CookieUndecryptable)?;
        // One cookie per message sent: a second reply to the same message would be a replay.
        peer.note_answered(index, &self.outstanding);
        peer.keep_cookie(cookie, now);
        self.statistics.cookies_kept += 1;
        Ok(Outcome::CookieKept { peer: handle })
    }
}

/// Up to a third of a second, so that two sides that began together do not stay together.
fn jitter(rng: &mut dyn CryptoRng) -> Duration {
    Duration::from_nanos(rng.next_u64() % REKEY_JITTER.as_nanos() as u64)
}
