//! The flows of one worker: found by the key of either direction, judged, timed, counted.
//!
//! A flow lies in a slab; an index leads to it from both of its keys, which need not mirror each other (translation). A
//! wheel knows when to look at it, a queue knows the order of those that nobody has confirmed. Everything is made once,
//! at its full size.

mod burst;
mod departed;
mod index;
mod open;
mod queue;
mod slab;
mod sweep;
mod wheel;

#[cfg(test)]
mod tests;

pub use departed::Departure;
pub use open::{NewFlow, NotOpened, Opened};
pub use slab::FlowId;
pub use sweep::Cursor;

use clock::Time;
use core::time::Duration;

use self::departed::Departed;
use self::index::{Index, Place};
use self::queue::Queue;
use self::slab::Slab;
use self::wheel::Wheel;
use crate::hash::Hash;
use crate::key::Words;
use crate::tick::Tick;
use crate::{
    Content, Direction, Exchange, FlowSettings, HashKey, Key, OnExhausted, Phase, Pickup, Timeouts,
    Verdict,
};

/// The flows of one worker, with a payload `P` of the caller's for each direction.
pub struct FlowTable<P> {
    slab: Slab<P>,
    index: Index,
    wheel: Wheel,
    unconfirmed: Queue,
    departed: Departed,
    hash: HashKey,
    counts: [u32; Phase::ALL.len()],
    /// In steps, by the number of the phase.
    timeouts: [u32; Phase::ALL.len()],
    capacity: u32,
    on_exhausted: OnExhausted,
    pickup: Pickup,
}

/// A flow that has been taken out of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed<P> {
    /// The key of its opening direction.
    pub opening: Key,
    /// The key of the answers.
    pub answers: Key,
    /// How far it had come.
    pub phase: Phase,
    /// Why it went.
    pub departure: Departure,
    /// What the caller had put in, by [`Direction::index`].
    pub payload: [P; 2],
}

/// What there is to show of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowView<'a, P> {
    /// The key of its opening direction.
    pub opening: Key,
    /// The key of the answers.
    pub answers: Key,
    /// How far it has come.
    pub phase: Phase,
    /// How long it has been silent, in steps of [`Timeouts::STEP`].
    pub idle: Duration,
    /// What the caller has put in, by [`Direction::index`].
    pub payload: &'a [P; 2],
}

impl<P> FlowTable<P> {
    /// An empty table. Takes all the memory that it will ever have; a capacity out of range becomes the nearest in it.
    pub fn new(settings: &FlowSettings, hash: HashKey, now: Time) -> Self {
        let capacity = settings.capacity.clamp(1, FlowSettings::CAPACITY_MAX);
        // One entry more than the capacity: a new flow is put in before the one that makes room for it goes, so that
        // nothing is lost when it cannot be put in.
        let entries = capacity + 1;
        Self {
            slab: Slab::new(entries),
            index: Index::new(2 * entries as usize),
            wheel: Wheel::new(entries as usize, Tick::of(now)),
            unconfirmed: Queue::new(entries as usize),
            departed: Departed::new(settings.departed_keys, settings.departed_for),
            hash,
            counts: [0; Phase::ALL.len()],
            timeouts: settings.timeouts.ticks(),
            capacity,
            on_exhausted: settings.on_exhausted,
            pickup: settings.pickup,
        }
    }

    /// The flow that packets with this key belong to, and in which direction. For a whole burst see
    /// [`FlowTable::find_burst`].
    #[inline]
    pub fn find(&self, key: &Key) -> Option<(FlowId, Direction)> {
        let words = Words::of(key);
        self.find_words(self.hash.of(&words), &words)
    }

    /// Judges a packet of the flow, which travels in `direction`, and refreshes the flow if that is due.
    /// [`Verdict::consequence`] says what to do with the packet.
    #[inline]
    pub fn judge(
        &mut self,
        id: FlowId,
        direction: Direction,
        content: &Content,
        now: Time,
    ) -> Verdict {
        let now = Tick::of(now);
        let Some(entry) = self.slab.get_mut(id) else { return Verdict::Gone };
        let hot = &mut entry.hot;
        let before = hot.phase;
        if now.since(hot.touched) > self.timeouts[before.number()] {
            return Verdict::Expired;
        }
        let (verdict, after) = match (before, content) {
            (Phase::Tcp(phase), Content::Tcp(segment)) => {
                let (verdict, phase) = hot.connection.judge(phase, direction, segment);
                (verdict, Phase::Tcp(phase))
            }
            (Phase::Udp(phase), Content::Datagram) => {
                (Verdict::InState, Phase::Udp(heard(phase, direction)))
            }
            (Phase::Echo(phase), Content::Datagram) => {
                (Verdict::InState, Phase::Echo(heard(phase, direction)))
            }
            (Phase::Other(phase), Content::Datagram) => {
                (Verdict::InState, Phase::Other(heard(phase, direction)))
            }
            (Phase::Tcp(_), Content::Datagram)
            | (Phase::Udp(_) | Phase::Echo(_) | Phase::Other(_), Content::Tcp(_)) => {
                (Verdict::Mismatch, before)
            }
        };
        if matches!(verdict, Verdict::InState | Verdict::Closes) {
            hot.touched = now;
        }
        if after != before {
            hot.phase = after;
            self.move_on(id, before, after, now);
        }
        verdict
    }

    /// Takes the flow out; `None` if it is gone already.
    pub fn remove(&mut self, id: FlowId, departure: Departure, now: Time) -> Option<Removed<P>> {
        self.slab.get(id)?;
        self.take_out(id.index(), departure, Tick::of(now))
    }

