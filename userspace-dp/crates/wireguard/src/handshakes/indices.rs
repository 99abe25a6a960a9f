//! Receiver indices: drawn at random, unique over the gateway, and telling the owner worker.
//!
//! `index mod workers` is the worker that owns the peer, so that any worker can hand a packet over from its header
//! alone. An index belongs to one handshake under way, then to the session it made. Sessions live on workers, which
//! wipe them 540 s after birth at the latest; the index stays reserved a little longer, so nothing needs to be
//! reported back and a lost report cannot leak.

use std::collections::{HashMap, VecDeque};

use clock::Time;
use core::time::Duration;
use rand::CryptoRng;

use crate::protocol::WIPE_AFTER;
use crate::{PeerHandle, Rejected};

/// How long the index of a session stays reserved.
const RESERVED_FOR: Duration = Duration::from_secs(WIPE_AFTER.as_secs() + 60);
/// Draws before giving up: with a table half full, which it never is, one in 2^64 would fail.
const DRAWS: usize = 64;

/// All indices in use.
pub(super) struct Indices {
    workers: u32,
    held: HashMap<u32, Holder>,
    /// Indices of sessions in the order of their births.
    sessions: VecDeque<(Time, u32)>,
}

/// Who holds an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) peer: PeerHandle,
    /// A handshake under way, as opposed to a session.
    pub(super) awaiting: bool,
}

impl Indices {
    pub(super) fn new(workers: u32) -> Self {
        Self { workers: workers.max(1), held: HashMap::new(), sessions: VecDeque::new() }
    }

    /// An unused index of worker `owner`, held by `peer` for a handshake under way.
    ///
    /// # Errors
    /// [`Rejected::IndicesExhausted`].
    pub(super) fn draw(
        &mut self,
        rng: &mut dyn CryptoRng,
        peer: PeerHandle,
        owner: u32,
    ) -> Result<u32, Rejected> {
        for _ in 0..DRAWS {
            let drawn = rng.next_u32();
            // The same distribution as drawing until the remainder fits: every index of the owner is as likely.
            let index = (drawn - drawn % self.workers).checked_add(owner % self.workers);
            let Some(index) = index.filter(|index| !self.held.contains_key(index)) else {
                continue;
            };
            self.held.insert(index, Holder { peer, awaiting: true });
            return Ok(index);
        }
        Err(Rejected::IndicesExhausted)
    }

    pub(super) fn holder(&self, index: u32) -> Option<Holder> {
        self.held.get(&index).copied()
    }

    /// The handshake made a session.
    pub(super) fn becomes_session(&mut self, index: u32, now: Time) {
        if let Some(holder) = self.held.get_mut(&index) {
            holder.awaiting = false;
            self.sessions.push_back((now + RESERVED_FOR, index));
        }
    }

    /// The handshake was given up.
    pub(super) fn release(&mut self, index: u32) {
        self.held.remove(&index);
    }

    /// Releases indices whose sessions are certainly gone.
    pub(super) fn expire(&mut self, now: Time) {
        while let Some((until, index)) = self.sessions.front().copied()
            && until <= now
        {
            self.sessions.pop_front();
            self.held.remove(&index);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    const PEER: PeerHandle = PeerHandle::new(1, 2);

    #[test]
    fn every_index_names_its_owner_and_none_is_given_twice() {
        let mut rng = StdRng::seed_from_u64(1);
        for workers in [1, 2, 3, 7, 16] {
            let mut indices = Indices::new(workers);
            for round in 0..2_000 {
                let owner = round % workers;
                let index = indices.draw(&mut rng, PEER, owner).unwrap();
                assert_eq!(index % workers, owner);
            }
            assert_eq!(indices.len(), 2_000);
        }
    }

    #[test]
    fn an_index_outlives_every_session_that_used_it() {
        let mut rng = StdRng::seed_from_u64(2);
        let mut indices = Indices::new(4);
        let index = indices.draw(&mut rng, PEER, 3).unwrap();
        assert_eq!(indices.holder(index), Some(Holder { peer: PEER, awaiting: true }));
        let born = Time::from_nanos(77);
        indices.becomes_session(index, born);
        indices.expire(born + WIPE_AFTER);
        assert_eq!(indices.holder(index), Some(Holder { peer: PEER, awaiting: false }));
        indices.expire(born + RESERVED_FOR);
        assert_eq!(indices.holder(index), None);
    }

    #[test]
    fn a_handshake_given_up_frees_its_index() {
        let mut rng = StdRng::seed_from_u64(3);
        let mut indices = Indices::new(1);
        let index = indices.draw(&mut rng, PEER, 0).unwrap();
        indices.release(index);
        assert_eq!((indices.holder(index), indices.len()), (None, 0));
    }
}
