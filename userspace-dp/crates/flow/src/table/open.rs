//! New flows.

use clock::Time;

use super::{Departure, FlowId, FlowTable, Place, Removed};
use crate::hash::Hash;
use crate::key::Words;
use crate::tcp::Connection;
use crate::tick::Tick;
use crate::{Content, Direction, Key, OnExhausted, Phase};

/// A flow to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewFlow<P> {
    /// The key of the packet that opens it.
    pub opening: Key,
    /// The key that its answers will have: the zone they come from, and the opening tuple reversed unless something is
    /// translated.
    pub answers: Key,
    /// What the packet says.
    pub content: Content,
    /// What the caller wants to find again, by [`Direction::index`].
    pub payload: [P; 2],
}

/// A flow that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a flow that went may hold something that has to be given back"]
pub struct Opened<P> {
    /// The new flow.
    pub id: FlowId,
    /// A flow that is gone so that this one could come.
    pub made_room: Option<Removed<P>>,
}

/// Why a flow was not opened. Nothing was changed then; the packet must not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotOpened {
    /// The packet is not the beginning of anything.
    NotOpening,
    /// Packets with the opening key belong to this flow already: another packet of the burst has opened it. The packet
    /// is to be judged by it.
    OpeningTaken(FlowId, Direction),
    /// Answers could not be told from packets of this flow: translation needs another address or port.
    AnswersTaken(FlowId, Direction),
    /// The answers would have the opening key: the packet goes from an end to itself.
    SameKeys,
    /// There are as many flows as there can be, and none of them makes room.
    Full,
    /// The index has no room where the keys belong. With keyed hashes this does not happen by chance or by choice.
    Crowded,
}

impl<P> FlowTable<P> {
    /// Opens a flow.
    ///
    /// # Errors
    /// See [`NotOpened`].
    pub fn open(&mut self, new: NewFlow<P>, now: Time) -> Result<Opened<P>, NotOpened> {
        let now = Tick::of(now);
        if !new.content.may_open(&new.opening.tuple, self.pickup) {
            return Err(NotOpened::NotOpening);
        }
        let keys = [Words::of(&new.opening), Words::of(&new.answers)];
        let [opening, answers] = keys;
        let hashes = keys.map(|words| self.hash.of(&words));
        if let Some((id, direction)) = self.find_words(hashes[0], &opening) {
            return Err(NotOpened::OpeningTaken(id, direction));
        }
        if opening == answers {
            return Err(NotOpened::SameKeys);
        }
        if let Some((id, direction)) = self.find_words(hashes[1], &answers) {
            return Err(NotOpened::AnswersTaken(id, direction));
        }
        let victim = self.victim(now)?;
        let first = Phase::first(&new.opening.tuple);
        let state = match (first, &new.content) {
            (Phase::Tcp(_), Content::Tcp(segment)) => {
                let (connection, phase) = Connection::opened_by(segment);
                (connection, Phase::Tcp(phase))
            }
            (Phase::Udp(_) | Phase::Echo(_) | Phase::Other(_), Content::Datagram) => {
                (Connection::NONE, first)
            }
            (Phase::Tcp(_), Content::Datagram)
            | (Phase::Udp(_) | Phase::Echo(_) | Phase::Other(_), Content::Tcp(_)) => {
                return Err(NotOpened::NotOpening);
            }
        };
        let id = self.slab.insert(keys, state, new.payload, now).ok_or(NotOpened::Full)?;
        if !self.enter(id, hashes) {
            self.slab.take(id.index());
            return Err(NotOpened::Crowded);
        }
        let phase = state.1;
        self.counts[phase.number()] += 1;
        if phase.is_unconfirmed() {
            self.unconfirmed.push(id.index());
        }
        self.wheel.no_later_than(id.index(), now.plus(self.timeouts[phase.number()] + 1));
        let made_room = victim.and_then(|(index, departure)| self.take_out(index, departure, now));
        Ok(Opened { id, made_room })
    }

    /// Who has to go for one more flow: in a table that is not full nobody, else one that is overdue, else by setting.
    fn victim(&mut self, now: Tick) -> Result<Option<(u32, Departure)>, NotOpened> {
        if self.slab.len() < self.capacity {
            return Ok(None);
        }
        let oldest = self.unconfirmed.oldest();
        let overdue = oldest.filter(|index| {
            let entry = self.slab.id(*index).and_then(|id| self.slab.get(id));
            entry.is_some_and(|entry| {
                now.since(entry.hot.touched) > self.timeouts[entry.hot.phase.number()]
            })
        });
        match (overdue, self.on_exhausted) {
            (Some(index), OnExhausted::EvictUnconfirmed | OnExhausted::Refuse) => {
                Ok(Some((index, Departure::Expired)))
            }
            (None, OnExhausted::EvictUnconfirmed) => {
                oldest.map(|index| Some((index, Departure::Evicted))).ok_or(NotOpened::Full)
            }
            (None, OnExhausted::Refuse) => Err(NotOpened::Full),
        }
    }

    /// Enters both keys of a flow into the index, or none.
    fn enter(&mut self, id: FlowId, hashes: [Hash; 2]) -> bool {
        let [opening, answers] = Direction::ALL.map(|direction| Place::new(id.index(), direction));
        if !self.index.insert(hashes[0], opening) {
            return false;
        }
        if !self.index.insert(hashes[1], answers) {
            self.index.remove(hashes[0], opening);
            return false;
        }
        true
    }
}
