//! Policy and forward: martians, routes, rules, hop limit, size, segment size.

use telemetry::Reason;
use wire::build::Packet;
use wire::tcp::Flags;
use wire::{Mac, icmpv4, icmpv6};

use super::{
    answered, from_lan, header_length, icmp, one_hop_later, only, passes, refusal, try_from_lan,
    with_port,
};
use crate::packet::Entry;
use crate::testing::{
    GATEWAY_MAC, HOST_MAC, LAN, LAN_HOST, LAN_HOST6, PEERS, Remote, SERVER, SERVER6, Site, WAN,
    interface,
};

#[test]
fn a_packet_is_forwarded_with_one_hop_less_and_a_new_link_header() {
    for to in [SERVER, SERVER6] {
        let packet = from_lan(to);
        let sent = passes(&packet);
        assert_eq!(sent.port, WAN);
        assert_eq!(sent.ip(), one_hop_later(&packet.ip()));
        assert_eq!(sent.bytes[..6], HOST_MAC.0);
        assert_eq!(sent.bytes[6..12], GATEWAY_MAC.0);
    }
}

#[test]
fn a_checksum_that_a_local_stack_left_half_done_is_completed() {
    for to in [SERVER, SERVER6] {
        let whole = passes(&from_lan(to));
        let completed = passes(&from_lan(to).partial_checksum());
        assert_eq!(completed.ip(), whole.ip());
    }
}

#[test]
fn a_packet_into_a_vlan_gets_its_tag() {
    let sent = passes(&from_lan("10.7.0.5"));
    assert_eq!(sent.port, LAN);
    assert_eq!(sent.parsed().link.tags.outer_id(), 7);
}

#[test]
fn sources_that_cannot_be_are_refused() {
    let from = |source: &str| {
        let to = if source.contains(':') { SERVER6 } else { SERVER };
        Packet::udp(with_port(source, 1).as_str(), with_port(to, 2).as_str())
    };
    let martians = [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "169.254.1.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "ff02::1",
        "fe80::1",
    ];
    for source in martians {
        assert_eq!(refusal(&from(source)), Reason::MartianSource, "{source}");
    }
    for source in ["1.0.0.1", "126.0.0.1", "169.253.1.1", "223.255.255.255", "fec0::1", "fd00:1::9"]
    {
        passes(&from(source));
    }
}

#[test]
fn destinations_that_cannot_be_are_refused() {
    let martians = [
        "0.0.0.1",
        "127.0.0.1",
        "169.254.1.1",
        "224.0.0.5",
        "255.255.255.255",
        "240.1.1.1",
        "::1",
        "ff02::5",
        "fe80::7",
        "::",
    ];
    for destination in martians {
        assert_eq!(refusal(&from_lan(destination)), Reason::MartianDestination, "{destination}");
    }
    for destination in ["1.0.0.1", "223.1.1.1", SERVER6] {
        passes(&from_lan(destination));
    }
}

#[test]
fn nobody_speaks_in_the_name_of_the_gateway() {
    for source in ["10.1.0.1", "192.0.2.1", "10.8.0.1"] {
        let packet = Packet::udp(with_port(source, 1).as_str(), "9.9.9.9:2");
        assert_eq!(refusal(&packet), Reason::LocalSource, "{source}");
    }
    let packet = Packet::udp("[fd00:1::1]:1", with_port(SERVER6, 2).as_str());
    assert_eq!(refusal(&packet), Reason::LocalSource);
    passes(&Packet::udp("10.1.0.2:1", "9.9.9.9:2"));
}

#[test]
fn routes_that_refuse_say_so_as_they_should() {
    use icmpv4::unreachable as v4;
    use icmpv6::unreachable as v6;
    assert_eq!(refusal(&from_lan("10.66.0.1")), Reason::RouteBlackhole);
    assert_eq!(refusal(&from_lan("fd00:66::1")), Reason::RouteBlackhole);
    let cases = [
        ("10.67.0.1", Reason::RouteUnreachable, v4::HOST),
        ("10.68.0.1", Reason::RouteProhibit, v4::PROHIBITED),
        ("10.69.0.2", Reason::EgressUnattached, v4::HOST),
        ("fd00:67::1", Reason::RouteUnreachable, v6::ADDRESS),
        ("fd00:68::1", Reason::RouteProhibit, v6::PROHIBITED),
        ("fd77::1", Reason::NoRoute, v6::NO_ROUTE),
        ("10.8.0.77", Reason::PeerUnknown, v4::HOST),
    ];
    for (to, reason, code) in cases {
        let packet = from_lan(to);
        let (dropped, answer) = answered(&packet);
        let unreachable =
            if to.contains(':') { icmpv6::kind::UNREACHABLE } else { icmpv4::kind::UNREACHABLE };
        assert_eq!(dropped, reason, "{to}");
        assert_eq!(icmp(&answer), (unreachable, code, 0, packet.ip()), "{to}");
        assert_eq!(answer.port, LAN);
    }
}

