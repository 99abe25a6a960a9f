//! Keeps the next hops in use alive in the kernel's neighbour table.
//!
//! Data bypasses the kernel, so the kernel sees no use of its entries and lets them age away. Workers report which
//! next hops they need; this state machine says when the kernel must be asked to resolve or confirm one. Sans-IO:
//! the control thread passes `now` and the kernel's view in, and hands what comes out to
//! [`Kernel::ask_neighbour`](super::netlink::Kernel::ask_neighbour).
//!
//! It never asks for a permanent entry, since the kernel would take it for a dynamic one from then on. It never
//! asks more often than the limits below, however many destinations a scan touches.
#![forbid(unsafe_code)]

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use clock::Time;

use super::netlink::NeighbourState;

/// Least time between two requests for one missing neighbour.
const ASK_INTERVAL: Duration = Duration::from_secs(1);
/// Least time between two confirmations of one stale neighbour. The kernel drops what was not used for 60 s.
const REFRESH_INTERVAL: Duration = Duration::from_secs(15);
/// A neighbour that nobody reported for this long is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(60);
/// One that did not answer is forgotten sooner: the kernel gives up after three tries of a second.
const FORGET_SILENT_AFTER: Duration = Duration::from_secs(5);
/// A neighbour that is fresh is looked at again after this long, should nobody tell that it became stale.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Requests in one second for all neighbours together, so that a scan cannot make the gateway flood a link.
const ASKS_PER_SECOND: u32 = 500;

/// A neighbour: index of its interface, address.
pub type NeighbourKey = (u32, IpAddr);

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// The neighbour is looked after.
    Kept,
    /// The table is full of neighbours that answer: this one is not looked after.
    Full,
}

/// The next hops in use.
#[derive(Debug)]
pub struct NeighbourKeeper {
    entries: BTreeMap<NeighbourKey, Entry>,
    capacity: usize,
    window: Time,
    asked_in_window: u32,
    refused: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    reported: Time,
    asked: Option<Time>,
    /// The kernel had an address for it when last looked at.
    answers: bool,
}

impl Entry {
    /// Not before it may be asked for again, so that forgetting does not undo the limit.
    fn forgotten_at(&self) -> Time {
        let unused = self.reported + if self.answers { FORGET_AFTER } else { FORGET_SILENT_AFTER };
        self.asked.map_or(unused, |asked| unused.max(asked + ASK_INTERVAL))
    }
}

impl NeighbourKeeper {
    /// Looks after at most `capacity` neighbours at a time.
    pub const fn new(capacity: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            capacity,
            window: Time::ZERO,
            asked_in_window: 0,
            refused: 0,
        }
    }

    /// A worker needs this neighbour, known or not. In a full table it takes the place of the one that has been
    /// silent the longest; if all answer, it is turned away and counted.
    pub fn used(&mut self, key: NeighbourKey, now: Time) -> Noted {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.reported = now;
            return Noted::Kept;
        }
        if self.entries.len() >= self.capacity && !self.make_room() {
            self.refused += 1;
            return Noted::Full;
        }
        self.entries.insert(key, Entry { reported: now, asked: None, answers: false });
        Noted::Kept
    }

    /// The neighbours to ask the kernel for, each written to `asks`; returns when to call again at the latest.
    /// `state` is the kernel's view. To be called after reports, after neighbour changes, and at that time.
    pub fn poll(
        &mut self,
        now: Time,
        state: impl Fn(NeighbourKey) -> Option<NeighbourState>,
        asks: &mut Vec<NeighbourKey>,
    ) -> Time {
        if now.since(self.window) >= Duration::from_secs(1) {
            (self.window, self.asked_in_window) = (now, 0);
        }
        let mut next = Time::NEVER;
        self.entries.retain(|&key, entry| {
            let state = state(key);
            entry.answers = state.is_some_and(NeighbourState::is_valid);
            if entry.forgotten_at() <= now {
                return false;
            }
            next = next.min(entry.forgotten_at()).min(now + LOOK_AGAIN_AFTER);
            match entry.due(state) {
                Some(due) if due > now => next = next.min(due),
                Some(_) if self.asked_in_window < ASKS_PER_SECOND => {
                    self.asked_in_window += 1;
                    entry.asked = Some(now);
                    asks.push(key);
                }
                Some(_) => next = next.min(self.window + Duration::from_secs(1)),
                None => {}
            }
            true
        });
        next
    }

    /// Neighbours looked after.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reports turned away because the table was full. Only grows.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    fn make_room(&mut self) -> bool {
        let silent = self.entries.iter().filter(|(_, entry)| !entry.answers);
        let Some(oldest) = silent.min_by_key(|(_, entry)| entry.reported).map(|(&key, _)| key)
        else {
            return false;
        };
        self.entries.remove(&oldest).is_some()
    }
}

impl Entry {
    /// When the kernel is to be asked next; `None` when there is nothing to ask.
    fn due(&self, state: Option<NeighbourState>) -> Option<Time> {
        let interval = match state {
            None | Some(NeighbourState::None | NeighbourState::Failed) => {
                // A missing one is asked for again only when somebody still wants it.
                if self.asked.is_some_and(|asked| asked >= self.reported) {
                    return None;
                }
                ASK_INTERVAL
            }
            Some(NeighbourState::Stale) => REFRESH_INTERVAL,
            // The kernel is at it, or there is nothing to do.
            Some(
                NeighbourState::Incomplete
                | NeighbourState::Reachable
                | NeighbourState::Delay
                | NeighbourState::Probe
                | NeighbourState::NoArp
                | NeighbourState::Permanent,
            ) => return None,
        };
        Some(self.asked.map_or(self.reported, |asked| asked + interval))
    }
}

#[cfg(test)]
mod tests;
