//! The compiler against a table scan, and each rule of its own by example.

use core::net::{Ipv4Addr, Ipv6Addr};

use route::{NextHop, Resolution};

use super::super::netlink::testing::{self, hop, route};
use super::super::netlink::{
    Address, Hop, Link, NeighbourState as Kernel, Placement, Route, RouteKind, TABLE_MAIN, Update,
};
use super::*;

mod against_scan;

const WAN: InterfaceId = InterfaceId(0);
const LAN: InterfaceId = InterfaceId(1);

/// Links 1 and 2 are served; 3 is not; 4 is down.
fn numbers() -> InterfaceNumbers {
    InterfaceNumbers::from([(1, WAN), (2, LAN), (4, InterfaceId(4))])
}

fn link(index: u32) -> Link {
    Link { carrier: index != 4, ..testing::link(index, &format!("eth{index}")) }
}

fn of_kind(destination: &str, kind: RouteKind) -> Route {
    Route { kind, ..route(destination, &[]) }
}

fn local(destination: &str, kind: RouteKind) -> Route {
    Route { table: TABLE_LOCAL, kind, ..route(destination, &[hop(1, "")]) }
}

fn tables(routes: &[Route]) -> Tables {
    let mut tables = Tables::new();
    for index in 1..=4 {
        let _ = tables.apply(Update::Link(link(index)));
    }
    for route in routes {
        let _ = tables.apply(Update::Route(route.clone(), Placement::Append));
    }
    tables
}

fn compile(routes: &[Route]) -> (Fib, Report) {
    Compiler::new(&[100, TABLE_MAIN], 0).fib(&tables(routes), &numbers())
}

fn find(fib: &Fib, destination: &str) -> Option<(NextHopKind, InterfaceId, Option<String>)> {
    let hop = fib.lookup(destination.parse().expect("an address"), 0)?;
    Some((hop.kind, hop.interface, hop.gateway.map(|gateway| gateway.to_string())))
}

fn via(
    interface: InterfaceId,
    gateway: &str,
) -> Option<(NextHopKind, InterfaceId, Option<String>)> {
    let gateway = (!gateway.is_empty()).then(|| gateway.to_owned());
    Some((NextHopKind::Unicast, interface, gateway))
}

fn refused(kind: NextHopKind) -> Option<(NextHopKind, InterfaceId, Option<String>)> {
    Some((kind, InterfaceId::NONE, None))
}

#[test]
fn the_lowest_metric_of_a_prefix_is_used_and_a_longer_prefix_beats_any_metric() {
    let with_metric = |metric, route| Route { metric, ..route };
    let (fib, report) = compile(&[
        with_metric(200, route("10.9.0.0/16", &[hop(1, "10.0.0.2")])),
        with_metric(50, route("10.9.0.0/16", &[hop(2, "10.1.0.2")])),
        with_metric(900, route("10.9.9.0/24", &[hop(1, "10.0.0.9")])),
        route("0.0.0.0/0", &[hop(1, "10.0.0.1")]),
    ]);
    assert_eq!(find(&fib, "10.9.0.1"), via(LAN, "10.1.0.2"));
    assert_eq!(find(&fib, "10.9.9.1"), via(WAN, "10.0.0.9"));
    assert_eq!(find(&fib, "203.0.113.1"), via(WAN, "10.0.0.1"));
    assert_eq!(find(&fib, "2001:db8::1"), None);
    assert_eq!((report.unattached, report.down, report.unsupported), (0, 0, 0));
}

#[test]
fn a_route_whose_link_is_down_gives_way_to_the_next_of_its_prefix() {
    let (fib, report) = compile(&[
        route("10.9.0.0/16", &[hop(4, "10.4.0.2")]),
        Route { metric: 100, ..route("10.9.0.0/16", &[hop(1, "10.0.0.2")]) },
    ]);
    assert_eq!(find(&fib, "10.9.0.1"), via(WAN, "10.0.0.2"));
    assert_eq!(report.down, 0);
}

#[test]
fn a_prefix_behind_a_link_that_is_down_never_takes_the_default_route() {
    let (fib, report) =
        compile(&[route("10.9.0.0/16", &[hop(4, "")]), route("0.0.0.0/0", &[hop(1, "10.0.0.1")])]);
    assert_eq!(find(&fib, "10.9.0.1"), refused(NextHopKind::Unreachable));
    assert_eq!(find(&fib, "10.10.0.1"), via(WAN, "10.0.0.1"));
    assert_eq!(report.down, 1);
}

