//! When the data path asks for keepalives and handshakes, and when it wipes keys.

use super::*;

const KEEPALIVE: TimerEvent = TimerEvent::SendKeepalive(PEER);
const HANDSHAKE: TimerEvent = TimerEvent::StartHandshake(PEER);
const WIPED: TimerEvent = TimerEvent::SessionsWiped(PEER);

#[test]
fn two_idle_peers_exchange_nothing() {
    let (mut a, mut b) = connected(START);
    assert_eq!(a.run(START, seconds(100_000)), [(540, WIPED)]);
    assert_eq!(b.run(START, seconds(100_000)), [(540, WIPED)]);
    assert_eq!(a.0.next_deadline(), Time::NEVER);
}

#[test]
fn an_initiator_with_nothing_to_send_confirms_with_a_keepalive() {
    let mut a = Side::new();
    let (initiator, _) = keypairs(1, START);
    a.install(initiator, START);
    assert_eq!(a.events(START), [KEEPALIVE]);
    let mut a = Side::new();
    let (initiator, _) = keypairs(1, START);
    a.install(initiator, START);
    a.seal(&[0x45; 16], START).unwrap();
    assert_eq!(a.events(START), [], "a waiting packet went out instead");
}

#[test]
fn unanswered_data_received_is_acknowledged_after_ten_seconds() {
    let (mut a, mut b) = connected(START);
    let data = a.seal(&[0x45; 16], START).unwrap();
    b.open(&data, START).unwrap();
    // More data does not postpone it.
    let more = a.seal(&[0x45; 16], START).unwrap();
    b.open(&more, START + seconds(7)).unwrap();
    assert_eq!(b.run(START, seconds(530)), [(10, KEEPALIVE)]);
}

#[test]
fn an_answer_or_a_keepalive_needs_no_acknowledgement() {
    let (mut a, mut b) = connected(START);
    let data = a.seal(&[0x45; 16], START).unwrap();
    b.open(&data, START).unwrap();
    let answer = b.seal(&[0x45; 16], START + seconds(9)).unwrap();
    assert_eq!(b.run(START, seconds(23)), [], "only its own data waits for an answer");
    a.open(&answer, START + seconds(9)).unwrap();
    let keepalive = a.seal(&[], START + seconds(9)).unwrap();
    b.open(&keepalive, START + seconds(9)).unwrap();
    assert_eq!(b.run(START, seconds(500)), []);
}

#[test]
fn data_without_an_answer_starts_a_handshake_15_s_after_the_first() {
    let (mut a, _) = connected(START);
    a.seal(&[0x45; 16], START).unwrap();
    a.seal(&[0x45; 16], START + seconds(8)).unwrap();
    a.seal(&[0x45; 16], START + seconds(14)).unwrap();
    assert_eq!(a.run(START, seconds(16)), [(15, HANDSHAKE)]);
}

#[test]
fn any_authenticated_packet_is_an_answer() {
    let (mut a, mut b) = connected(START);
    a.seal(&[0x45; 16], START).unwrap();
    let keepalive = b.seal(&[], START).unwrap();
    a.open(&keepalive, START + seconds(14)).unwrap();
    assert_eq!(a.run(START, seconds(500)), []);
}

#[test]
fn keepalives_wait_for_no_answer() {
    let (mut a, _) = connected(START);
    a.seal(&[], START).unwrap();
    assert_eq!(a.run(START, seconds(500)), []);
}

#[test]
fn only_the_initiator_renews_when_it_sends_after_120_s() {
    let (mut a, mut b) = connected(START);
    for (second, expected) in [(119, &[][..]), (120, &[HANDSHAKE][..])] {
        let now = START + seconds(second);
        let sent = a.seal(&[], now).unwrap();
        assert_eq!(a.events(now), expected, "second {second}");
        b.open(&sent, now).unwrap();
        b.seal(&[], now).unwrap();
        assert_eq!(b.events(now), []);
    }
}

#[test]
fn a_request_repeats_no_sooner_than_after_five_seconds() {
    let (mut a, _) = connected(START);
    let mut asked = Vec::new();
    for tenth in 1200..1400 {
        let now = START + Duration::from_millis(tenth * 100);
        a.seal(&[], now).unwrap();
        if a.events(now).contains(&HANDSHAKE) {
            asked.push(tenth);
        }
    }
    assert_eq!(asked, [1200, 1250, 1300, 1350]);
}