#[test]
fn no_route_at_all_is_network_unreachable() {
    let mut site = Site::new();
    site.network.routes.remove("0.0.0.0/0".parse().unwrap());
    site.publish();
    let packet = from_lan(SERVER);
    let sent = site.receive(LAN, [packet.frame()]);
    assert_eq!(only(&site.drops()), Reason::NoRoute);
    let expected = (icmpv4::kind::UNREACHABLE, icmpv4::unreachable::NETWORK, 0, packet.ip());
    assert_eq!(icmp(&sent[0]), expected);
}

#[test]
fn policy_denies_in_silence_and_without_a_rule() {
    assert_eq!(refusal(&Packet::udp("10.1.0.5:1", "9.9.9.9:23")), Reason::PolicyDeny);
    passes(&Packet::udp("10.1.0.5:1", "9.9.9.9:24"));
    let mut site = Site::new();
    let inbound = Packet::udp("9.9.9.9:1", with_port(LAN_HOST, 2).as_str());
    assert_eq!(site.receive(WAN, [inbound.frame()]), []);
    assert_eq!(only(&site.drops()), Reason::PolicyDeny);
}

#[test]
fn the_last_hop_is_told_and_one_more_passes() {
    for to in [SERVER, SERVER6] {
        for hop_limit in [0, 1] {
            let packet = from_lan(to).hop_limit(hop_limit);
            let (reason, answer) = answered(&packet);
            assert_eq!(reason, Reason::HopLimit);
            let kind = if to == SERVER {
                icmpv4::kind::TIME_EXCEEDED
            } else {
                icmpv6::kind::TIME_EXCEEDED
            };
            assert_eq!(icmp(&answer), (kind, 0, 0, packet.ip()), "it quotes what was sent");
        }
        passes(&from_lan(to).hop_limit(2));
    }
}

#[test]
fn what_does_not_fit_the_way_out_is_told_its_size() {
    let of = |to: &str, length: usize| {
        let packet = from_lan(to);
        let headers = header_length(&packet.ip()) + 8;
        packet.payload_len(length - headers)
    };
    // The VLAN carries 1400 bytes.
    let big = of("10.7.0.5", 1401).dont_fragment();
    let (reason, answer) = answered(&big);
    assert_eq!(reason, Reason::PacketTooBig);
    let (kind, code, mtu, quoted) = icmp(&answer);
    let unreachable = (icmpv4::kind::UNREACHABLE, icmpv4::unreachable::FRAGMENTATION_NEEDED, 1400);
    assert_eq!((kind, code, mtu), unreachable);
    assert_eq!(quoted, big.ip()[..576 - 28], "as much as fits 576 bytes");
    let (reason, answer) = answered(&of("10.7.0.5", 1401));
    assert_eq!(reason, Reason::NeedsFragmentation);
    assert_eq!((icmp(&answer).0, icmp(&answer).1, icmp(&answer).2), unreachable);
    passes(&of("10.7.0.5", 1400).dont_fragment());
}

#[test]
fn the_mtu_of_a_route_counts_below_that_of_its_interface() {
    let mut site = Site::new();
    let hop = route::NextHop::on_link(interface::LAN).with_mtu(1300);
    site.network.routes.insert("fd00:1::/64".parse().unwrap(), &[hop.into()]);
    site.network.routes.insert("fd00:2::/64".parse().unwrap(), &[hop.with_mtu(9000).into()]);
    site.network.learn(interface::LAN, "fd00:2::1");
    site.publish();
    let big = |to: &str, length: usize| {
        Packet::udp("[fd00:7::1]:1", with_port(to, 2).as_str()).payload_len(length - 48)
    };
    site.network.learn(interface::WAN, "2001:db8::fe");
    let sent = site.receive(LAN, [big(LAN_HOST6, 1301).frame()]);
    assert_eq!(site.drops(), [(Reason::NoRoute, 1), (Reason::PacketTooBig, 1)]);
    assert_eq!(sent, [], "no route leads back to fd00:7::1");
    assert_eq!(site.receive(LAN, [big(LAN_HOST6, 1300).frame()]).len(), 1);
    assert_eq!(site.receive(LAN, [big("fd00:2::1", 1500).frame()]).len(), 1);
}

/// The segment size that a SYN promises, with its checksum in order.
fn mss_of(ip: &[u8]) -> u16 {
    let parsed = wire::parse_ip(ip, 0).expect("valid");
    let segment = &ip[parsed.l4()..parsed.end()];
    assert_eq!(wire::checksum::of_segment(&parsed.addresses, 6, segment), 0, "the checksum holds");
    u16::from_be_bytes([segment[22], segment[23]])
}

fn syn(from: &str, to: &str, mss: u16) -> Packet {
    Packet::tcp(with_port(from, 1).as_str(), with_port(to, 2).as_str(), Flags::SYN).mss(mss)
}

