//! Route: longest-prefix match over 200,000 prefixes, hot, with random destinations.
//!
//! Everybody answers the same 65,536 destinations in the same order, from a table built of the same
//! prefixes and 250 different next hops: `prefix-trie` one by one, ours in bursts of 64 as the
//! pipeline asks, and, in the figures that end in `.single`, one by one.
//!
//! * `route.lookup4.200k`, `route.lookup6.200k`: prefixes as in the Internet's tables. IPv4: 60 %
//!   /24, then /22, /23, down to /8, within 12,000 /16 blocks. IPv6: 47 % /48, 15 % /32, then /44,
//!   /40, /36, /29 and the rest between /29 and /64, within 35,000 allocations of the registries'
//!   blocks. Half of the destinations lie in a prefix picked at random, half anywhere in unicast space,
//!   so that about half hit.
//! * `.uniform`: the same lengths, spread evenly over unicast space, where neither nature nor caches
//!   help anybody.
//! * `route.build4.200k`, `route.build6.200k`: a table compiled again after one route changed.
//! * `route.reload4.200k`, `route.reload6.200k`: every route replaced, and the table compiled.
//!
//! Left out: cold tables, the choice among the hops of a multipath route, neighbours.

use std::hint::black_box;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Instant;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use ringwall_benches::report::{Contender, Family, Sample, Unit};
use route::{Lpm, LpmBuilder};

type Hop = NonZeroU32;

const PREFIXES: usize = 200_000;
const DESTINATIONS: usize = 65_536;
const BURST: usize = 64;
const HOPS: u32 = 250;

fn main() {
    let mut family = Family::from_arguments("route");
    let random = &mut StdRng::seed_from_u64(0x0072_6f75_7465);
    ipv4(&mut family, random, "", internet4);
    ipv4(&mut family, random, ".uniform", |random| random.random());
    ipv6(&mut family, random, "", internet6);
    ipv6(&mut family, random, ".uniform", |random| 1 << 125 | random.random::<u128>() >> 3);
    family.finish();
}

/// The IPv4 figures over prefixes that `place` puts somewhere.
fn ipv4<P>(family: &mut Family, random: &mut StdRng, suffix: &str, place: P)
where
    P: Fn(&mut StdRng) -> u32,
{
    let mut trie: PrefixMap<Ipv4Net, Hop> = PrefixMap::new();
    while trie.len() < PREFIXES {
        let length = length(random, &LENGTHS4);
        let prefix = Ipv4Net::new(place(random).into(), length).expect("a length of IPv4").trunc();
        trie.insert(prefix, hop(random));
    }
    let prefixes: Vec<(Ipv4Net, Hop)> = trie.iter().map(|(prefix, hop)| (prefix, *hop)).collect();
    let destinations: Vec<Ipv4Addr> = (0..DESTINATIONS)
        .map(|turn| match turn % 2 {
            0 => {
                let prefix = prefixes[random.random_range(0..prefixes.len())].0;
                let host = random.random::<u32>() & prefix.hostmask().to_bits();
                (prefix.network().to_bits() | host).into()
            }
            _ => random.random_range(0x0100_0000..0xe000_0000_u32).into(),
        })
        .collect();

    let mut builder = LpmBuilder::new();
    prefixes.iter().for_each(|(prefix, hop)| _ = builder.insert((*prefix).into(), *hop));
    let table = builder.snapshot();
    let in_trie = |address: Ipv4Addr| trie.get_lpm(&address.into()).map(|(_, hop)| *hop);
    agree(family, &destinations, |address| table.lookup4(address), in_trie);

    let peer = || Contender::new("prefix-trie", || one_by_one(&destinations, in_trie));
    let single = || one_by_one(&destinations, |address| table.lookup4(address));
    let burst = || in_bursts(&destinations, |addresses, hops| table.lookup4_burst(addresses, hops));
    let name = format!("route.lookup4.200k{suffix}");
    family.compare(&name, Unit::Nanos, Contender::new("ringwall", burst), vec![peer()]);
    let name = format!("{name}.single");
    family.compare(&name, Unit::Nanos, Contender::new("ringwall", single), vec![peer()]);
    if suffix.is_empty() {
        let prefixes = prefixes.iter().map(|(prefix, hop)| (IpNet::V4(*prefix), *hop)).collect();
        changes(family, '4', &mut builder, prefixes);
    }
    eprintln!("route: IPv4{suffix}: table of {} KiB", table.memory_bytes() >> 10);
}

