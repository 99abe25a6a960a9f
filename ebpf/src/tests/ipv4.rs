//! IPv4 headers, fragments, and where they lead.
use std::net::Ipv4Addr;

use super::frames::{GROUP, ICMP, Ipv4, TCP, UDP, ethernet, ethernet_to, udp4};
use super::rig::{FAR4, LOCAL4, Rig, WG, needs_root};
use crate::Exit;

const MORE: u16 = 0x2000;

/// The frame of the packet with one byte changed, counted from the IP header.
fn altered(packet: &Ipv4, offset: usize, value: u8) -> Vec<u8> {
    let mut frame = packet.frame();
    frame[14 + offset] = value;
    frame
}

#[test]
fn transit_is_steered_whatever_its_protocol() {
    needs_root!();
    let rig = Rig::new();
    for protocol in [ICMP, TCP, UDP, 4, 47, 50, 132, 255] {
        let packet = Ipv4 { protocol, ..udp4(FAR4, WG) };
        assert_eq!(rig.run(&packet.frame()), Exit::Transit, "protocol {protocol}");
    }
}

#[test]
fn an_address_next_to_a_local_one_is_transit() {
    needs_root!();
    let rig = Rig::new();
    let next = Ipv4Addr::from_bits(LOCAL4.to_bits() + 1);
    assert_eq!(rig.run(&udp4(next, WG).frame()), Exit::Transit);
    assert_eq!(rig.run(&udp4(LOCAL4, WG).frame()), Exit::Tunnel);
}

#[test]
fn options_move_the_ports() {
    needs_root!();
    let rig = Rig::new();
    for length in [4, 20, 40] {
        let options = vec![1; length];
        let packet = Ipv4 { options, ..udp4(LOCAL4, WG) };
        assert_eq!(rig.run(&packet.frame()), Exit::Tunnel);
        let packet = Ipv4 { payload: super::frames::transport(WG, 22), ..packet };
        assert_eq!(rig.run(&packet.frame()), Exit::Local);
    }
}

#[test]
fn a_frame_cut_off_at_any_length_is_dropped() {
    needs_root!();
    let rig = Rig::new();
    for packet in [udp4(FAR4, 53), udp4(LOCAL4, WG), udp4(LOCAL4, 22)] {
        let packet = Ipv4 { options: vec![1; 8], ..packet };
        let frame = packet.frame();
        for length in 14..frame.len() {
            assert_eq!(rig.run(&frame[..length]), Exit::Ipv4Malformed, "{length} bytes");
        }
    }
}

#[test]
fn link_padding_does_not_count_as_packet() {
    needs_root!();
    let rig = Rig::new();
    let short = Ipv4 { payload: vec![0x12, 0x34], ..udp4(LOCAL4, WG) };
    let mut frame = short.frame();
    // The port of the tunnel service, where a reader that trusts the frame's length finds it.
    frame.extend(WG.to_be_bytes());
    frame.extend([0; 20]);
    assert_eq!(rig.run(&frame), Exit::TransportTruncated);
    let mut padded = udp4(LOCAL4, WG).frame();
    padded.extend([0; 12]);
    assert_eq!(rig.run(&padded), Exit::Tunnel);
}

#[test]
fn a_header_that_contradicts_itself_is_dropped() {
    needs_root!();
    let rig = Rig::new();
    for packet in [udp4(FAR4, 53), udp4(LOCAL4, 22)] {
        assert_eq!(rig.run(&altered(&packet, 0, 0x65)), Exit::Ipv4Malformed, "version 6");
        assert_eq!(rig.run(&altered(&packet, 0, 0x44)), Exit::Ipv4Malformed, "header of 16 bytes");
        assert_eq!(rig.run(&altered(&packet, 0, 0x4f)), Exit::Ipv4Malformed, "header over length");
        assert_eq!(rig.run(&altered(&packet, 3, 19)), Exit::Ipv4Malformed, "length under header");
        assert_eq!(rig.run(&altered(&packet, 2, 0xff)), Exit::Ipv4Malformed, "length over frame");
    }
}

#[test]
fn udp_and_tcp_without_room_for_ports_are_dropped() {
    needs_root!();
    let rig = Rig::new();
    for destination in [FAR4, LOCAL4] {
        for protocol in [UDP, TCP] {
            for length in 0..4 {
                let packet = Ipv4 { protocol, payload: vec![0; length], ..udp4(destination, 0) };
                assert_eq!(rig.run(&packet.frame()), Exit::TransportTruncated);
            }
        }
        let empty = Ipv4 { protocol: ICMP, payload: Vec::new(), ..udp4(destination, 0) };
        let expected = if destination == LOCAL4 { Exit::Local } else { Exit::Transit };
        assert_eq!(rig.run(&empty.frame()), expected);
    }
}

