//! Whom handshake messages are charged to, and how far each has used its rate.
//!
//! A fixed table of sets of eight entries, chosen by a keyed hash. An entry is a source and the arrival time of its
//! rate (see [`clock::Rate`]), two words, no lock. When a set is full the newcomer takes the entry that was idle
//! longest *and its arrival time as it stands*: an arrival time belongs to the entry, not to the source, and only
//! grows, so pushing a source out and letting it return never gives it a fuller bucket. For the same reason two
//! workers that race on an entry can only make somebody wait longer.

use core::hash::Hasher;
use core::net::IpAddr;
use core::sync::atomic::{AtomicU64, Ordering};

use rand::CryptoRng;
use siphasher::sip::SipHasher13;

use crate::{Endpoint, Rejected};

const WAYS: usize = 8;

/// Whom a message is charged to: an IPv4 address, or a /64 of IPv6, in one word without loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source(pub(super) u64);

/// IPv4 addresses lie where IPv6 has multicast prefixes, which no source has.
pub(super) const IPV4: u64 = 0xff00_0000_0000_0000;
/// No source: inside the multicast prefixes and no IPv4 address.
const VACANT: u64 = u64::MAX;

impl Source {
    /// # Errors
    /// [`Rejected::UnusableSource`] when nobody can be reached there.
    pub(super) fn of(endpoint: &Endpoint) -> Result<Self, Rejected> {
        let remote = endpoint.remote();
        let address = remote.ip();
        let unusable = address.is_multicast() || address.is_unspecified() || remote.port() == 0;
        if unusable {
            return Err(Rejected::UnusableSource);
        }
        Ok(Self(match address {
            IpAddr::V4(v4) => IPV4 | u64::from(u32::from(v4)),
            IpAddr::V6(v6) => (u128::from(v6) >> 64) as u64,
        }))
    }
}

/// The arrival times of as many sources as fit, shared by all workers.
pub(super) struct Sources {
    sets: Box<[Set]>,
    hash_key: (u64, u64),
}

#[repr(align(64))]
struct Set {
    sources: [AtomicU64; WAYS],
    arrivals: [AtomicU64; WAYS],
}

impl Sources {
    /// Room for `sources`, rounded up to a power of two of sets.
    pub(super) fn new(sources: usize, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let sets = sources.div_ceil(WAYS).max(1).next_power_of_two();
        Self {
            sets: (0..sets).map(|_| Set::vacant()).collect(),
            hash_key: (rng.next_u64(), rng.next_u64()),
        }
    }

    /// The arrival time of `source`.
    pub(super) fn arrival(&self, source: Source) -> &AtomicU64 {
        let mut hasher = SipHasher13::new_with_keys(self.hash_key.0, self.hash_key.1);
        hasher.write_u64(source.0);
        self.sets[hasher.finish() as usize & (self.sets.len() - 1)].arrival(source)
    }
}

impl Set {
    fn vacant() -> Self {
        Self {
            sources: [const { AtomicU64::new(VACANT) }; WAYS],
            arrivals: [const { AtomicU64::new(0) }; WAYS],
        }
    }

    /// The arrival time of `source`, after pushing out the longest idle entry if need be.
    fn arrival(&self, source: Source) -> &AtomicU64 {
        // Another worker may win an entry; after a few losses share whatever is idle longest.
        for _ in 0..WAYS {
            if let Some(way) = self.find(source) {
                return &self.arrivals[way];
            }
            let way = self.longest_idle();
            let victim = self.sources[way].load(Ordering::Relaxed);
            let won = self.sources[way].compare_exchange(
                victim,
                source.0,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            // Whoever else brought this source in at the same time: the first entry of it is used by all.
            if won.is_ok()
                && let Some(way) = self.find(source)
            {
                return &self.arrivals[way];
            }
        }
        &self.arrivals[self.longest_idle()]
    }

    fn find(&self, source: Source) -> Option<usize> {
        self.sources.iter().position(|held| held.load(Ordering::Relaxed) == source.0)
    }

    fn longest_idle(&self) -> usize {
        let mut idlest = (0, u64::MAX);
        for (way, arrival) in self.arrivals.iter().enumerate() {
            let arrival = arrival.load(Ordering::Relaxed);
            if arrival < idlest.1 {
                idlest = (way, arrival);
            }
        }
        idlest.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(address: &str) -> Source {
        let address = address.parse().unwrap();
        Source::of(&Endpoint::configured(core::net::SocketAddr::new(address, 1000))).unwrap()
    }

    #[test]
    fn ipv4_counts_by_address_and_ipv6_by_its_64() {
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
    }

    #[test]
    fn a_source_that_cannot_be_answered_is_unusable() {
        for remote in ["0.0.0.0:5", "[::]:5", "224.0.0.1:5", "[ff02::1]:5", "192.0.2.1:0"] {
            let endpoint = Endpoint::configured(remote.parse().unwrap());
            assert_eq!(Source::of(&endpoint), Err(Rejected::UnusableSource), "{remote}");
        }
    }
}