/// The IPv6 figures over prefixes that `place` puts somewhere.
fn ipv6<P>(family: &mut Family, random: &mut StdRng, suffix: &str, place: P)
where
    P: Fn(&mut StdRng) -> u128,
{
    let mut trie: PrefixMap<Ipv6Net, Hop> = PrefixMap::new();
    while trie.len() < PREFIXES {
        let length = length(random, &LENGTHS6);
        let prefix = Ipv6Net::new(place(random).into(), length).expect("a length of IPv6").trunc();
        trie.insert(prefix, hop(random));
    }
    let prefixes: Vec<(Ipv6Net, Hop)> = trie.iter().map(|(prefix, hop)| (prefix, *hop)).collect();
    let destinations: Vec<Ipv6Addr> = (0..DESTINATIONS)
        .map(|turn| match turn % 2 {
            0 => {
                let prefix = prefixes[random.random_range(0..prefixes.len())].0;
                let host = random.random::<u128>() & prefix.hostmask().to_bits();
                (prefix.network().to_bits() | host).into()
            }
            _ => (1_u128 << 125 | random.random::<u128>() >> 3).into(),
        })
        .collect();

    let mut builder = LpmBuilder::new();
    prefixes.iter().for_each(|(prefix, hop)| _ = builder.insert((*prefix).into(), *hop));
    let table = builder.snapshot();
    let in_trie = |address: Ipv6Addr| trie.get_lpm(&address.into()).map(|(_, hop)| *hop);
    agree(family, &destinations, |address| table.lookup6(address), in_trie);

    let peer = || Contender::new("prefix-trie", || one_by_one(&destinations, in_trie));
    let single = || one_by_one(&destinations, |address| table.lookup6(address));
    let burst = || in_bursts(&destinations, |addresses, hops| table.lookup6_burst(addresses, hops));
    let name = format!("route.lookup6.200k{suffix}");
    family.compare(&name, Unit::Nanos, Contender::new("ringwall", burst), vec![peer()]);
    let name = format!("{name}.single");
    family.compare(&name, Unit::Nanos, Contender::new("ringwall", single), vec![peer()]);
    if suffix.is_empty() {
        let prefixes = prefixes.iter().map(|(prefix, hop)| (IpNet::V6(*prefix), *hop)).collect();
        changes(family, '6', &mut builder, prefixes);
    }
    eprintln!("route: IPv6{suffix}: table of {} KiB", table.memory_bytes() >> 10);
}

/// How long control takes to compile one changed route, and all of them.
fn changes(
    family: &mut Family,
    version: char,
    builder: &mut LpmBuilder<Hop>,
    prefixes: Vec<(IpNet, Hop)>,
) {
    let rounds = if family.is_quick() { 11 } else { 51 };
    let other = |hop: Hop, round: usize| hop.saturating_add(1 + (round % 2) as u32);
    let median = |mut millis: Vec<f64>| {
        millis.sort_by(f64::total_cmp);
        millis[millis.len() / 2]
    };
    let timed = |work: &mut dyn FnMut() -> Lpm<Hop>| {
        let start = Instant::now();
        black_box(work());
        start.elapsed().as_secs_f64() * 1e3
    };
    let build = (0..rounds).map(|round| {
        let (prefix, hop) = prefixes[round];
        builder.insert(prefix, other(hop, round));
        timed(&mut || builder.snapshot())
    });
    let build = median(build.collect());
    family.record(&format!("route.build{version}.200k"), build, "ms", &[]);
    let reload = (0..rounds).map(|round| {
        timed(&mut || {
            for (prefix, hop) in &prefixes {
                builder.insert(*prefix, other(*hop, round));
            }
            builder.snapshot()
        })
    });
    let reload = median(reload.collect());
    family.record(&format!("route.reload{version}.200k"), reload, "ms", &[]);
}

