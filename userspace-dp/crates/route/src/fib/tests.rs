use core::net::IpAddr;
use std::collections::BTreeMap;

use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;

use super::{Fib, FibBuilder, Gateway};
use crate::{GatewaySlot, InterfaceId, NextHop, NextHopKind, WeightedHop};

const LAN: InterfaceId = InterfaceId(1);
const WAN: InterfaceId = InterfaceId(2);

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn insert(builder: &mut FibBuilder, prefix: &str, hop: NextHop) {
    assert!(builder.insert(net(prefix), &[hop.into()]));
}

fn kind(fib: &Fib, destination: &str) -> Option<NextHopKind> {
    fib.lookup(address(destination), 0).map(|hop| hop.kind)
}

#[test]
fn a_route_gives_back_its_hop_with_everything_it_states() {
    let mut builder = FibBuilder::new();
    let hop = NextHop::via(WAN, address("fe80::1"))
        .with_mtu(1400)
        .with_preferred_source(address("192.0.2.9"));
    insert(&mut builder, "198.51.100.0/24", hop);
    let fib = builder.snapshot();
    let found = *fib.lookup(address("198.51.100.7"), 5).unwrap();
    assert_ne!(found.gateway_slot, GatewaySlot::NONE);
    assert_eq!(NextHop { gateway_slot: GatewaySlot::NONE, ..found }, hop);
    assert_eq!(fib.lookup(address("198.51.101.7"), 5), None);
}

#[test]
fn the_longest_prefix_wins_also_where_it_refuses_or_delivers_here() {
    let mut builder = FibBuilder::new();
    insert(&mut builder, "0.0.0.0/0", NextHop::via(WAN, address("192.0.2.1")));
    insert(&mut builder, "10.0.0.0/8", NextHop::discard(NextHopKind::Unreachable));
    insert(&mut builder, "10.1.0.0/16", NextHop::on_link(LAN));
    insert(&mut builder, "10.1.0.1/32", NextHop::local(LAN));
    insert(&mut builder, "10.1.2.0/24", NextHop::discard(NextHopKind::Blackhole));
    insert(&mut builder, "2001:db8::/32", NextHop::discard(NextHopKind::Prohibit));
    let fib = builder.snapshot();
    assert_eq!(kind(&fib, "8.8.8.8"), Some(NextHopKind::Unicast));
    assert_eq!(kind(&fib, "10.2.0.1"), Some(NextHopKind::Unreachable));
    assert_eq!(kind(&fib, "10.1.0.2"), Some(NextHopKind::Unicast));
    assert_eq!(kind(&fib, "10.1.0.1"), Some(NextHopKind::Local));
    assert_eq!(kind(&fib, "10.1.2.3"), Some(NextHopKind::Blackhole));
    assert_eq!(kind(&fib, "2001:db8::1"), Some(NextHopKind::Prohibit));
    assert_eq!(kind(&fib, "2001:db9::1"), None);
}

#[test]
fn an_empty_table_has_no_route() {
    assert_eq!(kind(&Fib::empty(), "10.0.0.1"), None);
    assert_eq!(kind(&Fib::empty(), "::1"), None);
}

#[test]
fn flows_spread_over_the_hops_of_a_route_by_weight() {
    let hops = [1, 2, 5].map(|weight| {
        let router = IpAddr::from([10, 0, 0, weight as u8]);
        WeightedHop { hop: NextHop::via(LAN, router), weight }
    });
    let mut builder = FibBuilder::new();
    builder.insert(net("0.0.0.0/0"), &hops);
    let fib = builder.snapshot();
    let mut flows: BTreeMap<Option<IpAddr>, u32> = BTreeMap::new();
    for flow in 0..80_000_u32 {
        let hash = flow.wrapping_mul(0x9e37_79b9);
        let hop = fib.lookup(address("192.0.2.1"), hash).unwrap();
        assert_eq!(Some(hop), fib.lookup(address("203.0.113.1"), hash), "the same set");
        *flows.entry(hop.gateway).or_default() += 1;
    }
    for weighted in hops {
        let share = flows[&weighted.hop.gateway];
        let fair = 10_000 * u32::from(weighted.weight);
        assert!(share.abs_diff(fair) < 100, "{share} of {fair}");
    }
}