    /// Takes out a flow whose time has come. Looks at no more than `budget` flows and counts it down for each; `None`
    /// when that is spent or no more are due. To be called every turn with a small budget: what a turn leaves, the next
    /// does, and until then an overdue flow answers [`Verdict::Expired`].
    pub fn expire(&mut self, now: Time, budget: &mut u32) -> Option<Removed<P>> {
        let now = self.wheel.latest(Tick::of(now));
        while *budget > 0 {
            let index = self.wheel.take(now)?;
            *budget -= 1;
            let Some(hot) = self.slab.id(index).and_then(|id| Some(&self.slab.get(id)?.hot)) else {
                continue;
            };
            let deadline = hot.touched.plus(self.timeouts[hot.phase.number()] + 1);
            if now.since(deadline) > 0 || now == deadline {
                let closed = hot.phase.is_closed();
                let departure = if closed { Departure::Closed } else { Departure::Expired };
                return self.take_out(index, departure, now);
            }
            self.wheel.no_later_than(index, deadline);
        }
        None
    }

    /// When [`FlowTable::expire`] next has something to look at.
    pub fn next_expiry(&self, now: Time) -> Time {
        let Some(steps) = self.wheel.steps_to_next(Tick::of(now)) else { return Time::NEVER };
        let step = now.as_nanos() / Tick::NANOS + u64::from(steps);
        Time::from_nanos(step.saturating_mul(Tick::NANOS)).max(now)
    }

    /// What became of the flow that packets with this key belonged to, if it went lately. To be asked for packets that
    /// have no flow and may open none: it tells the late from the strange. Never wrong about a key that it knows, and
    /// about one in 2^29 others.
    pub fn departed(&self, key: &Key, now: Time) -> Option<Departure> {
        self.departed.find(self.hash.of(&Words::of(key)), Tick::of(now))
    }

    /// True if a packet that has no flow may open one.
    pub fn may_open(&self, key: &Key, content: &Content) -> bool {
        content.may_open(&key.tuple, self.pickup)
    }

    /// What the caller has put into the flow for this direction.
    #[inline]
    pub fn payload(&self, id: FlowId, direction: Direction) -> Option<&P> {
        self.slab.get(id)?.payload.as_ref().map(|payload| &payload[direction.index()])
    }

    /// The same, to change it.
    #[inline]
    pub fn payload_mut(&mut self, id: FlowId, direction: Direction) -> Option<&mut P> {
        self.slab.get_mut(id)?.payload.as_mut().map(|payload| &mut payload[direction.index()])
    }

    /// What there is to show of a flow.
    pub fn view(&self, id: FlowId, now: Time) -> Option<FlowView<'_, P>> {
        let entry = self.slab.get(id)?;
        let [opening, answers] = [entry.hot.keys[0].key(), entry.hot.keys[1].key()];
        let idle = Timeouts::STEP.saturating_mul(Tick::of(now).since(entry.hot.touched));
        Some(FlowView {
            opening,
            answers,
            phase: entry.hot.phase,
            idle,
            payload: entry.payload.as_ref()?,
        })
    }

    /// How many flows are in this phase.
    pub const fn count(&self, phase: Phase) -> u32 {
        self.counts[phase.number()]
    }

    /// How many flows there are.
    pub fn len(&self) -> u32 {
        self.slab.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many flows there can be.
    pub const fn capacity(&self) -> u32 {
        self.capacity
    }

    #[inline]
    fn find_words(&self, hash: Hash, words: &Words) -> Option<(FlowId, Direction)> {
        let place = self.index.find(hash, |place| self.holds(place, words))?;
        Some((self.slab.id(place.flow())?, place.direction()))
    }

    #[inline]
    fn holds(&self, place: Place, words: &Words) -> bool {
        self.slab.key(place.flow(), place.direction()) == words
    }

    /// Keeps the books when a flow has gone from one phase to another.
    #[inline(never)]
    fn move_on(&mut self, id: FlowId, before: Phase, after: Phase, now: Tick) {
        self.counts[before.number()] -= 1;
        self.counts[after.number()] += 1;
        match (before.is_unconfirmed(), after.is_unconfirmed()) {
            (true, false) => self.unconfirmed.remove(id.index()),
            (false, true) => self.unconfirmed.push(id.index()),
            (true, true) | (false, false) => {}
        }
        self.wheel.no_later_than(id.index(), now.plus(self.timeouts[after.number()] + 1));
    }

    /// Takes out whatever lies in an entry, from everywhere.
    fn take_out(&mut self, index: u32, departure: Departure, now: Tick) -> Option<Removed<P>> {
        let (keys, phase, payload) = self.slab.take(index)?;
        for direction in Direction::ALL {
            let hash = self.hash.of(&keys[direction.index()]);
            self.index.remove(hash, Place::new(index, direction));
            self.departed.note(hash, departure, now);
        }
        self.wheel.cancel(index);
        if phase.is_unconfirmed() {
            self.unconfirmed.remove(index);
        }
        self.counts[phase.number()] -= 1;
        let [opening, answers] = [keys[0].key(), keys[1].key()];
        Some(Removed { opening, answers, phase, departure, payload })
    }
}

/// Any packet of the answers makes it an exchange.
#[inline]
const fn heard(exchange: Exchange, direction: Direction) -> Exchange {
    match (exchange, direction) {
        (Exchange::Unreplied, Direction::Opening) => Exchange::Unreplied,
        (Exchange::Unreplied, Direction::Answers) | (Exchange::Replied, _) => Exchange::Replied,
    }
}
