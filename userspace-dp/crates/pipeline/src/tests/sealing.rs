//! Egress: tunnel packets as they leave.

use telemetry::Reason;
use wire::build::Packet;
use wire::{Ecn, checksum, protocol};
use wireguard::Endpoint;

use super::{only, with_port};
use crate::handshake::PeerCommand;
use crate::snapshot::InterfaceKind;
use crate::testing::{
    GATEWAY_MAC, HOST_MAC, LAN, LAN_HOST, LAN_HOST6, LISTEN_PORT, PEERS, Sent, Site, WAN,
    WAN_ADDRESS, WAN_ADDRESS6, interface, peer_handle,
};

fn to_peer(peer: usize) -> Packet {
    Packet::udp(with_port(LAN_HOST, 1).as_str(), with_port(PEERS[peer].host, 2).as_str())
        .payload(b"to the peer")
}

fn counter(sent: &Sent) -> u64 {
    u64::from_le_bytes(*sent.payload()[8..].first_chunk().expect("a data message"))
}

#[test]
fn outer_headers_are_valid_whatever_the_length_and_the_family() {
    for (peer, ours) in [(0, WAN_ADDRESS), (1, WAN_ADDRESS6), (2, WAN_ADDRESS)] {
        let mut site = Site::new();
        let mut remote = site.connect(peer as u32);
        for length in [0, 1, 3, 4, 5, 100, 1391, 1392] {
            let packet = to_peer(peer).payload_len(length);
            let sent = site.receive(LAN, [packet.frame()]);
            assert_eq!((sent.len(), sent[0].port), (1, WAN));
            assert_eq!(sent[0].bytes[..12], [HOST_MAC.0, GATEWAY_MAC.0].concat());
            let parsed = sent[0].parsed();
            assert_eq!(parsed.end(), sent[0].bytes.len(), "the IP length counts every byte");
            assert_eq!(parsed.payload_range().end, parsed.end(), "and so does UDP's");
            assert_eq!(
                (parsed.addresses.source(), parsed.addresses.destination()),
                (ours.parse().unwrap(), remote.at.ip())
            );
            assert_eq!(parsed.transport.ports(), Some((LISTEN_PORT, remote.at.port())));
            assert_eq!((parsed.hop_limit, parsed.traffic_class), (64, 0));
            assert!(!parsed.has_ipv4_options() && !parsed.has_extension_headers());
            let segment = &sent[0].bytes[parsed.l4()..];
            if remote.at.is_ipv6() {
                assert_ne!(segment[6..8], [0, 0], "IPv6 wants a checksum");
                assert_eq!(
                    checksum::of_segment(&parsed.addresses, protocol::UDP, segment),
                    u16::MAX,
                    "it holds"
                );
            } else {
                assert_eq!(segment[6..8], [0, 0], "none, the tag covers it");
                assert!(!parsed.dont_fragment());
                assert!(checksum::is_valid(&sent[0].ip()[..20]));
            }
            let padded = packet.ip().len().next_multiple_of(16).min(1420);
            let inner = remote.open(sent[0].payload(), site.now).expect("for this peer");
            assert_eq!(inner.len(), padded);
            assert!(inner[packet.ip().len()..].iter().all(|byte| *byte == 0), "padding is zero");
        }
        assert_eq!(site.drops(), []);
    }
}

#[test]
fn counters_of_a_peer_are_consecutive_in_transmit_order() {
    let mut site = Site::new();
    let mut remotes = [site.connect(0), site.connect(1), site.connect(3)];
    let places = [0, 1, 3];
    let order: Vec<usize> = (0..300).map(|n| (n * n / 7 + n) % 3).collect();
    let frames = order.iter().enumerate().map(|(serial, which)| {
        to_peer(places[*which]).payload(&(serial as u16).to_be_bytes()).frame()
    });
    let sent = site.receive(LAN, frames.collect::<Vec<_>>());
    assert_eq!(sent.len(), 300);
    let mut next = [0u64; 3];
    for (serial, (sent, which)) in sent.iter().zip(order).enumerate() {
        assert_eq!(counter(sent), next[which]);
        next[which] += 1;
        let inner = remotes[which].open(sent.payload(), site.now).expect("for this peer");
        let range = wire::parse_ip(&inner, 0).expect("valid").payload_range();
        assert_eq!(inner[range], (serial as u16).to_be_bytes());
    }
}

#[test]
fn the_outer_header_shows_the_inner_congestion_mark_and_nothing_else_of_the_class() {
    for ecn in [Ecn::NotCapable, Ecn::Capable0, Ecn::Capable1, Ecn::Congestion] {
        let mut site = Site::new();
        let mut remote = site.connect(0);
        let sent = site.receive(LAN, [to_peer(0).traffic_class(0xb8 | ecn.bits()).frame()]);
        assert_eq!(sent[0].parsed().traffic_class, ecn.bits());
        let inner = remote.open(sent[0].payload(), site.now).expect("for this peer");
        assert_eq!(inner[1], 0xb8 | ecn.bits());
    }
}

