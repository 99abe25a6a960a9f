//! Answers that the gateway builds: to whom, how many, and what is in them.

use clock::Rate;
use telemetry::Reason;
use wire::build::Packet;
use wire::tcp::{self, Flags};
use wire::{icmpv4, icmpv6};

use super::{answered, from_lan, icmp, only, refusal, with_port};
use crate::packet::Entry;
use crate::reply_budget::ReplyBudget;
use crate::testing::{LAN, LAN_HOST, LAN_HOST6, PEERS, SERVER, SERVER6, Sent, Site, VPN_ZONE, WAN};

/// A packet whose hop limit ran out, which is told to whom it may be told.
fn exhausted(packet: Packet) -> Packet {
    packet.hop_limit(1)
}

#[test]
fn errors_resets_and_later_fragments_are_never_answered() {
    let unreachable = icmpv4::Repr::Unreachable { code: 1, next_hop_mtu: 0 };
    let unreachable6 = icmpv6::Repr::Unreachable { code: 1 };
    let (lan, lan6) = (with_port(LAN_HOST, 1), with_port(LAN_HOST6, 1));
    let (out, out6) = (with_port(SERVER, 2), with_port(SERVER6, 2));
    let silent = [
        Packet::icmpv4(lan.as_str(), out.as_str(), unreachable).payload_len(28),
        Packet::icmpv6(lan6.as_str(), out6.as_str(), unreachable6).payload_len(48),
        Packet::icmpv4(lan.as_str(), out.as_str(), icmpv4::Repr::TimeExceeded { code: 0 })
            .payload_len(28),
        Packet::tcp(lan.as_str(), out.as_str(), Flags::RST),
        Packet::tcp(lan6.as_str(), out6.as_str(), Flags::RST.with(Flags::ACK)),
        Packet::raw(lan.as_str(), out.as_str(), 47).payload_len(64).fragment(64, true),
        Packet::raw(lan6.as_str(), out6.as_str(), 47).payload_len(64).fragment(64, false),
    ];
    for packet in silent {
        assert_eq!(refusal(&exhausted(packet.clone())), Reason::HopLimit, "{packet:?}");
    }
    let told = [
        Packet::ping(lan.as_str(), out.as_str(), 1, 1),
        Packet::ping(lan6.as_str(), out6.as_str(), 1, 1),
        Packet::tcp(lan.as_str(), out.as_str(), Flags::FIN.with(Flags::ACK)),
        Packet::raw(lan.as_str(), out.as_str(), 47).payload_len(64).fragment(0, true),
        Packet::udp(lan.as_str(), out.as_str()).payload_len(64).fragment(0, true),
        Packet::udp(lan6.as_str(), out6.as_str()).payload_len(64).fragment(0, true),
    ];
    for packet in told {
        assert_eq!(answered(&exhausted(packet)).0, Reason::HopLimit);
    }
}

#[test]
fn an_answer_speaks_for_the_interface_that_the_packet_came_by() {
    let (_, answer) = answered(&exhausted(from_lan(SERVER)));
    let parsed = answer.parsed();
    assert_eq!(parsed.addresses.source().to_string(), "10.1.0.1");
    assert_eq!(parsed.addresses.destination().to_string(), LAN_HOST);
    assert_eq!((parsed.hop_limit, parsed.dont_fragment()), (64, false));
    let (_, answer) = answered(&exhausted(from_lan(SERVER6)));
    assert_eq!(answer.parsed().addresses.source().to_string(), "fd00:1::1");
    let (_, answer) = answered(&exhausted(Packet::udp("10.7.0.5:1", "9.9.9.9:2").vlan(7)));
    assert_eq!(answer.parsed().addresses.source().to_string(), "10.7.0.1");
    assert_eq!(answer.parsed().link.tags.outer_id(), 7, "and goes back the way it came");
}

#[test]
fn answers_to_a_peer_go_back_into_its_tunnel() {
    let mut site = Site::new();
    let mut remote = site.connect(0);
    for (from, to, ours) in
        [(PEERS[0].host, SERVER, "10.8.0.1"), (PEERS[0].host6, SERVER6, "fd00:8::1")]
    {
        let packet = exhausted(Packet::udp(with_port(from, 1).as_str(), with_port(to, 2).as_str()));
        let frame = remote.frame(&packet.ip(), site.now);
        let sent = site.receive(WAN, [frame]);
        let inner = remote.open(sent[0].payload(), site.now).expect("for this peer");
        let parsed = wire::parse_ip(&inner, 0).expect("valid");
        assert_eq!(parsed.addresses.source().to_string(), ours);
        assert_eq!(parsed.addresses.destination().to_string(), from);
    }
    assert_eq!(site.drops(), [(Reason::HopLimit, 2)]);
    assert_eq!(site.counters.replies.read(), 2);
}

