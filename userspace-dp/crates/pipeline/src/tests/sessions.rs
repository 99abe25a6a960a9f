//! Packets that wait for a session, and what time and commands do to it.

use core::time::Duration;

use telemetry::Reason;
use wire::build::Packet;
use wireguard::{Endpoint, REKEY_TIMEOUT, Role, STAGED_PACKETS};

use super::{icmp, with_port};
use crate::handshake::{HandshakeEvent, PeerCommand};
use crate::packet::{Arrivals, Entry, Ingress};
use crate::snapshot::WorkerId;
use crate::testing::{LAN, LAN_HOST, PEERS, Remote, SITE_LIMITS, Sent, Site, WAN, peer_handle};

fn number(peer: usize, serial: u16) -> Packet {
    let (from, to) = (with_port(LAN_HOST, 1), with_port(PEERS[peer].host, 2));
    Packet::udp(from.as_str(), to.as_str()).payload(&serial.to_be_bytes())
}

/// The serial numbers of what reaches a peer.
fn arrive(remote: &mut Remote, sent: &[Sent], site: &Site) -> Vec<u16> {
    let serial = |sent: &Sent| {
        let inner = remote.open(sent.payload(), site.now).expect("for this peer");
        if inner.is_empty() {
            return None;
        }
        let parsed = wire::parse_ip(&inner, 0).expect("valid");
        inner[parsed.payload_range()].first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
    };
    sent.iter().filter_map(serial).collect()
}

#[test]
fn a_packet_for_a_peer_without_owner_asks_for_one_and_waits() {
    let mut site = Site::new();
    for serial in 0..3 {
        assert_eq!(site.receive(LAN, [number(0, serial).frame()]), []);
    }
    assert_eq!((site.drops(), site.state.frames_held()), (vec![], 3));
    assert_eq!(site.out.handshakes.len(), 1, "it does not ask again at once");
    let asked = site.out.handshakes.pop_front();
    assert!(matches!(asked, Some(HandshakeEvent::PeerWanted(0, WorkerId(0)))), "{asked:?}");
    site.now = site.now + Duration::from_secs(1);
    site.receive(LAN, [number(0, 3).frame()]);
    assert_eq!(site.out.handshakes.len(), 1, "but a second later");
}

#[test]
fn the_sender_to_a_peer_that_is_nowhere_is_told_and_nobody_asks_for_a_handshake() {
    let mut site = Site::new();
    let nowhere = PeerCommand::Adopt { peer: peer_handle(0), endpoint: None, keepalive: None };
    site.command(nowhere);
    site.snapshot.tunnel.owners.claim(0, site.worker);
    let sent = site.receive(LAN, [number(0, 1).frame()]);
    assert_eq!(site.drops(), [(Reason::PeerHasNoEndpoint, 1)]);
    assert_eq!(sent.len(), 1, "one answer");
    let (kind, code, ..) = icmp(&sent[0]);
    assert_eq!((sent[0].port, kind, code), (LAN, 3, 1), "host unreachable");
    site.pass(REKEY_TIMEOUT);
    assert_eq!((site.out.handshakes.len(), site.state.frames_held()), (0, 0));
    // Once it is somewhere, packets wait for it and a handshake is asked for.
    let at = Endpoint::configured(PEERS[0].socket());
    site.command(PeerCommand::SetEndpoint(peer_handle(0), at));
    assert_eq!(site.receive(LAN, [number(0, 2).frame()]), []);
    site.poll();
    assert!(matches!(site.out.handshakes.pop_front(), Some(HandshakeEvent::HandshakeDue(_))));
    assert_eq!(site.state.frames_held(), 1);
}

