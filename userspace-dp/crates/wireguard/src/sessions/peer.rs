//! What a worker knows of a peer it owns: which sessions, where it is, and which timers run.
//!
//! Timers are points in time that packets set and clear; nothing counts down. `due` turns those that have passed
//! into events, one at a time, and `next_deadline` says when to look again (WireGuard paper, section 6).

use core::time::Duration;

use clock::Time;

use super::slots::Slots;
use crate::protocol::{
    INITIATION_LENGTH, KEEPALIVE_TIMEOUT, NO_ANSWER_TIMEOUT, REKEY_TIMEOUT, RESPONSE_LENGTH,
};
use crate::{Endpoint, Role};

/// The data-path state of one peer.
#[repr(align(64))]
pub(super) struct Peer {
    pub(super) generation: u32,
    pub(super) present: bool,
    pub(super) slots: Slots,
    timers: Timers,
    pub(super) received_packets: u64,
    pub(super) received_bytes: u64,
    pub(super) sent_packets: u64,
    pub(super) sent_bytes: u64,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) last_handshake: Option<Time>,
}

struct Timers {
    /// The first data sent since anything was received.
    unanswered_since: Time,
    /// The first data received since anything was sent.
    unreplied_since: Time,
    /// The last authenticated packet in either direction.
    last_traversal: Time,
    /// A handshake is asked for no sooner.
    ask_again: Time,
    /// Between persistent keepalives; none when `None`.
    persistent: Option<Duration>,
    handshake_wanted: bool,
    /// The other side waits for our first packet under a new session.
    confirmation_owed: bool,
}

/// What a timer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    StartHandshake,
    SendKeepalive,
}

impl Peer {
    pub(super) const ABSENT: Self = Self {
        generation: 0,
        present: false,
        slots: Slots::EMPTY,
        timers: Timers {
            unanswered_since: Time::NEVER,
            unreplied_since: Time::NEVER,
            last_traversal: Time::ZERO,
            ask_again: Time::ZERO,
            persistent: None,
            handshake_wanted: false,
            confirmation_owed: false,
        },
        received_packets: 0,
        received_bytes: 0,
        sent_packets: 0,
        sent_bytes: 0,
        endpoint: None,
        last_handshake: None,
    };

    /// Occupant number `generation` of its place, without sessions.
    pub(super) const fn new(generation: u32, endpoint: Option<Endpoint>) -> Self {
        Self { generation, present: true, endpoint, ..Self::ABSENT }
    }

    /// Sets or ends persistent keepalives. The first is due at once.
    pub(super) fn set_persistent(&mut self, interval: Option<Duration>, now: Time) {
        let interval = interval.filter(|i| !i.is_zero());
        if self.timers.persistent != interval {
            self.timers.persistent = interval;
            self.timers.last_traversal = now - interval.unwrap_or_default();
        }
    }

    /// Authenticated packets arrived, with `data` if one was not empty. Returns a deadline that may be earlier than the one set.
    #[inline]
    pub(super) fn note_received(&mut self, data: bool, now: Time) -> Option<Time> {
        let timers = &mut self.timers;
        timers.unanswered_since = Time::NEVER;
        timers.last_traversal = now;
        if data && timers.unreplied_since == Time::NEVER {
            timers.unreplied_since = now;
            return Some(now + KEEPALIVE_TIMEOUT);
        }
        None
    }

    /// Packets are being sent, with `data` if one is not empty. Returns a deadline that may be earlier than the one set.
    #[inline]
    pub(super) fn note_sent(&mut self, data: bool, now: Time) -> Option<Time> {
        let timers = &mut self.timers;
        timers.unreplied_since = Time::NEVER;
        timers.confirmation_owed = false;
        timers.last_traversal = now;
        if data && timers.unanswered_since == Time::NEVER {
            timers.unanswered_since = now;
            return Some(now + NO_ANSWER_TIMEOUT);
        }
        None
    }

    /// A session was made. The other side is alive; if it waits for a packet of ours it gets one.
    pub(super) fn note_handshake(&mut self, confirmation_owed: bool, now: Time) {
        self.timers.unanswered_since = Time::NEVER;
        self.timers.last_traversal = now;
        self.timers.confirmation_owed = confirmation_owed;
        self.last_handshake = Some(now);
    }

    /// Counts the messages that made a session: as responder both, as initiator the answer.
    pub(super) fn note_handshake_bytes(&mut self, ours: Role) {
        match ours {
            Role::Responder => {
                self.received_bytes += INITIATION_LENGTH as u64;
                self.sent_bytes += RESPONSE_LENGTH as u64;
            }
            Role::Initiator => self.received_bytes += RESPONSE_LENGTH as u64,
        }
    }

    /// A new session is needed. True when this is news: not more often than every five seconds.
    pub(super) fn want_handshake(&mut self, now: Time) -> bool {
        let news = now >= self.timers.ask_again;
        if news {
            self.timers.ask_again = now + REKEY_TIMEOUT;
            self.timers.handshake_wanted = true;
        }
        news
    }

    /// The next thing that is due, as long as there is one. `usable` tells whether there is a session to send under.
    pub(super) fn due(&mut self, usable: bool, now: Time) -> Option<Due> {
        if self.timers.unanswered_since + NO_ANSWER_TIMEOUT <= now {
            self.timers.unanswered_since = Time::NEVER;
            self.want_handshake(now);
        }
        let timers = &mut self.timers;
        if core::mem::take(&mut timers.handshake_wanted) {
            return Some(Due::StartHandshake);
        }
        let reply_due = timers.unreplied_since + KEEPALIVE_TIMEOUT <= now;
        if reply_due {
            timers.unreplied_since = Time::NEVER;
        }
        let owed = core::mem::take(&mut timers.confirmation_owed);
        if usable && (reply_due || owed) {
            return Some(Due::SendKeepalive);
        }
        if timers.persistent_deadline() <= now {
            timers.last_traversal = now;
            return Some(Due::SendKeepalive);
        }
        None
    }

    /// When `due` can next yield something, wiping aside.
    pub(super) fn next_deadline(&self) -> Time {
        let timers = &self.timers;
        if timers.handshake_wanted || timers.confirmation_owed {
            return Time::ZERO;
        }
        (timers.unanswered_since + NO_ANSWER_TIMEOUT)
            .min(timers.unreplied_since + KEEPALIVE_TIMEOUT)
            .min(timers.persistent_deadline())
    }
}

impl Timers {
    fn persistent_deadline(&self) -> Time {
        self.persistent.map_or(Time::NEVER, |interval| self.last_traversal + interval)
    }
}
