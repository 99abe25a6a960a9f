//! The thread over workers that only keep their rings: what they are told, in which order, and that nothing is lost.

use super::super::testing::{Remote, START, Scene, handshakes, wall};
use super::*;

/// What is told, without keys and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Adopt,
    Abandon,
    SetKeepalive,
    SetEndpoint,
    Install,
    SendToPeer,
    RetryToPeer,
    SendTo,
    GiveUp,
}

fn kind(command: &PeerCommand) -> Told {
    match command {
        PeerCommand::Adopt { .. } => Told::Adopt,
        PeerCommand::Abandon(_) => Told::Abandon,
        PeerCommand::SetKeepalive(..) => Told::SetKeepalive,
        PeerCommand::SetEndpoint(..) => Told::SetEndpoint,
        PeerCommand::Install { .. } => Told::Install,
        PeerCommand::SendToPeer(..) => Told::SendToPeer,
        PeerCommand::RetryToPeer(..) => Told::RetryToPeer,
        PeerCommand::SendTo(..) => Told::SendTo,
        PeerCommand::GiveUp(_) => Told::GiveUp,
    }
}

fn kinds(scene: &mut Scene, worker: usize) -> Vec<Told> {
    scene.told(worker).iter().map(kind).collect()
}

fn turn(scene: &mut Scene, now: Time) -> usize {
    scene.thread.turn(now, wall(now))
}

/// A peer at an address, without keepalive.
fn add(scene: &mut Scene, remote: &Remote) -> PeerHandle {
    let settings =
        PeerSettings { endpoint: Some(Endpoint::configured(remote.address)), keepalive: None };
    let new = NewPeer { public: remote.public, preshared: None, settings };
    scene.thread.add(new, START, wall(START)).unwrap()
}

#[test]
fn a_call_makes_the_worker_it_came_to_the_owner_which_has_the_keys_before_the_answer_goes_out() {
    let mut scene = handshakes(3, 4, 64);
    let mut remote = Remote::new(1, &scene.public);
    let peer = add(&mut scene, &remote);
    scene.hand_in(2, &remote.call(START), remote.address, START);
    assert!(turn(&mut scene, START) > 0);
    assert_eq!(scene.owners.owner(peer.index()), Some(WorkerId(2)));
    assert_eq!(kinds(&mut scene, 2), [Told::Adopt, Told::Install, Told::SendTo]);
    assert_eq!((kinds(&mut scene, 0), kinds(&mut scene, 1)), (vec![], vec![]));
}

#[test]
fn a_second_call_that_comes_to_another_worker_leaves_the_peer_with_its_owner() {
    let mut scene = handshakes(2, 4, 64);
    let mut remote = Remote::new(1, &scene.public);
    let peer = add(&mut scene, &remote);
    scene.hand_in(0, &remote.call(START), remote.address, START);
    turn(&mut scene, START);
    assert_eq!(kinds(&mut scene, 0), [Told::Adopt, Told::Install, Told::SendTo]);
    let later = START + Duration::from_secs(10);
    scene.hand_in(1, &remote.call(later), remote.address, later);
    turn(&mut scene, later);
    assert_eq!(scene.owners.owner(peer.index()), Some(WorkerId(0)));
    assert_eq!(kinds(&mut scene, 0), [Told::Install, Told::SendTo]);
    assert_eq!(kinds(&mut scene, 1), []);
}

#[test]
fn a_peer_that_is_wanted_is_called_once_from_the_worker_that_wants_it() {
    let mut scene = handshakes(2, 4, 64);
    let remote = Remote::new(1, &scene.public);
    let peer = add(&mut scene, &remote);
    for _ in 0..3 {
        let wanted = HandshakeEvent::PeerWanted(peer.index(), WorkerId(1));
        scene.workers[1].events.push(wanted).unwrap();
    }
    turn(&mut scene, START);
    assert_eq!(kinds(&mut scene, 1), [Told::Adopt, Told::SendToPeer]);
    assert_eq!(scene.counters.dropped_total(), 0, "one under way is nothing to count");
}

