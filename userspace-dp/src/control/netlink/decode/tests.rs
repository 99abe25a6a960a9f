//! The decoder against the messages that an independent implementation emits, and against noise.

use netlink_packet_core::Emitable;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State,
    VlanProtocol,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage,
    NeighbourState as TheirState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteMetric, RouteNextHop,
    RouteNextHopFlags, RouteProtocol, RouteScope, RouteType, RouteVia,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use core::net::IpAddr;

use ipnet::IpNet;

use super::super::model::{Hop, Nexthop, NexthopTarget, Route, RouteKind};
use super::*;

fn bytes(message: &impl Emitable) -> Vec<u8> {
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    bytes
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// An address of one family.
fn address_of(v4: bool) -> BoxedStrategy<IpAddr> {
    if v4 {
        any::<[u8; 4]>().prop_map(IpAddr::from).boxed()
    } else {
        any::<[u8; 16]>().prop_map(IpAddr::from).boxed()
    }
}

fn prefix_of(v4: bool) -> BoxedStrategy<IpNet> {
    (address_of(v4), 0..=if v4 { 32u8 } else { 128 })
        .prop_map(|(base, length)| IpNet::new(base, length).expect("a length within reach").trunc())
        .boxed()
}

/// Hops of routes of one family; gateways may be of the other one.
fn hop_of() -> impl Strategy<Value = Hop> {
    let gateway = of(any::<bool>().prop_flat_map(address_of));
    (1..1000u32, gateway, any::<bool>(), 1..=256u16).prop_map(
        |(interface, gateway, onlink, weight)| Hop {
            interface,
            gateway,
            onlink,
            weight,
            encapsulated: false,
        },
    )
}

fn any_route() -> impl Strategy<Value = Route> {
    any::<bool>().prop_flat_map(|v4| {
        let fixed = (any::<u8>(), 0..12u8, any::<u8>(), any::<u8>(), 1..4_000_000u32);
        let given = (any::<u32>(), of(address_of(v4)), of(1..9000u32), of(1..100u32));
        (prefix_of(v4), prefix_of(v4), fixed, given, vec(hop_of(), 0..4)).prop_map(
            |(destination, source, fixed, given, mut hops)| {
                if let [only] = hops.as_mut_slice() {
                    only.weight = 1;
                }
                Route {
                    table: fixed.4,
                    destination,
                    source,
                    tos: fixed.0,
                    metric: given.0,
                    kind: RouteKind::from_number(fixed.1),
                    protocol: fixed.2,
                    scope: fixed.3,
                    preferred_source: given.1,
                    mtu: given.2,
                    hops,
                    nexthop: given.3,
                }
            },
        )
    })
}

/// `RTA_GATEWAY` for the route's own family, `RTA_VIA` for the other.
fn gateway_attribute(own: AddressFamily, gateway: IpAddr) -> RouteAttribute {
    match gateway {
        _ if family(gateway) == own => RouteAttribute::Gateway(RouteAddress::from(gateway)),
        IpAddr::V4(v4) => RouteAttribute::Via(RouteVia::Inet(v4)),
        IpAddr::V6(v6) => RouteAttribute::Via(RouteVia::Inet6(v6)),
    }
}

fn route_message(route: &Route, kind: u8) -> RouteMessage {
    let own = family(route.destination.addr());
    let mut message = RouteMessage::default();
    message.header.address_family = own;
    message.header.destination_prefix_length = route.destination.prefix_len();
    message.header.source_prefix_length = route.source.prefix_len();
    message.header.tos = route.tos;
    message.header.table = route.table.min(252) as u8;
    message.header.protocol = RouteProtocol::from(route.protocol);
    message.header.scope = RouteScope::from(route.scope);
    message.header.kind = RouteType::from(kind);
    let all = &mut message.attributes;
    all.push(RouteAttribute::Table(route.table));
    all.push(RouteAttribute::Destination(route.destination.addr().into()));
    all.push(RouteAttribute::Source(route.source.addr().into()));
    all.push(RouteAttribute::Priority(route.metric));
    all.extend(route.preferred_source.map(|source| RouteAttribute::PrefSource(source.into())));
    all.extend(
        route.mtu.map(|mtu| {
            RouteAttribute::Metrics(vec![RouteMetric::Hoplimit(3), RouteMetric::Mtu(mtu)])
        }),
    );
    all.extend(route.nexthop.map(RouteAttribute::NhId));
    match route.hops.as_slice() {
        [] => {}
        [only] => {
            all.push(RouteAttribute::Oif(only.interface));
            all.extend(only.gateway.map(|gateway| gateway_attribute(own, gateway)));
            if only.onlink {
                message.header.flags = RouteFlags::Onlink;
            }
        }
        several => all.push(RouteAttribute::MultiPath(
            several.iter().map(|hop| next_hop(own, hop)).collect(),
        )),
    }
    message
}

fn next_hop(own: AddressFamily, hop: &Hop) -> RouteNextHop {
    let mut next = RouteNextHop::default();
    next.interface_index = hop.interface;
    next.hops = (hop.weight - 1) as u8;
    next.flags = if hop.onlink { RouteNextHopFlags::Onlink } else { RouteNextHopFlags::Linkdown };
    next.attributes =
        hop.gateway.map(|gateway| gateway_attribute(own, gateway)).into_iter().collect();
    next
}

proptest! {
    #[test]
    fn a_route_is_read_as_it_was_written(route in any_route(), kind in 0..12u8, append in any::<bool>()) {
        let route = Route { kind: RouteKind::from_number(kind), ..route };
        let written = bytes(&route_message(&route, kind));
        let flags = if append { NLM_F_APPEND } else { NLM_F_CREATE };
        let placement = if append { Placement::Append } else { Placement::Prepend };
        prop_assert_eq!(
            decode(RTM_NEWROUTE, flags, &written),
            Ok(Some(Update::Route(route.clone(), placement)))
        );
        prop_assert_eq!(decode(RTM_DELROUTE, 0, &written), Ok(Some(Update::RouteGone(route))));
    }

    #[test]
    fn a_neighbour_is_read_as_it_was_written(
        address in any::<bool>().prop_flat_map(address_of),
        interface in 1..1000u32,
        state in 0..8u32,
        mac in any::<[u8; 6]>(),
        router in any::<bool>(),
    ) {
        let state = if state == 6 { NUD_NONE } else { 1 << state };
        let mut message = NeighbourMessage::default();
        message.header.family = family(address);
        message.header.ifindex = interface;
        message.header.state = TheirState::from(state);
        message.header.flags = if router { NeighbourFlags::Router } else { NeighbourFlags::empty() };
        message.attributes = vec![
            NeighbourAttribute::Destination(NeighbourAddress::from(address)),
            NeighbourAttribute::LinkLayerAddress(mac.into()),
        ];
        let state = neighbour_state(state);
        let mac = Some(mac).filter(|_| state.is_valid());
        let wanted = Neighbour { interface, address, mac, state, router };
        let written = bytes(&message);
        prop_assert_eq!(decode(RTM_NEWNEIGH, 0, &written), Ok(Some(Update::Neighbour(wanted))));
        prop_assert_eq!(decode(RTM_DELNEIGH, 0, &written), Ok(Some(Update::NeighbourGone(interface, address))));
    }

    #[test]
    fn an_address_is_read_as_it_was_written(
        (own, far) in any::<bool>().prop_flat_map(|v4| (address_of(v4), of(address_of(v4)))),
        interface in 1..1000u32,
        prefix_length in 0..=32u8,
        tentative in any::<bool>(),
        secondary in any::<bool>(),
    ) {
        let peer = far.filter(|far| *far != own);
        let broadcast = own.is_ipv4().then_some(Ipv4Addr::new(192, 0, 2, 255));
        let mut message = AddressMessage::default();
        message.header.family = family(own);
        message.header.index = interface;
        message.header.prefix_len = prefix_length;
        message.attributes = vec![
            AddressAttribute::Address(peer.unwrap_or(own)),
            AddressAttribute::Local(own),
        ];
        message.attributes.extend(broadcast.map(AddressAttribute::Broadcast));
        let mut flags = AddressFlags::Permanent;
        flags.set(AddressFlags::Tentative, tentative);
        flags.set(AddressFlags::Secondary, secondary);
        message.attributes.push(AddressAttribute::Flags(flags));
        let wanted = Address { interface, address: own, prefix_length, peer, broadcast, secondary, tentative };
        prop_assert_eq!(
            decode(RTM_NEWADDR, 0, &bytes(&message)),
            Ok(Some(Update::Address(wanted)))
        );
    }

    #[test]
    fn noise_and_cut_messages_are_refused_or_read_but_never_stop_the_program(
        kind in 16..110u16,
        noise in vec(any::<u8>(), 0..200),
        route in any_route(),
        cut in any::<prop::sample::Index>(),
    ) {
        let _ = decode(kind, 0, &noise);
        let written = bytes(&route_message(&route, 1));
        let _ = decode(RTM_NEWROUTE, 0, &written[..cut.index(written.len())]);
        let mut framed = written;
        framed.extend(noise);
        for kind in [RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEIGH, RTM_NEWNEXTHOP] {
            let _ = decode(kind, 0, &framed);
        }
    }
}

fn vlan_link() -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = 7;
    message.header.flags = LinkFlags::Up | LinkFlags::LowerUp;
    message.attributes = vec![
        LinkAttribute::IfName("eth0.100".into()),
        LinkAttribute::Mtu(1496),
        LinkAttribute::Address(vec![2, 0, 0, 0, 0, 9]),
        LinkAttribute::Link(3),
        LinkAttribute::NumRxQueues(4),
        LinkAttribute::NumTxQueues(8),
        LinkAttribute::OperState(State::Up),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Vlan),
            LinkInfo::Data(InfoData::Vlan(vec![
                InfoVlan::Id(100),
                InfoVlan::Protocol(VlanProtocol::Ieee8021Ad),
            ])),
        ]),
        LinkAttribute::ParentDevName("0000:00:03.0".into()),
        LinkAttribute::ParentDevBusName("pci".into()),
    ];
    message
}

