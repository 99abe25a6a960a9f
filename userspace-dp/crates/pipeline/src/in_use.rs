//! Which next hops carry traffic, told to control every few seconds.
//!
//! The kernel sees none of the traffic that workers forward, so it would let its neighbour entries age away;
//! control keeps those alive that are in use. A worker remembers in a small direct-mapped table which ones it has
//! told in this epoch; two that share a place tell more often than needed, which does no harm.

use core::net::IpAddr;

use clock::Time;
use route::InterfaceId;

/// Places of the table.
const PLACES: usize = 1024;
/// An epoch is 2^33 ns, 8.6 s: well under the age at which the kernel gives an entry up.
const EPOCH_SHIFT: u32 = 33;

/// What one worker has told lately.
#[derive(Debug)]
pub(crate) struct NeighboursInUse {
    told: Box<[u64]>,
    seed: u64,
}

impl NeighboursInUse {
    pub(crate) fn new(seed: u64) -> Self {
        Self { told: vec![0; PLACES].into(), seed: seed | 1 }
    }

    /// Notes that a packet goes to this next hop; whether control should be told.
    #[inline]
    pub(crate) fn note(&mut self, interface: InterfaceId, address: IpAddr, now: Time) -> bool {
        let number = match address {
            IpAddr::V4(address) => u64::from(address.to_bits()),
            IpAddr::V6(address) => (address.to_bits() >> 64) as u64 ^ address.to_bits() as u64,
        };
        let mixed =
            (number ^ u64::from(interface.0) << 48).wrapping_mul(self.seed | 0x9e37_79b9_0000_0001);
        let epoch = (now.as_nanos() >> EPOCH_SHIFT) + 1;
        let entry = mixed & 0xffff_ffff_0000_0000 | epoch & 0xffff_ffff;
        let Some(place) = self.told.get_mut((mixed >> 54) as usize % PLACES) else { return false };
        if *place == entry {
            return false;
        }
        *place = entry;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

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
    fn the_same_address_on_two_interfaces_is_two_next_hops() {
        let mut in_use = NeighboursInUse::new(7);
        let address: IpAddr = "2001:db8::1".parse().unwrap();
        assert!(in_use.note(InterfaceId(1), address, Time::ZERO));
        assert!(in_use.note(InterfaceId(2), address, Time::ZERO));
    }
}
