//! Which next hops carry traffic, and which are missing: told to control every now and then.
//!
//! The kernel sees none of the traffic that workers forward, so it would let its neighbour entries age away;
//! control keeps those alive that are in use, and has those resolved that packets wait for. A worker remembers in
//! small set-associative tables which ones it has told in this epoch, so that one next hop is one event however
//! many packets go there. Only more next hops at a time than a set has room for are told more often than needed.

use core::net::IpAddr;

use clock::Time;
use route::InterfaceId;

/// Next hops that a set has room for.
const WAYS: usize = 4;
/// Sets of a table: 32 KiB, of which traffic touches half a cache line a next hop.
const SETS: usize = 1024;
/// Used ones are told once in 2^33 ns, 8.6 s: well under the age at which the kernel gives an entry up.
const USED_EPOCH_SHIFT: u32 = 33;
/// Missing ones are told once in 2^28 ns, 0.27 s: often enough for a request a second while somebody wants them.
const MISSING_EPOCH_SHIFT: u32 = 28;

/// What one worker has told lately.
#[derive(Debug)]
pub(crate) struct NeighboursInUse {
    used: Told,
    missing: Told,
}

impl NeighboursInUse {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            used: Told::new(seed, USED_EPOCH_SHIFT),
            missing: Told::new(seed.rotate_left(32), MISSING_EPOCH_SHIFT),
        }
    }

    /// Notes that a packet goes to this next hop; whether control should be told.
    #[inline]
    pub(crate) fn note(&mut self, interface: InterfaceId, address: IpAddr, now: Time) -> bool {
        self.used.note(interface, address, now)
    }

    /// Notes that a packet cannot go to this next hop so far; whether control should be told.
    #[inline]
    pub(crate) fn note_missing(
        &mut self,
        interface: InterfaceId,
        address: IpAddr,
        now: Time,
    ) -> bool {
        self.missing.note(interface, address, now)
    }

    /// This next hop, which was missing, has answered: should it vanish again, that is news.
    pub(crate) fn found(&mut self, interface: InterfaceId, address: IpAddr) {
        self.missing.forget(interface, address);
    }
}

/// A set-associative table of what was told, with the epoch in which it was.
#[derive(Debug)]
struct Told {
    sets: Box<[[u64; WAYS]]>,
    multiplier: u64,
    epoch_shift: u32,
}

impl Told {
    fn new(seed: u64, epoch_shift: u32) -> Self {
        let multiplier = (seed ^ 0x9e37_79b9_7f4a_7c15) | 1;
        Self { sets: vec![[0; WAYS]; SETS].into(), multiplier, epoch_shift }
    }

    /// A hash of the next hop: the upper half is kept in its set, the lower one says which set that is.
    #[inline]
    fn hash(&self, interface: InterfaceId, address: IpAddr) -> u64 {
        let number = match address {
            IpAddr::V4(address) => u64::from(address.to_bits()),
            IpAddr::V6(address) => (address.to_bits() >> 64) as u64 ^ address.to_bits() as u64,
        };
        let product = u128::from(number ^ u64::from(interface.0) << 48 ^ self.multiplier >> 1)
            * u128::from(self.multiplier);
        (product >> 64) as u64 ^ product as u64
    }

    #[inline]
    fn note(&mut self, interface: InterfaceId, address: IpAddr, now: Time) -> bool {
        let mixed = self.hash(interface, address);
        let epoch = ((now.as_nanos() >> self.epoch_shift) + 1) & 0xffff_ffff;
        let entry = mixed & 0xffff_ffff_0000_0000 | epoch;
        let Some(set) = self.sets.get_mut(mixed as usize % SETS) else { return false };
        if set.contains(&entry) {
            return false;
        }
        // The same next hop in an earlier epoch, or else whatever was told the longest ago, goes.
        let place = set.iter().position(|told| told >> 32 == mixed >> 32).unwrap_or(WAYS - 1);
        if let Some(moved) = set.get_mut(..=place) {
            moved.rotate_right(1);
        }
        set[0] = entry;
        true
    }

