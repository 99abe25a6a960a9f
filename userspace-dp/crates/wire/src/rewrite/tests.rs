use super::*;
use crate::build::Packet;
use crate::tcp::Flags;
use crate::vlan::{Tag, Tags};
use crate::{Addresses, checksum, parse, parse_ip};

const A: &str = "10.0.0.1:1000";
const B: &str = "10.0.0.2:2000";
const A6: &str = "[fd00::1]:1000";
const B6: &str = "[fd00::2]:2000";

/// A packet of each family and its parse.
fn pairs(make: impl Fn(&str, &str) -> Vec<u8>) -> Vec<(Vec<u8>, Parsed)> {
    let frames = [make(A, B), make(A6, B6)];
    frames.into_iter().map(|frame| (frame.clone(), parse(&frame).unwrap())).collect()
}

#[test]
fn a_hop_is_taken_off_until_one_is_left() {
    for (mut frame, mut parsed) in pairs(|a, b| Packet::udp(a, b).hop_limit(3).frame()) {
        assert_eq!(decrement_hop_limit(&mut frame, &mut parsed), Ok(2));
        assert_eq!(parse(&frame), Ok(parsed));
        assert_eq!(decrement_hop_limit(&mut frame, &mut parsed), Ok(1));
        assert_eq!(parse(&frame), Ok(parsed));
        let before = frame.clone();
        assert_eq!(decrement_hop_limit(&mut frame, &mut parsed), Err(HopLimitExceeded));
        assert_eq!(frame, before);
    }
    for (mut frame, mut parsed) in pairs(|a, b| Packet::udp(a, b).hop_limit(0).frame()) {
        assert_eq!(decrement_hop_limit(&mut frame, &mut parsed), Err(HopLimitExceeded));
    }
}

#[test]
fn every_traffic_class_can_be_set_and_nothing_else_changes() {
    for (frame, parsed) in pairs(|a, b| Packet::udp(a, b).flow_label(0xf_ffff).frame()) {
        for class in 0..=u8::MAX {
            let (mut frame, mut parsed) = (frame.clone(), parsed);
            set_traffic_class(&mut frame, &mut parsed, class);
            assert_eq!(parsed.traffic_class, class);
            assert_eq!(parse(&frame), Ok(parsed));
            set_traffic_class(&mut frame, &mut parsed, 0);
            let (a, b) = if frame[12] == 8 { (A, B) } else { (A6, B6) };
            assert_eq!(frame, Packet::udp(a, b).flow_label(0xf_ffff).frame());
        }
    }
}

#[test]
fn ecn_changes_and_dscp_stays() {
    for (mut frame, mut parsed) in pairs(|a, b| Packet::udp(a, b).traffic_class(0xba).frame()) {
        set_ecn(&mut frame, &mut parsed, Ecn::Congestion);
        assert_eq!((parsed.dscp(), parsed.ecn()), (46, Ecn::Congestion));
        assert_eq!(parse(&frame), Ok(parsed));
    }
}

/// The TCP checksum holds over what the frame carries.
fn checksum_holds(frame: &[u8], parsed: &Parsed) -> bool {
    checksum::of_segment(&parsed.addresses, protocol::TCP, &frame[parsed.l4()..parsed.end()]) == 0
}

#[test]
fn an_mss_is_lowered_on_syn_and_syn_ack_and_never_raised() {
    for flags in [Flags::SYN, Flags::SYN.with(Flags::ACK)] {
        for (mut frame, parsed) in pairs(|a, b| Packet::tcp(a, b, flags).mss(1460).frame()) {
            assert_eq!(clamp_mss(&mut frame, &parsed, 9000), Mss::Kept(1460));
            assert_eq!(clamp_mss(&mut frame, &parsed, 1460), Mss::Kept(1460));
            assert_eq!(clamp_mss(&mut frame, &parsed, 1360), Mss::Clamped(1460));
            assert!(checksum_holds(&frame, &parsed));
            assert_eq!(clamp_mss(&mut frame, &parsed, 1400), Mss::Kept(1360));
        }
    }
}

#[test]
fn packets_without_syn_or_option_keep_their_bytes() {
    let makers: [fn(&str, &str) -> Vec<u8>; 3] = [
        |a, b| Packet::tcp(a, b, Flags::ACK).mss(1460).frame(),
        |a, b| Packet::tcp(a, b, Flags::SYN).frame(),
        |a, b| Packet::udp(a, b).payload(&[2, 4, 5, 180]).frame(),
    ];
    for make in makers {
        for (mut frame, parsed) in pairs(make) {
            let before = frame.clone();
            assert_eq!(clamp_mss(&mut frame, &parsed, 536), Mss::Absent);
            assert_eq!(frame, before);
        }
    }
}

#[test]
fn an_mss_at_an_odd_offset_keeps_the_checksum_right() {
    // The window scale of three bytes is followed by the MSS at once, as some stacks do.
    let options = [3, 3, 7, 2, 4, 5, 180, 0];
    let packet = Packet::tcp(A, B, Flags::SYN).mss(0).with_tcp(|tcp| tcp.sack_permitted = true);
    let mut frame = packet.frame();
    let parsed = parse(&frame).unwrap();
    frame[parsed.payload() - 8..parsed.payload()].copy_from_slice(&options);
    let field = parsed.l4() + tcp::field::CHECKSUM.start;
    frame[field..field + 2].copy_from_slice(&[0, 0]);
    let segment = &frame[parsed.l4()..parsed.end()];
    let sum = checksum::of_segment(&parsed.addresses, protocol::TCP, segment);
    frame[field..field + 2].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(clamp_mss(&mut frame, &parsed, 1218), Mss::Clamped(1460));
    assert!(checksum_holds(&frame, &parsed));
    let at = parsed.payload() - 3;
    assert_eq!(frame[at..at + 2], 1218_u16.to_be_bytes());
}

