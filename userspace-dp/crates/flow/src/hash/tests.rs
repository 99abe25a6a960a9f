use core::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use wire::Addresses;

use super::*;

/// A key drawn by a seed.
pub(crate) fn hash_key(seed: u64) -> HashKey {
    // Words from a generator that is good enough to draw tests with (splitmix64).
    let mut state = seed;
    HashKey::new(core::array::from_fn(|_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }))
}

fn v4(source: u32, destination: u32, ports: (u16, u16)) -> Tuple {
    let (source, destination) = (Ipv4Addr::from_bits(source), Ipv4Addr::from_bits(destination));
    Tuple { addresses: Addresses::V4 { source, destination }, protocol: 17, ports }
}

fn v6(source: u128, destination: u128, ports: (u16, u16)) -> Tuple {
    let (source, destination) = (Ipv6Addr::from_bits(source), Ipv6Addr::from_bits(destination));
    Tuple { addresses: Addresses::V6 { source, destination }, protocol: 17, ports }
}

/// Families of keys as networks and attackers make them: one part counts, the rest stands.
fn families() -> Vec<(&'static str, Vec<Key>)> {
    let net6 = 0x2001_0db8 << 96;
    let key = |zone, tuple| Key { zone, tuple };
    let count = |each: &dyn Fn(u32) -> Key| (0..65_536).map(each).collect::<Vec<_>>();
    vec![
        ("source ports", count(&|n| key(1, v4(0x0a00_0001, 0x0a00_0002, (n as u16, 53))))),
        ("destination ports", count(&|n| key(1, v4(0x0a00_0001, 0x0a00_0002, (53, n as u16))))),
        ("sources", count(&|n| key(1, v4(0x0a00_0000 + n, 0x0a00_0002, (4000, 53))))),
        ("sources, upper bits", count(&|n| key(1, v4(n << 16, 0x0a00_0002, (4000, 53))))),
        ("destinations", count(&|n| key(1, v4(0x0a00_0002, 0x0a00_0000 + n, (4000, 53))))),
        ("both ends", count(&|n| key(1, v4(n >> 8, n & 0xff, (4000, 53))))),
        ("IPv6 hosts", count(&|n| key(1, v6(net6 + u128::from(n), net6, (4000, 53))))),
        ("IPv6 networks", count(&|n| key(1, v6(net6 + (u128::from(n) << 64), net6, (4000, 53))))),
        ("IPv6 destinations", count(&|n| key(1, v6(net6, net6 + u128::from(n), (4000, 53))))),
        ("zones", count(&|n| key(n as u16, v4(1, 2, (3, 4))))),
    ]
}

/// Deviation from an even spread over `buckets`, in standard deviations of chi-squared.
fn unevenness(hashes: impl Iterator<Item = usize>, buckets: usize) -> f64 {
    let mut counts = vec![0_u32; buckets];
    let mut all = 0.0;
    for bucket in hashes {
        counts[bucket] += 1;
        all += 1.0;
    }
    let expected = all / buckets as f64;
    let chi = counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected);
    let freedom = (buckets - 1) as f64;
    (chi.sum::<f64>() - freedom) / (2.0 * freedom).sqrt()
}

#[test]
fn keys_that_count_up_spread_evenly_in_both_halves() {
    for (name, keys) in families() {
        for seed in 0..4 {
            let hash_key = hash_key(seed);
            let hashes: Vec<Hash> = keys.iter().map(|key| hash_key.of(&Words::of(key))).collect();
            for (half, of) in [("lower", Hash::lower as fn(Hash) -> u32), ("upper", Hash::upper)] {
                let low = unevenness(hashes.iter().map(|hash| of(*hash) as usize % 1024), 1024);
                let high = unevenness(hashes.iter().map(|hash| of(*hash) as usize >> 22), 1024);
                assert!(low < 6.0 && high < 6.0, "{name}, {half}, seed {seed}: {low:.1} {high:.1}");
            }
        }
    }
}

#[test]
fn owners_share_flows_evenly() {
    for (name, keys) in families() {
        if name == "zones" {
            continue;
        }
        let hash_key = hash_key(9);
        let owners = keys.iter().map(|key| HashKey::choose(hash_key.symmetric(&key.tuple), 7));
        let uneven = unevenness(owners, 7);
        assert!(uneven < 6.0, "{name}: {uneven:.1}");
    }
}

#[test]
fn another_secret_is_another_spread() {
    let (one, other) = (hash_key(1), hash_key(2));
    let words = Words::of(&Key { zone: 1, tuple: v4(1, 2, (3, 4)) });
    assert_ne!(one.of(&words), other.of(&words));
    let tuple = v4(1, 2, (3, 4));
    assert_ne!(one.symmetric(&tuple), other.symmetric(&tuple));
}

#[test]
fn keys_that_share_a_bucket_under_one_secret_part_under_another() {
    let (one, other) = (hash_key(1), hash_key(2));
    let hash = |key: &HashKey, n: u32| {
        key.of(&Words::of(&Key { zone: 1, tuple: v4(n, 2, (3, 4)) })).lower() % 1024
    };
    let together: Vec<u32> = (0..1 << 20).filter(|n| hash(&one, *n) == 7).collect();
    assert!(together.len() > 500);
    let uneven = unevenness(together.iter().map(|n| hash(&other, *n) as usize % 64), 64);
    assert!(uneven < 6.0, "{uneven:.1}");
}

#[test]
fn no_choice_is_out_of_range() {
    for hash in [0, 1, u64::MAX / 2, u64::MAX] {
        assert_eq!(HashKey::choose(hash, 0), 0);
        for choices in 1..9 {
            assert!(HashKey::choose(hash, choices) < choices);
        }
    }
}

#[test]
fn debug_output_shows_no_secret() {
    assert_eq!(format!("{:?}", hash_key(1)), "HashKey(..)");
}

proptest! {
    #[test]
    fn both_directions_have_one_owner(
        key in crate::key::tests::any_key(),
        protocol in prop_oneof![Just(1_u8), Just(6), Just(17), Just(58), any::<u8>()],
        seed: u64,
    ) {
        let mut tuple = Tuple { protocol, ..key.tuple };
        if tuple.is_echo() {
            tuple.ports.1 &= 1;
        }
        let hash_key = hash_key(seed);
        prop_assert_eq!(hash_key.symmetric(&tuple), hash_key.symmetric(&tuple.reversed()));
        let mut other = tuple;
        other.ports.0 ^= 1;
        prop_assert_ne!(hash_key.symmetric(&tuple), hash_key.symmetric(&other));
    }
}
