use core::net::IpAddr;

use proptest::prelude::*;
use std::collections::BTreeMap;
use wire::Mac;

use super::{Neighbour, NeighbourState, Neighbours, NeighboursBuilder, Resolution};
use crate::{Fib, FibBuilder, InterfaceId, NextHop};

const LAN: InterfaceId = InterfaceId(1);
const WAN: InterfaceId = InterfaceId(2);
const SEED: u64 = 0x5eed;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, last])
}

fn neighbour(interface: InterfaceId, text: &str, last: u8, state: NeighbourState) -> Neighbour {
    Neighbour { interface, address: address(text), mac: mac(last), state }
}

/// A default route through 10.0.0.1 on the LAN, and what that route's hop looks like.
fn fib_through_gateway() -> (Fib, NextHop) {
    let mut builder = FibBuilder::new();
    let gateway = NextHop::via(LAN, address("10.0.0.1"));
    builder.insert("0.0.0.0/0".parse().unwrap(), &[gateway.into()]);
    let fib = builder.snapshot();
    let hop = *fib.lookup(address("192.0.2.1"), 0).unwrap();
    (fib, hop)
}

#[test]
fn a_packet_through_a_gateway_goes_to_the_gateways_mac() {
    let (fib, hop) = fib_through_gateway();
    let mut builder = NeighboursBuilder::new(SEED);
    builder.insert(neighbour(LAN, "192.0.2.1", 9, NeighbourState::Reachable));
    builder.insert(neighbour(LAN, "10.0.0.1", 1, NeighbourState::Reachable));
    let neighbours = builder.snapshot(&fib);
    assert_eq!(neighbours.resolve(&hop, address("192.0.2.1")), Resolution::Known(mac(1)));
}

#[test]
fn a_packet_on_the_link_goes_to_the_destinations_mac_on_that_link() {
    let mut builder = NeighboursBuilder::new(SEED);
    builder.insert(neighbour(LAN, "10.0.0.7", 7, NeighbourState::Reachable));
    builder.insert(neighbour(WAN, "10.0.0.7", 8, NeighbourState::Reachable));
    builder.insert(neighbour(LAN, "fe80::7", 9, NeighbourState::Reachable));
    let neighbours = builder.snapshot(&Fib::empty());
    let resolve = |interface, text| neighbours.resolve(&NextHop::on_link(interface), address(text));
    assert_eq!(resolve(LAN, "10.0.0.7"), Resolution::Known(mac(7)));
    assert_eq!(resolve(WAN, "10.0.0.7"), Resolution::Known(mac(8)));
    assert_eq!(resolve(LAN, "fe80::7"), Resolution::Known(mac(9)));
    assert_eq!(resolve(WAN, "fe80::7"), Resolution::Unknown);
}

#[test]
fn only_known_neighbours_have_a_mac() {
    let (fib, hop) = fib_through_gateway();
    let mut builder = NeighboursBuilder::new(SEED);
    let mut told = |state| {
        builder.insert(neighbour(LAN, "10.0.0.1", 1, state));
        builder.snapshot(&fib).resolve(&hop, address("192.0.2.1"))
    };
    assert_eq!(told(NeighbourState::Reachable), Resolution::Known(mac(1)));
    assert_eq!(told(NeighbourState::Stale), Resolution::Known(mac(1)));
    assert_eq!(told(NeighbourState::Incomplete), Resolution::Pending);
    assert_eq!(told(NeighbourState::Failed), Resolution::Failed);
    assert!(builder.remove(LAN, address("10.0.0.1")));
    let resolution = builder.snapshot(&fib).resolve(&hop, address("192.0.2.1"));
    assert_eq!(resolution, Resolution::Unknown);
    assert_eq!(Neighbours::empty().resolve(&hop, address("192.0.2.1")), Resolution::Unknown);
}

#[test]
fn a_hop_of_another_forwarding_table_still_finds_its_own_gateway() {
    let (_, hop) = fib_through_gateway();
    let mut other = FibBuilder::new();
    other.insert("0.0.0.0/0".parse().unwrap(), &[NextHop::via(WAN, address("10.9.9.9")).into()]);
    let mut builder = NeighboursBuilder::new(SEED);
    builder.insert(neighbour(LAN, "10.0.0.1", 1, NeighbourState::Reachable));
    builder.insert(neighbour(WAN, "10.9.9.9", 9, NeighbourState::Reachable));
    for fib in [other.snapshot(), Fib::empty()] {
        let resolution = builder.snapshot(&fib).resolve(&hop, address("192.0.2.1"));
        assert_eq!(resolution, Resolution::Known(mac(1)));
    }
}

#[test]
fn a_link_that_goes_away_takes_its_neighbours_along() {
    let mut builder = NeighboursBuilder::new(SEED);
    for last in 0..10 {
        let host = IpAddr::from([10, 0, 0, last]);
        for interface in [LAN, WAN] {
            let state = NeighbourState::Reachable;
            builder.insert(Neighbour { interface, address: host, mac: mac(last), state });
        }
    }
    assert_eq!(builder.remove_interface(LAN), 10);
    let neighbours = builder.snapshot(&Fib::empty());
    assert_eq!(neighbours.len(), 10);
    assert!(neighbours.iter().all(|neighbour| neighbour.interface == WAN));
    assert_eq!(neighbours.get(LAN, address("10.0.0.3")), None);
}

#[test]
fn saying_the_same_again_is_no_change() {
    let mut builder = NeighboursBuilder::new(SEED);
    assert!(builder.insert(neighbour(LAN, "10.0.0.1", 1, NeighbourState::Stale)));
    assert!(!builder.insert(neighbour(LAN, "10.0.0.1", 1, NeighbourState::Stale)));
    assert!(builder.insert(neighbour(LAN, "10.0.0.1", 1, NeighbourState::Reachable)));
    assert!(builder.insert(neighbour(LAN, "10.0.0.1", 2, NeighbourState::Reachable)));
}

proptest! {
    #[test]
    fn lookups_equal_a_map_whatever_the_seed(
        seed: u64,
        hosts in proptest::collection::btree_map((0..3_u16, 0..400_u32), any::<u8>(), 0..300),
    ) {
        let mut builder = NeighboursBuilder::new(seed);
        let map: BTreeMap<(InterfaceId, IpAddr), Mac> = hosts
            .into_iter()
            .map(|((interface, host), last)| {
                let bits = if host % 2 == 0 {
                    IpAddr::V4((0x0a00_0000 + host).into())
                } else {
                    IpAddr::V6((0xfe80_u128 << 112 | u128::from(host)).into())
                };
                ((InterfaceId(interface), bits), mac(last))
            })
            .collect();
        for (&(interface, address), &mac) in &map {
            let state = NeighbourState::Reachable;
            builder.insert(Neighbour { interface, address, mac, state });
        }
        let neighbours = builder.snapshot(&Fib::empty());
        for interface in (0..4).map(InterfaceId) {
            for host in 0..400_u32 {
                for address in [
                    IpAddr::V4((0x0a00_0000 + host).into()),
                    IpAddr::V6((0xfe80_u128 << 112 | u128::from(host)).into()),
                ] {
                    let found = neighbours.get(interface, address).map(|found| found.mac);
                    prop_assert_eq!(found, map.get(&(interface, address)).copied());
                }
            }
        }
    }
}