#[test]
fn what_waited_for_an_owner_of_a_peer_that_is_nowhere_is_told_too() {
    let mut site = Site::new();
    site.receive(LAN, (0..3).map(|serial| number(0, serial).frame()));
    assert_eq!(site.state.frames_held(), 3);
    let nowhere = PeerCommand::Adopt { peer: peer_handle(0), endpoint: None, keepalive: None };
    site.command(nowhere);
    site.snapshot.tunnel.owners.claim(0, site.worker);
    site.poll();
    assert_eq!((site.sent().len(), site.state.frames_held()), (3, 0));
    assert_eq!(site.drops(), [(Reason::PeerHasNoEndpoint, 3)]);
    site.assert_frames_complete();
}

#[test]
fn packets_that_wait_go_out_in_order_once_there_is_a_session_that_we_began() {
    let mut site = Site::new();
    site.adopt(0);
    site.receive(LAN, (0..100).map(|serial| number(0, serial).frame()));
    site.poll();
    let asked = site.out.handshakes.pop_front();
    assert!(matches!(asked, Some(HandshakeEvent::HandshakeDue(peer)) if peer == peer_handle(0)));
    let mut remote = site.install(0, Role::Initiator);
    let sent = site.sent();
    assert_eq!(arrive(&mut remote, &sent, &site), (0..100).collect::<Vec<u16>>());
    assert_eq!(site.state.frames_held(), 0);
}

#[test]
fn of_a_session_that_we_answered_the_first_packet_sets_them_free() {
    let mut site = Site::new();
    site.adopt(0);
    site.receive(LAN, (0..3).map(|serial| number(0, serial).frame()));
    let mut remote = site.install(0, Role::Responder);
    site.poll();
    assert_eq!(site.sent(), [], "the peer has not shown that it has the keys");
    // Its first packet asks for an answer by hairpin: what has waited goes first.
    let echo =
        Packet::udp(with_port(PEERS[0].host, 9).as_str(), with_port(PEERS[0].host, 2).as_str());
    let frame = remote.frame(&echo.payload(&7u16.to_be_bytes()).ip(), site.now);
    let sent = site.receive(WAN, [frame]);
    assert_eq!(arrive(&mut remote, &sent, &site), [0, 1, 2, 7]);
}

#[test]
fn only_128_packets_wait_for_a_peer_and_the_oldest_yields() {
    let mut site = Site::new();
    site.adopt(0);
    site.receive(LAN, (0..200).map(|serial| number(0, serial).frame()));
    assert_eq!(site.drops(), [(Reason::StagedQueueFull, 200 - STAGED_PACKETS as u64)]);
    assert_eq!(site.state.frames_held(), STAGED_PACKETS);
    site.receive(LAN, [number(1, 0).frame()]);
    assert_eq!(site.state.frames_held(), STAGED_PACKETS + 1, "another peer has its own queue");
    let mut remote = site.install(0, Role::Initiator);
    let sent = site.sent();
    assert_eq!(arrive(&mut remote, &sent, &site), (72..200).collect::<Vec<u16>>());
    site.assert_frames_complete();
}

#[test]
fn all_peers_together_hold_no_more_than_the_store() {
    let limits = crate::StateLimits { staged: 100, ..SITE_LIMITS };
    let mut site = Site::of(WorkerId(0), 1, limits);
    site.receive(LAN, (0..90).map(|serial| number(0, serial).frame()));
    site.receive(LAN, (0..30).map(|serial| number(1, serial).frame()));
    assert_eq!(site.drops(), [(Reason::StagedQueueFull, 20)]);
    assert_eq!(site.state.frames_held(), 100);
    site.assert_frames_complete();
}

#[test]
fn packets_of_a_handshake_that_was_given_up_are_dropped_and_others_wait_on() {
    let mut site = Site::new();
    site.adopt(0);
    site.adopt(1);
    site.receive(LAN, (0..5).map(|serial| number(0, serial).frame()));
    site.receive(LAN, (0..7).map(|serial| number(1, serial).frame()));
    site.command(PeerCommand::GiveUp(peer_handle(0)));
    assert_eq!(site.drops(), [(Reason::StagedAbandoned, 5)]);
    assert_eq!(site.state.frames_held(), 7);
    site.command(PeerCommand::Abandon(peer_handle(1)));
    assert_eq!(site.drops(), [(Reason::StagedAbandoned, 5), (Reason::PeerRemoved, 7)]);
    site.assert_frames_complete();
}