#[test]
fn a_peer_that_is_nowhere_gets_an_owner_and_is_called_once_it_is_somewhere() {
    let mut scene = handshakes(2, 4, 64);
    let remote = Remote::new(1, &scene.public);
    let settings = PeerSettings { endpoint: None, keepalive: None };
    let new = NewPeer { public: remote.public, preshared: None, settings };
    let peer = scene.thread.add(new, START, wall(START)).unwrap();
    let agreements = scene.thread.engine.statistics().agreements;
    let wanted = HandshakeEvent::PeerWanted(peer.index(), WorkerId(1));
    scene.workers[1].events.push(wanted).unwrap();
    scene.workers[1].events.push(HandshakeEvent::HandshakeDue(peer)).unwrap();
    turn(&mut scene, START);
    assert_eq!(kinds(&mut scene, 1), [Told::Adopt]);
    let statistics = scene.thread.engine.statistics();
    assert_eq!((statistics.agreements, statistics.initiations_sent), (agreements, 0));
    scene.client.set_endpoint(peer, Endpoint::configured(remote.address)).unwrap();
    scene.workers[1].events.push(HandshakeEvent::HandshakeDue(peer)).unwrap();
    turn(&mut scene, START);
    assert_eq!(kinds(&mut scene, 1), [Told::SetEndpoint, Told::SendToPeer]);
}

#[test]
fn a_peer_that_was_heard_is_called_without_a_configured_endpoint() {
    let mut scene = handshakes(1, 4, 64);
    let mut remote = Remote::new(1, &scene.public);
    let settings = PeerSettings { endpoint: None, keepalive: None };
    let new = NewPeer { public: remote.public, preshared: None, settings };
    let peer = scene.thread.add(new, START, wall(START)).unwrap();
    scene.hand_in(0, &remote.call(START), remote.address, START);
    turn(&mut scene, START);
    assert_eq!(kinds(&mut scene, 0), [Told::Adopt, Told::Install, Told::SendTo]);
    scene.workers[0].events.push(HandshakeEvent::HandshakeDue(peer)).unwrap();
    turn(&mut scene, START);
    assert_eq!(kinds(&mut scene, 0), [Told::SendToPeer]);
}

#[test]
fn a_call_that_nobody_answers_is_repeated_until_it_is_given_up() {
    let mut scene = handshakes(1, 4, 64);
    let remote = Remote::new(1, &scene.public);
    let peer = add(&mut scene, &remote);
    scene.workers[0].events.push(HandshakeEvent::HandshakeDue(peer)).unwrap();
    turn(&mut scene, START);
    assert_eq!(kinds(&mut scene, 0), [Told::Adopt, Told::SendToPeer]);
    let mut told = Vec::new();
    for second in 1..=120 {
        turn(&mut scene, START + Duration::from_secs(second));
        told.extend(kinds(&mut scene, 0));
    }
    let (last, retries) = told.split_last().unwrap();
    assert_eq!(*last, Told::GiveUp);
    // Every five seconds and a little, for 90 seconds.
    assert!((14..=18).contains(&retries.len()), "{told:?}");
    assert!(retries.iter().all(|one| *one == Told::RetryToPeer), "{told:?}");
}

#[test]
fn commands_that_find_no_room_wait_and_come_in_order() {
    let mut scene = handshakes(1, 8, 2);
    let mut remotes: Vec<_> = (1..=4).map(|number| Remote::new(number, &scene.public)).collect();
    for remote in &mut remotes {
        add(&mut scene, remote);
        scene.hand_in(0, &remote.call(START), remote.address, START);
    }
    turn(&mut scene, START);
    let mut told = kinds(&mut scene, 0);
    assert_eq!(told.len(), 2, "the ring holds two");
    while told.len() < 12 {
        turn(&mut scene, START);
        let more = kinds(&mut scene, 0);
        assert!(!more.is_empty(), "lost after {told:?}");
        told.extend(more);
    }
    assert_eq!(told, [Told::Adopt, Told::Install, Told::SendTo].repeat(4));
}

#[test]
fn a_removed_peer_is_abandoned_and_what_comes_for_it_later_leads_nowhere() {
    let mut scene = handshakes(2, 4, 64);
    let mut remote = Remote::new(1, &scene.public);
    let peer = add(&mut scene, &remote);
    scene.hand_in(1, &remote.call(START), remote.address, START);
    turn(&mut scene, START);
    scene.told(1);
    scene.thread.remove(peer);
    let later = START + Duration::from_secs(10);
    scene.workers[0].events.push(HandshakeEvent::HandshakeDue(peer)).unwrap();
    scene.workers[0].events.push(HandshakeEvent::PeerWanted(peer.index(), WorkerId(0))).unwrap();
    scene.hand_in(0, &remote.call(later), remote.address, later);
    turn(&mut scene, later);
    assert_eq!(kinds(&mut scene, 1), [Told::Abandon]);
    assert_eq!(kinds(&mut scene, 0), []);
    assert_eq!(scene.owners.owner(peer.index()), None);
    assert_eq!(scene.counters.dropped(reason_of_rejected(Rejected::UnknownPeer)), 1);
}