    /// What was told of it counts as told in another epoch.
    fn forget(&mut self, interface: InterfaceId, address: IpAddr) {
        let mixed = self.hash(interface, address);
        let Some(set) = self.sets.get_mut(mixed as usize % SETS) else { return };
        if let Some(told) = set.iter_mut().find(|told| **told >> 32 == mixed >> 32) {
            *told = mixed & 0xffff_ffff_0000_0000;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    fn host(number: u32) -> IpAddr {
        IpAddr::from((0x0a01_0000 + number).to_be_bytes())
    }

    #[test]
    fn a_next_hop_is_told_once_an_epoch() {
        let mut in_use = NeighboursInUse::new(7);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let now = Time::from_nanos(1);
        assert!(in_use.note(InterfaceId(1), address, now));
        assert!(!in_use.note(InterfaceId(1), address, now + Duration::from_secs(1)));
        assert!(in_use.note(InterfaceId(1), address, now + Duration::from_secs(9)));
    }

    #[test]
    fn a_missing_next_hop_is_told_several_times_a_second_and_not_for_each_packet() {
        let mut in_use = NeighboursInUse::new(7);
        let told = (0..10_000u64)
            .filter(|&number| {
                let now = Time::from_nanos(number * 100_000);
                in_use.note_missing(InterfaceId(1), host(1), now)
            })
            .count();
        assert!((3..=5).contains(&told), "{told} in a second of 10,000 packets");
    }

    #[test]
    fn a_missing_next_hop_that_was_found_is_told_anew_and_the_others_are_not() {
        let mut in_use = NeighboursInUse::new(7);
        assert!((0..256).all(|n| in_use.note_missing(InterfaceId(1), host(n), Time::ZERO)));
        in_use.found(InterfaceId(1), host(9));
        let told: Vec<u32> = (0..256)
            .filter(|&number| in_use.note_missing(InterfaceId(1), host(number), Time::ZERO))
            .collect();
        assert_eq!(told, [9]);
    }

    #[test]
    fn the_same_address_on_two_interfaces_is_two_next_hops() {
        let mut in_use = NeighboursInUse::new(7);
        let address: IpAddr = "2001:db8::1".parse().unwrap();
        assert!(in_use.note(InterfaceId(1), address, Time::ZERO));
        assert!(in_use.note(InterfaceId(2), address, Time::ZERO));
    }

    #[test]
    fn next_hops_that_share_a_set_do_not_take_it_from_each_other() {
        for seed in 0..8 {
            let mut in_use = NeighboursInUse::new(seed * 0x1234_5678_9abc_def1);
            let told = (0..20)
                .flat_map(|_| 0..256)
                .filter(|&number| in_use.note(InterfaceId(1), host(number), Time::ZERO))
                .count();
            assert_eq!(told, 256, "each of a whole link once, however packets alternate");
        }
    }

    #[test]
    fn what_was_told_the_longest_ago_makes_room() {
        let mut told = Told::new(7, USED_EPOCH_SHIFT);
        let set_of = |told: &Told| told.sets.iter().position(|set| set[0] != 0).unwrap();
        let mut in_one_set = Vec::new();
        let mut wanted = None;
        for number in 0.. {
            let mut alone = Told::new(7, USED_EPOCH_SHIFT);
            alone.note(InterfaceId(1), host(number), Time::ZERO);
            let set = set_of(&alone);
            if *wanted.get_or_insert(set) == set {
                in_one_set.push(host(number));
            }
            if in_one_set.len() > WAYS {
                break;
            }
        }
        for &address in &in_one_set {
            assert!(told.note(InterfaceId(1), address, Time::ZERO));
        }
        for &address in in_one_set.get(1..).unwrap() {
            assert!(!told.note(InterfaceId(1), address, Time::ZERO), "{address} has its place");
        }
        assert!(told.note(InterfaceId(1), in_one_set[0], Time::ZERO), "it had to go");
    }
}
