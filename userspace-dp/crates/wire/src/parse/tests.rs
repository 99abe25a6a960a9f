use core::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::build::{Packet, restore_ipv4_checksum};
use crate::tcp::Flags;
use crate::{Ecn, Mac, vlan::Tag};

const A: &str = "10.0.0.1:1000";
const B: &str = "10.0.0.2:2000";
const A6: &str = "[fd00::1]:1000";
const B6: &str = "[fd00::2]:2000";

#[test]
fn a_udp_frame_yields_its_offsets_and_values() {
    let frame = Packet::udp(A, B).payload(b"hello").hop_limit(9).traffic_class(0xb9).frame();
    let parsed = parse(&frame).unwrap();
    let (source, destination) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
    assert_eq!(parsed.addresses, Addresses::V4 { source, destination });
    assert_eq!(parsed.transport, Transport::Udp { source_port: 1000, destination_port: 2000 });
    assert_eq!((parsed.l3(), parsed.l4(), parsed.payload(), parsed.end()), (14, 34, 42, 47));
    assert_eq!(&frame[parsed.payload_range()], b"hello");
    assert_eq!((parsed.protocol, parsed.hop_limit, parsed.dscp()), (17, 9, 46));
    assert_eq!((parsed.ecn(), parsed.fragment), (Ecn::Capable1, Fragment::None));
    assert_eq!(parsed.link, Link::NONE);
    assert_eq!((parsed.ip_len(), parsed.family()), (33, Family::V4));
}

#[test]
fn a_tcp_frame_over_ipv6_yields_its_offsets_and_values() {
    let frame = Packet::tcp(A6, B6, Flags::SYN).mss(1440).payload(b"x").vlan(5).frame();
    let parsed = parse(&frame).unwrap();
    let source = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
    let destination = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
    assert_eq!(parsed.addresses, Addresses::V6 { source, destination });
    let flags = Flags::SYN;
    let expected = Transport::Tcp { source_port: 1000, destination_port: 2000, flags };
    assert_eq!(parsed.transport, expected);
    assert_eq!((parsed.l3(), parsed.l4(), parsed.payload(), parsed.end()), (18, 58, 82, 83));
    assert!(parsed.has_tcp_options() && parsed.dont_fragment());
    assert_eq!(parsed.link.tags.outer(), Some(Tag(5)));
}

#[test]
fn link_padding_is_never_payload() {
    for (a, b) in [(A, B), (A6, B6)] {
        let bare = parse(&Packet::udp(a, b).payload(b"x").frame()).unwrap();
        let padded = parse(&Packet::udp(a, b).payload(b"x").padding(17).frame()).unwrap();
        assert_eq!(bare, padded);
    }
}

#[test]
fn a_udp_length_may_end_before_the_packet_and_then_ends_the_payload() {
    let mut frame = Packet::udp(A, B).payload(b"data options").frame();
    frame[39] -= 8;
    let parsed = parse(&frame).unwrap();
    assert_eq!(&frame[parsed.payload_range()], b"data");
    assert_eq!(parsed.end(), frame.len());
}

#[test]
fn group_destinations_and_tags_are_told() {
    let frame = Packet::udp(A, B).macs(Mac([2; 6]), Mac::BROADCAST).vlan(7).vlan(8).frame();
    let link = parse(&frame).unwrap().link;
    assert!(link.multicast);
    assert_eq!((link.tags.outer(), link.tags.inner()), (Some(Tag(7)), Some(Tag(8))));
}

#[test]
fn later_fragments_have_no_ports_and_first_ones_do() {
    for (a, b) in [(A, B), (A6, B6)] {
        let piece = |offset, more| {
            let packet = Packet::udp(a, b).identification(77).payload_len(16);
            parse(&packet.fragment(offset, more).frame()).unwrap()
        };
        let first = piece(0, true);
        assert_eq!(first.fragment, Fragment::First { identification: 77 });
        assert_eq!(first.transport.ports(), Some((1000, 2000)));
        let later = piece(24, false);
        let expected = Fragment::Later { identification: 77, offset: 24, more: false };
        assert_eq!((later.fragment, later.transport), (expected, Transport::Absent));
        assert_eq!((later.protocol, later.payload()), (17, later.l4()));
    }
}

#[test]
fn a_first_fragment_that_hides_its_ports_is_refused() {
    for (a, b) in [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")] {
        let tiny = |number, len| {
            parse(&Packet::raw(a, b, number).payload_len(len).fragment(0, true).frame()).err()
        };
        assert_eq!(tiny(protocol::TCP, 16), Some(Malformed::TcpTruncated));
        assert_eq!(tiny(protocol::ESP, 8), None);
    }
    // A data offset of 15 words, of which the fragment carries six.
    let mut segment = [0; 24];
    segment[12] = 0xf0;
    let packet = Packet::raw("10.0.0.1", "10.0.0.2", 6).payload(&segment).fragment(0, true);
    assert_eq!(parse(&packet.frame()), Err(Malformed::TcpDataOffset));
}

