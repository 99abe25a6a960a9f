//! IPv6 headers, extension header chains, neighbour discovery.
use std::net::Ipv6Addr;

use super::frames::{
    GROUP, ICMPV6, Ipv6, TCP, UDP, discovery, ethernet_to, extension, fragment6, transport, udp6,
};
use super::rig::{FAR6, LOCAL6, Rig, WG, needs_root};
use crate::Exit;

const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 5);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

#[test]
fn transit_is_steered_whatever_its_protocol() {
    needs_root!();
    let rig = Rig::new();
    for protocol in [ICMPV6, TCP, UDP, 4, 41, 47, 50, 59, 253] {
        let packet = Ipv6 { protocol, ..udp6(FAR6, WG) };
        assert_eq!(rig.run(&packet.frame()), Exit::Transit, "protocol {protocol}");
    }
}

#[test]
fn an_address_next_to_a_local_one_is_transit() {
    needs_root!();
    let rig = Rig::new();
    let next = Ipv6Addr::from_bits(LOCAL6.to_bits() + 1);
    assert_eq!(rig.run(&udp6(next, WG).frame()), Exit::Transit);
    assert_eq!(rig.run(&udp6(LOCAL6, WG).frame()), Exit::Tunnel);
}

#[test]
fn a_frame_cut_off_at_any_length_is_dropped() {
    needs_root!();
    let rig = Rig::new();
    let extensions =
        vec![extension(HOP_BY_HOP, 16), (AUTHENTICATION, vec![4; 23]), fragment6(0, true)];
    for destination in [FAR6, LOCAL6] {
        let frame = Ipv6 { extensions: extensions.clone(), ..udp6(destination, WG) }.frame();
        for length in 14..frame.len() {
            assert_eq!(rig.run(&frame[..length]), Exit::Ipv6Malformed, "{length} bytes");
        }
    }
}

#[test]
fn a_payload_length_that_ends_inside_a_header_is_dropped() {
    needs_root!();
    let rig = Rig::new();
    let packet = Ipv6 { extensions: vec![extension(DESTINATION, 24)], ..udp6(LOCAL6, WG) };
    let mut frame = packet.frame();
    for length in 0..28 {
        frame[18..20].copy_from_slice(&u16::to_be_bytes(length));
        let expected = if length < 24 { Exit::Ipv6Malformed } else { Exit::TransportTruncated };
        assert_eq!(rig.run(&frame), expected, "payload of {length} bytes");
    }
    frame[18..20].copy_from_slice(&u16::to_be_bytes(28));
    assert_eq!(rig.run(&frame), Exit::Tunnel);
    frame[14] = 0x45;
    assert_eq!(rig.run(&frame), Exit::Ipv6Malformed, "version 4");
}

#[test]
fn eight_extension_headers_are_walked_and_a_ninth_is_refused() {
    needs_root!();
    let rig = Rig::new();
    let kinds = [HOP_BY_HOP, ROUTING, AUTHENTICATION, DESTINATION, 135, 139, 140, DESTINATION];
    let chain = |count: usize| -> Vec<_> {
        let header = |kind| {
            if kind == AUTHENTICATION { (kind, vec![2; 15]) } else { extension(kind, 16) }
        };
        kinds.into_iter().cycle().take(count).map(header).collect()
    };
    for count in 0..=8 {
        let packet = Ipv6 { extensions: chain(count), ..udp6(LOCAL6, WG) };
        assert_eq!(rig.run(&packet.frame()), Exit::Tunnel, "{count} headers");
        let packet = Ipv6 { payload: transport(WG, 22), ..packet };
        assert_eq!(rig.run(&packet.frame()), Exit::Local, "{count} headers");
    }
    for destination in [LOCAL6, FAR6] {
        for count in [9, 12] {
            let packet = Ipv6 { extensions: chain(count), ..udp6(destination, WG) };
            assert_eq!(rig.run(&packet.frame()), Exit::ExtensionChain, "{count} headers");
        }
    }
}

#[test]
fn an_unknown_header_ends_the_chain_and_hides_the_ports() {
    needs_root!();
    let rig = Rig::new();
    for kind in [50, 59, 99, 254] {
        let packet = Ipv6 { extensions: vec![extension(kind, 8)], ..udp6(LOCAL6, WG) };
        assert_eq!(rig.run(&packet.frame()), Exit::Local);
        let packet = Ipv6 { destination: FAR6, ..packet };
        assert_eq!(rig.run(&packet.frame()), Exit::Transit);
    }
}

#[test]
fn the_longest_extension_headers_are_followed() {
    needs_root!();
    let rig = Rig::new();
    let extensions = vec![extension(DESTINATION, 1024); 3];
    let packet = Ipv6 { extensions, ..udp6(LOCAL6, WG) };
    assert_eq!(rig.run(&packet.frame()), Exit::Tunnel);
}

