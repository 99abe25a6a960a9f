//! Longest-prefix match over both address families.
//!
//! Two users: the FIB (hundreds of thousands of prefixes, the fastest lookup there is) and the
//! allowed-IPs table of WireGuard (from one prefix to tens of thousands, small). Both hold a
//! small `Copy` value per prefix, usually an index.
//!
//! Prefixes are flattened into disjoint intervals with one value each, so a lookup is the search
//! for the interval that holds the address and never backtracks. Workers call the lookups,
//! control the builder.

mod builder;
mod direct;
mod index;
mod intervals;
mod table4;
mod table6;
mod word;

#[cfg(test)]
mod tests;

use core::hash::Hash;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

pub use builder::LpmBuilder;

use intervals::ValueId;
use table4::Table4;
use table6::Table6;

/// An immutable table from prefixes to values. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Lpm<V> {
    v4: Arc<Valued<Table4, V>>,
    v6: Arc<Valued<Table6, V>>,
}

/// A table of value numbers and the values: few, so they stay in the first-level cache.
#[derive(Debug)]
struct Valued<T, V> {
    table: T,
    /// `None` in the place of [`MISS`](intervals::MISS).
    values: Vec<Option<V>>,
}

impl<T, V: Copy> Valued<T, V> {
    #[inline(always)]
    fn value(&self, id: ValueId) -> Option<V> {
        self.values.get(id as usize).copied().flatten()
    }
}

impl<V: Copy + Eq + Hash> Lpm<V> {
    /// A table that matches nothing.
    pub fn empty() -> Self {
        LpmBuilder::new().snapshot()
    }

    /// The table of these prefixes. Host bits are ignored; of a prefix given twice the last
    /// value counts.
    pub fn from_prefixes(prefixes: impl IntoIterator<Item = (IpNet, V)>) -> Self {
        let mut builder = LpmBuilder::new();
        for (prefix, value) in prefixes {
            builder.insert(prefix, value);
        }
        builder.snapshot()
    }

    /// The same with gaps: in a prefix without a value nothing matches, unless a longer prefix in it does.
    pub fn with_gaps(prefixes: impl IntoIterator<Item = (IpNet, Option<V>)>) -> Self {
        let mut builder = LpmBuilder::new();
        for (prefix, value) in prefixes {
            builder.insert(prefix, value);
        }
        builder.with_gaps()
    }

    /// The value of the longest prefix that holds `address`.
    #[inline]
    pub fn lookup(&self, address: IpAddr) -> Option<V> {
        match address {
            IpAddr::V4(address) => self.lookup4(address),
            IpAddr::V6(address) => self.lookup6(address),
        }
    }

    /// [`Lpm::lookup`] for IPv4.
    #[inline(always)]
    pub fn lookup4(&self, address: Ipv4Addr) -> Option<V> {
        self.v4.value(self.v4.table.search(address.to_bits()))
    }

    /// [`Lpm::lookup`] for IPv6.
    #[inline(always)]
    pub fn lookup6(&self, address: Ipv6Addr) -> Option<V> {
        self.v6.value(self.v6.table.search(address.to_bits()))
    }

    /// [`Lpm::lookup4`] for each of `addresses` into the same place of `values`; the shorter of the
    /// two ends it.
    pub fn lookup4_burst(&self, addresses: &[Ipv4Addr], values: &mut [Option<V>]) {
        let chunk = |addresses: &[Ipv4Addr; CHUNK4]| {
            let ids = self.v4.table.search_burst(&addresses.map(Ipv4Addr::to_bits));
            ids.map(|id| self.v4.value(id))
        };
        by_chunks(addresses, values, chunk, |address| self.lookup4(address));
    }

    /// [`Lpm::lookup6`] for each of `addresses` into the same place of `values`; the shorter of the
    /// two ends it. A large table answers a burst sooner than one by one.
    pub fn lookup6_burst(&self, addresses: &[Ipv6Addr], values: &mut [Option<V>]) {
        let chunk = |addresses: &[Ipv6Addr; CHUNK6]| {
            let ids = self.v6.table.search_burst(&addresses.map(Ipv6Addr::to_bits));
            ids.map(|id| self.v6.value(id))
        };
        by_chunks(addresses, values, chunk, |address| self.lookup6(address));
    }

    /// Heap bytes of both tables.
    pub fn memory_bytes(&self) -> usize {
        self.v4.table.memory_bytes()
            + self.v6.table.memory_bytes()
            + size_of_val(&*self.v4.values)
            + size_of_val(&*self.v6.values)
    }
}

/// Whole chunks by `chunk`, the rest by `single`.
#[inline(always)]
fn by_chunks<A: Copy, V: Copy, const N: usize>(
    addresses: &[A],
    values: &mut [Option<V>],
    chunk: impl Fn(&[A; N]) -> [Option<V>; N],
    single: impl Fn(A) -> Option<V>,
) {
    let len = addresses.len().min(values.len());
    let (address_chunks, addresses) = addresses[..len].as_chunks();
    let (value_chunks, values) = values[..len].as_chunks_mut();
    for (addresses, values) in address_chunks.iter().zip(value_chunks) {
        *values = chunk(addresses);
    }
    for (address, value) in addresses.iter().zip(values) {
        *value = single(*address);
    }
}

/// IPv4 lookups that go side by side: a whole burst, since each takes one pass.
const CHUNK4: usize = 64;
/// IPv6 lookups that go side by side: enough to hide a load from the third-level cache, few enough
/// that what lies between the steps takes little of the first. 32 and 64 are 10 % slower.
const CHUNK6: usize = 16;