#[test]
fn a_packet_waits_for_a_session_no_longer_than_a_handshake_goes_on() {
    let mut site = Site::new();
    site.adopt(0);
    site.adopt(1);
    // A handshake that ends without a word: the peer calls, and then never speaks.
    site.receive(LAN, (0..3).map(|serial| number(0, serial).frame()));
    let _silent = site.install(0, Role::Responder);
    site.pass(Duration::from_secs(30));
    site.receive(LAN, (0..5).map(|serial| number(1, serial).frame()));
    site.pass(Duration::from_secs(60) - Duration::from_nanos(1));
    assert_eq!((site.drops(), site.state.frames_held()), (vec![], 8));
    site.pass(Duration::from_nanos(1));
    assert_eq!((site.drops(), site.state.frames_held()), (vec![(Reason::StagedAbandoned, 3)], 5));
    site.receive(LAN, [number(0, 3).frame()]);
    site.pass(Duration::from_secs(30));
    assert_eq!((site.drops(), site.state.frames_held()), (vec![(Reason::StagedAbandoned, 8)], 1));
    site.pass(Duration::from_secs(60));
    assert_eq!((site.drops(), site.state.frames_held()), (vec![(Reason::StagedAbandoned, 9)], 0));
    site.assert_frames_complete();
}

#[test]
fn a_session_that_comes_late_gets_what_came_late_and_not_what_is_out_of_date() {
    let mut site = Site::new();
    site.adopt(0);
    site.receive(LAN, (0..3).map(|serial| number(0, serial).frame()));
    site.now = site.now + Duration::from_secs(60);
    site.receive(LAN, (3..5).map(|serial| number(0, serial).frame()));
    // A worker that was held up meanwhile: the session is the first thing that it sees.
    site.now = site.now + Duration::from_secs(30);
    let mut remote = site.install(0, Role::Initiator);
    let sent = site.sent();
    assert_eq!(arrive(&mut remote, &sent, &site), [3, 4]);
    assert_eq!(site.drops(), [(Reason::StagedAbandoned, 3)]);
    assert_eq!(site.state.frames_held(), 0);
    site.assert_frames_complete();
}

#[test]
fn a_packet_is_as_old_at_the_worker_that_it_was_handed_to() {
    let mut site = Site::of(WorkerId(1), 2, SITE_LIMITS);
    site.adopt(0);
    let frame = site.frame(&number(0, 0).ip());
    let mut arrivals = Arrivals::new();
    let arrived = site.now;
    site.now = site.now + Duration::from_secs(89);
    arrivals.push(Ingress { frame, entry: Entry::Seal(0), arrived, hops: 1 });
    site.process(&mut arrivals);
    assert_eq!(site.state.frames_held(), 1);
    site.pass(Duration::from_secs(1));
    assert_eq!(site.drops(), [(Reason::StagedAbandoned, 1)]);
    site.assert_frames_complete();
}

#[test]
fn packets_that_waited_here_go_to_the_worker_that_became_the_owner() {
    let mut site = Site::of(WorkerId(0), 2, SITE_LIMITS);
    site.receive(LAN, (0..3).map(|serial| number(0, serial).frame()));
    assert_eq!(site.state.frames_held(), 3);
    site.snapshot.tunnel.owners.claim(0, WorkerId(1));
    site.receive(LAN, [number(0, 3).frame()]);
    site.pass(Duration::from_secs(1));
    let handed: Vec<_> = site.handed_off();
    assert!(
        handed.iter().all(|(worker, entry, _)| (*worker, *entry) == (WorkerId(1), Entry::Seal(0)))
    );
    let last = |bytes: &[u8]| bytes[bytes.len() - 1];
    let order: Vec<u8> = handed.iter().map(|(.., bytes)| last(bytes)).collect();
    assert_eq!(order, [0, 1, 2, 3]);
    assert_eq!(site.state.frames_held(), 0);
}

