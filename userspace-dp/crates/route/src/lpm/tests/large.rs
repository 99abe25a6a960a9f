//! Tables of the size of the Internet's, against the trie of another author.

use core::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;

use super::super::table4::Table4;
use super::super::{Lpm, LpmBuilder};

/// A xorshift generator: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn wide(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }
}

fn random4(numbers: &mut Numbers, count: usize, values: u64) -> Vec<(Ipv4Net, u32)> {
    let prefix = |_| {
        let length = match numbers.below(100) {
            0..70 => 24,
            70..90 => 16 + numbers.below(8) as u8,
            90..97 => 25 + numbers.below(8) as u8,
            _ => numbers.below(33) as u8,
        };
        let address = Ipv4Addr::from_bits(numbers.next() as u32);
        let prefix = Ipv4Net::new(address, length).unwrap().trunc();
        (prefix, numbers.below(values) as u32)
    };
    (0..count).map(prefix).collect()
}

fn random6(numbers: &mut Numbers, count: usize) -> Vec<(Ipv6Net, u32)> {
    let prefix = |_| {
        let length = match numbers.below(100) {
            0..50 => 48,
            50..80 => 32 + numbers.below(17) as u8,
            80..90 => 64,
            90..97 => 65 + numbers.below(64) as u8,
            _ => numbers.below(129) as u8,
        };
        // A third of them crowd under a few hundred /32.
        let bits = match numbers.below(3) {
            0 => 0x2a00_u128 << 112 | u128::from(numbers.below(300)) << 96 | numbers.wide() >> 32,
            _ => 1 << 125 | numbers.wide() >> 3,
        };
        let prefix = Ipv6Net::new(Ipv6Addr::from_bits(bits), length).unwrap().trunc();
        (prefix, numbers.below(250) as u32)
    };
    (0..count).map(prefix).collect()
}

/// Addresses inside the prefixes, at their edges, just beyond, and anywhere.
fn probes4(numbers: &mut Numbers, prefixes: &[(Ipv4Net, u32)]) -> Vec<Ipv4Addr> {
    let probe = |turn: usize| {
        let prefix = prefixes[numbers.below(prefixes.len() as u64) as usize].0;
        let (first, last) = (prefix.network().to_bits(), prefix.broadcast().to_bits());
        Ipv4Addr::from_bits(match turn % 5 {
            0 => first,
            1 => last,
            2 => last.wrapping_add(1),
            3 => first | numbers.next() as u32 & prefix.hostmask().to_bits(),
            _ => numbers.next() as u32,
        })
    };
    (0..120_000).map(probe).collect()
}

fn probes6(numbers: &mut Numbers, prefixes: &[(Ipv6Net, u32)]) -> Vec<Ipv6Addr> {
    let probe = |turn: usize| {
        let prefix = prefixes[numbers.below(prefixes.len() as u64) as usize].0;
        let (first, last) = (prefix.network().to_bits(), prefix.broadcast().to_bits());
        Ipv6Addr::from_bits(match turn % 5 {
            0 => first,
            1 => last,
            2 => last.wrapping_add(1),
            3 => first | numbers.wide() & prefix.hostmask().to_bits(),
            _ => 1 << 125 | numbers.wide() >> 3,
        })
    };
    (0..120_000).map(probe).collect()
}

fn assert_equal4(table: &Lpm<u32>, trie: &PrefixMap<Ipv4Net, u32>, probes: &[Ipv4Addr]) {
    let mut burst = vec![None; probes.len()];
    table.lookup4_burst(probes, &mut burst);
    for (address, in_burst) in probes.iter().zip(burst) {
        let expected = trie.get_lpm(&Ipv4Net::from(*address)).map(|(_, value)| *value);
        assert_eq!(table.lookup4(*address), expected, "{address}");
        assert_eq!(in_burst, expected, "{address}");
    }
}

