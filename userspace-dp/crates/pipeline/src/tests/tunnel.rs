//! Detunnel: what comes out of a tunnel, and what does not.

use telemetry::Reason;
use wire::Ecn;
use wire::build::Packet;
use wire::tcp::Flags;
use wireguard::framed_header;

use super::{one_hop_later, only, with_port};
use crate::outbox::ControlEvent;
use crate::testing::{LAN, LAN_HOST, LAN_HOST6, PEERS, Site, WAN};

fn out_of_tunnel(peer: usize) -> Packet {
    Packet::udp(with_port(PEERS[peer].host, 1).as_str(), with_port(LAN_HOST, 2).as_str())
        .payload(b"hello")
}

/// What a gateway with a session makes of a payload of peer 0.
fn try_payload(payload: &[u8]) -> (usize, Vec<(Reason, u64)>) {
    let mut site = Site::new();
    let mut remote = site.connect(0);
    let frame = remote.frame(payload, site.now);
    let sent = site.receive(WAN, [frame]);
    site.assert_frames_complete();
    (sent.len(), site.drops())
}

#[test]
fn a_packet_out_of_a_tunnel_is_forwarded_without_its_padding() {
    for peer in [0, 1, 2, 3] {
        let mut site = Site::new();
        let mut remote = site.connect(peer as u32);
        for inner in [
            out_of_tunnel(peer),
            Packet::udp(with_port(PEERS[peer].host6, 1).as_str(), with_port(LAN_HOST6, 2).as_str())
                .payload(b"hello"),
        ] {
            let frame = remote.datagram(&inner.ip(), site.now).padding(7).frame();
            let sent = site.receive(WAN, [frame]);
            assert_eq!((sent.len(), sent[0].port), (1, LAN), "{:?}", site.drops());
            assert_eq!(sent[0].ip(), one_hop_later(&inner.ip()));
            assert_eq!(sent[0].bytes.len(), 14 + inner.ip().len());
        }
        assert_eq!(site.drops(), []);
    }
}

#[test]
fn a_peer_speaks_for_its_own_addresses_only() {
    let from = |source: &str, to: &str| {
        try_payload(&Packet::udp(with_port(source, 1).as_str(), with_port(to, 2).as_str()).ip())
    };
    for source in [PEERS[1].host, LAN_HOST, "9.9.9.9", "10.21.0.1"] {
        assert_eq!(from(source, LAN_HOST), (0, vec![(Reason::WgSourceNotAllowed, 1)]), "{source}");
    }
    for source in [PEERS[1].host6, LAN_HOST6] {
        assert_eq!(from(source, LAN_HOST6), (0, vec![(Reason::WgSourceNotAllowed, 1)]), "{source}");
    }
    assert_eq!(from("10.20.0.1", LAN_HOST), (1, vec![]));
    assert_eq!(from("10.20.255.254", LAN_HOST), (1, vec![]));
}

#[test]
fn a_keepalive_ends_here_and_leaves_no_trace_but_its_counter() {
    assert_eq!(try_payload(&[]), (0, vec![]));
}

#[test]
fn an_application_message_reaches_only_a_mailbox_that_wants_it() {
    let message = [&framed_header(3).unwrap()[..], b"abc"].concat();
    assert_eq!(try_payload(&message), (0, vec![(Reason::WgFramedUnwanted, 1)]));
    let mut site = Site::new();
    let mut remote = site.connect(1);
    site.out.events.clear();
    let frame = remote.frame(&message, site.now);
    assert_eq!(site.receive(WAN, [frame]), []);
    assert_eq!(site.drops(), []);
    assert_eq!(site.out.events.as_slice(), [ControlEvent::ApplicationMessage(1)]);
    site.assert_frames_complete();
}

