//! Sending: a ticket with a counter that nobody else gets, the header, then the cipher.

use clock::Time;

use super::{PeerHandle, Sessions};
use crate::protocol::{DATA_HEADER_LENGTH, REJECT_AFTER_MESSAGES, REKEY_AFTER_MESSAGES};
use crate::{Rejected, SymmetricKey};

/// A packet that may be sealed: under which session, with which counter. The counter is used up whether or not the
/// packet leaves.
#[derive(Debug)]
pub struct SealTicket {
    session: u32,
    local_index: u32,
    remote_index: u32,
    counter: u64,
}

impl SealTicket {
    /// The nonce to seal under.
    #[inline]
    pub const fn counter(&self) -> u64 {
        self.counter
    }

    /// The header before the ciphertext: message type, receiver index, counter.
    #[inline]
    pub fn header(&self) -> [u8; DATA_HEADER_LENGTH] {
        let mut header = [0; DATA_HEADER_LENGTH];
        header[0] = 4;
        header[4..8].copy_from_slice(&self.remote_index.to_le_bytes());
        header[8..16].copy_from_slice(&self.counter.to_le_bytes());
        header
    }
}

impl Sessions {
    /// Reserves the next counter of the peer's current session for a payload of `length` bytes, padding included;
    /// zero is a keepalive. Packets of one peer leave in the order of their tickets. When a new session is due or
    /// there is none, [`Sessions::poll_timers`] will ask for a handshake.
    ///
    /// # Errors
    /// [`Rejected::StalePeer`], or [`Rejected::NoSession`] when the packet has to wait for a handshake.
    #[inline]
    pub fn prepare_seal(
        &mut self,
        peer: PeerHandle,
        length: usize,
        now: Time,
    ) -> Result<SealTicket, Rejected> {
        let index = peer.index();
        let state = self.peer_mut(peer).ok_or(Rejected::StalePeer)?;
        let Some(cell) = state.slots.current else { return Err(self.no_session(index, now)) };
        let number = super::number(index, cell);
        let session = &mut self.sessions[number as usize];
        if now >= session.send_until || session.send_counter >= REJECT_AFTER_MESSAGES {
            return Err(self.no_session(index, now));
        }
        let ticket = SealTicket {
            session: number,
            local_index: session.local_index,
            remote_index: session.remote_index,
            counter: session.send_counter,
        };
        session.send_counter += 1;
        let renew = now >= session.renew_on_send || ticket.counter >= REKEY_AFTER_MESSAGES;

        let state = &mut self.peers[index as usize];
        state.sent_packets += 1;
        state.sent_bytes += length as u64;
        if let Some(deadline) = state.note_sent(length > 0, now) {
            self.wheel.no_later_than(index, deadline);
        }
        if renew {
            self.want_handshake(index, now);
        }
        Ok(ticket)
    }

    /// The key to seal a packet with.
    ///
    /// # Errors
    /// [`Rejected::SessionGone`] when the session ended after the ticket was given out.
    #[inline]
    pub fn sealing_key(&self, ticket: &SealTicket) -> Result<&SymmetricKey, Rejected> {
        self.sessions
            .get(ticket.session as usize)
            .filter(|session| session.live && session.local_index == ticket.local_index)
            .map(|session| &session.send_key)
            .ok_or(Rejected::SessionGone)
    }

    #[cold]
    fn no_session(&mut self, index: u32, now: Time) -> Rejected {
        self.want_handshake(index, now);
        Rejected::NoSession
    }
}
