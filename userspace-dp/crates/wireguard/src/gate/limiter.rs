//! How often a source, and all sources together, may cost us a handshake step.
//!
//! Senders of two kinds are told apart. One has *proven* its address and port with a cookie; the other only *claims*
//! them, and may be anybody. They are kept in tables of their own, so that what is sent in somebody's name is never
//! charged to that somebody once proven, and cannot push it out either. Both draw on the one rate of the gateway,
//! which bounds the cost. Claims together may take no more than half of it: each pays two units into a second state
//! of the same rate. So the other half, of the burst as of what comes each second, is always there for the proven,
//! and they have all of it when nobody else asks.

use core::sync::atomic::{AtomicU64, Ordering};

use clock::{Rate, Time};
use rand::CryptoRng;

use super::sources::{Source, Sources};
use crate::Rejected;

/// Units of the gateway's rate that a claim pays into the state of all claims.
const CLAIM_UNITS: u32 = 2;

/// Shared by all workers.
pub(super) struct Limiter {
    per_source: Rate,
    gateway: Rate,
    proven: Sources,
    claimed: Sources,
    /// Arrival time of the gateway's rate over all messages.
    all: AtomicU64,
    /// Arrival time of the gateway's rate over claims, which move it by two units each.
    claims: AtomicU64,
}