#[test]
fn atomic_fragments_are_whole() {
    let parsed = parse(&Packet::udp(A6, B6).fragment(0, false).frame()).unwrap();
    assert_eq!((parsed.fragment, parsed.l4()), (Fragment::None, 62));
    assert_eq!(parsed.transport.ports(), Some((1000, 2000)));
    assert!(parsed.has_extension_headers());
}

#[test]
fn icmp_yields_type_code_and_identifier_in_its_own_family_only() {
    let (kind, code, identifier) = (8, 0, 5);
    let four = parse(&Packet::ping("10.0.0.1", "10.0.0.2", 5, 6).frame()).unwrap();
    assert_eq!(four.transport, Transport::Icmp { kind, code, identifier });
    let six = parse(&Packet::ping("fd00::1", "fd00::2", 5, 6).frame()).unwrap();
    assert_eq!(six.transport, Transport::Icmpv6 { kind: 128, code, identifier });
    let crossed = Packet::raw("fd00::1", "fd00::2", protocol::ICMP).payload_len(8).frame();
    assert_eq!(parse(&crossed).unwrap().transport, Transport::Other(1));
}

#[test]
fn an_inner_packet_is_parsed_where_the_outer_one_says() {
    let inner = Packet::tcp(A6, B6, Flags::ACK).payload(b"x").ip();
    let frame = Packet::ipip("192.0.2.1", "192.0.2.2", &inner).padding(6).frame();
    let outer = parse(&frame).unwrap();
    assert_eq!(outer.transport, Transport::Ipip { inner: Family::V6 });
    let parsed = parse_ip(&frame[..outer.end()], outer.l4()).unwrap();
    assert_eq!((parsed.l3(), parsed.end()), (outer.l4(), outer.end()));
    assert_eq!(parsed.transport.ports(), Some((1000, 2000)));
    assert_eq!(parsed.link, Link::NONE);
}

#[test]
fn what_is_no_ip_packet_is_told_so() {
    let mut frame = Packet::udp(A, B).frame();
    frame[12..14].copy_from_slice(&ethernet::ARP.to_be_bytes());
    assert_eq!(parse(&frame), Err(Malformed::NotIp));
    for nibble in (0..16_u8).filter(|nibble| *nibble != 4 && *nibble != 6) {
        assert_eq!(parse_ip(&[nibble << 4; 60], 0), Err(Malformed::IpVersion));
    }
    assert_eq!(parse_ip(&[], 0), Err(Malformed::IpVersion));
    assert_eq!(parse_ip(&[0x45; 60], 61), Err(Malformed::IpVersion));
}

#[test]
fn an_ethertype_that_lies_about_the_version_is_refused() {
    let mut four = Packet::udp(A, B).frame();
    four[12..14].copy_from_slice(&ethernet::IPV6.to_be_bytes());
    four.resize(80, 0);
    assert_eq!(parse(&four), Err(Malformed::Ipv6Version));
    let mut six = Packet::udp(A6, B6).frame();
    six[12..14].copy_from_slice(&ethernet::IPV4.to_be_bytes());
    assert_eq!(parse(&six), Err(Malformed::Ipv4Version));
}

#[test]
fn a_bad_header_checksum_is_refused_with_and_without_options() {
    for options in [&[][..], &[148, 4, 0, 0]] {
        let mut frame = Packet::udp(A, B).ipv4_options(options).frame();
        assert_eq!(parse(&frame).unwrap().has_ipv4_options(), !options.is_empty());
        frame[25] ^= 1;
        assert_eq!(parse(&frame), Err(Malformed::Ipv4HeaderChecksum));
        restore_ipv4_checksum(&mut frame[14..]);
        assert!(parse(&frame).is_ok());
    }
}

#[test]
fn no_offset_wraps_around() {
    let packet = Packet::raw("10.0.0.1", "10.0.0.2", 47).payload_len(1000).ip();
    for (start, expected) in [(64_515, Ok(65_535)), (64_516, Err(Malformed::Oversize))] {
        let buffer = [vec![0; start], packet.clone()].concat();
        assert_eq!(parse_ip(&buffer, start).map(|parsed| parsed.end()), expected);
    }
}

#[test]
fn offsets_move_with_the_front_of_the_buffer() {
    let frame = Packet::udp(A, B).payload(b"x").frame();
    let parsed = parse(&frame).unwrap();
    let pulled = parsed.after_pull_front(14).unwrap();
    assert_eq!(pulled, parse_ip(&frame[14..], 0).unwrap());
    assert_eq!(pulled.after_push_front(14), Some(parsed));
    assert_eq!(parsed.after_pull_front(15), None);
    assert_eq!(parsed.after_push_front(65_535), None);
}

#[test]
fn a_parsed_packet_stays_small() {
    assert!(size_of::<Result<Parsed, Malformed>>() <= 72, "{}", size_of::<Parsed>());
}
