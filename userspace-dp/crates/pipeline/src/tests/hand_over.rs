//! Packets that another worker has to handle.

use telemetry::{Reason, Stage};
use wire::build::Packet;
use wireguard::Role;

use super::{one_hop_later, with_port};
use crate::packet::{Arrivals, Entry, HOPS_MAX, Ingress};
use crate::snapshot::WorkerId;
use crate::testing::{LAN, LAN_HOST, PEERS, SITE_LIMITS, Site, WAN};

fn to_peer() -> Packet {
    Packet::udp(with_port(LAN_HOST, 1).as_str(), with_port(PEERS[0].host, 2).as_str())
        .payload(b"to the peer")
}

fn two_workers() -> (Site, Site) {
    (Site::of(WorkerId(0), 2, SITE_LIMITS), Site::of(WorkerId(1), 2, SITE_LIMITS))
}

#[test]
fn a_tunnel_packet_goes_unopened_to_the_worker_that_its_receiver_index_names() {
    let (mut first, mut second) = two_workers();
    let mut remote = second.connect(0);
    let inner = Packet::ping(PEERS[0].host, LAN_HOST, 1, 1);
    let frame = remote.frame(&inner.ip(), first.now);
    assert_eq!(first.receive(WAN, [frame.clone()]), []);
    let handed = first.handed_off();
    assert_eq!(handed, [(WorkerId(1), Entry::Port(WAN), frame)]);
    let [(_, entry, bytes)] = <[_; 1]>::try_from(handed).unwrap();
    let sent = second.enter(entry, [bytes]);
    assert_eq!(sent[0].ip(), one_hop_later(&inner.ip()));
    assert_eq!((first.drops(), second.drops()), (vec![], vec![]));
}

#[test]
fn a_packet_into_a_tunnel_passes_every_check_here_and_is_sealed_by_the_owner() {
    let (mut first, mut second) = two_workers();
    let mut remote = second.connect(0);
    first.snapshot.tunnel.owners.claim(0, WorkerId(1));
    assert_eq!(first.receive(LAN, [to_peer().frame()]), []);
    let handed = first.handed_off();
    assert_eq!(handed, [(WorkerId(1), Entry::Seal(0), one_hop_later(&to_peer().ip()))]);
    let sent = second.enter(Entry::Seal(0), handed.into_iter().map(|(.., bytes)| bytes));
    let inner = remote.open(sent[0].payload(), second.now).expect("for this peer");
    assert!(inner.starts_with(&one_hop_later(&to_peer().ip())), "and no further hop is charged");
    let denied =
        Packet::udp(with_port(LAN_HOST, 1).as_str(), with_port(PEERS[0].host, 23).as_str());
    assert_eq!(first.receive(LAN, [denied.frame()]), []);
    assert_eq!((first.drops(), first.handed_off()), (vec![(Reason::PolicyDeny, 1)], vec![]));
}

#[test]
fn a_packet_that_is_sealed_elsewhere_is_counted_by_each_later_stage_once() {
    let (mut first, mut second) = two_workers();
    let _remote = second.connect(0);
    first.snapshot.tunnel.owners.claim(0, WorkerId(1));
    let counts = |site: &Site| {
        [Stage::Policy, Stage::Forward, Stage::Egress]
            .map(|stage| site.counters.stage(stage).packets.read())
    };
    first.receive(LAN, [to_peer().frame(), to_peer().frame()]);
    assert_eq!((counts(&first), counts(&second)), ([2, 2, 0], [0; 3]));
    let handed = first.handed_off().into_iter().map(|(.., bytes)| bytes);
    assert_eq!(second.enter(Entry::Seal(0), handed).len(), 2);
    assert_eq!((counts(&first), counts(&second)), ([2, 2, 0], [0, 0, 2]));
}

