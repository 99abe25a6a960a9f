//! The storage of one session: two cache lines, one touched by receiving, one by sending.

use clock::Time;
use zeroize::Zeroize;

use super::slots::Cell;
use crate::protocol::{REJECT_AFTER_TIME, REKEY_AFTER_TIME, REKEY_ON_RECEIVE_AFTER, WIPE_AFTER};
use crate::{Keypair, Role, SymmetricKey};

/// Keys and counters of a session. A vacant one holds zeros and is in no table.
#[repr(C, align(64))]
pub(super) struct Session {
    pub(super) receive_key: SymmetricKey,
    /// One above the highest counter received; the bits of the window lie elsewhere.
    pub(super) replay_next: u64,
    pub(super) expires: Time,
    /// Receiving from here on asks for a new session. Once: it is set to never then.
    pub(super) renew_on_receive: Time,
    pub(super) local_index: u32,
    pub(super) peer: u32,

    pub(super) send_key: SymmetricKey,
    /// The next counter to send under. Only grows.
    pub(super) send_counter: u64,
    pub(super) send_until: Time,
    /// Sending from here on asks for a new session.
    pub(super) renew_on_send: Time,
    pub(super) remote_index: u32,
    pub(super) live: bool,
    pub(super) cell: Cell,
}

const _: () = assert!(size_of::<Session>() == 128);

impl Session {
    /// The storage behind `cell` of `peer`, with no session in it.
    pub(super) fn vacant(peer: u32, cell: Cell) -> Self {
        Self {
            receive_key: SymmetricKey::from_bytes([0; 32]),
            replay_next: 0,
            expires: Time::ZERO,
            renew_on_receive: Time::NEVER,
            local_index: 0,
            peer,
            send_key: SymmetricKey::from_bytes([0; 32]),
            send_counter: 0,
            send_until: Time::ZERO,
            renew_on_send: Time::NEVER,
            remote_index: 0,
            live: false,
            cell,
        }
    }

    /// Takes over the keys of a handshake.
    pub(super) fn fill(&mut self, keypair: Keypair) {
        let Keypair { local_index, remote_index, send_key, receive_key, role, born } = keypair;
        let (on_send, on_receive) = match role {
            Role::Initiator => (born + REKEY_AFTER_TIME, born + REKEY_ON_RECEIVE_AFTER),
            Role::Responder => (Time::NEVER, Time::NEVER),
        };
        *self = Self {
            receive_key,
            replay_next: 0,
            expires: born + REJECT_AFTER_TIME,
            renew_on_receive: on_receive,
            local_index,
            peer: self.peer,
            send_key,
            send_counter: 0,
            send_until: born + REJECT_AFTER_TIME,
            renew_on_send: on_send,
            remote_index,
            live: true,
            cell: self.cell,
        };
    }

    /// Zeroes the keys.
    pub(super) fn wipe(&mut self) {
        self.receive_key.zeroize();
        self.send_key.zeroize();
        self.live = false;
        self.expires = Time::ZERO;
        self.send_until = Time::ZERO;
    }

    /// When the keys must be gone.
    pub(super) fn wipe_at(&self) -> Time {
        self.expires + (WIPE_AFTER - REJECT_AFTER_TIME)
    }
}