impl Limiter {
    /// Room for `sources` of either kind.
    pub(super) fn new(
        per_source: Rate,
        gateway: Rate,
        sources: usize,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Self {
        Self {
            per_source,
            gateway,
            proven: Sources::new(sources, rng),
            claimed: Sources::new(sources, rng),
            all: AtomicU64::new(0),
            claims: AtomicU64::new(0),
        }
    }

    /// Charges one message of a sender with a valid cookie to its source and to the gateway: both, or neither.
    ///
    /// # Errors
    /// [`Rejected::SourceRateLimited`] or [`Rejected::GatewayRateLimited`].
    pub(super) fn charge_proven(&self, source: Source, now: Time) -> Result<(), Rejected> {
        let arrival = self.proven.arrival(source);
        if !take(arrival, &self.per_source, 1, now) {
            return Err(Rejected::SourceRateLimited);
        }
        if !take(&self.all, &self.gateway, 1, now) {
            give_back(arrival, &self.per_source, 1);
            return Err(Rejected::GatewayRateLimited);
        }
        Ok(())
    }

    /// Charges one message of a sender that shows no valid cookie to the source it claims, to the share of all
    /// claims, and to the gateway: all three, or none. Whether it could be charged.
    pub(super) fn charge_claimed(&self, source: Source, now: Time) -> bool {
        let arrival = self.claimed.arrival(source);
        if !take(arrival, &self.per_source, 1, now) {
            return false;
        }
        if !take(&self.claims, &self.gateway, CLAIM_UNITS, now) {
            give_back(arrival, &self.per_source, 1);
            return false;
        }
        if !take(&self.all, &self.gateway, 1, now) {
            give_back(&self.claims, &self.gateway, CLAIM_UNITS);
            give_back(arrival, &self.per_source, 1);
            return false;
        }
        true
    }
}

/// Takes so many units of `rate`, all or none. Any number of threads together stay within the rate.
fn take(arrival: &AtomicU64, rate: &Rate, units: u32, now: Time) -> bool {
    let advance = |seen| (0..units).try_fold(seen, |seen, _| rate.advance(seen, now));
    arrival.fetch_update(Ordering::Relaxed, Ordering::Relaxed, advance).is_ok()
}

/// Undoes a [`take`] that succeeded.
fn give_back(arrival: &AtomicU64, rate: &Rate, units: u32) {
    // From an untouched arrival time at the beginning of time, one unit is one interval.
    let interval = rate.advance(0, Time::ZERO).unwrap_or(0);
    arrival.fetch_sub(interval * u64::from(units), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::super::sources::IPV4;
    use super::*;
    use crate::Endpoint;

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
    fn when_the_gateway_refuses_the_source_is_not_charged() {
        let limiter = limiter(Rate::new(4, 8), Rate::new(1, 1), 64);
        let (first, second) = (source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(limiter.charge_proven(first, at(0)), Ok(()));
        for _ in 0..100 {
            assert_eq!(limiter.charge_proven(second, at(0)), Err(Rejected::GatewayRateLimited));
        }
        // One unit a second: the second source still has its whole burst.
        for second_ms in (1_000..9_000).step_by(1_000) {
            assert_eq!(limiter.charge_proven(second, at(second_ms)), Ok(()), "{second_ms}");
        }
    }

    #[test]
    fn when_the_source_is_refused_the_gateway_is_not_charged() {
        let limiter = limiter(Rate::new(4, 8), Rate::new(1, 10), 64);
        let (greedy, other) = (source("192.0.2.1"), source("192.0.2.2"));
        let passed = (0..1_000).filter(|_| limiter.charge_proven(greedy, at(0)).is_ok()).count();
        assert_eq!(passed, 8);
        assert_eq!(limiter.charge_proven(other, at(0)), Ok(()));
        assert_eq!(limiter.charge_proven(other, at(0)), Ok(()));
        assert_eq!(limiter.charge_proven(other, at(0)), Err(Rejected::GatewayRateLimited));
    }

    #[test]
    fn a_claim_that_is_refused_costs_nobody_anything() {
        // Claims have two at once, all together four.
        let limiter = limiter(Rate::new(4, 8), Rate::new(1, 4), 64);
        let (first, second) = (source("192.0.2.1"), source("192.0.2.2"));
        assert!(limiter.charge_claimed(first, at(0)) && limiter.charge_claimed(first, at(0)));
        for _ in 0..100 {
            assert!(!limiter.charge_claimed(second, at(0)), "the share of claims is spent");
        }
        assert_eq!(limiter.charge_proven(first, at(0)), Ok(()));
        assert_eq!(limiter.charge_proven(first, at(0)), Ok(()));
        for n in 0..100 {
            assert!(!limiter.charge_claimed(second, at(2_000 + n)) || n == 0);
        }
        // The rate of the gateway as it comes is the only thing that the second source waits for.
        for second_ms in (4_000..16_000).step_by(2_000) {
            assert!(limiter.charge_claimed(second, at(second_ms)), "{second_ms}");
            assert_eq!(limiter.charge_proven(first, at(second_ms + 999)), Ok(()), "{second_ms}");
        }
    }

    #[test]
    fn a_claim_that_is_refused_leaves_the_source_its_burst() {
        // Five claims a second in all, so that a source which regains one a second would still be waiting.
        for proven_takes in [0, 4] {
            let limiter = limiter(Rate::new(1, 8), Rate::new(10, 4), 64);
            let (first, second) = (source("192.0.2.1"), source("192.0.2.2"));
            for _ in 0..proven_takes {
                assert_eq!(limiter.charge_proven(first, at(0)), Ok(()));
            }
            let passed = (0..8).filter(|_| limiter.charge_claimed(first, at(0))).count();
            assert_eq!(passed, if proven_takes == 0 { 2 } else { 0 });
            assert!((0..100).all(|_| !limiter.charge_claimed(second, at(0))));
            assert!(limiter.charge_claimed(second, at(200)));
        }
    }

    #[test]
    fn what_the_proven_took_is_not_there_for_claims() {
        let limiter = limiter(Rate::new(4, 8), Rate::new(1, 4), 64);
        let (peer, stranger) = (source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!((0..8).filter(|_| limiter.charge_proven(peer, at(0)).is_ok()).count(), 4);
        assert!((0..100).all(|_| !limiter.charge_claimed(stranger, at(0))));
        // Had those refusals been charged to the share of claims, none would pass so soon.
        assert!(limiter.charge_claimed(stranger, at(1_000)));
        assert!(!limiter.charge_claimed(stranger, at(1_000)));
        assert!(limiter.charge_claimed(stranger, at(2_000)));
    }

    #[test]
    fn threads_of_either_kind_share_the_rate_of_the_gateway() {
        let limiter = limiter(UNLIMITED, Rate::new(1, 100), 64);
        let (claimed, proven): (usize, usize) = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let one = source("192.0.2.1");
                        let claimed = |_: &u32| limiter.charge_claimed(one, at(1_000));
                        let proven = |_: &u32| limiter.charge_proven(one, at(1_000)).is_ok();
                        let claimed = (0..500).filter(claimed).count();
                        (claimed, (0..500).filter(proven).count())
                    })
                })
                .collect();
            let counts = threads.into_iter().map(|thread| thread.join().unwrap());
            counts.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1))
        });
        assert_eq!(claimed + proven, 100);
        assert!(claimed <= 50, "{claimed}");
    }

    #[test]
    fn threads_share_the_rate_of_a_source() {
        let limiter = limiter(Rate::new(1, 50), UNLIMITED, 8);
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let crowd = (0..500u32).map(|i| source(&format!("10.0.{}.1", i % 20)));
                        crowd.for_each(|one| _ = limiter.charge_proven(one, at(1_000)));
                        let one = source("192.0.2.1");
                        (0..500).filter(|_| limiter.charge_proven(one, at(1_000)).is_ok()).count()
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
            passed +=
                (0..10).filter(|_| limiter.charge_proven(attacker, at(1_000)).is_ok()).count();
            for i in 0..16 {
                let crowd = Source(IPV4 | u64::from(0x0a00_0000 + round * 16 + i));
                let _ = limiter.charge_proven(crowd, at(1_000));
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
                let allowed = limiter.charge_proven(Source(u64::from(who)), at(now)).is_ok();
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
                if limiter.charge_proven(Source(u64::from(who)), at(now)).is_ok() {
                    prop_assert!(would_pass, "source {} at {}", who, now);
                    *bucket = after;
                }
            }
        }
    }
}