#[test]
fn a_route_to_an_interface_that_is_not_served_leads_to_no_interface() {
    let (fib, report) = compile(&[
        route("10.9.0.0/16", &[hop(3, "10.3.0.2")]),
        route("0.0.0.0/0", &[hop(1, "10.0.0.1")]),
    ]);
    assert_eq!(find(&fib, "10.9.0.1"), via(InterfaceId::NONE, ""));
    assert_eq!(report.unattached, 1);
    assert_eq!(fib.gateways().len(), 1, "its gateway is not kept resolved");
}

#[test]
fn a_multipath_route_uses_the_hops_that_work_with_their_weights() {
    let weighted = |weight, hop| Hop { weight, ..hop };
    let (fib, _) = compile(&[route(
        "10.9.0.0/16",
        &[
            weighted(3, hop(1, "10.0.0.2")),
            weighted(1, hop(2, "10.1.0.2")),
            hop(3, "10.3.0.2"),
            hop(4, "10.4.0.2"),
            Hop { encapsulated: true, ..hop(1, "10.0.0.5") },
        ],
    )]);
    let mut counts = BTreeMap::new();
    for step in 0..4096u32 {
        let chosen = fib.lookup("10.9.0.1".parse().expect("an address"), step << 20);
        *counts.entry(chosen.map(|hop| hop.interface)).or_insert(0) += 1;
    }
    assert_eq!(counts, BTreeMap::from([(Some(WAN), 3072), (Some(LAN), 1024)]));
}

#[test]
fn refusing_routes_refuse_each_in_its_way() {
    let (fib, _) = compile(&[
        route("0.0.0.0/0", &[hop(1, "10.0.0.1")]),
        of_kind("10.1.0.0/16", RouteKind::Blackhole),
        of_kind("10.2.0.0/16", RouteKind::Unreachable),
        of_kind("2001:db8::/32", RouteKind::Prohibit),
        of_kind("10.4.0.0/16", RouteKind::Other(99)),
    ]);
    assert_eq!(find(&fib, "10.1.0.1"), refused(NextHopKind::Blackhole));
    assert_eq!(find(&fib, "10.2.0.1"), refused(NextHopKind::Unreachable));
    assert_eq!(find(&fib, "2001:db8::1"), refused(NextHopKind::Prohibit));
    assert_eq!(find(&fib, "10.4.0.1"), refused(NextHopKind::Blackhole));
    assert_eq!(find(&fib, "10.3.0.1"), via(WAN, "10.0.0.1"));
}

#[test]
fn our_own_addresses_win_over_every_table_and_broadcasts_are_ours() {
    let (fib, _) = compile(&[
        local("192.0.2.1/32", RouteKind::Local),
        local("192.0.2.255/32", RouteKind::Broadcast),
        local("2001:db8::/128", RouteKind::Anycast),
        route("192.0.2.1/32", &[hop(2, "10.1.0.2")]),
        Route { table: 100, ..route("0.0.0.0/0", &[hop(2, "10.1.0.2")]) },
    ]);
    for destination in ["192.0.2.1", "192.0.2.255", "2001:db8::"] {
        assert_eq!(find(&fib, destination), Some((NextHopKind::Local, WAN, None)), "{destination}");
    }
    assert_eq!(find(&fib, "192.0.2.2"), via(LAN, "10.1.0.2"));
}

#[test]
fn loopback_link_local_and_multicast_lead_nowhere_whatever_the_routes_say() {
    let (fib, _) = compile(&[
        local("127.0.0.0/8", RouteKind::Local),
        local("127.0.0.1/32", RouteKind::Local),
        local("::1/128", RouteKind::Local),
        local("fe80::1/128", RouteKind::Local),
        local("ff00::/8", RouteKind::Multicast),
        route("0.0.0.0/0", &[hop(1, "10.0.0.1")]),
        route("224.0.0.0/4", &[hop(1, "")]),
        route("fe80::/64", &[hop(1, "")]),
        route("::/0", &[hop(1, "fe80::2")]),
    ]);
    for destination in [
        "127.0.0.1",
        "127.9.9.9",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "fe80::2",
        "fe80:1::1",
        "ff02::1",
    ] {
        assert_eq!(find(&fib, destination), refused(NextHopKind::Blackhole), "{destination}");
    }
    assert_eq!(find(&fib, "fe80::1"), Some((NextHopKind::Local, WAN, None)));
    assert_eq!(find(&fib, "2001:db8::1"), via(WAN, "fe80::2"));
    assert_eq!(find(&fib, "169.254.1.1"), via(WAN, "10.0.0.1"));
}

