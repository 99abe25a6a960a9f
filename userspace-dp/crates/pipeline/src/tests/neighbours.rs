//! Packets that wait for their next hop.

use core::time::Duration;

use clock::Rate;
use telemetry::Reason;
use wire::build::Packet;
use wire::tcp::Flags;
use wire::{icmpv4, icmpv6};

use super::{from_lan, icmp, one_hop_later, with_port};
use crate::outbox::ControlEvent;
use crate::packet::Entry;
use crate::parked::PARKED_PER_NEXT_HOP;
use crate::reply_budget::ReplyBudget;
use crate::snapshot::WorkerId;
use crate::testing::{
    LAN, LAN_HOST, LAN_HOST6, PEERS, SERVER, SITE_LIMITS, Sent, Site, WAN, WAN_ADDRESS, interface,
};

const ABSENT: &str = "10.1.0.77";
const ABSENT6: &str = "fd00:1::77";
/// Type and code of what the sender of a packet to a host that does not answer is told.
const UNREACHABLE4: (u8, u8) = (icmpv4::kind::UNREACHABLE, icmpv4::unreachable::HOST);
const UNREACHABLE6: (u8, u8) = (icmpv6::kind::UNREACHABLE, icmpv6::unreachable::ADDRESS);

fn number(serial: u16) -> Packet {
    from_lan(ABSENT).payload(&serial.to_be_bytes())
}

#[test]
fn packets_for_a_next_hop_that_is_not_known_wait_and_go_in_order() {
    let mut site = Site::new();
    let packets: Vec<Packet> = (0..16).map(number).collect();
    assert_eq!(site.receive(LAN, packets.iter().map(Packet::frame)), []);
    assert_eq!(site.drops(), []);
    assert_eq!(site.state.frames_held(), 16);
    let asked = ControlEvent::NeighbourMissing(interface::LAN, ABSENT.parse().unwrap());
    assert!(site.out.events.contains(&asked));
    site.poll();
    assert_eq!(site.sent(), [], "nothing has changed");
    site.network.learn(interface::LAN, ABSENT);
    site.publish();
    site.poll();
    let sent: Vec<Vec<u8>> = site.sent().iter().map(|sent| sent.ip().to_vec()).collect();
    assert_eq!(sent, packets.iter().map(|packet| one_hop_later(&packet.ip())).collect::<Vec<_>>());
    assert_eq!(site.state.frames_held(), 0);
    site.assert_frames_complete();
}

#[test]
fn packets_that_waited_are_not_overtaken_by_those_that_did_not_have_to() {
    let mut site = Site::new();
    site.receive(LAN, (0..5).map(|serial| number(serial).frame()));
    site.network.learn(interface::LAN, ABSENT);
    site.publish();
    let sent = site.receive(LAN, (5..10).map(|serial| number(serial).frame()));
    let order: Vec<Vec<u8>> = sent.iter().map(|sent| sent.payload().to_vec()).collect();
    assert_eq!(order, (0..10u16).map(|serial| serial.to_be_bytes().to_vec()).collect::<Vec<_>>());
}

#[test]
fn a_next_hop_that_never_answers_costs_the_packets_after_a_while_and_not_before() {
    let mut site = Site::new();
    site.receive(LAN, (0..5).map(|serial| number(serial).frame()));
    site.pass(SITE_LIMITS.park_time - Duration::from_nanos(1));
    assert_eq!((site.drops(), site.state.frames_held()), (vec![], 5));
    site.pass(Duration::from_nanos(1));
    assert_eq!((site.drops(), site.state.frames_held()), (vec![(Reason::NeighbourTimeout, 5)], 0));
    site.assert_frames_complete();
}

/// Lets whatever waits wait in vain; what leaves then.
fn give_up(site: &mut Site) -> Vec<Sent> {
    site.pass(SITE_LIMITS.park_time);
    site.sent()
}