#[test]
fn a_vlan_interface_is_read_with_tag_parent_and_hardware() {
    let wanted = Link {
        index: 7,
        name: "eth0.100".into(),
        kind: Some("vlan".into()),
        mac: Some([2, 0, 0, 0, 0, 9]),
        mtu: 1496,
        up: true,
        carrier: true,
        operational: OperationalState::Up,
        loopback: false,
        point_to_point: false,
        no_arp: false,
        parent: Some(3),
        vlan: Some(Vlan { id: 100, protocol: 0x88a8 }),
        master: None,
        rx_queues: 4,
        tx_queues: 8,
        hardware: Some(("pci".into(), "0000:00:03.0".into())),
    };
    let written = bytes(&vlan_link());
    assert_eq!(decode(RTM_NEWLINK, 0, &written), Ok(Some(Update::Link(wanted))));
    assert_eq!(decode(RTM_DELLINK, 0, &written), Ok(Some(Update::LinkGone(7))));
}

#[test]
fn the_device_below_in_another_namespace_is_not_taken_for_one_of_ours() {
    let mut message = vlan_link();
    message.attributes.push(LinkAttribute::LinkNetNsId(0));
    let Ok(Some(Update::Link(link))) = decode(RTM_NEWLINK, 0, &bytes(&message)) else {
        panic!("it is a link");
    };
    assert_eq!(link.parent, None);
}

