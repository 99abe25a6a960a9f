//! Frames to start from: every shape that `wire` knows at least once, and each kind of bad frame.

use wire::build::{Packet, restore_ipv4_checksum};
use wire::tcp::Flags;
use wire::{icmpv4, icmpv6, protocol};

/// Well-formed frames, each with a name.
pub fn good() -> Vec<(&'static str, Vec<u8>)> {
    let mut frames = ipv4();
    frames.extend(ipv6());
    frames.extend(tunnels());
    frames
}

fn ipv4() -> Vec<(&'static str, Vec<u8>)> {
    let (a, b) = ("10.0.0.1:40000", "192.0.2.2:443");
    let mut timestamps = Packet::tcp(a, b, Flags::ACK.with(Flags::PSH)).payload_len(100);
    timestamps = timestamps.with_tcp(|tcp| tcp.timestamps = Some((7, 9)));
    let syn = Packet::tcp(a, b, Flags::SYN).mss(1460).with_tcp(|tcp| {
        tcp.sack_permitted = true;
        tcp.window_scale = Some(7);
        tcp.timestamps = Some((1, 0));
    });
    vec![
        ("udp4", Packet::udp(a, b).payload(b"query").frame()),
        ("udp4_padded", Packet::udp(a, b).payload(b"q").padding(17).frame()),
        ("udp4_no_checksum", Packet::udp(a, b).payload(b"q").without_checksum().frame()),
        ("udp4_surplus", shorten_udp(Packet::udp(a, b).payload_len(12).frame(), 12)),
        ("udp4_vlan", Packet::udp(a, b).payload(b"query").vlan(100).frame()),
        ("udp4_qinq", Packet::udp(a, b).payload(b"query").vlan(7).vlan(8).frame()),
        ("udp4_options", Packet::udp(a, b).ipv4_options(&[148, 4, 0, 0]).frame()),
        ("udp4_source_route", Packet::udp(a, b).ipv4_options(&[131, 7, 4, 1, 2, 3, 4]).frame()),
        ("tcp4", timestamps.traffic_class(0xb9).dont_fragment().frame()),
        ("tcp4_syn", syn.frame()),
        ("tcp4_rst", Packet::tcp(a, b, Flags::RST).frame()),
        ("tcp4_fin_vlan", Packet::tcp(a, b, Flags::FIN.with(Flags::ACK)).vlan(1).frame()),
        ("icmp4_echo", Packet::ping("10.0.0.1", "192.0.2.2", 7, 9).payload_len(56).frame()),
        ("icmp4_needed", {
            let message = icmpv4::Repr::Unreachable { code: 4, next_hop_mtu: 1420 };
            let quoted = Packet::udp(b, a).payload_len(8).ip();
            Packet::icmpv4("192.0.2.1", "10.0.0.1", message).payload(&quoted).frame()
        }),
        (
            "udp4_first",
            Packet::udp(a, b).payload_len(16).identification(5).fragment(0, true).frame(),
        ),
        (
            "udp4_later",
            Packet::udp(a, b).payload_len(16).identification(5).fragment(24, true).frame(),
        ),
        (
            "udp4_last",
            Packet::udp(a, b).payload_len(5).identification(5).fragment(40, false).frame(),
        ),
        ("tcp4_first", Packet::tcp(a, b, Flags::ACK).payload_len(12).fragment(0, true).frame()),
        ("gre4", Packet::raw("10.0.0.1", "192.0.2.2", 47).payload_len(24).frame()),
        ("esp4", Packet::raw("10.0.0.1", "192.0.2.2", protocol::ESP).payload_len(24).frame()),
        ("ah4", {
            let header = [6, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            Packet::raw("10.0.0.1", "192.0.2.2", 51).payload(&header).frame()
        }),
        (
            "igmp4",
            Packet::raw("10.0.0.1", "224.0.0.1", 2).payload(&[0x11, 0, 0, 0, 0, 0, 0, 0]).frame(),
        ),
    ]
}

fn ipv6() -> Vec<(&'static str, Vec<u8>)> {
    let (a, b) = ("[fd00::1]:40000", "[2001:db8::2]:443");
    let options = [1, 4, 0, 0, 0, 0];
    let route_done = [4, 0, 0, 0, 0, 0];
    let route_left = [4, 1, 0, 0, 0, 0];
    let authentication = [0; 22];
    let syn = Packet::tcp(a, b, Flags::SYN).mss(1440).with_tcp(|tcp| tcp.sack_permitted = true);
    let eight = (0..8).fold(Packet::udp(a, b), |packet, _| {
        packet.extension(protocol::DESTINATION_OPTIONS, &options)
    });
    vec![
        ("udp6", Packet::udp(a, b).payload(b"query").frame()),
        ("udp6_vlan", Packet::udp(a, b).payload(b"query").vlan(100).padding(2).frame()),
        ("tcp6", Packet::tcp(a, b, Flags::ACK).payload_len(64).flow_label(0x12345).frame()),
        ("tcp6_syn", syn.frame()),
        ("icmp6_echo", Packet::ping("fd00::1", "2001:db8::2", 7, 9).payload_len(56).frame()),
        ("icmp6_too_big", {
            let message = icmpv6::Repr::PacketTooBig { mtu: 1280 };
            let quoted = Packet::udp(b, a).payload_len(40).ip();
            Packet::icmpv6("2001:db8::1", "fd00::1", message).payload(&quoted).frame()
        }),
        ("hop6", Packet::udp(a, b).extension(protocol::HOP_BY_HOP, &options).frame()),
        ("destination6", Packet::tcp(a, b, Flags::ACK).extension(60, &options).frame()),
        ("route6", Packet::udp(a, b).extension(protocol::ROUTING, &route_done).frame()),
        ("routed6", Packet::udp(a, b).extension(protocol::ROUTING, &route_left).frame()),
        ("ah6", Packet::udp(a, b).extension(protocol::AUTHENTICATION, &authentication).frame()),
        ("several6", {
            let packet = Packet::udp(a, b).extension(protocol::HOP_BY_HOP, &options);
            packet.extension(43, &route_done).extension(60, &options).fragment(0, false).frame()
        }),
        ("eight6", eight.frame()),
        ("atomic6", Packet::udp(a, b).payload(b"whole").fragment(0, false).frame()),
        (
            "udp6_first",
            Packet::udp(a, b).payload_len(16).identification(5).fragment(0, true).frame(),
        ),
        (
            "udp6_later",
            Packet::udp(a, b).payload_len(16).identification(5).fragment(24, true).frame(),
        ),
        (
            "udp6_last",
            Packet::udp(a, b).payload_len(3).identification(5).fragment(40, false).frame(),
        ),
        ("none6", Packet::raw("fd00::1", "2001:db8::2", 59).frame()),
        ("none6_trailing", Packet::raw("fd00::1", "2001:db8::2", 59).payload_len(4).frame()),
        ("esp6", Packet::raw("fd00::1", "2001:db8::2", protocol::ESP).payload_len(24).frame()),
    ]
}

fn tunnels() -> Vec<(&'static str, Vec<u8>)> {
    let (a, b) = ("198.51.100.1:51820", "203.0.113.2:51820");
    let (a6, b6) = ("[2001:db8:1::1]:51820", "[2001:db8:2::1]:51820");
    let inner4 = Packet::tcp("10.0.0.1:1000", "10.0.1.1:80", Flags::ACK).payload_len(20).ip();
    let inner6 = Packet::udp("[fd00::1]:1000", "[fd00::2]:80").payload_len(20).ip();
    vec![
        ("wireguard_initiation", Packet::udp(a, b).payload(&wireguard(1, 148)).frame()),
        ("wireguard_response", Packet::udp(a6, b6).payload(&wireguard(2, 92)).frame()),
        ("wireguard_cookie", Packet::udp(a, b).payload(&wireguard(3, 64)).frame()),
        ("wireguard_keepalive", Packet::udp(a, b).payload(&wireguard(4, 32)).frame()),
        ("wireguard_data", Packet::udp(a, b).payload(&wireguard(4, 128)).frame()),
        ("wireguard_data6", Packet::udp(a6, b6).payload(&wireguard(4, 96)).frame()),
        ("ipip44", Packet::ipip("198.51.100.1", "203.0.113.2", &inner4).frame()),
        ("ipip64", Packet::ipip("198.51.100.1", "203.0.113.2", &inner6).frame()),
        ("ipip46", Packet::ipip("2001:db8::1", "2001:db8::2", &inner4).frame()),
    ]
}

/// A WireGuard message of this type and length, filled with a pattern.
pub fn wireguard(kind: u8, len: usize) -> Vec<u8> {
    let mut message: Vec<u8> = (0..len).map(|index| index as u8).collect();
    message[..4].copy_from_slice(&[kind, 0, 0, 0]);
    message
}

/// Takes `by` off the UDP length of an untagged IPv4 frame without options.
fn shorten_udp(mut frame: Vec<u8>, by: u8) -> Vec<u8> {
    frame[39] -= by;
    frame
}

/// Frames with one thing wrong each, or at an edge where parsers part ways.
pub fn odd() -> Vec<(&'static str, Vec<u8>)> {
    let (a, b) = ("[fd00::1]:40000", "[2001:db8::2]:443");
    let options = [1, 4, 0, 0, 0, 0];
    let nine = (0..9).fold(Packet::udp(a, b), |packet, _| packet.extension(60, &options));
    let udp4 = Packet::udp("10.0.0.1:40000", "192.0.2.2:443");
    let raw4 = |number| Packet::raw("10.0.0.1", "192.0.2.2", number);
    let raw6 = |number| Packet::raw("fd00::1", "2001:db8::2", number);
    vec![
        ("arp", arp()),
        (
            "third_tag",
            with_ethertype(udp4.clone().vlan(1).vlan(2).payload(b"\x08\0E").frame(), 20, 0x8100),
        ),
        ("old_tag", with_ethertype(udp4.clone().vlan(1).frame(), 12, 0x9100)),
        ("ipv4_ihl_4", patched4(udp4.frame(), 14, 0x44)),
        ("ipv4_ihl_15", patched4(udp4.frame(), 14, 0x4f)),
        ("ipv4_version_6", patched4(udp4.frame(), 14, 0x65)),
        ("ipv4_total_short", patched4(udp4.frame(), 17, 19)),
        ("ipv4_total_long", patched4(udp4.frame(), 17, 200)),
        ("ipv4_checksum", patched(udp4.frame(), 24, 0x55)),
        ("ipv4_overflow", udp4.clone().payload_len(32).fragment(65_528, false).frame()),
        ("ipv4_fragment_empty", udp4.clone().fragment(24, true).frame()),
        ("ipv4_fragment_odd", udp4.clone().payload_len(9).fragment(24, true).frame()),
        ("ipv4_fragment_tiny", raw4(protocol::TCP).payload_len(8).fragment(0, true).frame()),
        ("udp4_length_zero", patched(patched(udp4.frame(), 38, 0), 39, 0)),
        ("udp4_length_seven", patched(udp4.frame(), 39, 7)),
        ("udp4_length_long", patched(udp4.frame(), 39, 9)),
        ("udp4_truncated", raw4(protocol::UDP).payload_len(7).frame()),
        ("tcp4_truncated", raw4(protocol::TCP).payload_len(19).frame()),
        ("tcp4_offset_4", patched(raw4(protocol::TCP).payload_len(20).frame(), 46, 0x40)),
        ("tcp4_offset_15", patched(raw4(protocol::TCP).payload_len(20).frame(), 46, 0xf0)),
        ("icmp4_truncated", raw4(protocol::ICMP).payload_len(7).frame()),
        ("icmp4_timestamp_long", raw4(protocol::ICMP).payload(&[13; 24]).frame()),
        ("icmp4_timestamp", patched(raw4(protocol::ICMP).payload(&[13; 24]).frame(), 35, 0)),
        ("igmp4_truncated", raw4(2).payload_len(4).frame()),
        ("ah4_truncated", raw4(protocol::AUTHENTICATION).payload_len(8).frame()),
        ("icmp6_over_4", raw4(protocol::ICMPV6).payload_len(12).frame()),
        ("icmp4_over_6", raw6(protocol::ICMP).payload_len(12).frame()),
        ("ipv6_version_4", patched(raw6(59).frame(), 14, 0x40)),
        ("ipv6_long", patched(raw6(59).frame(), 19, 1)),
        ("ipv6_length_zero", raw6(59).padding(6).frame()),
        ("nine6", nine.frame()),
        ("hop6_late", Packet::udp(a, b).extension(60, &options).extension(0, &options).frame()),
        ("two_fragments6", Packet::udp(a, b).extension(44, &[0; 6]).fragment(0, true).frame()),
        ("source_route6", Packet::udp(a, b).extension(43, &[0, 1, 0, 0, 0, 0]).frame()),
        ("mobility6", raw6(protocol::MOBILITY).payload(&[59, 0, 0, 0, 0, 0, 0, 0]).frame()),
        ("experiment6", raw6(protocol::EXPERIMENT_2).payload_len(8).frame()),
        ("extension6_long", patched(raw6(60).payload_len(8).frame(), 55, 1)),
        ("extension6_short", raw6(60).payload_len(7).frame()),
        ("ah6_zero", patched(raw6(51).payload_len(8).frame(), 55, 0)),
        ("fragment6_overflow", Packet::udp(a, b).payload_len(32).fragment(65_528, false).frame()),
        ("fragment6_odd", Packet::udp(a, b).payload_len(9).fragment(24, true).frame()),
        (
            "fragment6_chain",
            raw6(60).payload(&[17, 9, 0, 0, 0, 0, 0, 0]).fragment(24, true).frame(),
        ),
        ("icmp6_short", raw6(protocol::ICMPV6).payload(&[200, 0, 0, 0]).frame()),
        (
            "icmp6_advertisement",
            raw6(protocol::ICMPV6).payload(&[134, 0, 0, 0, 0, 0, 0, 0]).frame(),
        ),
    ]
}

fn arp() -> Vec<u8> {
    let mut frame = vec![0xff; 14 + 28];
    frame[12..14].copy_from_slice(&wire::ethernet::ARP.to_be_bytes());
    frame
}

fn patched(mut frame: Vec<u8>, at: usize, value: u8) -> Vec<u8> {
    frame[at] = value;
    frame
}

/// As [`patched`], with the IPv4 header checksum made right for an untagged frame.
fn patched4(frame: Vec<u8>, at: usize, value: u8) -> Vec<u8> {
    let mut frame = patched(frame, at, value);
    restore_ipv4_checksum(&mut frame[14..]);
    frame
}

fn with_ethertype(mut frame: Vec<u8>, at: usize, ethertype: u16) -> Vec<u8> {
    frame[at..at + 2].copy_from_slice(&ethertype.to_be_bytes());
    frame
}