#[test]
fn a_new_link_header_stands_directly_before_the_packet() {
    let frame = Packet::udp(A, B).payload(b"x").vlan(7).frame();
    let parsed = parse(&frame).unwrap();
    let (destination, source) = (Mac([2, 0, 0, 0, 0, 9]), Mac([2, 0, 0, 0, 0, 8]));
    let mut link =
        ethernet::Repr { destination, source, tags: Tags::NONE, ethertype: ethernet::IPV4 };
    let mut untagged = frame.clone();
    assert_eq!(set_link(&mut untagged, &parsed, &link), Ok(4));
    assert_eq!(untagged[4..], *Packet::udp(A, B).payload(b"x").macs(source, destination).frame());
    assert!(link.tags.push(Tag(1)) && link.tags.push(Tag(2)));
    let mut full = frame.clone();
    assert_eq!(set_link(&mut full, &parsed, &link), Err(NoRoom));
    assert_eq!(full, frame);
    // With four bytes pushed in front there is room.
    let mut roomy = [vec![0; 4], frame].concat();
    let moved = parsed.after_push_front(4).unwrap();
    assert_eq!(set_link(&mut roomy, &moved, &link), Ok(0));
    assert_eq!(parse(&roomy).unwrap().link.tags, link.tags);
}

#[test]
fn macs_change_in_place() {
    let mut frame = Packet::udp(A, B).vlan(7).frame();
    let (destination, source) = (Mac([2, 0, 0, 0, 0, 9]), Mac([2, 0, 0, 0, 0, 8]));
    assert_eq!(set_macs(&mut frame, destination, source), Ok(()));
    assert_eq!(frame, Packet::udp(A, B).vlan(7).macs(source, destination).frame());
    assert_eq!(set_macs(&mut frame[..11], destination, source), Err(NoRoom));
}

#[test]
fn a_partial_checksum_is_completed_to_what_a_whole_one_would_be() {
    let makers: [fn(&str, &str) -> Packet; 3] = [
        |a, b| Packet::udp(a, b).payload_len(33),
        |a, b| Packet::tcp(a, b, Flags::ACK).mss(1).payload_len(1200),
        |a, b| {
            Packet::ping(
                if a == A { "fd00::1" } else { a },
                if b == B { "fd00::2" } else { b },
                1,
                2,
            )
        },
    ];
    for make in makers {
        for (a, b) in [(A, B), (A6, B6)] {
            let whole = make(a, b).padding(3).frame();
            let mut partial = make(a, b).padding(3).partial_checksum().frame();
            assert_ne!(partial, whole);
            let parsed = parse(&partial).unwrap();
            assert_eq!(complete_checksum(&mut partial, &parsed), Completion::Completed);
            assert_eq!(partial, whole);
        }
    }
}

#[test]
fn whole_and_damaged_checksums_are_left_alone() {
    for (mut frame, parsed) in pairs(|a, b| Packet::udp(a, b).payload_len(33).frame()) {
        let whole = frame.clone();
        assert_eq!(complete_checksum(&mut frame, &parsed), Completion::Whole);
        assert_eq!(frame, whole);
        let last = frame.len() - 1;
        frame[last] ^= 1;
        let damaged = frame.clone();
        assert_eq!(complete_checksum(&mut frame, &parsed), Completion::Whole);
        assert_eq!(frame, damaged);
    }
    for (mut frame, parsed) in pairs(|a, b| Packet::udp(a, b).without_checksum().frame()) {
        assert_eq!(complete_checksum(&mut frame, &parsed), Completion::Whole);
    }
}

#[test]
fn a_whole_checksum_that_looks_partial_is_written_back_unchanged() {
    // The payload word that makes the checksum equal the pseudo header's sum: then the rest of the
    // segment sums to minus twice that sum.
    let build = |word: u16| Packet::udp(A, B).payload(&word.to_be_bytes()).frame();
    let parsed = parse(&build(0)).unwrap();
    let Addresses::V4 { .. } = parsed.addresses else { panic!("IPv4") };
    let pseudo = Sum::of_pseudo_header(&parsed.addresses, protocol::UDP, 10).folded();
    let field = parsed.l4() + udp::field::CHECKSUM.start;
    let frame =
        (0..=u16::MAX).map(build).find(|frame| frame[field..field + 2] == pseudo.to_be_bytes());
    let frame = frame.expect("one word does it");
    let mut copy = frame.clone();
    assert_eq!(complete_checksum(&mut copy, &parsed), Completion::Completed);
    assert_eq!(copy, frame);
}

#[test]
fn fragments_and_other_protocols_have_no_checksum_to_complete() {
    let fragment = Packet::udp(A, B).payload_len(16).fragment(0, true).partial_checksum();
    let routed = Packet::udp(A6, B6).extension(protocol::ROUTING, &[4, 1, 0, 0, 0, 0]);
    let gre = Packet::raw("10.0.0.1", "10.0.0.2", 47).payload_len(20);
    let ping = Packet::ping("10.0.0.1", "10.0.0.2", 1, 1);
    for packet in [fragment, routed.partial_checksum(), gre, ping] {
        let mut bytes = packet.ip();
        let before = bytes.clone();
        let parsed = parse_ip(&bytes, 0).unwrap();
        assert_eq!(complete_checksum(&mut bytes, &parsed), Completion::NotApplicable);
        assert_eq!(bytes, before);
    }
}