#[test]
fn only_the_initiator_renews_when_it_receives_after_165_s_and_once() {
    let (mut a, mut b) = connected(START);
    for (second, expected) in [(164, &[][..]), (165, &[HANDSHAKE][..]), (171, &[][..])] {
        let now = START + seconds(second);
        let sent = b.seal(&[], now).unwrap();
        a.open(&sent, now).unwrap();
        assert_eq!(a.events(now), expected, "second {second}");
    }
    let (mut a, mut b) = connected(START);
    let now = START + seconds(166);
    let sent = a.seal(&[], now).unwrap();
    b.open(&sent, now).unwrap();
    assert_eq!(b.events(now), []);
}

#[test]
fn after_180_s_nothing_is_sent_and_a_handshake_is_asked_for() {
    let (mut a, mut b) = connected(START);
    let now = START + REJECT_AFTER_TIME;
    for side in [&mut a, &mut b] {
        assert_eq!(side.seal(&[0x45; 16], now), Err(Rejected::NoSession));
        assert_eq!(side.events(now), [HANDSHAKE]);
        assert_eq!(side.seal(&[0x45; 16], now), Err(Rejected::NoSession));
        assert_eq!(side.events(now), []);
    }
}

#[test]
fn keys_are_wiped_at_540_s() {
    let (mut a, _) = connected(START);
    let (_, responder) = keypairs(5, START + seconds(100));
    a.install(responder, START + seconds(100));
    let events = a.run(START, seconds(10_000));
    assert_eq!(events, [(640, WIPED)], "told when the last one went");
    assert!(a.0.sessions.iter().all(|s| !s.live && s.receive_key.as_bytes() == &[0; 32]));
    assert_eq!(a.0.receivers.get(1_001), None);
}

#[test]
fn persistent_keepalives_keep_their_distance_from_any_packet() {
    let mut side = Side::new();
    assert!(side.0.set_keepalive(PEER, Some(seconds(25)), START));
    assert_eq!(side.events(START + GRAIN), [KEEPALIVE], "the first at once");
    let (initiator, responder) = keypairs(1, START);
    side.install(initiator, START);
    let mut other = Side::new();
    other.install(responder, START);
    let sent = side.seal(&[], START + seconds(3)).unwrap();
    other.open(&sent, START + seconds(3)).unwrap();
    let back = other.seal(&[], START + seconds(20)).unwrap();
    side.open(&back, START + seconds(20)).unwrap();
    let times: Vec<u64> = side.run(START, seconds(100)).into_iter().map(|(at, _)| at).collect();
    assert_eq!(times, [45, 70, 95]);
    assert!(side.0.set_keepalive(PEER, None, START + seconds(100)));
    let events = side.run(START + seconds(100), seconds(10_000));
    assert_eq!(events, [(440, WIPED)]);
}

#[test]
fn the_timers_of_a_removed_peer_do_not_fire() {
    let mut side = Side::new();
    side.0.set_keepalive(PEER, Some(seconds(25)), START);
    side.0.remove_peer(PEER);
    assert_eq!(side.run(START, seconds(1_000)), []);
}

#[test]
fn many_peers_are_served_in_one_turn_and_each_once() {
    let mut sessions = Sessions::new(1_000, 1, START);
    for i in 0..1_000 {
        let peer = PeerHandle::new(i, 0);
        sessions.add_peer(peer, None, Some(seconds(25)), START).unwrap();
    }
    for round in [0, 26, 52] {
        let now = START + seconds(round) + GRAIN;
        let mut due: Vec<u32> = core::iter::from_fn(|| sessions.poll_timers(now))
            .map(|event| match event {
                TimerEvent::SendKeepalive(peer) => peer.index(),
                TimerEvent::StartHandshake(_) | TimerEvent::SessionsWiped(_) => u32::MAX,
            })
            .collect();
        due.sort_unstable();
        assert_eq!(due, (0..1_000).collect::<Vec<_>>(), "round {round}");
    }
}