#[test]
fn a_removed_peer_gets_nothing_and_its_session_is_gone() {
    let mut site = Site::new();
    let mut remote = site.connect(0);
    let frame = remote.frame(&Packet::ping(PEERS[0].host, LAN_HOST, 1, 1).ip(), site.now);
    site.command(PeerCommand::Abandon(peer_handle(0)));
    assert_eq!(site.receive(WAN, [frame]), []);
    assert_eq!(site.drops(), [(Reason::WgUnknownSession, 1)]);
    site.snapshot.tunnel.peers = [None, None, None, None].into();
    assert_eq!(site.receive(LAN, [number(0, 0).frame()]), []);
    assert_eq!(site.drops(), [(Reason::WgUnknownSession, 1), (Reason::PeerRemoved, 1)]);
    site.assert_frames_complete();
}

#[test]
fn a_session_of_a_place_with_another_occupant_says_nothing() {
    let mut site = Site::new();
    let mut remote = site.connect(0);
    let successor = wireguard::PeerHandle::new(0, 2);
    let peers = site.snapshot.tunnel.peers.iter().enumerate();
    let replaced = peers.map(|(place, peer)| {
        peer.map(|peer| crate::TunnelPeer {
            id: if place == 0 { successor } else { peer.id },
            ..peer
        })
    });
    site.snapshot.tunnel.peers = replaced.collect();
    let frame = remote.frame(&Packet::ping(PEERS[0].host, LAN_HOST, 1, 1).ip(), site.now);
    assert_eq!(site.receive(WAN, [frame]), []);
    assert_eq!(site.drops(), [(Reason::WgStalePeer, 1)]);
}

#[test]
fn received_data_is_answered_by_a_keepalive_when_nothing_else_is() {
    let mut site = Site::new();
    let mut remote = site.connect(0);
    let frame = remote.frame(&Packet::ping(PEERS[0].host, LAN_HOST, 1, 1).ip(), site.now);
    assert_eq!(site.receive(WAN, [frame]).len(), 1);
    site.pass(Duration::from_millis(9_900));
    assert_eq!(site.sent(), []);
    site.pass(Duration::from_millis(200));
    let sent = site.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(remote.open(sent[0].payload(), site.now), Ok(Vec::new()));
    site.pass(Duration::from_secs(60));
    assert_eq!(site.sent(), [], "idle peers exchange nothing");
    site.assert_frames_complete();
}

#[test]
fn a_session_that_ended_sends_nothing_and_its_packets_wait_for_the_next() {
    let mut site = Site::new();
    let _old = site.connect(0);
    site.now = site.now + Duration::from_secs(181);
    assert_eq!(site.receive(LAN, [number(0, 5).frame()]), []);
    assert_eq!(site.state.frames_held(), 1);
    site.pass(REKEY_TIMEOUT);
    assert!(matches!(site.out.handshakes.pop_front(), Some(HandshakeEvent::HandshakeDue(_))));
    let mut remote = site.install(0, Role::Initiator);
    let sent = site.sent();
    assert_eq!(arrive(&mut remote, &sent, &site), [5]);
}

#[test]
fn without_a_free_frame_the_gateways_own_messages_are_counted_and_not_sent() {
    let mut site = Site::new();
    site.adopt(0);
    let mut all = site.pool.split(usize::MAX);
    let datagram = crate::handshake::Datagram::new(&[1; 148]);
    site.command(PeerCommand::SendToPeer(peer_handle(0), datagram));
    assert_eq!(site.drops(), [(Reason::NoFrame, 1)]);
    site.pool.move_from(&mut all, usize::MAX);
    site.command(PeerCommand::SendToPeer(peer_handle(0), datagram));
    assert_eq!(site.sent().len(), 1);
}