#[test]
fn routes_by_source_or_type_of_service_are_left_out_and_counted() {
    let (fib, report) = compile(&[
        Route { tos: 4, ..route("10.9.0.0/16", &[hop(1, "10.0.0.2")]) },
        Route {
            source: "2001:db8:5::/48".parse().expect("a prefix"),
            ..route("2001:db8::/32", &[hop(1, "fd00::2")])
        },
    ]);
    assert_eq!(find(&fib, "10.9.0.1"), None);
    assert_eq!(find(&fib, "2001:db8::1"), None);
    assert_eq!(report.unsupported, 2);
}

#[test]
fn the_route_mtu_and_source_reach_the_worker() {
    let (fib, _) = compile(&[Route {
        mtu: Some(1300),
        preferred_source: Some("192.0.2.1".parse().expect("an address")),
        ..route("10.9.0.0/16", &[hop(1, "10.0.0.2")])
    }]);
    let hop = fib.lookup("10.9.0.1".parse().expect("an address"), 0).expect("there is a route");
    assert_eq!(hop.mtu, Some(1300));
    assert_eq!(hop.preferred_source, Some("192.0.2.1".parse().expect("an address")));
}

#[test]
fn neighbours_of_served_interfaces_are_taken_with_what_their_state_allows() {
    let mut tables = tables(&[route("10.9.0.0/16", &[hop(1, "10.0.0.2")])]);
    let states = [
        (1, "10.0.0.2", Kernel::Stale),
        (1, "10.0.0.3", Kernel::Incomplete),
        (1, "10.0.0.4", Kernel::Failed),
        (1, "10.0.0.5", Kernel::Permanent),
        (3, "10.3.0.2", Kernel::Reachable),
    ];
    for (interface, address, state) in states {
        let _ = tables.apply(Update::Neighbour(netlink::Neighbour {
            interface,
            address: address.parse().expect("an address"),
            mac: state.is_valid().then_some([2, 0, 0, 0, 0, 9]),
            state,
            router: false,
        }));
    }
    let mut compiler = Compiler::new(&[TABLE_MAIN], 7);
    let (fib, _) = compiler.fib(&tables, &numbers());
    let neighbours = compiler.neighbours(&tables, &numbers(), &fib);
    assert_eq!(neighbours.len(), 4);
    let through = *fib.lookup("10.9.0.1".parse().expect("an address"), 0).expect("a route");
    let mac = wire::Mac([2, 0, 0, 0, 0, 9]);
    let resolve =
        |text: &str| neighbours.resolve(&NextHop::on_link(WAN), text.parse().expect("an address"));
    assert_eq!(
        neighbours.resolve(&through, "10.9.0.1".parse().expect("an address")),
        Resolution::Known(mac)
    );
    assert_eq!(resolve("10.0.0.3"), Resolution::Pending);
    assert_eq!(resolve("10.0.0.4"), Resolution::Failed);
    assert_eq!(resolve("10.0.0.5"), Resolution::Known(mac));
    assert_eq!(resolve("10.0.0.6"), Resolution::Unknown);
}

fn address(interface: u32, text: &str) -> Address {
    Address {
        interface,
        address: text.parse().expect("an address"),
        prefix_length: 24,
        peer: None,
        broadcast: None,
        secondary: false,
        tentative: false,
    }
}