#[test]
fn another_peer_in_the_place_of_a_removed_one_has_nothing_of_it() {
    let mut scene = handshakes(2, 1, 64);
    let mut first = Remote::new(1, &scene.public);
    let old = add(&mut scene, &first);
    scene.hand_in(1, &first.call(START), first.address, START);
    turn(&mut scene, START);
    scene.thread.remove(old);
    let second = Remote::new(2, &scene.public);
    let new = add(&mut scene, &second);
    assert_eq!((new.index(), new == old), (old.index(), false));
    assert_eq!(scene.owners.owner(new.index()), None);
    turn(&mut scene, START);
    scene.told(1);
    scene.thread.set_keepalive(old, Some(Duration::from_secs(1)), START, wall(START));
    turn(&mut scene, START);
    assert_eq!(kinds(&mut scene, 1), [], "the old handle still did something");
}

#[test]
fn a_keepalive_or_an_endpoint_that_changes_reaches_the_owner() {
    let mut scene = handshakes(2, 4, 64);
    let mut remote = Remote::new(1, &scene.public);
    let peer = add(&mut scene, &remote);
    scene.hand_in(1, &remote.call(START), remote.address, START);
    turn(&mut scene, START);
    scene.told(1);
    scene.client.set_keepalive(peer, Some(Duration::from_secs(25))).unwrap();
    scene.client.set_endpoint(peer, Endpoint::configured(remote.address)).unwrap();
    turn(&mut scene, START);
    assert_eq!(kinds(&mut scene, 1), [Told::SetKeepalive, Told::SetEndpoint]);
}

#[test]
fn a_peer_with_a_keepalive_is_called_as_soon_as_its_address_is_known() {
    let mut scene = handshakes(1, 4, 64);
    let remote = Remote::new(1, &scene.public);
    let settings = PeerSettings { endpoint: None, keepalive: Some(Duration::from_secs(25)) };
    let new = NewPeer { public: remote.public, preshared: None, settings };
    let peer = scene.thread.add(new, START, wall(START)).unwrap();
    turn(&mut scene, START);
    assert_eq!(kinds(&mut scene, 0), []);
    scene.client.set_endpoint(peer, Endpoint::configured(remote.address)).unwrap();
    turn(&mut scene, START);
    assert_eq!(kinds(&mut scene, 0), [Told::Adopt, Told::SendToPeer]);
}

#[test]
fn an_offered_endpoint_is_taken_by_a_peer_without_one_and_not_by_one_that_was_heard() {
    let mut scene = handshakes(1, 4, 64);
    let mut remote = Remote::new(1, &scene.public);
    let settings = PeerSettings { endpoint: None, keepalive: Some(Duration::from_secs(25)) };
    let new = NewPeer { public: remote.public, preshared: None, settings };
    let peer = scene.thread.add(new, START, wall(START)).unwrap();
    let found = Endpoint::configured(remote.address);
    let offer = |scene: &mut Scene, peer| {
        scene.client.offer_endpoint(peer, found).unwrap();
        turn(scene, START);
        kinds(scene, 0)
    };
    assert_eq!(offer(&mut scene, PeerHandle::new(peer.index(), u32::MAX)), []);
    assert_eq!(offer(&mut scene, peer), [Told::Adopt, Told::SendToPeer]);
    assert_eq!(offer(&mut scene, peer), [], "it has one");
    // Something new was configured, but the peer is heard before the answer is there.
    scene.client.expect_endpoint(peer).unwrap();
    turn(&mut scene, START);
    let later = START + Duration::from_secs(1);
    let (call, address) = (remote.call(later), remote.address);
    scene.hand_in(0, &call, address, later);
    turn(&mut scene, later);
    assert_eq!(kinds(&mut scene, 0), [Told::Install, Told::SendTo]);
    scene.client.offer_endpoint(peer, Endpoint::configured(address)).unwrap();
    turn(&mut scene, later);
    assert_eq!(kinds(&mut scene, 0), [], "where it was heard counts");
    // And the other way round the answer counts.
    scene.client.expect_endpoint(peer).unwrap();
    scene.client.offer_endpoint(peer, Endpoint::configured(address)).unwrap();
    turn(&mut scene, later);
    assert_eq!(kinds(&mut scene, 0), [Told::SetEndpoint]);
}