#[test]
fn a_path_to_a_peer_that_is_narrower_than_the_tunnel_counts_for_segment_sizes_both_ways() {
    let mut site = Site::new();
    let narrow = route::NextHop::on_link(interface::WAN).with_mtu(1300);
    site.network.routes.insert("192.0.2.10/32".parse().unwrap(), &[narrow.into()]);
    site.publish();
    // What is left of 1300 bytes for inner packets is 1240.
    let (mut near, mut far) = (site.connect(0), site.connect(3));
    for (ours, [narrow, wide], [small, large]) in [
        (LAN_HOST, [PEERS[0].host, PEERS[3].host], [1200, 1380]),
        (LAN_HOST6, [PEERS[0].host6, PEERS[3].host6], [1180, 1360]),
    ] {
        let into = |site: &mut Site, remote: &mut Remote, packet: Packet| {
            let sent = site.receive(LAN, [packet.frame()]);
            mss_of(&remote.open(sent[0].payload(), site.now).expect("for this peer"))
        };
        assert_eq!(into(&mut site, &mut near, syn(ours, narrow, 1460)), small);
        assert_eq!(into(&mut site, &mut near, syn(ours, narrow, 536)), 536, "never raised");
        assert_eq!(into(&mut site, &mut far, syn(ours, wide, 1460)), large, "its path is wider");
        let mut out_of = |remote: &mut Remote, packet: Packet| {
            let frame = remote.frame(&packet.ip(), site.now);
            site.receive(WAN, [frame]).remove(0)
        };
        assert_eq!(mss_of(out_of(&mut near, syn(narrow, ours, 1460)).ip()), small);
        assert_eq!(mss_of(out_of(&mut near, syn(narrow, ours, 536)).ip()), 536);
        assert_eq!(mss_of(out_of(&mut far, syn(wide, ours, 1460)).ip()), large);
        // From tunnel to tunnel the narrower path counts, whichever it is.
        let sent = out_of(&mut near, syn(narrow, wide, 1460));
        let inner = far.open(sent.payload(), site.now).expect("for this peer");
        assert_eq!(mss_of(&inner), small);
        let frame = far.frame(&syn(wide, narrow, 1460).ip(), site.now);
        let sent = site.receive(WAN, [frame]);
        let inner = near.open(sent[0].payload(), site.now).expect("for this peer");
        assert_eq!(mss_of(&inner), small);
    }
    assert_eq!(site.drops(), []);
}

#[test]
fn segment_sizes_are_clamped_both_ways_through_a_tunnel_and_never_raised() {
    for (ours, theirs, most) in [(LAN_HOST, PEERS[0].host, 1380), (LAN_HOST6, PEERS[0].host6, 1360)]
    {
        for flags in [Flags::SYN, Flags::SYN.with(Flags::ACK)] {
            for (mss, expected) in [(1460, most), (most + 1, most), (most, most), (536, 536)] {
                let mut site = Site::new();
                let mut remote = site.connect(0);
                let (ours, theirs) = (with_port(ours, 1), with_port(theirs, 2));
                let out = Packet::tcp(ours.as_str(), theirs.as_str(), flags).mss(mss);
                let sent = site.receive(LAN, [out.frame()]);
                let inner = remote.open(sent[0].payload(), site.now).expect("for this peer");
                assert_eq!(mss_of(&inner), expected, "into the tunnel");
                let back = Packet::tcp(theirs.as_str(), ours.as_str(), flags).mss(mss);
                let frame = remote.frame(&back.ip(), site.now);
                let sent = site.receive(WAN, [frame]);
                assert_eq!(mss_of(sent[0].ip()), expected, "out of the tunnel");
            }
        }
    }
}

#[test]
fn segment_sizes_of_plain_transit_are_left_alone() {
    let packet = Packet::tcp("10.1.0.5:1", "10.7.0.5:2", Flags::SYN).mss(1460);
    assert_eq!(passes(&packet).ip(), one_hop_later(&packet.ip()));
    let (_, drops) = try_from_lan(&packet);
    assert_eq!(drops, []);
}

#[test]
fn traffic_of_the_gateways_own_kernel_keeps_its_hops_and_its_source() {
    let mut site = Site::new();
    let mut remote = site.connect(0);
    let packet = Packet::ping("10.8.0.1", PEERS[0].host, 1, 1).hop_limit(1);
    let sent = site.enter(Entry::Local, [packet.ip()]);
    let inner = remote.open(sent[0].payload(), site.now).expect("for this peer");
    assert_eq!(inner[..packet.ip().len()], packet.ip());
    // The rules hold for the gateway too: `local` may not speak to the Internet here.
    assert_eq!(site.enter(Entry::Local, [Packet::ping("10.8.0.1", SERVER, 1, 1).ip()]), []);
    assert_eq!(only(&site.drops()), Reason::PolicyDeny);
}

#[test]
fn a_link_address_of_a_group_is_never_forwarded() {
    let group = Mac([0x01, 0, 0x5e, 0, 0, 1]);
    assert_eq!(refusal(&from_lan(SERVER).macs(HOST_MAC, group)), Reason::MartianDestination);
}
