//! A hash map of the program used as a set, replaced as a whole by its difference.
use std::collections::BTreeSet;

use aya::Pod;
use aya::maps::{HashMap, MapData};

use crate::error::SteeringError;

/// The set and what the kernel holds of it. The kernel's map has room for twice the capacity, so
/// that what is new goes in before what is old goes out.
pub(crate) struct KeySet<K> {
    table: &'static str,
    capacity: u32,
    present: BTreeSet<K>,
    map: HashMap<MapData, K, u32>,
}

impl<K: Pod + Ord> KeySet<K> {
    pub(crate) fn new(table: &'static str, capacity: u32, map: HashMap<MapData, K, u32>) -> Self {
        Self { table, capacity, present: BTreeSet::new(), map }
    }

    pub(crate) fn present(&self) -> &BTreeSet<K> {
        &self.present
    }

    /// Fails if the wanted set would not fit.
    pub(crate) fn check(&self, wanted: &BTreeSet<K>) -> Result<(), SteeringError> {
        if wanted.len() <= self.capacity as usize {
            return Ok(());
        }
        let (table, capacity) = (self.table, self.capacity);
        Err(SteeringError::Full { table, capacity, wanted: wanted.len() })
    }

    /// Makes the kernel's set equal to `wanted`: additions first, then removals. Stops at the
    /// first refusal, with what was done until then in effect and remembered.
    pub(crate) fn replace(&mut self, wanted: &BTreeSet<K>) -> Result<(), SteeringError> {
        self.check(wanted)?;
        let failed =
            |table| move |source| SteeringError::Map { map: table, source: Box::new(source) };
        let added: Vec<K> = wanted.difference(&self.present).copied().collect();
        for key in added {
            self.map.insert(key, 1, 0).map_err(failed(self.table))?;
            self.present.insert(key);
        }
        let removed: Vec<K> = self.present.difference(wanted).copied().collect();
        for key in removed {
            self.map.remove(&key).map_err(failed(self.table))?;
            self.present.remove(&key);
        }
        Ok(())
    }
}
