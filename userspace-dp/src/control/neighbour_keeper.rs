//! Keeps the next hops in use alive in the kernel's neighbour table.
//!
//! Data bypasses the kernel, so the kernel sees no use of its entries and lets them age away. Workers report which
//! next hops they need; this state machine says when the kernel must be asked to resolve or confirm one. Sans-IO:
//! the control thread passes `now` and the kernel's view in, and hands what comes out to
//! [`Kernel::ask_neighbour`](super::netlink::Kernel::ask_neighbour).
//!
//! It never asks for a permanent entry, since the kernel would take it for a dynamic one from then on. It never
//! asks more often than the limits below, however many destinations a scan touches, and a scan delays neither the
//! confirmation of known neighbours nor the search for those that packets want again and again. One that answered
//! and vanished (flushed, say) is asked for again at once: the interval spares those that do not answer. Each report
//! and each look at a neighbour costs the logarithm of the table's size.
#![forbid(unsafe_code)]

use core::net::IpAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use clock::Time;

use super::netlink::NeighbourState;

/// Least time between two requests for one missing neighbour that has not answered, and the mean time for one that
/// answers each time and vanishes again.
const ASK_INTERVAL: Duration = Duration::from_secs(1);
/// Requests in a row for one neighbour that answers and vanishes. Somebody at work flushes a table several times in
/// a second, and one flush may remove an entry twice; a neighbour that flaps without end comes down to one request
/// an interval.
const ASKS_IN_A_ROW: u32 = 8;
/// Least time between two confirmations of one stale neighbour. The kernel drops what was not used for 60 s.
const REFRESH_INTERVAL: Duration = Duration::from_secs(15);
/// A neighbour that nobody reported for this long is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(60);
/// One that did not answer is forgotten sooner: the kernel gives up after three tries of a second.
const FORGET_SILENT_AFTER: Duration = Duration::from_secs(5);
/// A neighbour that is fresh is looked at again after this long, should nobody tell that it became stale.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// A missing neighbour that is reported this long after its first report is wanted by more than a scan's one packet.
const WANTED_AFTER: Duration = Duration::from_millis(500);
/// Requests are counted in spans of this length, short so that whoever comes after a flood is soon served.
const WINDOW: Duration = Duration::from_millis(100);
/// Requests in one window for all neighbours together, so that a scan cannot make the gateway flood a link.
const ASKS_PER_WINDOW: u32 = 50;
/// Least time between two lines about requests that failed.
const TELL_FAILURES_EVERY: Duration = Duration::from_secs(10);

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

/// Why the kernel is to be asked. The more important is served first, but within a window none takes the share of
/// another that can use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    /// It is known and in use, but was not confirmed lately.
    Confirm,
    /// It is missing, and packets keep coming for it, or it was there a moment ago.
    Wanted,
    /// It is missing, and was wanted once.
    New,
}

/// Each purpose with its share of a window. What one leaves, the others use.
const SHARES: [(Purpose, u32); 3] =
    [(Purpose::Confirm, 20), (Purpose::Wanted, 20), (Purpose::New, 10)];

/// One that waits to be asked for; in this order, except that interfaces take turns.
type Waiting = (Purpose, u32, Time, IpAddr);

/// The next hops in use.
#[derive(Debug)]
pub struct NeighbourKeeper {
    entries: BTreeMap<NeighbourKey, Entry>,
    /// When each is looked at next.
    looks: BTreeSet<(Time, NeighbourKey)>,
    /// Those without an answer, by when they were last reported.
    silent: BTreeSet<(Time, NeighbourKey)>,
    waiting: BTreeSet<Waiting>,
    /// The interface last served, for each purpose.
    served: [u32; SHARES.len()],
    capacity: usize,
    window: Time,
    asked_in_window: u32,
    refused: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    first_reported: Time,
    reported: Time,
    asked: Option<Time>,
    /// The kernel had an address for it when it was last asked, or has had one since.
    answered: bool,
    /// When the requests so far are paid for, at one an interval.
    paid_until: Time,
    /// The kernel had an address for it when last looked at.
    answers: bool,
    look_at: Time,
    /// What for and since when it waits to be asked for.
    waits: Option<(Purpose, Time)>,
}

