//! How often a source, and all sources together, may cost us a handshake step.
//!
//! A fixed table of sets of eight entries, chosen by a keyed hash. An entry is a source and the arrival time of its
//! rate (see [`clock::Rate`]), two words, no lock. When a set is full the newcomer takes the entry that was idle
//! longest *and its arrival time as it stands*: an arrival time belongs to the entry, not to the source, and only
//! grows, so pushing a source out and letting it return never gives it a fuller bucket. For the same reason two
//! workers that race on an entry can only make somebody wait longer.

use core::hash::Hasher;
use core::net::IpAddr;
use core::sync::atomic::{AtomicU64, Ordering};

use clock::{Rate, RateState, Time};
use rand::CryptoRng;
use siphasher::sip::SipHasher13;

use crate::{Endpoint, Rejected};

const WAYS: usize = 8;

/// Whom a message is charged to: an IPv4 address, or a /64 of IPv6, in one word without loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source(u64);

/// IPv4 addresses lie where IPv6 has multicast prefixes, which no source has.
const IPV4: u64 = 0xff00_0000_0000_0000;
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

/// Shared by all workers.
pub(super) struct Limiter {
    per_source: Rate,
    /// What one unit of `per_source` moves an arrival time by.
    interval_ns: u64,
    gateway: Rate,
    gateway_state: RateState,
    sets: Box<[Set]>,
    hash_key: (u64, u64),
}

#[repr(align(64))]
struct Set {
    sources: [AtomicU64; WAYS],
    arrivals: [AtomicU64; WAYS],
}

impl Limiter {
    pub(super) fn new(
        per_source: Rate,
        gateway: Rate,
        sources: usize,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Self {
        let sets = sources.div_ceil(WAYS).max(1).next_power_of_two();
        Self {
            per_source,
            // From an untouched arrival time at the beginning of time, one unit is one interval.
            interval_ns: per_source.advance(0, Time::ZERO).unwrap_or(0),
            gateway,
            gateway_state: RateState::new(),
            sets: (0..sets).map(|_| Set::vacant()).collect(),
            hash_key: (rng.next_u64(), rng.next_u64()),
        }
    }

    /// Charges one message to `source` and to the gateway: both, or neither.
    ///
    /// # Errors
    /// [`Rejected::SourceRateLimited`] or [`Rejected::GatewayRateLimited`].
    pub(super) fn charge(&self, source: Source, now: Time) -> Result<(), Rejected> {
        let arrival = self.set_of(source).arrival(source);
        let taken = arrival.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seen| {
            self.per_source.advance(seen, now)
        });
        if taken.is_err() {
            return Err(Rejected::SourceRateLimited);
        }
        if !self.gateway_state.take(&self.gateway, now) {
            arrival.fetch_sub(self.interval_ns, Ordering::Relaxed);
            return Err(Rejected::GatewayRateLimited);
        }
        Ok(())
    }

