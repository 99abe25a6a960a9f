//! What workers see after each kind of change.

use super::*;
use crate::control::netlink::{
    Neighbour, NeighbourState, Placement, Route, RouteKind, TABLE_LOCAL, Update,
};
use crate::control::testing::{found, load, tables};

fn maker() -> SnapshotMaker {
    let tunnel =
        TunnelDevice { ifindex: 9, name: "ringwall0".into(), mtu: 1420, addresses: Vec::new() };
    SnapshotMaker::new(&Fixed {
        found: &[found(0, "eth0"), found(1, "eth1")],
        tunnel: Some(&tunnel),
        listen_port: 51820,
        owners: PeerOwners::new(4),
        gate: None,
        seed: 1,
    })
}

fn everything() -> Changes {
    Changes::LINKS | Changes::ADDRESSES | Changes::ROUTES | Changes::NEIGHBOURS
}

#[test]
fn devices_and_the_tunnel_are_numbered_in_order_with_zone_and_addresses() {
    let (mut maker, config) = (maker(), load("").config);
    assert!(maker.take_kernel(&tables(), everything(), &config).unwrap());
    let snapshot = maker.make();
    let shown: Vec<_> = snapshot
        .interfaces
        .iter()
        .map(|one| {
            (one.name.as_str(), one.zone, one.mtu, one.address4.map(|address| address.to_string()))
        })
        .collect();
    let zone = |name| rules::zone_id(&config, name).unwrap();
    assert_eq!(
        shown,
        [
            ("eth0", zone("wan"), 1500, Some("192.0.2.1".to_owned())),
            ("eth1", zone("lan"), 1500, Some("198.51.100.1".to_owned())),
            // It has no address of its own.
            ("ringwall0", zone("vpn"), 1420, Some("192.0.2.1".to_owned())),
        ]
    );
    assert_eq!(snapshot.interface(snapshot.tunnel.interface).unwrap().kind, InterfaceKind::Tunnel);
    assert_eq!(snapshot.ports.len(), 2);
    assert!(snapshot.locals.contains4([192, 0, 2, 1].into()));
    assert!(!snapshot.locals.contains4([192, 0, 2, 2].into()));
}

#[test]
fn generations_grow_with_every_snapshot_and_paths_only_with_what_paths_depend_on() {
    let (mut maker, config, mut tables) = (maker(), load("").config, tables());
    maker.take_kernel(&tables, everything(), &config).unwrap();
    let first = maker.make();
    maker.take_policy(Policy::deny_all());
    let second = maker.make();
    assert_eq!(second.generation, first.generation + 1);
    assert_eq!(second.path_generation, first.path_generation);
    assert!(Arc::ptr_eq(&second.fib, &first.fib), "an unchanged table was built anew");

    let address = IpAddr::from([198, 51, 100, 9]);
    let neighbour = Neighbour {
        interface: 3,
        address,
        mac: Some([2; 6]),
        state: NeighbourState::Reachable,
        router: false,
    };
    let _ = tables.apply(Update::Neighbour(neighbour));
    assert!(maker.take_kernel(&tables, Changes::NEIGHBOURS, &config).unwrap());
    let third = maker.make();
    assert!(third.path_generation > second.path_generation);
    assert!(Arc::ptr_eq(&third.fib, &first.fib));
    assert!(third.neighbours.get(InterfaceId(1), address).is_some());
    assert!(second.neighbours.get(InterfaceId(1), address).is_none());
}

#[test]
fn nothing_new_from_the_kernel_is_no_reason_for_a_snapshot() {
    let (mut maker, config) = (maker(), load("").config);
    assert!(!maker.take_kernel(&tables(), Changes::NONE, &config).unwrap());
}

#[test]
fn an_interface_that_the_configuration_does_not_name_is_refused_and_changes_nothing() {
    let (mut maker, mut config) = (maker(), load("").config);
    maker.take_kernel(&tables(), everything(), &config).unwrap();
    config.interface.pop();
    let error = maker.take_interfaces(&tables(), &config).unwrap_err();
    assert!(format!("{error:#}").contains("eth1"), "{error:#}");
    assert_eq!(maker.make().interfaces.len(), 3);
}

#[test]
fn without_a_tunnel_nothing_leads_to_one() {
    let mut config = load("").config;
    config.wireguard = None;
    let mut maker = SnapshotMaker::new(&Fixed {
        found: &[found(0, "eth0"), found(1, "eth1")],
        tunnel: None,
        listen_port: 0,
        owners: PeerOwners::new(0),
        gate: None,
        seed: 1,
    });
    maker.take_kernel(&tables(), everything(), &config).unwrap();
    let snapshot = maker.make();
    assert_eq!(
        snapshot.interface(snapshot.tunnel.interface).unwrap().kind,
        InterfaceKind::Unattached
    );
    assert_eq!((snapshot.tunnel.listen_port, snapshot.tunnel.peers.len()), (0, 0));
}

#[test]
fn a_broadcast_address_is_ours_but_nothing_that_a_peer_can_reach_us_at() {
    let (mut maker, config) = (maker(), load("").config);
    let mut tables = tables();
    let broadcast = Route {
        table: TABLE_LOCAL,
        destination: "192.0.2.255/32".parse().unwrap(),
        kind: RouteKind::Broadcast,
        ..tables.routes().find(|route| route.kind == RouteKind::Local).unwrap().clone()
    };
    let _ = tables.apply(Update::Route(broadcast, Placement::Append));
    maker.take_kernel(&tables, everything(), &config).unwrap();
    let all: Vec<String> = maker.local_addresses().iter().map(ToString::to_string).collect();
    assert!(all.contains(&"192.0.2.255".to_owned()), "{all:?}");
    let reachable: Vec<String> =
        maker.unicast_addresses().iter().map(ToString::to_string).collect();
    assert_eq!(reachable, ["192.0.2.1", "198.51.100.1"]);
}

#[test]
fn a_network_is_no_peers_by_a_catch_all_while_it_is_on_a_link() {
    let (mut maker, config, mut tables) = (maker(), load("").config, tables());
    maker.allowed_ips.take_peers(vec![("0.0.0.0/0".parse().unwrap(), 3)]);
    let mut peer_of = |tables: &Tables, changes, address: [u8; 4]| {
        maker.take_kernel(tables, changes, &config).unwrap();
        maker.make().tunnel.allowed_ips.lookup4(address.into())
    };
    assert_eq!(peer_of(&tables, everything(), [198, 51, 100, 7]), None);
    assert_eq!(peer_of(&tables, Changes::NONE, [203, 0, 113, 7]), Some(3));
    let new = crate::control::netlink::testing::address(3, "203.0.113.1/24");
    let _ = tables.apply(Update::Address(new.clone()));
    assert_eq!(peer_of(&tables, Changes::ADDRESSES, [203, 0, 113, 7]), None);
    let _ = tables.apply(Update::AddressGone(new));
    assert_eq!(peer_of(&tables, Changes::ADDRESSES, [203, 0, 113, 7]), Some(3));
}
