//! Packets that wait for their next hop.

use core::time::Duration;

use telemetry::Reason;
use wire::build::Packet;

use super::{from_lan, one_hop_later, with_port};
use crate::outbox::ControlEvent;
use crate::parked::PARKED_PER_NEXT_HOP;
use crate::testing::{LAN, PEERS, SERVER, SITE_LIMITS, Site, WAN, WAN_ADDRESS, interface};

const ABSENT: &str = "10.1.0.77";

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