#[test]
fn what_a_peer_says_is_checked_like_anything_from_a_device() {
    let mut broken = out_of_tunnel(0).ip();
    broken[8] ^= 1;
    assert_eq!(try_payload(&broken), (0, vec![(Reason::Ipv4HeaderChecksum, 1)]));
    assert_eq!(try_payload(&[0x70; 40]), (0, vec![(Reason::WgPayloadUnknown, 1)]));
    assert_eq!(try_payload(&[0, 0, 99, 0, 1]), (0, vec![(Reason::WgFramedLength, 1)]));
    let telnet = Packet::tcp(
        with_port(PEERS[0].host, 1).as_str(),
        with_port(LAN_HOST, 23).as_str(),
        Flags::SYN,
    );
    assert_eq!(try_payload(&telnet.ip()), (0, vec![(Reason::PolicyDeny, 1)]));
    let last = out_of_tunnel(0).hop_limit(1);
    assert_eq!(try_payload(&last.ip()), (1, vec![(Reason::HopLimit, 1)]), "the sender is told");
    let nested = out_of_tunnel(0).payload_len(32);
    assert_eq!(try_payload(&nested.ip()), (1, vec![]));
}

#[test]
fn forged_repeated_and_foreign_messages_are_refused() {
    let mut site = Site::new();
    let mut remote = site.connect(0);
    let frame = remote.frame(&out_of_tunnel(0).ip(), site.now);
    let mut forged = frame.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(site.receive(WAN, [forged]), []);
    assert_eq!(only(&site.drops()), Reason::WgTagMismatch);
    assert_eq!(site.receive(WAN, [frame.clone()]).len(), 1, "which did not use the counter up");
    assert_eq!(site.receive(WAN, [frame.clone()]), []);
    let twice = remote.frame(&out_of_tunnel(0).ip(), site.now);
    assert_eq!(site.receive(WAN, [twice.clone(), twice]).len(), 1, "twice in one burst");
    let mut unknown = frame;
    unknown[14 + 28 + 4] ^= 0x80;
    assert_eq!(site.receive(WAN, [unknown]), []);
    let expected =
        [(Reason::WgUnknownSession, 1), (Reason::WgReplayed, 2), (Reason::WgTagMismatch, 1)];
    assert_eq!(site.drops(), expected);
    site.assert_frames_complete();
}

#[test]
fn congestion_marks_cross_the_tunnel_by_rfc_6040() {
    let all = [Ecn::NotCapable, Ecn::Capable0, Ecn::Capable1, Ecn::Congestion];
    for (inner, outer) in all.into_iter().flat_map(|inner| all.map(|outer| (inner, outer))) {
        let mut site = Site::new();
        let mut remote = site.connect(0);
        let packet = out_of_tunnel(0).traffic_class(0xb8 | inner.bits());
        let frame = remote.datagram(&packet.ip(), site.now).traffic_class(outer.bits()).frame();
        let sent = site.receive(WAN, [frame]);
        match wire::ecn::decapsulate(inner, outer) {
            Some(expected) => {
                assert_eq!(sent[0].parsed().ecn(), expected, "inner {inner}, outer {outer}");
                assert_eq!(
                    sent[0].parsed().dscp(),
                    0xb8 >> 2,
                    "the rest of the byte is the sender's"
                );
            }
            None => assert_eq!((sent.len(), only(&site.drops())), (0, Reason::WgInnerEcn)),
        }
    }
}

#[test]
fn what_is_for_the_gateway_goes_to_its_kernel_when_policy_allows() {
    let mut site = Site::new();
    let mut remote = site.connect(0);
    let ping = Packet::ping(PEERS[0].host, "10.8.0.1", 1, 1).hop_limit(1);
    let ping6 = Packet::ping(PEERS[0].host6, "fd00:8::1", 1, 1);
    let ssh = Packet::tcp(with_port(PEERS[0].host, 1).as_str(), "10.8.0.1:22", Flags::SYN);
    let frames: Vec<Vec<u8>> =
        [&ping, &ping6, &ssh].iter().map(|packet| remote.frame(&packet.ip(), site.now)).collect();
    assert_eq!(site.receive(WAN, frames), []);
    assert_eq!(site.punted(), [ping.ip(), ping6.ip()], "as they came");
    assert_eq!(only(&site.drops()), Reason::PolicyDeny);
    site.assert_frames_complete();
}