impl NeighbourKeeper {
    /// Looks after at most `capacity` neighbours at a time.
    pub const fn new(capacity: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            looks: BTreeSet::new(),
            silent: BTreeSet::new(),
            waiting: BTreeSet::new(),
            served: [0; SHARES.len()],
            capacity,
            window: Time::ZERO,
            asked_in_window: 0,
            refused: 0,
        }
    }

    /// A worker needs this neighbour, known or not. In a full table it takes the place of the one that has been
    /// silent the longest; if all answer, it is turned away and counted.
    pub fn used(&mut self, key: NeighbourKey, now: Time) -> Noted {
        if let Some(mut entry) = self.take(key) {
            entry.reported = now;
            entry.look_at = entry.look_at.min(entry.may_be_asked_at().max(now));
            self.put(key, entry);
            return Noted::Kept;
        }
        if self.entries.len() >= self.capacity && !self.make_room() {
            self.refused += 1;
            return Noted::Full;
        }
        let entry = Entry {
            first_reported: now,
            reported: now,
            asked: None,
            answered: false,
            paid_until: Time::ZERO,
            answers: false,
            look_at: now,
            waits: None,
        };
        self.put(key, entry);
        Noted::Kept
    }

    /// The kernel reports an address for this neighbour, perhaps for a moment that no look at it falls into.
    pub fn answered(&mut self, key: NeighbourKey) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.answered = true;
        }
    }

    /// The neighbours to ask the kernel for, each written to `asks`; returns when to call again at the latest.
    /// `state` is the kernel's view. To be called after reports and at that time.
    pub fn poll(
        &mut self,
        now: Time,
        state: impl Fn(NeighbourKey) -> Option<NeighbourState>,
        asks: &mut Vec<NeighbourKey>,
    ) -> Time {
        if now.since(self.window) >= WINDOW {
            (self.window, self.asked_in_window) = (now, 0);
        }
        while let Some(&(_, key)) = self.looks.first().filter(|(look_at, _)| *look_at <= now) {
            let Some(mut entry) = self.take(key) else { break };
            entry.look(state(key), now);
            if entry.forgotten_at() > now {
                self.put(key, entry);
            }
        }
        for (purpose, share) in SHARES {
            self.serve(purpose, share, now, &state, asks);
        }
        for (purpose, _) in SHARES {
            self.serve(purpose, ASKS_PER_WINDOW, now, &state, asks);
        }
        let look_at = self.looks.first().map_or(Time::NEVER, |&(look_at, _)| look_at);
        if self.waiting.is_empty() { look_at } else { look_at.min(self.window + WINDOW) }
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

    /// Asks for up to `most` of those that wait for this purpose, as far as the window allows.
    fn serve(
        &mut self,
        purpose: Purpose,
        most: u32,
        now: Time,
        state: &impl Fn(NeighbourKey) -> Option<NeighbourState>,
        asks: &mut Vec<NeighbourKey>,
    ) {
        let mut left = most.min(ASKS_PER_WINDOW - self.asked_in_window);
        while left > 0 {
            let Some(key) = self.next_waiting(purpose) else { return };
            let Some(mut entry) = self.take(key) else { return };
            // The kernel may have found it while it waited, or it may have become more important.
            entry.look(state(key), now);
            if entry.waits.is_some_and(|(found, _)| found == purpose) {
                left -= 1;
                self.asked_in_window += 1;
                entry.asked(now);
                asks.push(key);
            }
            if entry.forgotten_at() > now {
                self.put(key, entry);
            }
        }
    }

    /// The one that has waited the longest, of the interface whose turn it is.
    fn next_waiting(&mut self, purpose: Purpose) -> Option<NeighbourKey> {
        let served = self.served.get_mut(purpose as usize)?;
        let first_of = |interface: u32| (purpose, interface, Time::ZERO, FIRST_ADDRESS);
        let of_purpose = |waiting: &&Waiting| waiting.0 == purpose;
        let later = served.checked_add(1);
        let later = later.and_then(|next| self.waiting.range(first_of(next)..).next());
        let next = later
            .filter(of_purpose)
            .or_else(|| self.waiting.range(first_of(0)..).next().filter(of_purpose));
        let &(_, interface, _, address) = next?;
        *served = interface;
        Some((interface, address))
    }

    fn make_room(&mut self) -> bool {
        self.silent.first().copied().is_some_and(|(_, oldest)| self.take(oldest).is_some())
    }

    /// Removes an entry from everywhere.
    fn take(&mut self, key: NeighbourKey) -> Option<Entry> {
        let entry = self.entries.remove(&key)?;
        self.looks.remove(&(entry.look_at, key));
        self.silent.remove(&(entry.reported, key));
        if let Some((purpose, since)) = entry.waits {
            self.waiting.remove(&(purpose, key.0, since, key.1));
        }
        Some(entry)
    }

    /// Enters it everywhere that it belongs.
    fn put(&mut self, key: NeighbourKey, entry: Entry) {
        self.entries.insert(key, entry);
        self.looks.insert((entry.look_at, key));
        if !entry.answers {
            self.silent.insert((entry.reported, key));
        }
        if let Some((purpose, since)) = entry.waits {
            self.waiting.insert((purpose, key.0, since, key.1));
        }
    }
}