#[test]
fn the_sender_hears_that_the_host_does_not_answer() {
    for (from, to, ours, told) in [
        (LAN_HOST, ABSENT, "10.1.0.1", UNREACHABLE4),
        (LAN_HOST6, ABSENT6, "fd00:1::1", UNREACHABLE6),
    ] {
        let mut site = Site::new();
        let packet = from_lan(to);
        assert_eq!(site.receive(LAN, [packet.frame()]), []);
        let sent = give_up(&mut site);
        assert_eq!((sent.len(), sent[0].port), (1, LAN));
        let addresses = sent[0].parsed().addresses;
        assert_eq!(addresses.source().to_string(), ours);
        assert_eq!(addresses.destination().to_string(), from);
        let (kind, code, number, quoted) = icmp(&sent[0]);
        assert_eq!(((kind, code), number), (told, 0));
        assert_eq!(quoted, one_hop_later(&packet.ip()));
        assert_eq!(site.drops(), [(Reason::NeighbourTimeout, 1)]);
        assert_eq!(site.counters.replies.read(), 1);
        site.assert_frames_complete();
    }
}

#[test]
fn a_peer_hears_through_its_tunnel_that_the_host_does_not_answer() {
    let mut site = Site::new();
    let mut remote = site.connect(0);
    for (from, to, ours, told) in [
        (PEERS[0].host, ABSENT, "10.8.0.1", UNREACHABLE4),
        (PEERS[0].host6, ABSENT6, "fd00:8::1", UNREACHABLE6),
    ] {
        let packet = Packet::udp(with_port(from, 1).as_str(), with_port(to, 2).as_str());
        let frame = remote.frame(&packet.ip(), site.now);
        assert_eq!(site.receive(WAN, [frame]), []);
        let sent = give_up(&mut site);
        assert_eq!((sent.len(), sent[0].port), (1, WAN));
        let inner = remote.open(sent[0].payload(), site.now).expect("for this peer");
        let parsed = wire::parse_ip(&inner, 0).expect("valid");
        assert_eq!(parsed.addresses.source().to_string(), ours);
        assert_eq!(parsed.addresses.destination().to_string(), from);
        assert_eq!((inner[parsed.l4()], inner[parsed.l4() + 1]), told);
    }
    assert_eq!(site.drops(), [(Reason::NeighbourTimeout, 2)]);
    site.assert_frames_complete();
}

#[test]
fn the_gateways_own_kernel_hears_it_too() {
    let mut site = Site::new();
    let own = Packet::udp("10.8.0.1:1", with_port(ABSENT, 2).as_str());
    assert_eq!(site.enter(Entry::Local, [own.ip()]), []);
    assert_eq!(give_up(&mut site), []);
    let punted = site.punted();
    assert_eq!(punted.len(), 1);
    let addresses = wire::parse_ip(&punted[0], 0).unwrap().addresses;
    assert_eq!(addresses.destination().to_string(), "10.8.0.1");
}

#[test]
fn who_may_not_be_told_hears_nothing_of_an_absent_host() {
    let (lan, lan6) = (with_port(LAN_HOST, 1), with_port(LAN_HOST6, 1));
    let (absent, absent6) = (with_port(ABSENT, 2), with_port(ABSENT6, 2));
    let exceeded = icmpv4::Repr::TimeExceeded { code: 0 };
    let silent = [
        Packet::icmpv4(lan.as_str(), absent.as_str(), exceeded).payload_len(28),
        Packet::icmpv6(lan6.as_str(), absent6.as_str(), icmpv6::Repr::PacketTooBig { mtu: 1280 })
            .payload_len(48),
        Packet::tcp(lan.as_str(), absent.as_str(), Flags::RST),
        Packet::raw(lan.as_str(), absent.as_str(), 47).payload_len(64).fragment(64, true),
        Packet::raw(lan6.as_str(), absent6.as_str(), 47).payload_len(64).fragment(64, false),
    ];
    for packet in silent {
        let mut site = Site::new();
        site.receive(LAN, [packet.frame()]);
        assert_eq!(site.state.frames_held(), 1);
        assert_eq!(give_up(&mut site), [], "{packet:?}");
        assert_eq!(site.drops(), [(Reason::NeighbourTimeout, 1)]);
        site.assert_frames_complete();
    }
}

