//! How many replies the gateway may build: per zone, and per source that is told.
//!
//! One budget serves all workers, so the configured rates hold for the gateway. A reply nobody is owed costs
//! bandwidth and tells a scanner something, so a source that shares its table slot with a busy one goes
//! without: the table never forgives.

use core::sync::atomic::{AtomicU64, Ordering};
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use clock::{Rate, RateState, Time};
use foldhash::fast::RandomState;
use policy::ZoneId;

/// Slots of the per-source table.
const SLOTS: usize = 4096;
/// Bits of a slot that hold the tag; the others hold the arrival time.
const TAG_BITS: u32 = 12;
/// The unit of that time is 2^6 = 64 ns: 52 bits of it last for nine years, and rounding it down gives a source
/// less than a unit an answer, which no rate of answers notices.
const UNIT_SHIFT: u32 = 6;

/// Rates of replies (ICMP errors, TCP resets).
#[derive(Debug)]
pub struct ReplyBudget {
    zone_rate: Rate,
    source_rate: Rate,
    zones: Box<[RateState]>,
    sources: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl ReplyBudget {
    /// A budget for `zones` zones: `zone_rate` for each zone, `source_rate` for each address that is told.
    pub fn new(zones: usize, zone_rate: Rate, source_rate: Rate) -> Self {
        Self {
            zone_rate,
            source_rate,
            zones: (0..zones.max(1)).map(|_| RateState::new()).collect(),
            sources: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::default(),
        }
    }

    /// Whether a reply to `source`, whose packet came from `zone`, may be sent at `now`. The source is charged
    /// first, so one that is over its rate costs its zone nothing.
    pub fn take(&self, zone: ZoneId, source: IpAddr, now: Time) -> bool {
        self.source_allows(source, now)
            && self
                .zones
                .get(usize::from(zone.0))
                .is_some_and(|state| state.take(&self.zone_rate, now))
    }

    fn source_allows(&self, source: IpAddr, now: Time) -> bool {
        let mut hasher = self.hasher.build_hasher();
        match source {
            IpAddr::V4(address) => hasher.write_u32(address.to_bits()),
            // A host owns its /64; telling each of its addresses separately would multiply the rate.
            IpAddr::V6(address) => hasher.write_u64((address.to_bits() >> 64) as u64),
        }
        let hash = hasher.finish();
        let tag = hash >> (64 - TAG_BITS);
        let Some(slot) = self.sources.get(hash as usize % SLOTS) else { return false };
        let mut seen = slot.load(Ordering::Relaxed);
        loop {
            let (slot_tag, arrival_ns) =
                (seen >> (64 - TAG_BITS), (seen << TAG_BITS >> TAG_BITS) << UNIT_SHIFT);
            // Somebody else's slot can be taken once it is idle, when nothing is forgiven by it.
            if slot_tag != tag && arrival_ns > now.as_nanos() {
                return false;
            }
            let Some(next) = self.source_rate.advance(arrival_ns, now) else { return false };
            let time = next >> UNIT_SHIFT << TAG_BITS >> TAG_BITS;
            let entry = tag << (64 - TAG_BITS) | time;
            match slot.compare_exchange_weak(seen, entry, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(current) => seen = current,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const ZONE: ZoneId = ZoneId(1);

    fn budget() -> ReplyBudget {
        ReplyBudget::new(4, Rate::new(1_000, 100), Rate::new(10, 5))
    }

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn one_source_gets_its_burst_and_then_its_rate() {
        let (budget, source) = (budget(), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
        assert_eq!((0..50).filter(|_| budget.take(ZONE, source, at(1))).count(), 5);
        assert!(budget.take(ZONE, source, at(2)));
    }

    #[test]
    fn many_sources_share_the_rate_of_the_zone() {
        let budget = budget();
        let told = (0..10_000u32)
            .filter(|&n| budget.take(ZONE, IpAddr::V4(Ipv4Addr::from_bits(n << 4)), at(1)))
            .count();
        assert_eq!(told, 100);
    }

    #[test]
    fn the_addresses_of_one_network_of_64_bits_count_as_one_source() {
        let budget = budget();
        let told = (0..50u128)
            .filter(|n| {
                budget.take(ZONE, IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96 | n)), at(1))
            })
            .count();
        assert_eq!(told, 5);
    }

    #[test]
    fn a_zone_that_does_not_exist_gets_no_replies() {
        assert!(!budget().take(ZoneId(9), IpAddr::V4(Ipv4Addr::LOCALHOST), at(1)));
    }
}