    fn set_of(&self, source: Source) -> &Set {
        let mut hasher = SipHasher13::new_with_keys(self.hash_key.0, self.hash_key.1);
        hasher.write_u64(source.0);
        &self.sets[hasher.finish() as usize & (self.sets.len() - 1)]
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
    use std::collections::HashMap;

    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    const UNLIMITED: Rate = Rate::new(1_000_000_000, 1_000_000);

    fn limiter(per_source: Rate, gateway: Rate, sources: usize) -> Limiter {
        Limiter::new(per_source, gateway, sources, &mut StdRng::seed_from_u64(1))
    }

    fn source(address: &str) -> Source {
        let address = address.parse().unwrap();
        Source::of(&Endpoint::configured(core::net::SocketAddr::new(address, 1000))).unwrap()
    }

    fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    /// A token bucket in exact integers: per unit of rate, a thousand parts per millisecond.
    #[derive(Clone, Copy)]
    struct Bucket {
        parts: u64,
        last_ms: u64,
    }

    impl Bucket {
        /// 4 a second and 8 at once: a unit is 250 parts, one part drips in per millisecond.
        fn take(&mut self, now_ms: u64) -> bool {
            self.parts = (self.parts + now_ms - self.last_ms).min(8 * 250);
            self.last_ms = now_ms;
            let passes = self.parts >= 250;
            self.parts -= if passes { 250 } else { 0 };
            passes
        }
    }

    const FULL: Bucket = Bucket { parts: 8 * 250, last_ms: 0 };

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

    #[test]
    fn when_the_gateway_refuses_the_source_is_not_charged() {
        let limiter = limiter(Rate::new(4, 8), Rate::new(1, 1), 64);
        let (first, second) = (source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(limiter.charge(first, at(0)), Ok(()));
        for _ in 0..100 {
            assert_eq!(limiter.charge(second, at(0)), Err(Rejected::GatewayRateLimited));
        }
        // One unit a second: the second source still has its whole burst.
        for second_ms in (1_000..9_000).step_by(1_000) {
            assert_eq!(limiter.charge(second, at(second_ms)), Ok(()), "{second_ms}");
        }
    }

    #[test]
    fn when_the_source_is_refused_the_gateway_is_not_charged() {
        let limiter = limiter(Rate::new(4, 8), Rate::new(1, 10), 64);
        let (greedy, other) = (source("192.0.2.1"), source("192.0.2.2"));
        let passed = (0..1_000).filter(|_| limiter.charge(greedy, at(0)).is_ok()).count();
        assert_eq!(passed, 8);
        assert_eq!(limiter.charge(other, at(0)), Ok(()));
        assert_eq!(limiter.charge(other, at(0)), Ok(()));
        assert_eq!(limiter.charge(other, at(0)), Err(Rejected::GatewayRateLimited));
    }

    #[test]
    fn threads_share_the_rate_of_a_source() {
        let limiter = limiter(Rate::new(1, 50), UNLIMITED, 8);
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let crowd = (0..500u32).map(|i| source(&format!("10.0.{}.1", i % 20)));
                        crowd.for_each(|one| _ = limiter.charge(one, at(1_000)));
                        let one = source("192.0.2.1");
                        (0..500).filter(|_| limiter.charge(one, at(1_000)).is_ok()).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!(passed <= 50, "{passed}");
    }

    #[test]
    fn being_pushed_out_and_coming_back_refills_nothing() {
        // One set: everything collides, as if the attacker knew the hash key.
        let limiter = limiter(Rate::new(4, 8), UNLIMITED, 8);
        let attacker = source("192.0.2.1");
        let mut passed = 0;
        for round in 0..200u32 {
            passed += (0..10).filter(|_| limiter.charge(attacker, at(1_000)).is_ok()).count();
            for i in 0..16 {
                let crowd = Source(IPV4 | u64::from(0x0a00_0000 + round * 16 + i));
                let _ = limiter.charge(crowd, at(1_000));
            }
        }
        assert_eq!(passed, 8, "200 rounds of eviction at one instant yield one burst");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn with_room_for_all_each_source_gets_exactly_its_bucket(
            steps in prop::collection::vec((0..8u32, 0..400u64), 1..400),
        ) {
            let limiter = limiter(Rate::new(4, 8), UNLIMITED, 8);
            let (mut buckets, mut now) = (HashMap::new(), 10_000);
            for (who, pause) in steps {
                now += pause;
                let allowed = limiter.charge(Source(u64::from(who)), at(now)).is_ok();
                let bucket = buckets.entry(who).or_insert(Bucket { last_ms: now, ..FULL });
                prop_assert_eq!(allowed, bucket.take(now), "source {} at {}", who, now);
            }
        }

        #[test]
        fn without_room_no_source_ever_gets_more_than_its_bucket(
            steps in prop::collection::vec((0..40u32, 0..60u64), 1..600),
        ) {
            let limiter = limiter(Rate::new(4, 8), UNLIMITED, 8);
            let (mut buckets, mut now) = (HashMap::new(), 10_000);
            for (who, pause) in steps {
                now += pause;
                let bucket = buckets.entry(who).or_insert(Bucket { last_ms: now, ..FULL });
                // The model is only charged for what passed, so it is at least as full as the truth.
                let mut after = *bucket;
                let would_pass = after.take(now);
                if limiter.charge(Source(u64::from(who)), at(now)).is_ok() {
                    prop_assert!(would_pass, "source {} at {}", who, now);
                    *bucket = after;
                }
            }
        }
    }
}