#[test]
fn too_big_for_the_tunnel_is_told_and_the_largest_passes() {
    for (from, peer, outer) in
        [(LAN_HOST, 0, 0), (LAN_HOST6, 0, 0), (LAN_HOST, 1, 1), (LAN_HOST6, 1, 1)]
    {
        let mut site = Site::new();
        let mut remote = site.connect(outer);
        let plan = &PEERS[peer];
        let to = if from == LAN_HOST { plan.host } else { plan.host6 };
        let headers = if from == LAN_HOST { 28 } else { 48 };
        let of = |length: usize| {
            let packet = Packet::udp(with_port(from, 1).as_str(), with_port(to, 2).as_str());
            packet.payload_len(length - headers).dont_fragment()
        };
        let sent = site.receive(LAN, [of(1421).frame()]);
        assert_eq!(only(&site.drops()), Reason::PacketTooBig);
        assert_eq!((sent[0].port, icmp(&sent[0]).2), (LAN, 1420));
        let sent = site.receive(LAN, [of(1420).frame()]);
        let inner = remote.open(sent[0].payload(), site.now).expect("for this peer");
        assert_eq!(inner.len(), 1420);
    }
}

#[test]
fn a_path_narrower_than_the_tunnel_is_told_too() {
    let mut site = Site::new();
    let mut remote = site.connect(0);
    site.snapshot.interfaces[0].mtu = 1400;
    site.publish();
    let of = |length: usize| {
        Packet::udp(with_port(LAN_HOST, 1).as_str(), with_port(PEERS[0].host, 2).as_str())
            .payload_len(length - 28)
    };
    let sent = site.receive(LAN, [of(1341).dont_fragment().frame()]);
    assert_eq!(site.drops(), [(Reason::PacketTooBig, 1)]);
    assert_eq!((sent.len(), sent[0].port, icmp(&sent[0]).2), (1, LAN, 1340));
    let sent = site.receive(LAN, [of(1341).frame()]);
    assert_eq!((sent.len(), sent[0].port, icmp(&sent[0]).2), (1, LAN, 1340));
    assert_eq!(site.drops(), [(Reason::PacketTooBig, 1), (Reason::NeedsFragmentation, 1)]);
    let sent = site.receive(LAN, [of(1340).dont_fragment().frame()]);
    assert_eq!(remote.open(sent[0].payload(), site.now).expect("for this peer").len(), 1340);
    assert_eq!(sent[0].ip().len(), 1400);
    // The gateway's own kernel hears of it as well.
    let own = Packet::udp("10.8.0.1:1", with_port(PEERS[0].host, 2).as_str())
        .payload_len(1341 - 28)
        .dont_fragment();
    assert_eq!(site.enter(Entry::Local, [own.ip()]), []);
    let punted = site.punted();
    assert_eq!(
        wire::parse_ip(&punted[0], 0).unwrap().addresses.destination().to_string(),
        "10.8.0.1"
    );
}

#[test]
fn too_big_out_of_the_tunnel_is_told_into_it() {
    let mut site = Site::new();
    let mut remote = site.connect(0);
    site.snapshot.interfaces[1].mtu = 1300;
    for (from, to, headers) in [(PEERS[0].host, LAN_HOST, 28), (PEERS[0].host6, LAN_HOST6, 48)] {
        let of = |length: usize| {
            let packet = Packet::udp(with_port(from, 1).as_str(), with_port(to, 2).as_str());
            packet.payload_len(length - headers).dont_fragment()
        };
        let frame = remote.frame(&of(1301).ip(), site.now);
        let sent = site.receive(WAN, [frame]);
        let inner = remote.open(sent[0].payload(), site.now).expect("for this peer");
        let answer = Packet::raw("1.1.1.1", "2.2.2.2", 99).frame();
        let bytes =
            [&answer[..12], if headers == 28 { &[8, 0] } else { &[0x86, 0xdd] }, &inner].concat();
        assert_eq!(icmp(&Sent { port: WAN, bytes }).2, 1300);
        let frame = remote.frame(&of(1300).ip(), site.now);
        assert_eq!(site.receive(WAN, [frame]).len(), 1);
    }
    assert_eq!(site.drops(), [(Reason::PacketTooBig, 2)]);
}

