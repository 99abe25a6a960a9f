use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::*;

use super::{Lpm, LpmBuilder};

mod large;

/// The definition: of all prefixes that hold the address, the longest; of equal ones the last.
fn linear_scan(prefixes: &[(IpNet, u32)], address: IpAddr) -> Option<u32> {
    let holding = prefixes.iter().filter(|(prefix, _)| prefix.contains(&address));
    holding.max_by_key(|(prefix, _)| prefix.prefix_len()).map(|(_, value)| *value)
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The edges of a prefix and the addresses beyond them.
fn edges(prefix: IpNet) -> Vec<IpAddr> {
    match prefix {
        IpNet::V4(prefix) => {
            let (first, last) = (prefix.network().to_bits(), prefix.broadcast().to_bits());
            let beyond = [first.wrapping_sub(1), first, last, last.wrapping_add(1)];
            beyond.map(|bits| Ipv4Addr::from_bits(bits).into()).to_vec()
        }
        IpNet::V6(prefix) => {
            let (first, last) = (prefix.network().to_bits(), prefix.broadcast().to_bits());
            let beyond = [first.wrapping_sub(1), first, last, last.wrapping_add(1)];
            beyond.map(|bits| Ipv6Addr::from_bits(bits).into()).to_vec()
        }
    }
}

fn assert_equals_scan(prefixes: &[(IpNet, u32)], probes: &[IpAddr]) {
    let table = Lpm::from_prefixes(prefixes.iter().copied());
    for address in prefixes.iter().flat_map(|(prefix, _)| edges(*prefix)).chain(probes.to_vec()) {
        assert_eq!(table.lookup(address), linear_scan(prefixes, address), "{address}");
    }
}

/// IPv4 prefixes that nest and collide: few different leading bits, all lengths.
fn crowded4() -> impl Strategy<Value = IpNet> {
    (0..4_u32, any::<u32>(), 0..=32_u8, any::<bool>()).prop_map(|(top, bits, length, spread)| {
        let address = if spread { bits } else { 0x0a00_0000 | top << 16 | bits & 0x3ff };
        Ipv4Net::new(Ipv4Addr::from_bits(address), length).unwrap().into()
    })
}

/// The same for IPv6, on both sides of the middle.
fn crowded6() -> impl Strategy<Value = IpNet> {
    let lengths = prop_oneof![0..=128_u8, 60..=68_u8, Just(64), Just(128)];
    (0..4_u128, any::<u128>(), lengths, any::<bool>()).prop_map(|(top, bits, length, spread)| {
        let upper = 0xfd00_0008_0000_0000_u128 << 64 | top << 64;
        let address = if spread { bits } else { upper | bits & 0x3ff };
        Ipv6Net::new(Ipv6Addr::from_bits(address), length).unwrap().into()
    })
}

#[test]
fn in_a_gap_nothing_matches_but_longer_prefixes() {
    let table = Lpm::with_gaps([
        (net("0.0.0.0/0"), Some(1)),
        (net("10.8.0.0/24"), None),
        (net("10.8.0.2/32"), Some(2)),
        (net("::/0"), Some(1)),
        (net("fd00:8::/64"), None),
        (net("fd00:8::2/128"), Some(2)),
    ]);
    let found = |text: &str| table.lookup(address(text));
    assert_eq!(["10.7.255.255", "10.8.1.0", "fd00:7::1", "fd00:8:0:1::"].map(found), [Some(1); 4]);
    assert_eq!(
        ["10.8.0.0", "10.8.0.3", "10.8.0.255", "fd00:8::", "fd00:8::3"].map(found),
        [None; 5]
    );
    assert_eq!(["10.8.0.2", "fd00:8::2"].map(found), [Some(2); 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn ipv4_lookups_equal_a_linear_scan(
        prefixes in proptest::collection::vec((crowded4(), 0..6_u32), 0..120),
        probes in proptest::collection::vec(any::<u32>(), 50),
    ) {
        let probes: Vec<IpAddr> = probes.into_iter().map(|bits| Ipv4Addr::from(bits).into()).collect();
        assert_equals_scan(&prefixes, &probes);
    }

    #[test]
    fn ipv6_lookups_equal_a_linear_scan(
        prefixes in proptest::collection::vec((crowded6(), 0..6_u32), 0..120),
        probes in proptest::collection::vec(any::<u128>(), 50),
    ) {
        let probes: Vec<IpAddr> = probes.into_iter().map(|bits| Ipv6Addr::from(bits).into()).collect();
        assert_equals_scan(&prefixes, &probes);
    }

    #[test]
    fn a_changed_table_equals_one_built_from_what_is_left(
        steps in proptest::collection::vec(
            (prop_oneof![crowded4(), crowded6()], proptest::option::of(0..4_u32), any::<bool>()),
            1..80,
        ),
    ) {
        let mut builder = LpmBuilder::new();
        let mut left: Vec<(IpNet, u32)> = Vec::new();
        for (prefix, change, look) in steps {
            let prefix = prefix.trunc();
            let known = left.iter().position(|(other, _)| *other == prefix);
            let old = known.map(|position| left.swap_remove(position).1);
            if let Some(value) = change {
                prop_assert_eq!(builder.insert(prefix, value), old);
                left.push((prefix, value));
            } else {
                prop_assert_eq!(builder.remove(prefix), old);
            }
            if look {
                let table = builder.snapshot();
                for address in left.iter().flat_map(|(prefix, _)| edges(*prefix)) {
                    prop_assert_eq!(table.lookup(address), linear_scan(&left, address));
                }
            }
        }
        prop_assert_eq!(builder.len(), left.len());
        left.sort();
        prop_assert_eq!(builder.iter().collect::<Vec<_>>(), left);
    }
}

#[test]
fn an_empty_table_matches_nothing() {
    let table = Lpm::<u32>::empty();
    for text in ["0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] {
        assert_eq!(table.lookup(address(text)), None);
    }
}

#[test]
fn default_routes_match_everything_of_their_family_only() {
    let table = Lpm::from_prefixes([(net("0.0.0.0/0"), 4)]);
    assert_eq!(table.lookup(address("0.0.0.0")), Some(4));
    assert_eq!(table.lookup(address("255.255.255.255")), Some(4));
    assert_eq!(table.lookup(address("::")), None);
    let table = Lpm::from_prefixes([(net("::/0"), 6)]);
    assert_eq!(table.lookup(address("::")), Some(6));
    assert_eq!(table.lookup(address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")), Some(6));
    assert_eq!(table.lookup(address("0.0.0.0")), None);
}

#[test]
fn prefixes_of_every_length_nest_at_both_ends_of_the_address_space() {
    let ends4 = [0, u32::MAX].map(Ipv4Addr::from_bits);
    let ends6 = [0, u128::MAX].map(Ipv6Addr::from_bits);
    let nests4 = ends4
        .iter()
        .flat_map(|end| (0..=32).map(|length| IpNet::from(Ipv4Net::new(*end, length).unwrap())));
    let nests6 = ends6
        .iter()
        .flat_map(|end| (0..=128).map(|length| IpNet::from(Ipv6Net::new(*end, length).unwrap())));
    let prefixes: Vec<(IpNet, u32)> = nests4.chain(nests6).zip(0..).collect();
    let inside4 = (0..32).flat_map(|bit| [1_u32 << bit, !(1 << bit)]).map(Ipv4Addr::from_bits);
    let inside6 = (0..128).flat_map(|bit| [1_u128 << bit, !(1 << bit)]).map(Ipv6Addr::from_bits);
    let probes: Vec<IpAddr> = inside4.map(IpAddr::from).chain(inside6.map(IpAddr::from)).collect();
    assert_equals_scan(&prefixes, &probes);
}

#[test]
fn host_bits_are_ignored_and_the_last_of_equal_prefixes_counts() {
    let prefixes = [(net("10.1.2.3/8"), 1), (net("10.9.9.9/8"), 2), (net("fd00::1/8"), 3)];
    let table = Lpm::from_prefixes(prefixes);
    assert_eq!(table.lookup(address("10.255.0.1")), Some(2));
    assert_eq!(table.lookup(address("fdff::1")), Some(3));
    let mut builder = LpmBuilder::new();
    builder.insert(net("10.1.2.3/8"), 1);
    assert_eq!(builder.get(net("10.0.0.0/8")), Some(1));
    assert_eq!(builder.remove(net("10.200.0.0/8")), Some(1));
    assert!(builder.is_empty());
}

#[test]
fn a_longer_prefix_is_a_hole_in_a_shorter_one_and_removing_it_closes_the_hole() {
    let mut builder = LpmBuilder::new();
    builder.insert(net("2001:db8::/32"), 1);
    builder.insert(net("2001:db8::5/128"), 2);
    let with_hole = builder.snapshot();
    builder.remove(net("2001:db8::5/128"));
    let closed = builder.snapshot();
    for (text, hole, filled) in [
        ("2001:db8::4", Some(1), Some(1)),
        ("2001:db8::5", Some(2), Some(1)),
        ("2001:db8::6", Some(1), Some(1)),
        ("2001:db8:0:1::5", Some(1), Some(1)),
        ("2001:db9::5", None, None),
    ] {
        assert_eq!(with_hole.lookup(address(text)), hole, "{text}");
        assert_eq!(closed.lookup(address(text)), filled, "{text}");
    }
}

#[test]
fn a_change_in_one_family_shares_the_table_of_the_other() {
    let mut builder = LpmBuilder::new();
    builder.insert(net("10.0.0.0/8"), 1);
    builder.insert(net("fd00::/8"), 1);
    let first = builder.snapshot();
    builder.insert(net("10.0.0.0/8"), 1);
    assert!(Arc::ptr_eq(&first.v4, &builder.snapshot().v4));
    builder.insert(net("10.0.0.0/8"), 2);
    let second = builder.snapshot();
    assert!(!Arc::ptr_eq(&first.v4, &second.v4));
    assert!(Arc::ptr_eq(&first.v6, &second.v6));
    assert_eq!(first.lookup(address("10.0.0.1")), Some(1));
    assert_eq!(second.lookup(address("10.0.0.1")), Some(2));
}

#[test]
fn small_tables_are_small() {
    assert!(Lpm::<u32>::empty().memory_bytes() < 512);
    let one = Lpm::from_prefixes([(net("10.8.0.2/32"), 1_u32), (net("fd00:8::2/128"), 1)]);
    assert!(one.memory_bytes() < 1024, "{}", one.memory_bytes());
    let peers = |count: u32| {
        Lpm::from_prefixes((0..count).flat_map(|peer| {
            let v4 = Ipv4Net::from(Ipv4Addr::from_bits(0x0a08_0000 + peer));
            let v6 = Ipv6Net::from(Ipv6Addr::from_bits((0xfd08_u128 << 112) + u128::from(peer)));
            [(IpNet::from(v4), peer), (IpNet::from(v6), peer)]
        }))
    };
    assert!(peers(500).memory_bytes() < 64 << 10, "{}", peers(500).memory_bytes());
    assert!(peers(10_000).memory_bytes() < 1 << 20, "{}", peers(10_000).memory_bytes());
}

#[test]
fn a_burst_finds_what_single_lookups_find_and_leaves_the_rest_alone() {
    let prefixes = [(net("10.0.0.0/8"), 1), (net("fd00::/16"), 2), (net("fd00::7/128"), 3)];
    let table = Lpm::from_prefixes(prefixes);
    for len in [0, 1, 15, 16, 17, 63, 64, 65, 200] {
        let v4: Vec<_> = (0..len).map(|bits: u32| Ipv4Addr::from_bits(bits << 25 | bits)).collect();
        let v6 = (0..len).map(|bits| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, bits as u16));
        let v6: Vec<_> = v6.collect();
        let mut found = vec![Some(99); v4.len() + 1];
        table.lookup4_burst(&v4, &mut found);
        let expected: Vec<_> = v4.iter().map(|address| table.lookup4(*address)).collect();
        assert_eq!((&found[..v4.len()], found[v4.len()]), (&*expected, Some(99)));
        table.lookup6_burst(&v6, &mut found);
        let expected: Vec<_> = v6.iter().map(|address| table.lookup6(*address)).collect();
        assert_eq!((&found[..v6.len()], found[v6.len()]), (&*expected, Some(99)));
    }
}