fn one_by_one<A: Copy>(destinations: &[A], lookup: impl Fn(A) -> Option<Hop>) -> Sample {
    in_bursts(destinations, |burst, hops| {
        for (destination, hop) in burst.iter().zip(hops) {
            *hop = lookup(*destination);
        }
    })
}

/// All destinations twice: the first pass brings the table back into the caches, which the
/// contender before has emptied, the second is timed.
fn in_bursts<A>(destinations: &[A], lookup: impl Fn(&[A], &mut [Option<Hop>])) -> Sample {
    let pass = || {
        let mut hops = [None; BURST];
        for burst in destinations.chunks(BURST) {
            lookup(burst, &mut hops);
            black_box(&hops);
        }
    };
    pass();
    Sample::of(destinations.len() as u64, pass)
}

/// What is timed gives the same answers.
fn agree<A: Copy + std::fmt::Display>(
    family: &Family,
    destinations: &[A],
    ours: impl Fn(A) -> Option<Hop>,
    theirs: impl Fn(A) -> Option<Hop>,
) {
    for destination in destinations {
        assert_eq!(ours(*destination), theirs(*destination), "{destination}");
    }
    let hits = destinations.iter().filter(|destination| ours(**destination).is_some()).count();
    if !family.is_quick() {
        eprintln!("route: {} % of the destinations hit", hits * 100 / destinations.len());
    }
}

/// Somewhere in one of 12,000 blocks of 65,536 addresses.
fn internet4(random: &mut StdRng) -> u32 {
    let block = random.random_range(0..12_000_u32).wrapping_mul(0x9e37_79b1) >> 16;
    block << 16 | random.random::<u32>() & 0xffff
}

/// Somewhere in one of 35,000 allocations, which lie in 38 blocks of the registries.
fn internet6(random: &mut StdRng) -> u128 {
    let allocation = random.random_range(0..35_000_u32);
    let block = BLOCKS6[allocation as usize % BLOCKS6.len()];
    let within = allocation.wrapping_mul(0x9e37_79b1) >> 16;
    u128::from(block) << 112 | u128::from(within) << 96 | random.random::<u128>() >> 32
}

fn length(random: &mut StdRng, shares: &[(u32, u8)]) -> u8 {
    let mut point = random.random_range(0..1000_u32);
    for (share, length) in shares {
        if point < *share {
            return *length;
        }
        point -= share;
    }
    24
}

fn hop(random: &mut StdRng) -> Hop {
    Hop::MIN.saturating_add(random.random_range(0..HOPS))
}

/// Shares in thousandths.
const LENGTHS4: [(u32, u8); 17] = [
    (600, 24),
    (105, 22),
    (95, 23),
    (55, 21),
    (48, 20),
    (28, 19),
    (16, 18),
    (14, 16),
    (10, 17),
    (6, 15),
    (5, 14),
    (4, 13),
    (4, 12),
    (3, 11),
    (3, 10),
    (2, 9),
    (2, 8),
];

/// Shares in thousandths.
const LENGTHS6: [(u32, u8); 21] = [
    (470, 48),
    (150, 32),
    (90, 44),
    (80, 40),
    (60, 36),
    (40, 29),
    (22, 46),
    (22, 47),
    (16, 42),
    (14, 34),
    (10, 33),
    (6, 30),
    (4, 31),
    (4, 35),
    (3, 38),
    (2, 45),
    (2, 52),
    (2, 56),
    (1, 60),
    (1, 64),
    (1, 62),
];

/// The upper 16 bits of blocks that registries allocate from.
const BLOCKS6: [u16; 38] = [
    0x2001, 0x2400, 0x2401, 0x2402, 0x2403, 0x2404, 0x2405, 0x2406, 0x2407, 0x240e, 0x2600, 0x2602,
    0x2604, 0x2605, 0x2606, 0x2607, 0x2620, 0x2800, 0x2801, 0x2803, 0x2804, 0x2a00, 0x2a01, 0x2a02,
    0x2a03, 0x2a04, 0x2a05, 0x2a06, 0x2a07, 0x2a09, 0x2a0a, 0x2a0b, 0x2a0c, 0x2a0d, 0x2a0e, 0x2a0f,
    0x2a10, 0x2c0f,
];