#[test]
fn a_peer_that_moved_is_answered_where_it_is_by_the_address_it_used() {
    let mut site = Site::new();
    let mut remote = site.connect(0);
    remote.at = "192.0.2.13:999".parse().unwrap();
    let frame = remote.frame(&out_of_tunnel(0).ip(), site.now);
    assert_eq!(site.receive(WAN, [frame]).len(), 1);
    let back = Packet::udp(with_port(LAN_HOST, 2).as_str(), with_port(PEERS[0].host, 1).as_str());
    let sent = site.receive(LAN, [back.frame()]);
    let parsed = sent[0].parsed();
    assert_eq!(parsed.addresses.destination().to_string(), "192.0.2.13");
    assert_eq!(parsed.transport.ports(), Some((51820, 999)));
    // A forged packet from elsewhere moves nothing.
    remote.at = "192.0.2.66:1".parse().unwrap();
    let mut forged = remote.frame(&out_of_tunnel(0).ip(), site.now);
    *forged.last_mut().unwrap() ^= 1;
    site.receive(WAN, [forged]);
    let sent = site.receive(LAN, [back.frame()]);
    assert_eq!(sent[0].parsed().addresses.destination().to_string(), "192.0.2.13");
}

/// Where the gateway reaches a peer.
fn reached_at(site: &mut Site, peer: usize) -> String {
    let to = with_port(PEERS[peer].host, 1);
    let back = Packet::udp(with_port(LAN_HOST, 2).as_str(), to.as_str());
    let parsed = site.receive(LAN, [back.frame()])[0].parsed();
    let port = parsed.transport.ports().unwrap().1;
    with_port(&parsed.addresses.destination().to_string(), port)
}

#[test]
fn a_source_that_was_damaged_on_the_way_moves_no_peer() {
    const SOURCE6: usize = 14 + 8;
    const PORT6: usize = 14 + 40;
    for byte in [SOURCE6, SOURCE6 + 15, PORT6, PORT6 + 1] {
        let mut site = Site::new();
        let mut remote = site.connect(1);
        let mut frame = remote.frame(&out_of_tunnel(1).ip(), site.now);
        frame[byte] ^= 4;
        assert_eq!(site.receive(WAN, [frame.clone()]), []);
        assert_eq!(site.drops(), [(Reason::WgOuterChecksum, 1)], "byte {byte}");
        assert_eq!(reached_at(&mut site, 1), PEERS[1].endpoint);
        frame[byte] ^= 4;
        assert_eq!(site.receive(WAN, [frame]).len(), 1, "its counter was not used up");
        site.assert_frames_complete();
    }
}

#[test]
fn a_peer_that_moves_needs_a_checksum_over_ipv6_and_one_that_stays_none() {
    type Change = fn(Packet) -> Packet;
    let as_it_is: Change = |packet| packet;
    let half_done: Change = |packet| packet.partial_checksum();
    let without: Change = |packet| packet.without_checksum();
    let cases = [
        (0, "192.0.2.13:999", as_it_is, true),
        (0, "192.0.2.13:999", half_done, true),
        (0, "192.0.2.13:999", without, true),
        (1, "[2001:db8::fe]:999", as_it_is, true),
        (1, "[2001:db8::fe]:999", half_done, true),
        (1, "[2001:db8::fe]:999", without, false),
        (1, PEERS[1].endpoint, without, true),
    ];
    for (peer, to, change, moves) in cases {
        let mut site = Site::new();
        let mut remote = site.connect(peer as u32);
        remote.at = to.parse().unwrap();
        let datagram = change(remote.datagram(&out_of_tunnel(peer).ip(), site.now));
        assert_eq!(site.receive(WAN, [datagram.frame()]).len(), usize::from(moves), "{to}");
        assert_eq!(reached_at(&mut site, peer), if moves { to } else { PEERS[peer].endpoint });
        let refused = [(Reason::WgOuterChecksum, 1)];
        assert_eq!(site.drops(), if moves { &[] } else { &refused[..] });
    }
}
