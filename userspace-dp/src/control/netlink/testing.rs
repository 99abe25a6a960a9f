//! The kernel's things as values, for tests of what keeps, compiles and uses them: what the usual one looks like. A test
//! says what is different about its own.

use super::model::{Address, Hop, Link, OperationalState, Route, RouteKind, TABLE_MAIN};

/// An Ethernet device that is up.
pub(in crate::control) fn link(index: u32, name: &str) -> Link {
    Link {
        index,
        name: name.into(),
        kind: None,
        mac: Some([2, 0, 0, 0, 0, index as u8]),
        mtu: 1500,
        up: true,
        carrier: true,
        operational: OperationalState::Up,
        loopback: false,
        point_to_point: false,
        no_arp: false,
        parent: None,
        vlan: None,
        master: None,
        rx_queues: 1,
        tx_queues: 1,
        hardware: None,
    }
}

/// The way out of an interface, through `gateway` unless that is empty.
pub(in crate::control) fn hop(interface: u32, gateway: &str) -> Hop {
    Hop {
        interface,
        gateway: (!gateway.is_empty()).then(|| gateway.parse().expect("an address")),
        onlink: false,
        weight: 1,
        encapsulated: false,
    }
}

/// A static route of the main table.
pub(in crate::control) fn route(destination: &str, hops: &[Hop]) -> Route {
    let destination: ipnet::IpNet = destination.parse().expect("a prefix");
    let source = if destination.addr().is_ipv4() { "0.0.0.0/0" } else { "::/0" };
    Route {
        table: TABLE_MAIN,
        destination,
        source: source.parse().expect("a prefix"),
        tos: 0,
        metric: 0,
        kind: RouteKind::Unicast,
        protocol: 4,
        scope: 0,
        preferred_source: None,
        mtu: None,
        hops: hops.to_vec(),
        nexthop: None,
    }
}

/// An address of an interface, given with its prefix length.
pub(in crate::control) fn address(interface: u32, text: &str) -> Address {
    let network: ipnet::IpNet = text.parse().expect("an address with its prefix length");
    Address {
        interface,
        address: network.addr(),
        prefix_length: network.prefix_len(),
        peer: None,
        broadcast: None,
        secondary: false,
        tentative: false,
    }
}
