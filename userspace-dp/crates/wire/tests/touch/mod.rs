//! Calls everything that can be called once a buffer has been parsed, and checks what must hold for
//! any packet: no panic, offsets in order and inside, rewrites that leave a packet which still parses
//! to the same thing but for what they changed.

use wire::rewrite::{self, Completion, Mss};
use wire::{
    Addresses, Ecn, Mac, Parsed, Transport, ethernet, icmpv4, icmpv6, ipv4, ipv6, tcp, udp, vlan,
};

/// Reads and rewrites all there is of `buffer`, which parsed to `parsed`.
pub fn everything(buffer: &[u8], parsed: Parsed) {
    offsets(buffer, &parsed);
    views(buffer, &parsed);
    hop_limit(buffer, parsed);
    traffic_class(buffer, parsed);
    mss(buffer, &parsed);
    link(buffer, &parsed);
    checksum(buffer, &parsed);
    foreign_buffer(parsed);
}

fn offsets(buffer: &[u8], parsed: &Parsed) {
    let payload = parsed.payload_range();
    let order = [parsed.l3(), parsed.l4(), payload.start, payload.end, parsed.end(), buffer.len()];
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(payload.start, parsed.payload());
    assert_eq!(parsed.ip_len(), parsed.end() - parsed.l3());
    assert_eq!(parsed.addresses.reversed().reversed(), parsed.addresses);
    assert!(!parsed.addresses.to_string().is_empty());
    assert_eq!(parsed.dscp() << 2 | parsed.ecn().bits(), parsed.traffic_class);
    let moved = parsed.after_push_front(8).and_then(|moved| moved.after_pull_front(8));
    assert!(moved.is_none_or(|moved| moved == *parsed));
    assert_eq!(parsed.after_pull_front(parsed.l3() + 1), None);
}

fn views(buffer: &[u8], parsed: &Parsed) {
    let packet = &buffer[parsed.l3()..parsed.end()];
    match parsed.addresses {
        Addresses::V4 { source, destination } => {
            let view = ipv4::View::new(packet).expect("parsed");
            assert_eq!((view.source(), view.destination()), (source, destination));
            assert_eq!(parsed.l3() + view.header_len(), parsed.l4());
            assert!(ipv4::Options::new(view.options()).count() <= 40);
        }
        Addresses::V6 { source, destination } => {
            let view = ipv6::View::new(packet).expect("parsed");
            assert_eq!((view.source(), view.destination()), (source, destination));
            assert!(view.flow_label() < 1 << 20);
        }
    }
    let segment = &buffer[parsed.l4()..parsed.end()];
    match parsed.transport {
        Transport::Tcp { source_port, destination_port, flags } => {
            let view = tcp::View::new(segment).expect("parsed");
            assert_eq!(
                (view.source_port(), view.destination_port()),
                (source_port, destination_port)
            );
            assert_eq!((view.flags(), view.payload().len()), (flags, parsed.payload_range().len()));
            assert!(view.options().count() <= 20);
            assert!(view.sequence_len() as usize >= view.payload().len());
        }
        Transport::Udp { source_port, destination_port } => {
            let view = udp::View::new(segment).or(udp::View::new_first_fragment(segment));
            let view = view.expect("parsed");
            assert_eq!(
                (view.source_port(), view.destination_port()),
                (source_port, destination_port)
            );
            assert_eq!(view.payload(), &buffer[parsed.payload_range()]);
        }
        Transport::Icmp { kind, .. } => {
            assert_eq!(icmpv4::View::new(segment).expect("parsed").kind(), kind);
        }
        Transport::Icmpv6 { kind, .. } => {
            assert_eq!(icmpv6::View::new(segment).expect("parsed").kind(), kind);
        }
        Transport::Ipip { .. } => {
            // One level: whatever is within must not panic either.
            let _ = wire::parse_ip(&buffer[..parsed.end()], parsed.l4());
        }
        Transport::Other(number) => assert_eq!(number, parsed.protocol),
        Transport::Absent => assert_ne!(parsed.fragment, wire::Fragment::None),
    }
}