#[test]
fn a_sleeping_worker_is_woken_for_a_command_and_not_without_one() {
    let mut scene = handshakes(2, 4, 64);
    let mut remote = Remote::new(1, &scene.public);
    add(&mut scene, &remote);
    scene.workers.iter().for_each(|worker| worker.sleeper.announce());
    scene.hand_in(0, &remote.call(START), remote.address, START);
    turn(&mut scene, START);
    let woken = |worker: usize| {
        let mut waits =
            [PollFd::from_borrowed_fd(scene.workers[worker].sleeper.as_fd(), PollFlags::IN)];
        poll(&mut waits, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
    };
    assert!(woken(0));
    assert!(!woken(1));
}

#[test]
fn a_client_is_answered_while_the_thread_runs_and_told_when_it_has_ended() {
    let running = handshakes(1, 1, 64).run();
    let remote = Remote::new(1, &Remote::new(9, &PublicKey::from_bytes([9; 32])).public);
    let new = |remote: &Remote| NewPeer {
        public: remote.public,
        preshared: None,
        settings: PeerSettings { endpoint: None, keepalive: None },
    };
    let peer = running.client.add(new(&remote)).unwrap().unwrap();
    assert!(running.client.add(new(&remote)).unwrap().is_err(), "the same key twice");
    assert_eq!(running.client.statistics().unwrap().initiations_sent, 0);
    running.client.remove(peer).unwrap();
    assert!(running.client.add(new(&remote)).unwrap().is_ok());
    let client = running.client.clone();
    drop(running);
    assert_eq!(client.statistics(), Err(Ended));
}

#[test]
fn a_new_private_key_is_for_new_handshakes_and_those_under_way_begin_again_with_it() {
    let mut scene = handshakes(1, 4, 64);
    let (mut connected, called) = (Remote::new(1, &scene.public), Remote::new(2, &scene.public));
    add(&mut scene, &connected);
    let peer = add(&mut scene, &called);
    scene.hand_in(0, &connected.call(START), connected.address, START);
    scene.workers[0].events.push(HandshakeEvent::HandshakeDue(peer)).unwrap();
    turn(&mut scene, START);
    scene.told(0);

    let new = PrivateKey::from_bytes([8; 32]);
    let public = new.public_key();
    let client = scene.client.clone();
    let asking = std::thread::spawn(move || client.set_private_key(new));
    while !asking.is_finished() {
        turn(&mut scene, START);
    }
    let identity = asking.join().unwrap().unwrap();
    assert_eq!((identity.public_key, &identity.interrupted), (public, &vec![peer]));
    assert_eq!(kinds(&mut scene, 0), [], "no session is touched, and nobody is called so far");
    // At once, not five seconds after the call that was interrupted.
    scene.client.call_again(identity.interrupted).unwrap();
    turn(&mut scene, START);
    assert_eq!(kinds(&mut scene, 0), [Told::SendToPeer]);

    // A message for the old key fails, one for the new key makes a session.
    let mut later = START + Duration::from_secs(10);
    scene.hand_in(0, &connected.call(later), connected.address, later);
    turn(&mut scene, later);
    assert_eq!(kinds(&mut scene, 0).iter().filter(|told| **told == Told::Install).count(), 0);
    assert_eq!(scene.counters.dropped(telemetry::Reason::WgStaticKeyUndecryptable), 1);
    scene.gate = Arc::new(scene.gate.with_identity(&public));
    connected.gateway = connected.engine.add_peer(public, None).unwrap();
    later = later + Duration::from_secs(1);
    scene.hand_in(0, &connected.call(later), connected.address, later);
    turn(&mut scene, later);
    assert_eq!(kinds(&mut scene, 0), [Told::Install, Told::SendTo]);
}

#[test]
fn the_latest_handshake_of_a_peer_can_be_seen_until_it_is_removed() {
    let mut scene = handshakes(2, 4, 64);
    let mut remote = Remote::new(1, &scene.public);
    let peer = add(&mut scene, &remote);
    assert_eq!(scene.client.latest_handshake(peer), None);
    scene.hand_in(0, &remote.call(START), remote.address, START);
    turn(&mut scene, START);
    assert_eq!(scene.client.latest_handshake(peer), Some(START));
    scene.thread.remove(peer);
    assert_eq!(scene.client.latest_handshake(peer), None);
}