#[test]
fn local_addresses_are_those_the_kernel_answers_to_without_loopback() {
    let mut tables = tables(&[
        local("192.0.2.1/32", RouteKind::Local),
        local("192.0.2.255/32", RouteKind::Broadcast),
        local("127.0.0.0/8", RouteKind::Local),
        local("127.0.0.1/32", RouteKind::Local),
        local("::1/128", RouteKind::Local),
        local("2001:db8::/128", RouteKind::Anycast),
        local("198.51.100.0/24", RouteKind::Local),
        route("10.0.0.0/8", &[hop(1, "")]),
    ]);
    let _ = tables.apply(Update::Address(address(3, "203.0.113.9")));
    let _ = tables.apply(Update::Address(Address { tentative: true, ..address(3, "fd00::9") }));
    let locals = locals(&tables);
    let wanted =
        ["192.0.2.1", "203.0.113.9", "2001:db8::"].map(|text| text.parse().expect("valid"));
    assert_eq!(locals.addresses, BTreeSet::from(wanted));
    assert_eq!(locals.broadcasts, BTreeSet::from(["192.0.2.255".parse().expect("valid")]));
    assert_eq!(locals.prefixes, BTreeSet::from(["198.51.100.0/24".parse().expect("valid")]));
}

#[test]
fn replies_carry_the_first_global_address_of_the_interface_else_one_of_another() {
    let mut tables = Tables::new();
    for own in [
        Address { secondary: true, ..address(1, "10.0.0.1") },
        address(1, "10.0.0.9"),
        address(1, "fe80::1"),
        Address { tentative: true, ..address(1, "2001:db8::1") },
        address(1, "2001:db8::2"),
        address(2, "fe80::2"),
        address(3, "169.254.3.3"),
        address(4, "127.0.0.1"),
        address(4, "::1"),
    ] {
        let _ = tables.apply(Update::Address(own));
    }
    let v6 = |text: &str| Some(text.parse::<Ipv6Addr>().expect("an address"));
    let first = (Some(Ipv4Addr::new(10, 0, 0, 9)), v6("2001:db8::2"));
    assert_eq!(reply_addresses(&tables, 1, 9), first);
    // An address of the link says nothing to who is told: the kernel takes another interface's.
    assert_eq!(reply_addresses(&tables, 2, 9), first);
    let own_v4 = Some(Ipv4Addr::new(169, 254, 3, 3));
    assert_eq!(reply_addresses(&tables, 3, 9), (own_v4, first.1));
}

#[test]
fn the_tunnels_address_is_the_last_that_another_interface_replies_with() {
    let mut tables = Tables::new();
    let _ = tables.apply(Update::Address(address(1, "fd00:8::1")));
    let _ = tables.apply(Update::Address(address(2, "fe80::2")));
    let v6 = |text: &str| Some(text.parse::<Ipv6Addr>().expect("an address"));
    assert_eq!(reply_addresses(&tables, 2, 1), (None, v6("fd00:8::1")));
    let _ = tables.apply(Update::Address(address(3, "2001:db8::3")));
    assert_eq!(reply_addresses(&tables, 2, 1), (None, v6("2001:db8::3")));
    assert_eq!(reply_addresses(&tables, 1, 1), (None, v6("fd00:8::1")));
}

#[test]
fn a_changed_route_is_compiled_alone_and_other_changes_compile_everything() {
    let mut tables = tables(&[route("10.9.0.0/16", &[hop(1, "10.0.0.2")])]);
    let mut compiler = Compiler::new(&[100, TABLE_MAIN], 0);
    let numbers = numbers();
    let mut alone = |tables: &Tables, numbers: &InterfaceNumbers| {
        let selection = Selection { tables, interfaces: numbers };
        let alone = compiler.compile_changes(&selection);
        if !alone {
            compiler.compile_all(&selection);
        }
        alone
    };
    assert!(!alone(&tables, &numbers), "there is nothing to build on");
    assert!(alone(&tables, &numbers), "nothing changed");
    let put = |route: Route| Update::Route(route, Placement::Prepend);
    let _ = tables.apply(put(route("10.8.0.0/16", &[hop(2, "10.1.0.2")])));
    assert!(alone(&tables, &numbers));
    let _ = tables.apply(put(local("192.0.2.1/32", RouteKind::Local)));
    assert!(!alone(&tables, &numbers), "another table than the last");
    let _ = tables.apply(Update::Link(Link { mtu: 1400, ..link(1) }));
    assert!(alone(&tables, &numbers), "routes do not depend on a link's MTU");
    let _ = tables.apply(Update::Link(Link { carrier: false, ..link(1) }));
    assert!(!alone(&tables, &numbers), "a link went down");
    let fewer = InterfaceNumbers::from([(1, WAN)]);
    assert!(!alone(&tables, &fewer), "the numbers changed");
    assert!(!alone(&tables.clone(), &fewer), "other tables");
}
