//! Receiving, in three steps: a ticket from the header, the cipher, the commit.
//!
//! The steps are apart so that a burst goes through the cipher in one call. The ticket costs no write: nothing
//! moves before authentication. The commit takes a proof that the cipher passed the packet.

use clock::Time;

use super::{PeerHandle, Sessions, replay};
use crate::protocol::REJECT_AFTER_MESSAGES;
use crate::{Endpoint, Rejected, SymmetricKey};

/// A data packet that may be opened: which session, which counter.
#[derive(Clone, Copy, Debug)]
pub struct OpenTicket {
    session: u32,
    local_index: u32,
    counter: u64,
    payload_length: usize,
}

impl OpenTicket {
    /// The nonce to open under.
    #[inline]
    pub const fn counter(&self) -> u64 {
        self.counter
    }

    /// Turns the cipher's verdict into the proof that [`Sessions::commit_open`] wants.
    ///
    /// # Errors
    /// [`Rejected::TagMismatch`] when `failures` names `position`, this packet's place in the batch.
    #[inline]
    pub fn authenticate(
        self,
        failures: aead::Failures,
        position: usize,
    ) -> Result<Authenticated, Rejected> {
        if failures.contains(position) {
            Err(Rejected::TagMismatch)
        } else {
            Ok(Authenticated(self))
        }
    }
}

/// A packet whose tag matched.
#[derive(Debug)]
pub struct Authenticated(OpenTicket);

/// A packet that was opened and recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Who sent it.
    pub peer: PeerHandle,
    /// Empty: there is nothing to forward.
    pub keepalive: bool,
    /// It was the first packet of a session: packets that wait for one may go out.
    pub confirmed: bool,
    /// The peer is at another address than before.
    pub roamed: bool,
}

impl Sessions {
    /// Looks a data packet up by its header. `encrypted_length` counts everything behind the header, tag included.
    ///
    /// # Errors
    /// [`Rejected::CounterBeyondLimit`], [`Rejected::UnknownSession`], [`Rejected::SessionExpired`],
    /// [`Rejected::TooShort`] or [`Rejected::Replayed`], checked in this order.
    #[inline]
    pub fn prepare_open(
        &self,
        receiver_index: u32,
        counter: u64,
        encrypted_length: usize,
        now: Time,
    ) -> Result<OpenTicket, Rejected> {
        if counter >= REJECT_AFTER_MESSAGES {
            return Err(Rejected::CounterBeyondLimit);
        }
        let number = self.receivers.get(receiver_index).ok_or(Rejected::UnknownSession)?;
        let session = &self.sessions[number as usize];
        if now >= session.expires {
            return Err(Rejected::SessionExpired);
        }
        let payload_length =
            encrypted_length.checked_sub(aead::TAG_LENGTH).ok_or(Rejected::TooShort)?;
        replay::check(self.window(number), session.replay_next, counter)?;
        Ok(OpenTicket { session: number, local_index: receiver_index, counter, payload_length })
    }

    /// The key to open a packet with.
    ///
    /// # Errors
    /// [`Rejected::SessionGone`] when the session ended after the ticket was given out.
    #[inline]
    pub fn opening_key(&self, ticket: &OpenTicket) -> Result<&SymmetricKey, Rejected> {
        self.session_of(ticket).map(|session| &session.receive_key)
    }

    /// Records an opened packet: its counter, the session's first use, timers, and where the peer is.
    ///
    /// # Errors
    /// [`Rejected::Replayed`] when another packet of the same batch had this counter, [`Rejected::SessionGone`] when
    /// the session ended meanwhile. The caller then destroys the plaintext; [`Sessions::open_burst`] does.
    #[inline]
    pub fn commit_open(
        &mut self,
        authenticated: Authenticated,
        endpoint: Endpoint,
        now: Time,
    ) -> Result<Received, Rejected> {
        let Authenticated(ticket) = authenticated;
        self.session_of(&ticket)?;
        let session = &mut self.sessions[ticket.session as usize];
        let (windows, _) = self.windows.as_chunks_mut();
        let window = &mut windows[ticket.session as usize];
        replay::commit(window, &mut session.replay_next, ticket.counter)?;

        let (index, cell) = (session.peer, session.cell);
        let renew = now >= session.renew_on_receive;
        if renew {
            session.renew_on_receive = Time::NEVER;
        }
        let confirmed = self.confirm(index, cell);

        let peer = &mut self.peers[index as usize];
        let keepalive = ticket.payload_length == 0;
        peer.received_packets += 1;
        peer.received_bytes += ticket.payload_length as u64;
        let roamed = peer.endpoint != Some(endpoint);
        if roamed {
            peer.endpoint = Some(endpoint);
        }
        let handle = PeerHandle::new(index, peer.generation);
        if let Some(deadline) = peer.note_received(!keepalive, now) {
            self.wheel.no_later_than(index, deadline);
        }
        if renew {
            self.want_handshake(index, now);
        }
        Ok(Received { peer: handle, keepalive, confirmed, roamed })
    }

    #[inline]
    fn session_of(&self, ticket: &OpenTicket) -> Result<&super::Session, Rejected> {
        self.sessions
            .get(ticket.session as usize)
            .filter(|session| session.live && session.local_index == ticket.local_index)
            .ok_or(Rejected::SessionGone)
    }
}