/// Sorts before every other address.
const FIRST_ADDRESS: IpAddr = IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED);

impl Entry {
    /// Takes the kernel's view in: whether it is to be asked for, and when it is looked at again unless forgotten.
    fn look(&mut self, state: Option<NeighbourState>, now: Time) {
        self.answers = state.is_some_and(NeighbourState::is_valid);
        self.answered |= self.answers;
        let due = self.due(state);
        let forgotten = self.forgotten_at() <= now;
        self.waits = due.filter(|&(_, due)| due <= now && !forgotten);
        let again = if self.answers { LOOK_AGAIN_AFTER } else { ASK_INTERVAL };
        let later = due.map(|(_, due)| due).filter(|&due| due > now).unwrap_or(Time::NEVER);
        self.look_at = (now + again).min(later).min(self.forgotten_at());
    }

    fn asked(&mut self, now: Time) {
        self.asked = Some(now);
        self.answered = self.answers;
        self.paid_until = self.paid_until.max(now) + ASK_INTERVAL;
        self.waits = None;
    }

    /// When a request for it is in order, should it be missing.
    fn may_be_asked_at(&self) -> Time {
        match self.asked {
            None => self.first_reported,
            Some(_) if self.answered => self.paid_until - ASK_INTERVAL * (ASKS_IN_A_ROW - 1),
            Some(asked) => asked + ASK_INTERVAL,
        }
    }

    /// Not before its requests are paid for, so that forgetting does not undo the limit.
    fn forgotten_at(&self) -> Time {
        let unused = self.reported + if self.answers { FORGET_AFTER } else { FORGET_SILENT_AFTER };
        unused.max(self.paid_until)
    }

    /// What for and when the kernel is to be asked next; `None` when there is nothing to ask.
    fn due(&self, state: Option<NeighbourState>) -> Option<(Purpose, Time)> {
        match state {
            None | Some(NeighbourState::None | NeighbourState::Failed) => {
                // A missing one is asked for again only when somebody still wants it.
                if self.asked.is_some_and(|asked| asked >= self.reported) {
                    return None;
                }
                let again = self.reported.since(self.first_reported) >= WANTED_AFTER;
                let purpose = if again || self.answered { Purpose::Wanted } else { Purpose::New };
                Some((purpose, self.may_be_asked_at()))
            }
            Some(NeighbourState::Stale) => {
                let due = self.asked.map_or(self.first_reported, |asked| asked + REFRESH_INTERVAL);
                Some((Purpose::Confirm, due))
            }
            // The kernel is at it, or there is nothing to do.
            Some(
                NeighbourState::Incomplete
                | NeighbourState::Reachable
                | NeighbourState::Delay
                | NeighbourState::Probe
                | NeighbourState::NoArp
                | NeighbourState::Permanent,
            ) => None,
        }
    }
}

/// Counts requests that the kernel did not take, and says when a line about them is due.
#[derive(Debug)]
pub struct FailedAsks {
    untold: u64,
    told_at: Option<Time>,
}

impl FailedAsks {
    /// None so far.
    pub const NONE: Self = Self { untold: 0, told_at: None };

    /// Notes one; how many to tell of, when a line is due.
    pub fn note(&mut self, now: Time) -> Option<u64> {
        self.untold += 1;
        if self.told_at.is_some_and(|told| now.since(told) < TELL_FAILURES_EVERY) {
            return None;
        }
        self.told_at = Some(now);
        Some(core::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests;