#[test]
fn first_fragments_have_ports_and_later_ones_follow_them() {
    needs_root!();
    let rig = Rig::new();
    let local = |fragment| Ipv4 { fragment, ..udp4(LOCAL4, WG) }.frame();
    assert_eq!(rig.run(&local(0x4000)), Exit::Tunnel, "don't fragment is no fragment");
    for later in [MORE | 185, 185, 1] {
        assert_eq!(rig.run(&local(later)), Exit::LocalFragment, "nobody knows whose");
    }
    assert_eq!(rig.run(&local(MORE)), Exit::Tunnel);
    for later in [MORE | 185, 185, 1] {
        assert_eq!(rig.run(&local(later)), Exit::Tunnel);
    }
    let to_us = Ipv4 { fragment: 185, ..udp4(LOCAL4, WG) };
    let of_another = [
        Ipv4 { source: FAR4, ..to_us.clone() }.frame(),
        Ipv4 { protocol: TCP, ..to_us.clone() }.frame(),
        altered(&to_us, 5, 8),
    ];
    for frame in of_another {
        assert_eq!(rig.run(&frame), Exit::LocalFragment, "of another datagram");
    }
    let other = Ipv4 { fragment: MORE, ..udp4(LOCAL4, 22) };
    assert_eq!(rig.run(&other.frame()), Exit::Local);
    for fragment in [MORE, MORE | 185, 185] {
        let transit = Ipv4 { fragment, ..udp4(FAR4, 53) };
        assert_eq!(rig.run(&transit.frame()), Exit::Transit);
    }
    let tail = Ipv4 { fragment: 185, payload: vec![1], ..udp4(FAR4, 53) };
    assert_eq!(rig.run(&tail.frame()), Exit::Transit, "a tail needs no room for ports");
}

#[test]
fn fragments_to_the_kernel_s_own_ports_stay_the_kernel_s() {
    needs_root!();
    let rig = Rig::new();
    for fragment in [MORE, MORE | 185, 185] {
        let packet = Ipv4 { fragment, ..udp4(LOCAL4, 22) };
        let expected = if fragment == MORE { Exit::Local } else { Exit::LocalFragment };
        assert_eq!(rig.run(&packet.frame()), expected);
    }
}

#[test]
fn a_datagram_is_forgotten_after_a_second() {
    needs_root!();
    let rig = Rig::new();
    let local = |fragment| Ipv4 { fragment, ..udp4(LOCAL4, WG) }.frame();
    assert_eq!(rig.run(&local(MORE)), Exit::Tunnel);
    // A second, and the tick that the program's clock may be late by.
    std::thread::sleep(core::time::Duration::from_millis(1_050));
    assert_eq!(rig.run(&local(185)), Exit::LocalFragment);
    assert_eq!(rig.run(&local(MORE)), Exit::Tunnel);
    assert_eq!(rig.run(&local(185)), Exit::Tunnel);
}

#[test]
fn multicast_and_broadcast_go_to_the_kernel() {
    needs_root!();
    let rig = Rig::new();
    for destination in [Ipv4Addr::new(224, 0, 0, 1), Ipv4Addr::new(239, 255, 255, 255)] {
        assert_eq!(rig.run(&udp4(destination, WG).frame()), Exit::Multicast);
    }
    assert_eq!(rig.run(&udp4(Ipv4Addr::BROADCAST, 67).frame()), Exit::Broadcast);
    let directed = udp4(Ipv4Addr::new(192, 0, 2, 255), 137);
    assert_eq!(rig.run(&ethernet_to([0xff; 6], &[], 0x0800, &directed.packet())), Exit::Broadcast);
    // The kernel never forwards a frame that came to a group address.
    assert_eq!(
        rig.run(&ethernet_to(GROUP, &[], 0x0800, &udp4(FAR4, 53).packet())),
        Exit::Broadcast
    );
    for near in [Ipv4Addr::new(223, 255, 255, 255), Ipv4Addr::new(240, 0, 0, 1)] {
        assert_eq!(rig.run(&udp4(near, 53).frame()), Exit::Transit);
    }
}

#[test]
fn addresses_the_kernel_could_forward_are_transit() {
    needs_root!();
    let rig = Rig::new();
    for destination in [
        Ipv4Addr::new(169, 254, 1, 1),
        Ipv4Addr::LOCALHOST,
        Ipv4Addr::UNSPECIFIED,
        Ipv4Addr::new(10, 0, 0, 255),
    ] {
        assert_eq!(rig.run(&udp4(destination, WG).frame()), Exit::Transit, "{destination}");
    }
}

#[test]
fn an_ip_packet_under_the_other_ether_type_is_malformed() {
    needs_root!();
    let rig = Rig::new();
    let packet = udp4(LOCAL4, 22).packet();
    assert_eq!(rig.run(&ethernet(&[], 0x86dd, &packet)), Exit::Ipv6Malformed);
}
