//! The block list: source prefixes whose packets the program drops, each until a time.
//!
//! The program makes one longest-prefix lookup and looks at that entry alone, so nesting is
//! settled here: an entry is written with the latest time of all blocks around it, and an allowed
//! prefix is an entry of its own that wins over wider blocks. A block inside an allowed prefix is
//! refused. What ends a block is its time; [`BlockList::expire`] only frees the memory.
use core::ops::Bound;
use std::collections::BTreeMap;
use std::net::IpAddr;

use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{MapData, MapError};
use clock::Time;
use ipnet::IpNet;

use crate::layout::{BLOCKS_IPV4, BLOCKS_IPV6, BlockValue};

/// A blocked prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The sources.
    pub prefix: IpNet,
    /// When the block ends by itself.
    pub until: Time,
}

/// A change of the block list that was not made.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// The prefix lies inside an allowed one.
    #[error("{prefix} may not be blocked: {allowed} is on the allow list")]
    Allowed {
        /// The prefix to block.
        prefix: IpNet,
        /// The allowed prefix around it.
        allowed: IpNet,
    },
    /// The table of this family is full.
    #[error("the block list holds {capacity} prefixes of a family and is full")]
    Full {
        /// Blocked and allowed prefixes it holds.
        capacity: u32,
    },
    /// The kernel refused.
    #[error("block list: {0}")]
    Map(#[source] Box<MapError>),
}

impl From<MapError> for BlockError {
    fn from(error: MapError) -> Self {
        Self::Map(Box::new(error))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Blocked(Time),
    Allowed,
}

/// Where entries end up: the kernel's tries, or a model of them in tests.
pub(crate) trait Tries {
    fn write(&mut self, prefix: IpNet, value: BlockValue) -> Result<(), MapError>;
    fn erase(&mut self, prefix: IpNet) -> Result<(), MapError>;
}

/// The kernel's two tries.
pub(crate) struct KernelTries {
    pub v4: LpmTrie<MapData, [u8; 4], BlockValue>,
    pub v6: LpmTrie<MapData, [u8; 16], BlockValue>,
}

impl Tries for KernelTries {
    fn write(&mut self, prefix: IpNet, value: BlockValue) -> Result<(), MapError> {
        let length = u32::from(prefix.prefix_len());
        match prefix.network() {
            IpAddr::V4(address) => self.v4.insert(&Key::new(length, address.octets()), value, 0),
            IpAddr::V6(address) => self.v6.insert(&Key::new(length, address.octets()), value, 0),
        }
    }

    fn erase(&mut self, prefix: IpNet) -> Result<(), MapError> {
        let length = u32::from(prefix.prefix_len());
        match prefix.network() {
            IpAddr::V4(address) => self.v4.remove(&Key::new(length, address.octets())),
            IpAddr::V6(address) => self.v6.remove(&Key::new(length, address.octets())),
        }
    }
}

/// The list and what the tries hold of it.
pub(crate) struct BlockList<T> {
    tries: T,
    capacity: u32,
    entries: BTreeMap<IpNet, Entry>,
    v4: u32,
}

impl<T: Tries> BlockList<T> {
    pub(crate) const fn new(tries: T, capacity: u32) -> Self {
        Self { tries, capacity, entries: BTreeMap::new(), v4: 0 }
    }

    /// The families that have entries, as the control map wants them.
    pub(crate) fn families(&self) -> u32 {
        let v6 = self.entries.len() > self.v4 as usize;
        u32::from(self.v4 > 0) * BLOCKS_IPV4 + u32::from(v6) * BLOCKS_IPV6
    }

    /// Blocks the prefix; a block that is there is prolonged, never shortened.
    pub(crate) fn block(&mut self, prefix: IpNet, until: Time) -> Result<(), BlockError> {
        let prefix = prefix.trunc();
        if let Some(allowed) = self.around(prefix).find(|net| self.is_allowed(*net)) {
            return Err(BlockError::Allowed { prefix, allowed });
        }
        let until = match self.entries.get(&prefix) {
            Some(Entry::Blocked(earlier)) => until.max(*earlier),
            Some(Entry::Allowed) | None => until,
        };
        self.put(prefix, Entry::Blocked(until))?;
        self.refresh_inside(prefix)
    }