#[test]
fn first_fragments_have_ports_and_later_ones_follow_them() {
    needs_root!();
    let rig = Rig::new();
    let local = |extensions| Ipv6 { extensions, ..udp6(LOCAL6, WG) }.frame();
    let tail = || local(vec![fragment6(185, false)]);
    assert_eq!(rig.run(&tail()), Exit::LocalFragment, "nobody knows whose");
    assert_eq!(rig.run(&local(vec![fragment6(0, false)])), Exit::Tunnel, "atomic");
    let behind = vec![fragment6(0, true), extension(DESTINATION, 8)];
    assert_eq!(rig.run(&local(behind)), Exit::Tunnel);
    // The first one's next header was an extension, theirs may be another.
    for protocol in [UDP, DESTINATION] {
        let packet = Ipv6 { extensions: vec![fragment6(9, true)], protocol, ..udp6(LOCAL6, WG) };
        assert_eq!(rig.run(&packet.frame()), Exit::Tunnel);
    }
    let elsewhere = Ipv6 { source: FAR6, extensions: vec![fragment6(9, true)], ..udp6(LOCAL6, WG) };
    assert_eq!(rig.run(&elsewhere.frame()), Exit::LocalFragment, "of another datagram");
    for offset in [1, 185, 0x1fff] {
        for more in [true, false] {
            let tail = vec![extension(HOP_BY_HOP, 8), fragment6(offset, more)];
            assert_eq!(rig.run(&local(tail.clone())), Exit::Tunnel);
            let transit = Ipv6 { extensions: tail, ..udp6(FAR6, 53) };
            assert_eq!(rig.run(&transit.frame()), Exit::Transit);
        }
    }
    let tail = Ipv6 { extensions: vec![fragment6(9, false)], payload: vec![1], ..udp6(LOCAL6, WG) };
    assert_eq!(rig.run(&tail.frame()), Exit::Tunnel, "a tail needs no room for ports");
}

#[test]
fn neighbour_discovery_reaches_the_kernel_where_it_belongs() {
    needs_root!();
    let rig = Rig::new();
    for kind in 133..=137 {
        for destination in [ALL_NODES, LINK_LOCAL, LOCAL6] {
            let packet = discovery(kind, destination);
            assert_eq!(rig.run(&packet.frame()), Exit::NeighbourDiscovery, "{kind}");
        }
        assert_eq!(rig.run(&discovery(kind, FAR6).frame()), Exit::Transit, "{kind}");
    }
    for kind in [128, 132, 138] {
        assert_eq!(rig.run(&discovery(kind, LOCAL6).frame()), Exit::Local, "{kind}");
    }
}

#[test]
fn what_only_looks_like_neighbour_discovery_is_decided_by_its_address() {
    needs_root!();
    let rig = Rig::new();
    for (destination, otherwise) in [
        (ALL_NODES, Exit::Multicast),
        (LINK_LOCAL, Exit::LinkLocal),
        (LOCAL6, Exit::Local),
        (FAR6, Exit::Transit),
    ] {
        let routed = Ipv6 { hop_limit: 254, ..discovery(135, destination) };
        assert_eq!(rig.run(&routed.frame()), otherwise, "came through a router");
        let fragment = Ipv6 { extensions: vec![fragment6(0, true)], ..discovery(135, destination) };
        assert_eq!(rig.run(&fragment.frame()), otherwise, "fragment");
        let empty = Ipv6 { payload: Vec::new(), ..discovery(135, destination) };
        assert_eq!(rig.run(&empty.frame()), otherwise, "no type");
        let udp = Ipv6 { protocol: UDP, ..discovery(135, destination) };
        assert_eq!(rig.run(&udp.frame()), otherwise, "another protocol");
    }
}

#[test]
fn multicast_link_local_and_group_frames_go_to_the_kernel() {
    needs_root!();
    let rig = Rig::new();
    assert_eq!(rig.run(&udp6(ALL_NODES, 5353).frame()), Exit::Multicast);
    assert_eq!(rig.run(&udp6(LINK_LOCAL, 546).frame()), Exit::LinkLocal);
    let edge = Ipv6Addr::new(0xfebf, 0xffff, 0, 0, 0, 0, 0, 1);
    assert_eq!(rig.run(&udp6(edge, 546).frame()), Exit::LinkLocal);
    let site_local = Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 1);
    assert_eq!(rig.run(&udp6(site_local, 546).frame()), Exit::Transit);
    let unique_local = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
    assert_eq!(rig.run(&udp6(unique_local, 53).frame()), Exit::Transit);
    for destination in [Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED] {
        assert_eq!(rig.run(&udp6(destination, 53).frame()), Exit::Transit);
    }
    let group = ethernet_to(GROUP, &[], 0x86dd, &udp6(FAR6, 53).packet());
    assert_eq!(rig.run(&group), Exit::Broadcast);
}