/// Parses the IP packet again where it was found.
fn again(buffer: &[u8], parsed: &Parsed) -> Parsed {
    let mut again = wire::parse_ip(buffer, parsed.l3()).expect("a rewrite broke the packet");
    again.link = parsed.link;
    again
}

fn hop_limit(buffer: &[u8], mut parsed: Parsed) {
    let (mut copy, before) = (buffer.to_vec(), parsed);
    match rewrite::decrement_hop_limit(&mut copy, &mut parsed) {
        Ok(left) => {
            assert_eq!((left, left + 1), (parsed.hop_limit, before.hop_limit));
            assert_eq!(again(&copy, &parsed), parsed);
        }
        Err(rewrite::HopLimitExceeded) => {
            assert!(before.hop_limit <= 1);
            assert_eq!(copy, buffer);
        }
    }
}

fn traffic_class(buffer: &[u8], mut parsed: Parsed) {
    let mut copy = buffer.to_vec();
    for ecn in [Ecn::NotCapable, Ecn::Capable0, Ecn::Capable1, Ecn::Congestion] {
        let dscp = parsed.dscp();
        rewrite::set_ecn(&mut copy, &mut parsed, ecn);
        assert_eq!((parsed.dscp(), parsed.ecn()), (dscp, ecn));
        assert_eq!(again(&copy, &parsed), parsed);
    }
    rewrite::set_traffic_class(&mut copy, &mut parsed, 0xb8);
    assert_eq!(again(&copy, &parsed).traffic_class, 0xb8);
}

fn mss(buffer: &[u8], parsed: &Parsed) {
    let mut copy = buffer.to_vec();
    match rewrite::clamp_mss(&mut copy, parsed, 1200) {
        Mss::Clamped(was) => {
            assert!(was > 1200);
            assert_eq!(rewrite::clamp_mss(&mut copy, parsed, 1200), Mss::Kept(1200));
            assert_eq!(again(&copy, parsed), *parsed);
        }
        Mss::Kept(was) => {
            assert!(was <= 1200);
            assert_eq!(copy, buffer);
        }
        Mss::Absent => assert_eq!(copy, buffer),
    }
}

fn link(buffer: &[u8], parsed: &Parsed) {
    let ethertype = match parsed.addresses {
        Addresses::V4 { .. } => ethernet::IPV4,
        Addresses::V6 { .. } => ethernet::IPV6,
    };
    for tags in [vlan::Tags::NONE, vlan::Tags::one(vlan::Tag(9))] {
        let mut copy = buffer.to_vec();
        let repr = ethernet::Repr {
            destination: Mac([2, 0, 0, 0, 0, 9]),
            source: Mac([2, 0, 0, 0, 0, 8]),
            tags,
            ethertype,
        };
        match rewrite::set_link(&mut copy, parsed, &repr) {
            Ok(start) => {
                let mut framed =
                    wire::parse(&copy[start..]).expect("a new link header broke the packet");
                assert_eq!(framed.link.tags, tags);
                framed.link = parsed.link;
                assert_eq!(Some(framed), parsed.after_pull_front(start));
            }
            Err(wire::NoRoom) => assert!(parsed.l3() < repr.header_len()),
        }
    }
}

fn checksum(buffer: &[u8], parsed: &Parsed) {
    let mut copy = buffer.to_vec();
    match rewrite::complete_checksum(&mut copy, parsed) {
        Completion::Completed => {
            let once = copy.clone();
            rewrite::complete_checksum(&mut copy, parsed);
            assert_eq!(copy, once, "completing twice is completing once");
            assert_eq!(again(&copy, parsed), *parsed);
        }
        Completion::Whole | Completion::NotApplicable => assert_eq!(copy, buffer),
    }
}

/// A `Parsed` of another buffer must not panic, whatever it does.
fn foreign_buffer(mut parsed: Parsed) {
    for len in [0, 1, 14, 20, 34, 40] {
        let mut foreign = vec![0xff; len];
        let _ = rewrite::decrement_hop_limit(&mut foreign, &mut parsed);
        rewrite::set_traffic_class(&mut foreign, &mut parsed, 3);
        rewrite::clamp_mss(&mut foreign, &parsed, 536);
        rewrite::complete_checksum(&mut foreign, &parsed);
    }
}
