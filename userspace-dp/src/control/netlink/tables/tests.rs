use super::super::model::NeighbourState;
use super::super::testing::{self, hop, route};
use super::*;

fn link(index: u32) -> Link {
    testing::link(index, &format!("eth{index}"))
}

fn put(tables: &mut Tables, route: &Route, placement: Placement) -> Applied {
    tables.apply(Update::Route(route.clone(), placement))
}

fn gateways(tables: &Tables) -> Vec<Vec<String>> {
    let name = |hop: &Hop| hop.gateway.map(|gateway| gateway.to_string()).unwrap_or_default();
    tables.routes().map(|route| route.hops.iter().map(name).collect()).collect()
}

#[test]
fn ipv4_routes_of_one_key_stand_in_the_order_the_kernel_uses_them() {
    let mut tables = Tables::new();
    let [a, b, c, d] = ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"]
        .map(|gateway| route("10.9.0.0/16", &[hop(1, gateway)]));
    let _ = put(&mut tables, &a, Placement::Prepend);
    let _ = put(&mut tables, &b, Placement::Append);
    let _ = put(&mut tables, &c, Placement::Prepend);
    assert_eq!(gateways(&tables), [["10.0.0.4"], ["10.0.0.2"], ["10.0.0.3"]]);
    let _ = put(&mut tables, &d, Placement::Replace);
    assert_eq!(gateways(&tables), [["10.0.0.5"], ["10.0.0.2"], ["10.0.0.3"]]);
    assert_eq!(tables.apply(Update::RouteGone(a)).changes, Changes::ROUTES);
    assert_eq!(gateways(&tables), [["10.0.0.5"], ["10.0.0.3"]]);
}

#[test]
fn an_update_that_says_nothing_new_changes_nothing() {
    let mut tables = Tables::new();
    let one = route("10.9.0.0/16", &[hop(1, "10.0.0.2")]);
    assert_eq!(put(&mut tables, &one, Placement::Prepend).changes, Changes::ROUTES);
    for placement in [Placement::Prepend, Placement::Append, Placement::Replace] {
        assert_eq!(put(&mut tables, &one, placement).changes, Changes::NONE);
    }
    assert_eq!(tables.route_count(), 1);
    assert_eq!(tables.apply(Update::Link(link(1))).changes, Changes::LINKS);
    assert_eq!(tables.apply(Update::Link(link(1))).changes, Changes::NONE);
    assert_eq!(
        tables.apply(Update::NeighbourGone(1, "10.0.0.9".parse().expect("valid"))).changes,
        Changes::NONE
    );
}

#[test]
fn reports_older_than_a_dump_lead_to_what_the_dump_had() {
    // The dump saw C in the place of B in the place of A; the reports of all three changes are still to come.
    let [a, b, c] = ["10.0.0.2", "10.0.0.3", "10.0.0.4"]
        .map(|gateway| route("10.9.0.0/16", &[hop(1, gateway)]));
    let mut tables = Tables::new();
    let _ = put(&mut tables, &c, Placement::Append);
    let _ = put(&mut tables, &a, Placement::Prepend);
    let _ = put(&mut tables, &b, Placement::Replace);
    let _ = put(&mut tables, &c, Placement::Replace);
    assert_eq!(gateways(&tables), [["10.0.0.4"]]);
}

#[test]
fn a_removal_nobody_expected_puts_the_routes_in_doubt() {
    let mut tables = Tables::new();
    let gone = tables.apply(Update::RouteGone(route("10.9.0.0/16", &[hop(1, "10.0.0.2")])));
    assert!(gone.routes_in_doubt && gone.changes.is_empty());
}

#[test]
fn ipv6_hops_join_and_leave_a_multipath_route() {
    let mut tables = Tables::new();
    let [one, two] = ["fd00::2", "fd00::3"].map(|gateway| hop(1, gateway));
    let _ =
        put(&mut tables, &route("2001:db8::/32", core::slice::from_ref(&one)), Placement::Prepend);
    // The kernel tells all of the route, the newcomer first.
    let both = route("2001:db8::/32", &[two.clone(), one.clone()]);
    let _ = put(&mut tables, &both, Placement::Append);
    assert_eq!(gateways(&tables), [["fd00::2", "fd00::3"]]);
    let gone = tables.apply(Update::RouteGone(route("2001:db8::/32", &[two])));
    assert_eq!((gone.changes, gone.routes_in_doubt), (Changes::ROUTES, false));
    assert_eq!(gateways(&tables), [["fd00::2"]]);
    let _ = tables.apply(Update::RouteGone(route("2001:db8::/32", &[one])));
    assert_eq!(tables.route_count(), 0);
}

#[test]
fn the_weight_of_an_ipv6_hop_that_was_alone_is_told_when_another_joins() {
    let mut tables = Tables::new();
    let [alone, newcomer] = ["fd00::2", "fd00::3"].map(|gateway| hop(1, gateway));
    let _ = put(
        &mut tables,
        &route("2001:db8::/32", core::slice::from_ref(&alone)),
        Placement::Prepend,
    );
    let heavy = Hop { weight: 2, ..alone };
    let both = route("2001:db8::/32", &[newcomer.clone(), heavy.clone()]);
    let _ = put(&mut tables, &both, Placement::Append);
    assert_eq!(tables.routes().next().map(|route| &route.hops[..]), Some(&[heavy, newcomer][..]));
}

