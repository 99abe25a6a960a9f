//! What a flow is looked up by: a tuple in the zone that it came from.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use wire::Addresses;

use crate::Tuple;

/// A tuple and the zone of the packets that carry it. Equal addresses in two zones are two flows: what was allowed
/// from one network is no right of another that uses, or claims, the same addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The number of the zone that packets of this direction come from.
    pub zone: u16,
    /// Addresses, protocol and ports of this direction.
    pub tuple: Tuple,
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "zone {} {}", self.zone, self.tuple)
    }
}

/// A key as it lies in the table: 40 bytes that are equal exactly when the keys are.
///
/// Both addresses in the first four words (both IPv4 addresses in the first), then ports, zone, protocol and the
/// version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words(pub(crate) [u64; 5]);

const VERSION_4: u64 = 4;
const VERSION_6: u64 = 6;

impl Words {
    /// Nobody's key: no version of IP.
    pub(crate) const NONE: Self = Self([0; 5]);

    #[inline]
    pub(crate) fn of(key: &Key) -> Self {
        let (source_port, destination_port) = key.tuple.ports;
        let ports = u64::from(source_port) << 48 | u64::from(destination_port) << 32;
        let rest = u64::from(key.zone) << 16 | u64::from(key.tuple.protocol) << 8;
        Self::new(&key.tuple.addresses, ports | rest)
    }

    /// Addresses and whatever else, whose lowest eight bits are zero.
    #[inline]
    pub(crate) fn new(addresses: &Addresses, rest: u64) -> Self {
        match *addresses {
            Addresses::V4 { source, destination } => {
                let both = u64::from(source.to_bits()) << 32 | u64::from(destination.to_bits());
                Self([both, 0, 0, 0, rest | VERSION_4])
            }
            Addresses::V6 { source, destination } => {
                let (source, destination) = (source.to_bits(), destination.to_bits());
                let upper = |bits: u128| (bits >> 64) as u64;
                let lower = |bits: u128| bits as u64;
                let [a, b] = [upper(source), lower(source)];
                let [c, d] = [upper(destination), lower(destination)];
                Self([a, b, c, d, rest | VERSION_6])
            }
        }
    }

    /// The key again.
    pub(crate) fn key(&self) -> Key {
        let [a, b, c, d, rest] = self.0;
        let addresses = if rest & 0xff == VERSION_6 {
            let whole = |upper: u64, lower: u64| u128::from(upper) << 64 | u128::from(lower);
            Addresses::V6 {
                source: Ipv6Addr::from_bits(whole(a, b)),
                destination: Ipv6Addr::from_bits(whole(c, d)),
            }
        } else {
            Addresses::V4 {
                source: Ipv4Addr::from_bits((a >> 32) as u32),
                destination: Ipv4Addr::from_bits(a as u32),
            }
        };
        let ports = ((rest >> 48) as u16, (rest >> 32) as u16);
        let tuple = Tuple { addresses, protocol: (rest >> 8) as u8, ports };
        Key { zone: (rest >> 16) as u16, tuple }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn any_key() -> impl Strategy<Value = Key> {
        let four = any::<(u32, u32)>().prop_map(|(source, destination)| Addresses::V4 {
            source: source.into(),
            destination: destination.into(),
        });
        let six = any::<(u128, u128)>().prop_map(|(source, destination)| Addresses::V6 {
            source: source.into(),
            destination: destination.into(),
        });
        let rest = any::<(u16, u8, (u16, u16))>();
        (prop_oneof![four, six], rest).prop_map(|(addresses, (zone, protocol, ports))| Key {
            zone,
            tuple: Tuple { addresses, protocol, ports },
        })
    }

    proptest! {
        #[test]
        fn a_key_survives_its_words(key in any_key()) {
            prop_assert_eq!(Words::of(&key).key(), key);
            prop_assert_ne!(Words::of(&key), Words::NONE);
        }
    }

    #[test]
    fn an_ipv6_address_that_looks_like_ipv4_is_another_key() {
        let tuple = |addresses| Tuple { addresses, protocol: 17, ports: (1, 2) };
        let four = Addresses::V4 { source: 0.into(), destination: 0.into() };
        let six = Addresses::V6 { source: 0.into(), destination: 0.into() };
        let words = |addresses| Words::of(&Key { zone: 1, tuple: tuple(addresses) });
        assert_ne!(words(four), words(six));
    }
}