    /// Ends the block of exactly this prefix; false if there is none. Blocks inside and around it
    /// stay.
    pub(crate) fn unblock(&mut self, prefix: IpNet) -> Result<bool, BlockError> {
        let prefix = prefix.trunc();
        if !matches!(self.entries.get(&prefix), Some(Entry::Blocked(_))) {
            return Ok(false);
        }
        self.take(prefix)?;
        self.refresh_inside(prefix)?;
        Ok(true)
    }

    /// Replaces the allow list and ends the blocks inside it.
    pub(crate) fn allow(&mut self, prefixes: &[IpNet]) -> Result<(), BlockError> {
        let wanted: Vec<IpNet> = prefixes.iter().map(IpNet::trunc).collect();
        let unwanted = |(net, entry): (&IpNet, &Entry)| match entry {
            Entry::Allowed => !wanted.contains(net),
            Entry::Blocked(_) => wanted.iter().any(|allowed| allowed.contains(net)),
        };
        let stale: Vec<IpNet> = self
            .entries
            .iter()
            .filter(|(net, entry)| unwanted((*net, *entry)))
            .map(|(net, _)| *net)
            .collect();
        for prefix in stale {
            self.take(prefix)?;
        }
        for prefix in wanted {
            self.put(prefix, Entry::Allowed)?;
        }
        Ok(())
    }

    /// Forgets the blocks that have ended; gives their number.
    pub(crate) fn expire(&mut self, now: Time) -> Result<usize, BlockError> {
        let ended: Vec<IpNet> =
            self.blocked().filter(|block| block.until <= now).map(|block| block.prefix).collect();
        for prefix in &ended {
            self.take(*prefix)?;
        }
        Ok(ended.len())
    }

    /// The blocks, ended ones included until they are expired.
    pub(crate) fn blocked(&self) -> impl Iterator<Item = Blocked> + '_ {
        self.entries.iter().filter_map(|(prefix, entry)| match entry {
            Entry::Blocked(until) => Some(Blocked { prefix: *prefix, until: *until }),
            Entry::Allowed => None,
        })
    }

    fn put(&mut self, prefix: IpNet, entry: Entry) -> Result<(), BlockError> {
        let is_v4 = matches!(prefix, IpNet::V4(_));
        let used = if is_v4 { self.v4 as usize } else { self.entries.len() - self.v4 as usize };
        let is_new = !self.entries.contains_key(&prefix);
        if is_new && used >= self.capacity as usize {
            return Err(BlockError::Full { capacity: self.capacity });
        }
        self.tries.write(prefix, self.value(prefix, entry))?;
        self.entries.insert(prefix, entry);
        self.v4 += u32::from(is_new && is_v4);
        Ok(())
    }

    fn take(&mut self, prefix: IpNet) -> Result<(), BlockError> {
        self.tries.erase(prefix)?;
        self.entries.remove(&prefix);
        self.v4 -= u32::from(matches!(prefix, IpNet::V4(_)));
        Ok(())
    }

    /// Writes the blocks inside `prefix` again, after something around them changed.
    fn refresh_inside(&mut self, prefix: IpNet) -> Result<(), BlockError> {
        let last = IpNet::from(prefix.broadcast());
        let inside = (Bound::Excluded(prefix), Bound::Included(last));
        if prefix >= last {
            return Ok(());
        }
        for (net, entry) in self.entries.range(inside) {
            if matches!(entry, Entry::Blocked(_)) {
                self.tries.write(*net, self.value(*net, *entry))?;
            }
        }
        Ok(())
    }

    /// What the program shall see at `prefix`: the latest end of the blocks on and around it.
    fn value(&self, prefix: IpNet, entry: Entry) -> BlockValue {
        let until_ns = match entry {
            Entry::Allowed => 0,
            Entry::Blocked(until) => {
                let around = self.around(prefix).filter_map(|net| match self.entries.get(&net) {
                    Some(Entry::Blocked(until)) if net != prefix => Some(*until),
                    Some(Entry::Blocked(_) | Entry::Allowed) | None => None,
                });
                // Zero would mean allowed; a block that ended at the start of time has ended.
                around.fold(until, Time::max).as_nanos().max(1)
            }
        };
        BlockValue { until_ns }
    }

    fn is_allowed(&self, prefix: IpNet) -> bool {
        self.entries.get(&prefix) == Some(&Entry::Allowed)
    }

    /// The prefix itself and every prefix around it, narrowest first.
    fn around(&self, prefix: IpNet) -> impl Iterator<Item = IpNet> + use<T> {
        core::iter::successors(Some(prefix), IpNet::supernet)
    }
}

#[cfg(test)]
mod tests;