#[test]
fn ipv6_routes_on_links_stand_side_by_side() {
    let mut tables = Tables::new();
    let [one, two] =
        [1, 2].map(|interface| Route { protocol: 2, ..route("fe80::/64", &[hop(interface, "")]) });
    let _ = put(&mut tables, &one, Placement::Prepend);
    let _ = put(&mut tables, &two, Placement::Prepend);
    assert_eq!(tables.route_count(), 2);
    let _ = tables.apply(Update::RouteGone(one));
    assert_eq!(tables.routes().collect::<Vec<_>>(), [&two]);
}

#[test]
fn what_takes_routes_along_in_silence_puts_them_in_doubt_and_other_changes_do_not() {
    let mut tables = Tables::new();
    assert!(!tables.apply(Update::Link(link(1))).routes_in_doubt);
    assert!(!tables.apply(Update::Link(Link { mtu: 1400, ..link(1) })).routes_in_doubt);
    assert!(!tables.apply(Update::Link(Link { carrier: false, ..link(1) })).routes_in_doubt);
    assert!(tables.apply(Update::Link(Link { up: false, ..link(1) })).routes_in_doubt);
    assert!(!tables.apply(Update::Link(link(1))).routes_in_doubt);
    assert!(tables.apply(Update::LinkGone(1)).routes_in_doubt);
    assert!(!tables.apply(Update::LinkGone(1)).routes_in_doubt);
    for (text, in_doubt) in [("10.0.0.1", true), ("fd00::1", false)] {
        let address = Address {
            interface: 1,
            address: text.parse().expect("an address"),
            prefix_length: 24,
            peer: None,
            broadcast: None,
            secondary: false,
            tentative: false,
        };
        let _ = tables.apply(Update::Address(address.clone()));
        assert_eq!(tables.apply(Update::AddressGone(address)).routes_in_doubt, in_doubt);
    }
}

#[test]
fn neighbours_are_told_apart_by_interface() {
    let mut tables = Tables::new();
    let address = "fe80::1".parse().expect("an address");
    for interface in [1, 2] {
        let _ = tables.apply(Update::Neighbour(Neighbour {
            interface,
            address,
            mac: Some([2, 0, 0, 0, 0, interface as u8]),
            state: NeighbourState::Reachable,
            router: false,
        }));
    }
    let _ = tables.apply(Update::NeighbourGone(1, address));
    assert!(tables.neighbour(1, address).is_none());
    assert_eq!(tables.neighbour(2, address).and_then(|found| found.mac), Some([2, 0, 0, 0, 0, 2]));
}

#[test]
fn a_route_by_nexthop_object_leads_where_the_object_does() {
    let mut tables = Tables::new();
    let by_object = Route { nexthop: Some(9), ..route("10.9.0.0/16", &[hop(1, "10.0.0.2")]) };
    let _ = put(&mut tables, &by_object, Placement::Prepend);
    assert_eq!(tables.ways(&by_object).1.as_ref(), [hop(1, "10.0.0.2")], "as told with the route");
    let object = |id, target| Update::Nexthop(Nexthop { id, target });
    let _ = tables.apply(object(1, NexthopTarget::Hop(hop(1, "10.0.0.7"))));
    let _ = tables.apply(object(2, NexthopTarget::Hop(hop(2, "10.0.1.7"))));
    let _ = tables.apply(object(9, NexthopTarget::Group(vec![(1, 3), (2, 1), (77, 1)])));
    let wanted = [Hop { weight: 3, ..hop(1, "10.0.0.7") }, hop(2, "10.0.1.7")];
    assert_eq!(tables.ways(&by_object).1.as_ref(), wanted);
    let _ = tables.apply(object(9, NexthopTarget::Blackhole));
    assert_eq!(tables.ways(&by_object).0, RouteKind::Blackhole);
    assert!(tables.apply(Update::NexthopGone(9)).routes_in_doubt);
}

#[test]
fn changed_routes_are_remembered_until_something_else_changes_or_there_are_too_many() {
    let mut tables = Tables::new();
    let _ = tables.apply(Update::Link(link(1)));
    let start = tables.moment();
    let told = |tables: &Tables, then| {
        tables
            .routes_changed_since(then)
            .map(|all| all.map(|(_, prefix)| prefix.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(told(&tables, start), Some(vec![]));
    let [one, two] = ["10.9.0.0/16", "10.8.0.0/16"].map(|prefix| route(prefix, &[hop(1, "")]));
    let _ = put(&mut tables, &one, Placement::Prepend);
    let later = tables.moment();
    let _ = put(&mut tables, &two, Placement::Prepend);
    let _ = tables.apply(Update::RouteGone(one));
    let names = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    assert_eq!(told(&tables, start), names(&["10.9.0.0/16", "10.8.0.0/16", "10.9.0.0/16"]));
    assert_eq!(told(&tables, later), names(&["10.8.0.0/16", "10.9.0.0/16"]));
    assert_eq!(told(&tables.clone(), later), None, "a copy has its own history");
    let _ = tables.apply(Update::Link(Link { carrier: false, ..link(1) }));
    assert_eq!(told(&tables, later), None, "a link went down");
    let quiet = tables.moment();
    for _ in 0..16_385 {
        let _ = put(&mut tables, &two, Placement::Replace);
    }
    assert_eq!(told(&tables, quiet), None, "too many");
    assert_eq!(told(&tables, tables.moment()), Some(vec![]));
}