#[test]
fn messages_that_are_not_about_the_mirrored_things_are_left_out() {
    let mut bridge_port = vlan_link();
    bridge_port.header.interface_family = AddressFamily::Bridge;
    assert_eq!(decode(RTM_DELLINK, 0, &bytes(&bridge_port)), Ok(None));

    let mut cached = RouteMessage::default();
    cached.header.address_family = AddressFamily::Inet;
    cached.header.flags = RouteFlags::Cloned;
    assert_eq!(decode(RTM_NEWROUTE, 0, &bytes(&cached)), Ok(None));

    let mut proxy = NeighbourMessage::default();
    proxy.header.family = AddressFamily::Inet;
    proxy.header.flags = NeighbourFlags::Proxy;
    assert_eq!(decode(RTM_NEWNEIGH, 0, &bytes(&proxy)), Ok(None));

    let mut multicast = NeighbourMessage::default();
    multicast.header.family = AddressFamily::Inet6;
    multicast.header.state = TheirState::Noarp;
    multicast.attributes = vec![
        NeighbourAttribute::Destination(NeighbourAddress::Inet6("ff02::2".parse().expect("valid"))),
        NeighbourAttribute::LinkLayerAddress(vec![0x33, 0x33, 0, 0, 0, 2]),
    ];
    assert_eq!(decode(RTM_NEWNEIGH, 0, &bytes(&multicast)), Ok(None));
}

#[test]
fn a_nexthop_group_is_read_with_weights_beyond_a_byte() {
    let mut payload = vec![0; 8];
    let group = [1u32.to_ne_bytes(), [4, 0, 0, 0], 2u32.to_ne_bytes(), [255, 1, 0, 0]].concat();
    payload.extend([8u16.to_ne_bytes(), NHA_ID.to_ne_bytes()].concat());
    payload.extend(9u32.to_ne_bytes());
    payload.extend([20u16.to_ne_bytes(), NHA_GROUP.to_ne_bytes()].concat());
    payload.extend(group);
    let target = NexthopTarget::Group(vec![(1, 5), (2, 512)]);
    assert_eq!(
        decode(RTM_NEWNEXTHOP, 0, &payload),
        Ok(Some(Update::Nexthop(Nexthop { id: 9, target })))
    );
}
