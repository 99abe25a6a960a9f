//! Packets that wait for a session with their peer: for a bounded time, and a bounded number.
//!
//! Each peer has a share, beyond which its oldest packet goes. A handshake that is given up takes its packets with
//! it; age ends those whose handshake ended in another way, was never begun, or goes on for longer than anybody
//! wants such packets (WireGuard paper, section 6.4).

use core::time::Duration;

use clock::Time;
use telemetry::Reason;

use crate::held::{HeldFrame, HeldFrames, HeldQueue};
use crate::outbox::Sink;
use crate::snapshot::PeerIndex;
use crate::state::PeerSlot;

/// Least time between two searches for packets that waited too long. They are not sent in the meantime.
const SEARCH_INTERVAL: Duration = Duration::from_secs(1);

/// The packets of one worker that wait for sessions.
#[derive(Debug)]
pub(crate) struct Staged {
    frames: HeldFrames<()>,
    /// The peers that packets wait for, each once. Some may have none left.
    peers: Vec<PeerIndex>,
    /// When some packet may have waited too long.
    search_at: Time,
}

/// The packets of one peer. The frames are in [`Staged`].
#[derive(Debug)]
pub(crate) struct StagedQueue {
    frames: HeldQueue,
    /// Whether the peer stands in the list of peers that packets wait for.
    listed: bool,
}

impl StagedQueue {
    pub(crate) const EMPTY: Self = Self { frames: HeldQueue::EMPTY, listed: false };

    /// Whether no packet waits for the peer.
    pub(crate) const fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

impl Staged {
    /// Room for `capacity` packets to peers whose place is below `places`.
    pub(crate) fn new(capacity: usize, places: usize) -> Self {
        Self {
            frames: HeldFrames::new(capacity),
            peers: Vec::with_capacity(places),
            search_at: Time::NEVER,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Keeps a packet for the peer at `index`, whose queue this is.
    pub(crate) fn push(
        &mut self,
        index: PeerIndex,
        queue: &mut StagedQueue,
        held: HeldFrame<()>,
        sink: &mut Sink<'_>,
    ) {
        if queue.frames.len() >= wireguard::STAGED_PACKETS
            && let Some(oldest) = self.frames.pop(&mut queue.frames)
        {
            sink.discard(oldest.frame, Reason::StagedQueueFull);
        }
        let too_old_at = held.arrived + wireguard::STAGED_TIME;
        match self.frames.push(&mut queue.frames, held) {
            Ok(()) => {
                self.search_at = self.search_at.min(too_old_at);
                if !core::mem::replace(&mut queue.listed, true) {
                    self.peers.push(index);
                }
            }
            Err(held) => sink.discard(held.frame, Reason::StagedQueueFull),
        }
    }

    /// Takes the oldest packet that is not too old to be sent; those before it are dropped.
    pub(crate) fn pop(
        &mut self,
        queue: &mut StagedQueue,
        now: Time,
        sink: &mut Sink<'_>,
    ) -> Option<HeldFrame<()>> {
        loop {
            let held = self.frames.pop(&mut queue.frames)?;
            if !is_too_old(held.arrived, now) {
                return Some(held);
            }
            sink.discard(held.frame, Reason::StagedAbandoned);
        }
    }

    /// Drops all packets of a peer.
    pub(crate) fn drop_all(
        &mut self,
        queue: &mut StagedQueue,
        reason: Reason,
        sink: &mut Sink<'_>,
    ) {
        while let Some(held) = self.frames.pop(&mut queue.frames) {
            sink.discard(held.frame, reason);
        }
    }

    /// Whether [`Staged::drop_old`] has something to do.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        self.search_at <= now
    }

    /// Drops the packets that waited too long. `slots` has the queues, by place of the peer.
    pub(crate) fn drop_old(&mut self, slots: &mut [PeerSlot], now: Time, sink: &mut Sink<'_>) {
        let Self { frames, peers, search_at } = self;
        let mut oldest = Time::NEVER;
        peers.retain(|&index| {
            let Some(slot) = slots.get_mut(index as usize) else { return false };
            let queue = &mut slot.staged;
            while let Some(arrived) = frames.front(&queue.frames).map(|held| held.arrived) {
                if !is_too_old(arrived, now) {
                    oldest = oldest.min(arrived);
                    break;
                }
                let Some(held) = frames.pop(&mut queue.frames) else { break };
                sink.discard(held.frame, Reason::StagedAbandoned);
            }
            queue.listed = !queue.frames.is_empty();
            queue.listed
        });
        *search_at = (oldest + wireguard::STAGED_TIME).max(now + SEARCH_INTERVAL);
    }
}

fn is_too_old(arrived: Time, now: Time) -> bool {
    now.since(arrived) >= wireguard::STAGED_TIME
}