#[test]
fn a_packet_that_makes_room_is_not_answered_and_neither_is_a_sealed_one_or_an_answer() {
    let mut site = Site::new();
    let _remote = site.connect(0);
    // The peer, and the host that asks for what does not exist, vanish.
    site.network.neighbours.remove(interface::WAN, "192.0.2.10".parse().unwrap());
    site.network.neighbours.remove(interface::LAN, LAN_HOST.parse().unwrap());
    site.publish();
    let most = PARKED_PER_NEXT_HOP as u16;
    site.receive(LAN, (0..most + 9).map(|serial| number(serial).frame()));
    assert_eq!(site.drops(), [(Reason::NeighbourQueueFull, 9)]);
    site.receive(LAN, [Packet::udp("10.1.0.5:1", with_port(PEERS[0].host, 2).as_str()).frame()]);
    assert_eq!(site.drops(), [(Reason::NeighbourQueueFull, 10)]);
    assert_eq!(give_up(&mut site), [], "the answers wait for who is to be told");
    let waited = u64::from(most) - 1;
    assert_eq!(site.state.frames_held() as u64, waited);
    assert_eq!(site.counters.replies.read(), waited, "none for what made room or was sealed");
    assert_eq!(give_up(&mut site), []);
    assert_eq!((site.state.frames_held(), site.counters.replies.read()), (0, waited));
    site.assert_frames_complete();
}

#[test]
fn answers_about_absent_hosts_stay_within_the_budget() {
    let mut site = Site::new();
    site.budget = ReplyBudget::new(8, Rate::new(1, 100), Rate::new(1, 3));
    site.receive(LAN, (0..10).map(|host| to_nobody(host).frame()));
    assert_eq!(give_up(&mut site).len(), 3);
    assert_eq!(site.drops(), [(Reason::NeighbourTimeout, 10)]);
    assert_eq!((site.counters.replies.read(), site.counters.replies_limited.read()), (3, 7));
    site.assert_frames_complete();
}

#[test]
fn more_packets_than_a_burst_are_given_up_at_once() {
    let limits = crate::StateLimits { parked: 200, ..SITE_LIMITS };
    let mut site = Site::of(WorkerId(0), 1, limits);
    site.receive(LAN, (0..150).map(|host| to_nobody(host).frame()));
    assert_eq!(site.state.frames_held(), 150);
    assert_eq!(give_up(&mut site).len(), 150);
    assert_eq!(site.drops(), [(Reason::NeighbourTimeout, 150)]);
    assert_eq!(site.state.frames_held(), 0);
    site.assert_frames_complete();
}

/// A packet for a host that does not exist, another one for each number.
fn to_nobody(host: u8) -> Packet {
    from_lan(&format!("10.1.0.{}", 100 + host))
}

#[test]
fn a_next_hop_has_a_share_and_beyond_it_the_newest_packets_wait() {
    let mut site = Site::new();
    let most = PARKED_PER_NEXT_HOP as u16;
    let packets: Vec<Packet> = (0..most + 9).map(number).collect();
    site.receive(LAN, packets.iter().map(Packet::frame));
    assert_eq!(site.drops(), [(Reason::NeighbourQueueFull, 9)]);
    assert_eq!(site.state.frames_held(), PARKED_PER_NEXT_HOP);
    assert_eq!(site.receive(LAN, [from_lan(SERVER).frame()]).len(), 1, "others are not held up");
    site.network.learn(interface::LAN, ABSENT);
    site.publish();
    site.poll();
    let sent: Vec<Vec<u8>> = site.sent().iter().map(|sent| sent.payload().to_vec()).collect();
    let newest: Vec<_> = (9..most + 9).map(|serial| serial.to_be_bytes().to_vec()).collect();
    assert_eq!(sent, newest);
    site.assert_frames_complete();
}

#[test]
fn a_scan_that_fills_the_store_does_not_turn_away_who_talks_to_a_host_that_answers() {
    let mut site = Site::new();
    let most = SITE_LIMITS.parked;
    assert_eq!(most, 64);
    for host in 0..most as u8 {
        site.receive(LAN, [to_nobody(host).frame()]);
    }
    assert_eq!((site.drops(), site.state.frames_held()), (vec![], most));
    site.receive(LAN, [number(7).frame()]);
    for host in 0..most as u8 / 2 {
        site.receive(LAN, [to_nobody(64 + host).frame()]);
    }
    assert_eq!(site.state.frames_held(), most, "no more than there is room for");
    assert_eq!(site.drops(), [(Reason::NeighbourQueueFull, 1 + most as u64 / 2)]);
    site.network.learn(interface::LAN, ABSENT);
    site.publish();
    site.poll();
    assert_eq!(site.sent().len(), 1, "the wanted one was kept");
    site.pass(SITE_LIMITS.park_time);
    assert_eq!(site.state.frames_held(), 0);
    site.assert_frames_complete();
}