#[test]
fn from_tunnel_to_tunnel_each_owner_does_its_half() {
    let (mut first, mut second) = two_workers();
    let mut from = first.connect(0);
    let mut to = second.connect(1);
    first.snapshot.tunnel.owners.claim(1, WorkerId(1));
    let packet = Packet::ping(PEERS[0].host, PEERS[1].host, 1, 1);
    let frame = from.frame(&packet.ip(), first.now);
    assert_eq!(first.receive(WAN, [frame]), []);
    let handed = first.handed_off();
    assert_eq!((handed[0].0, handed[0].1), (WorkerId(1), Entry::Seal(1)));
    let sent = second.enter(handed[0].1, [handed[0].2.clone()]);
    let inner = to.open(sent[0].payload(), second.now).expect("for this peer");
    assert!(inner.starts_with(&one_hop_later(&packet.ip())));
}

#[test]
fn a_packet_is_not_handed_over_for_ever() {
    let (mut site, mut owner) = two_workers();
    let mut remote = owner.connect(0);
    for hops in 0..=HOPS_MAX {
        let frame = remote.frame(&[], site.now);
        let frame = site.frame(&frame);
        let mut arrivals = Arrivals::new();
        arrivals.push(Ingress { frame, entry: Entry::Port(WAN), arrived: site.now, hops });
        site.process(&mut arrivals);
        let passed = site.out.hand_off.pop_front();
        let next = passed.map(|(_, packet)| {
            let hops = packet.hops;
            site.pool.put(packet.frame);
            hops
        });
        assert_eq!(next, (hops < HOPS_MAX).then_some(hops + 1));
    }
    assert_eq!(site.drops(), [(Reason::HandOffLoop, 1)]);
    site.assert_frames_complete();
}

#[test]
fn full_queues_drop_the_newest_and_count_it() {
    let mut site = Site::of(WorkerId(0), 2, SITE_LIMITS);
    site.out = crate::Outbox::new(2, 10);
    site.snapshot.tunnel.owners.claim(0, WorkerId(1));
    site.receive(LAN, (0..15).map(|_| to_peer().frame()));
    assert_eq!((site.drops(), site.out.hand_off.len()), (vec![(Reason::HandOffRingFull, 5)], 10));
    let _ = site.handed_off();
    let out =
        |serial: u16| Packet::udp("10.1.0.5:1", "9.9.9.9:2").payload(&serial.to_be_bytes()).frame();
    let sent = site.receive(LAN, (0..15).map(out));
    assert_eq!(sent.len(), 10);
    assert_eq!(sent[9].payload(), 9u16.to_be_bytes(), "the oldest go");
    assert_eq!(site.drops(), [(Reason::TransmitRingFull, 5), (Reason::HandOffRingFull, 5)]);
    site.snapshot.tunnel.owners.release(0);
    let mut remote = site.connect(0);
    let pings: Vec<Vec<u8>> = (0..15)
        .map(|serial| {
            remote.frame(&Packet::ping(PEERS[0].host, "10.8.0.1", 1, serial).ip(), site.now)
        })
        .collect();
    site.receive(WAN, pings);
    assert_eq!(site.punted().len(), 10);
    assert_eq!(site.counters.dropped(Reason::SlowPathFull), 5);
    site.assert_frames_complete();
}

#[test]
fn an_index_of_ours_is_not_handed_over_and_one_of_nobody_is_refused_by_its_owner() {
    let (mut first, mut second) = two_workers();
    let mut ours = first.connect(0);
    let frame = ours.frame(&Packet::ping(PEERS[0].host, LAN_HOST, 1, 1).ip(), first.now);
    assert_eq!(first.receive(WAN, [frame.clone()]).len(), 1);
    assert_eq!(first.handed_off(), []);
    second.adopt(0);
    let _other = second.install(0, Role::Responder);
    assert_eq!(second.receive(WAN, [frame]), []);
    assert_eq!(second.handed_off().len(), 1, "the index names the first worker, whoever asks");
}
