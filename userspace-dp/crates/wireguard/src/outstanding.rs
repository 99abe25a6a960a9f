//! Which of our handshake messages a cookie reply may answer: by the index that we put into them.
//!
//! The handshake engine writes, the gate reads on every worker: words, no locks. A cookie reply bears no MAC, so this
//! is all that tells the answer to a message of ours from what anybody can send. A reply that names no message of
//! ours costs one look into one cache line and is charged to nothing.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// Indices that share a cache line.
const SLOTS: usize = 8;
/// Set in a slot that holds an index; zero is a good index.
const TAKEN: u64 = 1 << 32;

type Bucket = [AtomicU64; SLOTS];

/// The indices of messages that nobody has answered so far. Clones share one table.
///
/// One index a peer, in as many buckets as there may be peers. Indices are drawn at random by ourselves, so nobody
/// chooses a bucket; in one that is full the newest takes a place, and the peer that had it gets its cookie at its next attempt.
#[derive(Clone, Debug)]
pub struct Outstanding(Arc<[Bucket]>);

impl Outstanding {
    /// For the messages to so many peers.
    pub fn new(peers: usize) -> Self {
        Self((0..peers.max(1)).map(|_| Bucket::default()).collect())
    }

    /// Whether a message of ours with this index is unanswered.
    #[inline]
    pub(crate) fn contains(&self, index: u32) -> bool {
        let wanted = TAKEN | u64::from(index);
        self.bucket(index).iter().any(|slot| slot.load(Ordering::Relaxed) == wanted)
    }

    /// A message with this index is about to be sent. The handshake engine alone calls this.
    pub(crate) fn insert(&self, index: u32) {
        let bucket = self.bucket(index);
        let free = bucket.iter().find(|slot| slot.load(Ordering::Relaxed) == 0);
        let slot = free.unwrap_or(&bucket[index as usize % SLOTS]);
        slot.store(TAKEN | u64::from(index), Ordering::Relaxed);
    }

    /// The message with this index is answered or given up. The handshake engine alone calls this.
    pub(crate) fn remove(&self, index: u32) {
        let held = TAKEN | u64::from(index);
        for slot in self.bucket(index) {
            if slot.load(Ordering::Relaxed) == held {
                slot.store(0, Ordering::Relaxed);
            }
        }
    }

    /// By the upper bits: the lower ones tell the worker and are alike for all its peers.
    #[inline]
    fn bucket(&self, index: u32) -> &Bucket {
        let number = (u64::from(index) * self.0.len() as u64) >> 32;
        &self.0[number as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_known_from_its_insertion_to_its_removal() {
        for peers in [0, 1, 3, 1000] {
            let outstanding = Outstanding::new(peers);
            let reader = outstanding.clone();
            for index in [0, 1, 0x8000_0000, u32::MAX] {
                assert!(!reader.contains(index));
                outstanding.insert(index);
                assert!(reader.contains(index), "{index} of {peers}");
                assert!(!reader.contains(index ^ 1));
                outstanding.remove(index);
                assert!(!reader.contains(index));
            }
        }
    }

    #[test]
    fn a_full_bucket_gives_up_an_old_index_for_the_new_one() {
        let outstanding = Outstanding::new(1);
        for index in 0..100 {
            outstanding.insert(index);
            assert!(outstanding.contains(index));
            let known = (0..=index).filter(|&index| outstanding.contains(index)).count();
            assert_eq!(known, SLOTS.min(index as usize + 1));
        }
    }

    #[test]
    fn indices_of_one_worker_spread_over_all_buckets() {
        let outstanding = Outstanding::new(64);
        for number in 0..64u32 {
            // All of them name worker 3 of 16.
            outstanding.insert(number << 26 | 3);
        }
        for number in 0..64u32 {
            assert!(outstanding.contains(number << 26 | 3), "{number}");
        }
    }
}