#[test]
fn control_is_told_once_in_a_while_of_a_missing_next_hop_however_many_packets_want_it() {
    let mut site = Site::new();
    let missing = ControlEvent::NeighbourMissing(interface::LAN, ABSENT.parse().unwrap());
    let told = |site: &Site| site.out.events.iter().filter(|&&event| event == missing).count();
    site.receive(LAN, (0..60).map(|serial| number(serial).frame()));
    site.receive(LAN, (0..60).map(|serial| number(serial).frame()));
    assert_eq!(told(&site), 1, "also when there is no room to wait");
    site.pass(Duration::from_millis(500));
    site.receive(LAN, [number(0).frame()]);
    assert_eq!(told(&site), 2, "somebody still wants it");
}

#[test]
fn a_next_hop_that_answered_and_vanished_again_is_told_at_once() {
    let mut site = Site::new();
    let missing = ControlEvent::NeighbourMissing(interface::LAN, ABSENT.parse().unwrap());
    let told = |site: &Site| site.out.events.iter().filter(|&&event| event == missing).count();
    site.receive(LAN, [number(0).frame()]);
    site.network.learn(interface::LAN, ABSENT);
    site.publish();
    site.poll();
    assert_eq!((told(&site), site.sent().len()), (1, 1));
    site.network.neighbours.remove(interface::LAN, ABSENT.parse().unwrap());
    site.publish();
    site.receive(LAN, (1..60).map(|serial| number(serial).frame()));
    assert_eq!(told(&site), 2, "as soon as a packet waits for it, and once");
}

#[test]
fn a_missing_next_hop_is_told_however_many_are_in_use() {
    let mut site = Site::new();
    for host in 0..=255 {
        let used = core::net::IpAddr::from([192, 0, 2, host]);
        site.out.neighbour_used(interface::WAN, used, &site.counters);
    }
    site.receive(LAN, [number(0).frame()]);
    let missing = ControlEvent::NeighbourMissing(interface::LAN, ABSENT.parse().unwrap());
    assert!(site.out.events.contains(&missing));
    assert!(site.counters.events_lost.read() > 0, "what had no room is counted");
}

#[test]
fn a_sealed_packet_waits_for_the_way_to_its_peer() {
    let mut site = Site::new();
    let mut remote = site.connect(0);
    site.network.neighbours.remove(interface::WAN, "192.0.2.10".parse().unwrap());
    site.publish();
    let packet = Packet::udp("10.1.0.5:1", with_port(PEERS[0].host, 2).as_str());
    assert_eq!(site.receive(LAN, [packet.frame()]), []);
    assert_eq!((site.drops(), site.state.frames_held()), (vec![], 1));
    site.network.learn(interface::WAN, "192.0.2.10");
    site.publish();
    site.poll();
    let sent = site.sent();
    assert_eq!((sent.len(), sent[0].port), (1, WAN));
    assert_eq!(sent[0].parsed().addresses.source().to_string(), WAN_ADDRESS);
    remote.open(sent[0].payload(), site.now).expect("for this peer");
}

#[test]
fn next_hops_in_use_are_told_to_control_once_in_a_while() {
    let mut site = Site::new();
    let used = ControlEvent::NeighbourUsed(
        interface::WAN,
        crate::testing::DEFAULT_GATEWAY.parse().unwrap(),
    );
    for _ in 0..3 {
        site.receive(LAN, [from_lan(SERVER).frame()]);
    }
    assert_eq!(site.out.events.as_slice(), [used]);
    site.out.events.clear();
    site.pass(Duration::from_secs(10));
    site.receive(LAN, [from_lan(SERVER).frame()]);
    assert_eq!(site.out.events.as_slice(), [used]);
}