#[test]
fn the_way_to_a_peer_follows_routes_and_neighbours() {
    let mut site = Site::new();
    let _remote = site.connect(0);
    let way = |site: &mut Site| site.receive(LAN, [to_peer(0).frame()]);
    assert_eq!(way(&mut site)[0].port, WAN);
    let through_lan = route::NextHop::via(interface::LAN, "10.1.0.5".parse().unwrap());
    site.network.routes.insert("192.0.2.10/32".parse().unwrap(), &[through_lan.into()]);
    site.publish();
    let sent = way(&mut site);
    assert_eq!(sent[0].port, LAN);
    assert_eq!(
        sent[0].parsed().addresses.source().to_string(),
        WAN_ADDRESS,
        "the address that the peer knows"
    );
    let refusing = [
        (route::NextHop::discard(route::NextHopKind::Blackhole), Reason::RouteBlackhole),
        (route::NextHop::discard(route::NextHopKind::Unreachable), Reason::RouteUnreachable),
        (route::NextHop::discard(route::NextHopKind::Prohibit), Reason::RouteProhibit),
        (route::NextHop::on_link(interface::FOREIGN), Reason::EgressUnattached),
        (route::NextHop::on_link(interface::TUNNEL), Reason::TunnelLoop),
        (route::NextHop::local(interface::WAN), Reason::TunnelLoop),
    ];
    for (hop, reason) in refusing {
        let before = site.counters.dropped(reason);
        site.network.routes.insert("192.0.2.10/32".parse().unwrap(), &[hop.into()]);
        site.publish();
        assert_eq!(way(&mut site), []);
        assert_eq!(site.counters.dropped(reason), before + 1, "{reason:?}");
    }
    site.network.routes.remove("192.0.2.10/32".parse().unwrap());
    site.network.routes.remove("192.0.2.0/24".parse().unwrap());
    site.network.routes.remove("0.0.0.0/0".parse().unwrap());
    site.publish();
    assert_eq!(way(&mut site), []);
    assert_eq!(site.counters.dropped(Reason::NoRoute), 1);
    site.assert_frames_complete();
}

#[test]
fn an_address_of_ours_that_is_gone_is_not_used_any_more() {
    let mut site = Site::new();
    let _remote = site.connect(0);
    site.snapshot.locals = crate::LocalAddresses::new(["10.1.0.1".parse().unwrap()], []);
    site.snapshot.interfaces[0].address4 = "192.0.2.7".parse().ok();
    site.publish();
    let sent = site.receive(LAN, [to_peer(0).frame()]);
    assert_eq!(sent[0].parsed().addresses.source().to_string(), "192.0.2.7");
}

#[test]
fn a_peer_without_an_address_is_told_apart_from_one_without_a_session() {
    let mut site = Site::new();
    let peer = peer_handle(0);
    site.command(PeerCommand::Adopt { peer, endpoint: None, keepalive: None });
    let datagram = crate::handshake::Datagram::new(&[1; 148]);
    site.command(PeerCommand::SendToPeer(peer, datagram));
    assert_eq!(only(&site.drops()), Reason::PeerHasNoEndpoint);
    site.command(PeerCommand::SetEndpoint(peer, Endpoint::configured(PEERS[0].socket())));
    site.command(PeerCommand::SendToPeer(peer, datagram));
    let sent = site.sent();
    assert_eq!(sent[0].payload(), [1; 148]);
    assert_eq!(sent[0].parsed().dscp(), wireguard::HANDSHAKE_DSCP, "handshakes are AF41");
}

#[test]
fn a_frame_without_room_for_headers_is_dropped_and_counted() {
    let mut site = Site::new();
    let _remote = site.connect(0);
    for headroom in [0, 15, 43, 57] {
        let mut frame = site.pool.take().expect("a frame");
        frame.reset(headroom);
        let bytes = to_peer(0).frame();
        frame.extend_back(bytes.len()).expect("room").copy_from_slice(&bytes);
        let arrived = site.now;
        let mut arrivals = crate::Arrivals::new();
        arrivals.push(crate::Ingress { frame, entry: crate::Entry::Port(LAN), arrived, hops: 0 });
        site.process(&mut arrivals);
        let room = headroom + 14 >= 14 + 20 + 8 + 16;
        assert_eq!(site.sent().len(), usize::from(room), "{headroom} bytes");
    }
    assert_eq!(site.drops(), [(Reason::NoHeadroom, 3)]);
    site.assert_frames_complete();
}

#[test]
fn inner_packets_of_either_family_travel_in_outer_packets_of_either() {
    for peer in [0, 1] {
        let mut site = Site::new();
        let mut remote = site.connect(peer as u32);
        let packet = Packet::ping(LAN_HOST6, PEERS[peer].host6, 1, 1);
        let sent = site.receive(LAN, [packet.frame()]);
        let inner = remote.open(sent[0].payload(), site.now).expect("for this peer");
        assert_eq!(inner[0] >> 4, 6);
    }
}

#[test]
fn a_tunnel_without_an_interface_drops_what_it_brings() {
    let mut site = Site::new();
    let mut remote = site.connect(0);
    site.snapshot.tunnel.interface = route::InterfaceId(77);
    let frame = remote.frame(&Packet::ping(PEERS[0].host, LAN_HOST, 1, 1).ip(), site.now);
    assert_eq!(site.receive(WAN, [frame]), []);
    assert_eq!(only(&site.drops()), Reason::IngressUnknown);
    assert_eq!(site.snapshot.interfaces[3].kind, InterfaceKind::Tunnel);
}