#[test]
fn the_ends_of_the_hash_range_lead_to_the_first_and_the_last_hop() {
    let routers = [address("10.0.0.1"), address("10.0.0.2"), address("10.0.0.3")];
    let hops = routers.map(|router| WeightedHop { hop: NextHop::via(LAN, router), weight: 0 });
    let mut builder = FibBuilder::new();
    builder.insert(net("::/0"), &hops);
    let fib = builder.snapshot();
    let gateway = |hash| fib.lookup(address("::1"), hash).unwrap().gateway;
    assert_eq!(gateway(0), Some(routers[0]));
    assert_eq!(gateway(u32::MAX / 2), Some(routers[1]));
    assert_eq!(gateway(u32::MAX), Some(routers[2]));
}

#[test]
fn each_gateway_is_listed_once_however_many_routes_lead_through_it() {
    let mut builder = FibBuilder::new();
    let (near, far) =
        (NextHop::via(LAN, address("10.0.0.1")), NextHop::via(WAN, address("fe80::1")));
    insert(&mut builder, "192.0.2.0/24", near);
    insert(&mut builder, "198.51.100.0/24", near.with_mtu(1400));
    insert(&mut builder, "10.0.0.0/24", NextHop::on_link(LAN));
    builder.insert(net("0.0.0.0/0"), &[near.into(), far.into()]);
    let gateways = builder.snapshot().gateways().to_vec();
    let gateway = |interface, text| Gateway { interface, address: address(text) };
    assert_eq!(gateways, [gateway(LAN, "10.0.0.1"), gateway(WAN, "fe80::1")]);
    for prefix in ["198.51.100.0/24", "192.0.2.0/24"] {
        assert!(builder.remove(net(prefix)));
    }
    builder.insert(net("0.0.0.0/0"), &[far.into()]);
    assert_eq!(builder.snapshot().gateways(), [gateway(WAN, "fe80::1")]);
}

#[test]
fn a_snapshot_keeps_what_it_said_when_the_routes_change() {
    let mut builder = FibBuilder::new();
    insert(&mut builder, "10.0.0.0/8", NextHop::on_link(LAN));
    let before = builder.snapshot();
    insert(&mut builder, "10.0.0.0/8", NextHop::on_link(WAN));
    insert(&mut builder, "11.0.0.0/8", NextHop::on_link(LAN));
    let after = builder.snapshot();
    let interface = |fib: &Fib| fib.lookup(address("10.0.0.1"), 0).map(|hop| hop.interface);
    assert_eq!(interface(&before), Some(LAN));
    assert_eq!(interface(&after), Some(WAN));
}

#[test]
fn a_route_without_hops_is_no_route_and_the_same_route_again_is_no_change() {
    let mut builder = FibBuilder::new();
    assert!(!builder.insert(net("10.0.0.0/8"), &[]));
    insert(&mut builder, "10.0.0.0/8", NextHop::on_link(LAN));
    assert!(!builder.insert(net("10.0.0.0/8"), &[NextHop::on_link(LAN).into()]));
    assert!(builder.insert(net("10.0.0.0/8"), &[]));
    assert!(builder.is_empty());
    assert!(!builder.remove(net("10.0.0.0/8")));
}

proptest! {
    #[test]
    fn after_any_changes_every_route_leads_where_it_was_last_told(
        steps in proptest::collection::vec((0..12_u8, proptest::collection::vec(0..4_u16, 0..3)), 1..60),
    ) {
        let prefix = |number: u8| IpNet::from(Ipv4Net::new([number, 0, 0, 0].into(), 8).unwrap());
        let mut builder = FibBuilder::new();
        let mut expected: BTreeMap<u8, Vec<WeightedHop>> = BTreeMap::new();
        for (number, interfaces) in steps {
            let hops: Vec<WeightedHop> = interfaces
                .iter()
                .map(|interface| NextHop::on_link(InterfaceId(*interface)).into())
                .collect();
            builder.insert(prefix(number), &hops);
            if hops.is_empty() {
                expected.remove(&number);
            } else {
                expected.insert(number, hops);
            }
            let fib = builder.snapshot();
            for number in 0..12 {
                let hop = fib.lookup(IpAddr::from([number, 1, 2, 3]), 0).copied();
                prop_assert_eq!(hop, expected.get(&number).map(|hops| hops[0].hop));
            }
        }
        let routes: Vec<_> = builder.iter().map(|(prefix, hops)| (prefix, hops.to_vec())).collect();
        let expected: Vec<_> =
            expected.into_iter().map(|(number, hops)| (prefix(number), hops)).collect();
        prop_assert_eq!(builder.len(), expected.len());
        for (found, wanted) in expected.iter().map(|(net, hops)| (builder.get(*net), hops)) {
            prop_assert_eq!(found, Some(wanted.as_slice()));
        }
        prop_assert_eq!(routes, expected);
    }
}