fn assert_equal6(table: &Lpm<u32>, trie: &PrefixMap<Ipv6Net, u32>, probes: &[Ipv6Addr]) {
    let mut burst = vec![None; probes.len()];
    table.lookup6_burst(probes, &mut burst);
    for (address, in_burst) in probes.iter().zip(burst) {
        let expected = trie.get_lpm(&Ipv6Net::from(*address)).map(|(_, value)| *value);
        assert_eq!(table.lookup6(*address), expected, "{address}");
        assert_eq!(in_burst, expected, "{address}");
    }
}

#[test]
fn two_hundred_thousand_ipv4_prefixes_equal_a_trie_before_and_after_changes() {
    let mut numbers = Numbers(0x5eed_0004);
    let prefixes = random4(&mut numbers, 200_000, 250);
    let mut builder = LpmBuilder::new();
    let mut trie = PrefixMap::new();
    for (prefix, value) in &prefixes {
        builder.insert(IpNet::V4(*prefix), *value);
        trie.insert(*prefix, *value);
    }
    let probes = probes4(&mut numbers, &prefixes);
    let table = builder.snapshot();
    assert!(matches!(table.v4.table, Table4::Direct(_)));
    assert_equal4(&table, &trie, &probes);
    for (prefix, value) in prefixes.iter().step_by(3) {
        assert_eq!(builder.remove(IpNet::V4(*prefix)), trie.remove(prefix), "{prefix} {value}");
    }
    assert_equal4(&builder.snapshot(), &trie, &probes);
}

#[test]
fn two_hundred_thousand_ipv6_prefixes_equal_a_trie_before_and_after_changes() {
    let mut numbers = Numbers(0x5eed_0006);
    let prefixes = random6(&mut numbers, 200_000);
    let mut builder = LpmBuilder::new();
    let mut trie = PrefixMap::new();
    for (prefix, value) in &prefixes {
        builder.insert(IpNet::V6(*prefix), *value);
        trie.insert(*prefix, *value);
    }
    let probes = probes6(&mut numbers, &prefixes);
    assert_equal6(&builder.snapshot(), &trie, &probes);
    for (prefix, value) in prefixes.iter().step_by(3) {
        assert_eq!(builder.remove(IpNet::V6(*prefix)), trie.remove(prefix), "{prefix} {value}");
    }
    assert_equal6(&builder.snapshot(), &trie, &probes);
}

#[test]
fn a_large_table_with_more_values_than_sixteen_bits_tell_apart_equals_a_trie() {
    let mut numbers = Numbers(0x5eed_0016);
    let prefixes = random4(&mut numbers, 100_000, 10_000_000);
    let table = Lpm::from_prefixes(prefixes.iter().map(|(net, value)| (IpNet::V4(*net), *value)));
    assert!(matches!(table.v4.table, Table4::Index(_)));
    let trie: PrefixMap<Ipv4Net, u32> = prefixes.iter().copied().collect();
    assert_equal4(&table, &trie, &probes4(&mut numbers, &prefixes));
}

#[test]
fn host_routes_of_many_peers_equal_a_trie() {
    let mut numbers = Numbers(0x5eed_0128);
    let prefixes: Vec<(Ipv6Net, u32)> = (0..20_000)
        .map(|peer| {
            // Half of the peers share one /64, the others have one each.
            let upper = if peer % 2 == 0 { 0 } else { u128::from(peer) << 64 };
            let bits = 0xfd00_u128 << 112 | upper | u128::from(numbers.next() >> 40);
            (Ipv6Net::from(Ipv6Addr::from_bits(bits)), peer)
        })
        .collect();
    let table = Lpm::from_prefixes(prefixes.iter().map(|(net, value)| (IpNet::V6(*net), *value)));
    let trie: PrefixMap<Ipv6Net, u32> = prefixes.iter().copied().collect();
    assert_equal6(&table, &trie, &probes6(&mut numbers, &prefixes));
}