#[test]
fn a_rejected_connection_is_reset_by_the_letter_of_rfc_9293() {
    for (from, to) in [(LAN_HOST, SERVER), (LAN_HOST6, SERVER6)] {
        let segment = |flags, payload: &[u8]| {
            let packet =
                Packet::tcp(with_port(from, 4000).as_str(), with_port(to, 25).as_str(), flags);
            packet.sequence(1000, 77).payload(payload)
        };
        // Without ACK: sequence zero, and everything of the segment acknowledged, SYN and FIN included.
        let unacknowledged = [
            (segment(Flags::SYN, b""), 1001),
            (segment(Flags::SYN, b"early"), 1006),
            (segment(Flags::FIN, b"ab"), 1003),
            (segment(Flags::SYN.with(Flags::FIN), b""), 1002),
        ];
        for (packet, acknowledgment) in unacknowledged {
            let (reason, answer) = answered(&packet);
            assert_eq!(reason, Reason::PolicyReject);
            assert_eq!(reset(&answer), (0, acknowledgment, Flags::RST.with(Flags::ACK)));
        }
        // With ACK: the sequence number that the other side expects, and no ACK.
        for packet in [segment(Flags::ACK, b"data"), segment(Flags::SYN.with(Flags::ACK), b"")] {
            assert_eq!(reset(&answered(&packet).1), (77, 0, Flags::RST));
        }
        assert_eq!(refusal(&segment(Flags::RST, b"")), Reason::PolicyReject);
    }
}

/// Sequence, acknowledgment and flags of a reset, which is whole and goes back to who asked.
fn reset(sent: &Sent) -> (u32, u32, Flags) {
    let parsed = sent.parsed();
    assert_eq!(parsed.transport.ports(), Some((25, 4000)));
    let segment = &sent.bytes[parsed.l4()..parsed.end()];
    assert_eq!(wire::checksum::of_segment(&parsed.addresses, 6, segment), 0, "the checksum holds");
    assert_eq!(segment.len(), tcp::HEADER_LEN, "no options, no data");
    let view = tcp::View::new(segment).expect("valid");
    (view.sequence(), view.acknowledgment(), view.flags())
}

#[test]
fn anything_else_that_is_rejected_hears_that_it_is_prohibited() {
    let (reason, answer) = answered(&Packet::udp("10.1.0.5:4000", "9.9.9.9:25"));
    assert_eq!(reason, Reason::PolicyReject);
    let (kind, code, ..) = icmp(&answer);
    assert_eq!((kind, code), (icmpv4::kind::UNREACHABLE, icmpv4::unreachable::PROHIBITED));
    let (_, answer) = answered(&Packet::udp("[fd00:1::5]:4000", with_port(SERVER6, 25).as_str()));
    let (kind, code, ..) = icmp(&answer);
    assert_eq!((kind, code), (icmpv6::kind::UNREACHABLE, icmpv6::unreachable::PROHIBITED));
}

#[test]
fn an_answer_is_no_larger_than_it_may_be() {
    for (packet, most) in [(from_lan(SERVER), 576), (from_lan(SERVER6), 1280)] {
        for payload in [0, 500, 1231, 1232, 1400] {
            let packet = exhausted(packet.clone().payload_len(payload));
            let (_, answer) = answered(&packet);
            let whole = packet.ip().len() + if most == 576 { 28 } else { 48 };
            assert_eq!(answer.ip().len(), whole.min(most));
            assert!(packet.ip().starts_with(&icmp(&answer).3));
        }
    }
}

#[test]
fn answers_stay_within_the_budget_and_the_packets_are_dropped_all_the_same() {
    let mut site = Site::new();
    site.budget = ReplyBudget::new(8, Rate::new(1, 100), Rate::new(1, 3));
    let packets: Vec<Vec<u8>> = (0..10).map(|_| exhausted(from_lan(SERVER)).frame()).collect();
    assert_eq!(site.receive(LAN, packets).len(), 3);
    assert_eq!(site.drops(), [(Reason::HopLimit, 10)]);
    assert_eq!((site.counters.replies.read(), site.counters.replies_limited.read()), (3, 7));
    let other = Packet::udp("10.7.0.5:1", "9.9.9.9:2").vlan(7).hop_limit(1);
    assert_eq!(site.receive(LAN, [other.frame()]).len(), 1, "another source has its own");
    site.assert_frames_complete();
}

#[test]
fn an_answer_that_cannot_be_delivered_is_a_second_drop_and_no_second_answer() {
    // The source is routed into a blackhole, so the answer ends there.
    let packet = exhausted(Packet::udp("10.66.0.5:1", "9.9.9.9:2"));
    let mut site = Site::new();
    assert_eq!(site.receive(LAN, [packet.frame()]), []);
    assert_eq!(site.drops(), [(Reason::RouteBlackhole, 1), (Reason::HopLimit, 1)]);
    assert_eq!(VPN_ZONE, site.snapshot.interfaces[3].zone);
    site.assert_frames_complete();
}
