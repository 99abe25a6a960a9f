//! The data path under a virtual clock: two sides with matching sessions, every event in every state.

mod timers;

use core::time::Duration;

use aead::{Aead, Choice};
use clock::Time;

use super::*;
use crate::protocol::*;
use crate::{Role, SymmetricKey};

const PEER: PeerHandle = PeerHandle::new(3, 7);
const START: Time = Time::from_nanos(1_000_000_000_000);
/// The wheel's grain: a timer is late by less than this.
const GRAIN: Duration = Duration::from_millis(68);

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn aead() -> Aead {
    Aead::new(Choice::Auto).unwrap()
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint::new(([192, 0, 2, 1], port).into(), [198, 51, 100, 1].into())
}

/// The keys of session `name` as both sides hold them: initiator, responder.
fn keypairs(name: u8, born: Time) -> (Keypair, Keypair) {
    let keypair = |role, ours: u32, theirs: u32, send: u8, receive: u8| Keypair {
        local_index: ours,
        remote_index: theirs,
        send_key: SymmetricKey::from_bytes([send; 32]),
        receive_key: SymmetricKey::from_bytes([receive; 32]),
        role,
        born,
    };
    let (a, b) = (1_000 + u32::from(name), 2_000 + u32::from(name));
    (
        keypair(Role::Initiator, a, b, name, name + 100),
        keypair(Role::Responder, b, a, name + 100, name),
    )
}

/// One side of a tunnel.
struct Side(Sessions);

impl Side {
    fn new() -> Self {
        let mut sessions = Sessions::new(8, 0x5eed, START);
        sessions.add_peer(PEER, Some(endpoint(1)), None, START).unwrap();
        Self(sessions)
    }

    fn install(&mut self, keypair: Keypair, now: Time) -> bool {
        self.0.install(PEER, keypair, None, now).unwrap()
    }

    fn seal(&mut self, packet: &[u8], now: Time) -> Result<Vec<u8>, Rejected> {
        let mut message = vec![0xee; message_length(packet.len(), 1420)];
        message[DATA_HEADER_LENGTH..][..packet.len()].copy_from_slice(packet);
        let mut burst = [Outbound::new(&mut message, packet.len(), PEER)];
        self.0.seal_burst(&aead(), &mut burst, now);
        burst[0].result.map(|()| message)
    }

    fn open_from(
        &mut self,
        message: &[u8],
        from: Endpoint,
        now: Time,
    ) -> Result<(Received, Vec<u8>), Rejected> {
        let mut message = message.to_vec();
        let mut burst = [Inbound::new(&mut message, from, None)];
        self.0.open_burst(&aead(), &mut burst, now);
        burst[0].result.map(|received| (received, burst[0].payload().to_vec()))
    }

    fn open(&mut self, message: &[u8], now: Time) -> Result<Vec<u8>, Rejected> {
        self.open_from(message, endpoint(1), now).map(|(_, payload)| payload)
    }

    fn events(&mut self, now: Time) -> Vec<TimerEvent> {
        core::iter::from_fn(|| self.0.poll_timers(now)).collect()
    }

    /// Runs the timers for a while, as a worker that sleeps until the next deadline does, and tells what came when,
    /// in seconds. Nothing is sent in answer.
    fn run(&mut self, from: Time, length: Duration) -> Vec<(u64, TimerEvent)> {
        let mut events = Vec::new();
        let mut turns = 0;
        while self.0.next_deadline() <= from + length {
            let now = self.0.next_deadline().max(from);
            events.extend(
                self.events(now).into_iter().map(|event| (now.since(from).as_secs(), event)),
            );
            turns += 1;
            assert!(turns < 10_000, "timers fire without end");
        }
        events
    }
}

/// Both sides of a session in which the first is the initiator, and which was confirmed.
fn connected(now: Time) -> (Side, Side) {
    let (mut a, mut b) = (Side::new(), Side::new());
    let (initiator, responder) = keypairs(1, now);
    assert!(a.install(initiator, now));
    assert!(!b.install(responder, now));
    let keepalive = a.seal(&[], now).unwrap();
    assert_eq!(b.open(&keepalive, now), Ok(vec![]));
    (a, b)
}

#[test]
fn data_crosses_both_ways_with_its_padding() {
    let (mut a, mut b) = connected(START);
    let message = a.seal(&[0x45; 50], START).unwrap();
    assert_eq!(message.len(), 64 + DATA_OVERHEAD);
    let payload = b.open(&message, START).unwrap();
    assert_eq!((&payload[..50], &payload[50..]), (&[0x45; 50][..], &[0; 14][..]));
    let back = b.seal(&[0x60; 1420], START).unwrap();
    assert_eq!(back.len(), 1420 + DATA_OVERHEAD);
    assert_eq!(a.open(&back, START).unwrap(), [0x60; 1420]);
}

#[test]
fn a_header_says_type_receiver_and_counter() {
    let (mut a, _) = connected(START);
    let message = a.seal(&[0x45; 16], START).unwrap();
    assert_eq!(message[..4], [4, 0, 0, 0]);
    assert_eq!(message[4..8], 2_001u32.to_le_bytes());
    assert_eq!(message[8..16], 1u64.to_le_bytes(), "the keepalive had counter 0");
}

#[test]
fn the_responder_sends_nothing_until_the_first_packet_came() {
    let (mut a, mut b) = (Side::new(), Side::new());
    let (initiator, responder) = keypairs(1, START);
    a.install(initiator, START);
    b.install(responder, START);
    assert_eq!(b.seal(&[0x45; 16], START), Err(Rejected::NoSession));
    let first = a.seal(&[0x45; 16], START).unwrap();
    // A forged packet confirms nothing.
    let mut forged = first.clone();
    forged[20] ^= 1;
    assert_eq!(b.open(&forged, START), Err(Rejected::TagMismatch));
    assert_eq!(b.seal(&[0x45; 16], START), Err(Rejected::NoSession));
    let (received, _) = b.open_from(&first, endpoint(1), START).unwrap();
    assert!(received.confirmed);
    assert!(b.seal(&[0x45; 16], START).is_ok());
}

#[test]
fn during_a_renewal_old_packets_still_arrive() {
    let (mut a, mut b) = connected(START);
    let old_from_a = a.seal(&[0x45; 16], START).unwrap();
    let old_from_b = b.seal(&[0x45; 16], START).unwrap();
    let (initiator, responder) = keypairs(2, START);
    b.install(responder, START);
    // The responder goes on under the old session.
    let still_old = b.seal(&[0x45; 32], START).unwrap();
    assert_eq!(still_old[4..8], 1_001u32.to_le_bytes());
    a.install(initiator, START);
    let new_from_a = a.seal(&[0x45; 48], START).unwrap();
    assert_eq!(new_from_a[4..8], 2_002u32.to_le_bytes());
    for message in [old_from_b, still_old] {
        assert!(a.open(&message, START).is_ok());
    }
    assert!(b.open(&new_from_a, START).is_ok());
    assert!(b.open(&old_from_a, START).is_ok(), "late, after the change");
    assert_eq!(b.seal(&[0x45; 16], START).unwrap()[4..8], 1_002u32.to_le_bytes());
}

#[test]
fn when_both_sides_begin_at_once_both_sessions_work() {
    let (mut a, mut b) = (Side::new(), Side::new());
    let (from_a, at_b) = keypairs(1, START);
    let (from_b, at_a) = keypairs(2, START);
    a.install(at_a, START);
    b.install(at_b, START);
    a.install(from_a, START);
    b.install(from_b, START);
    for _ in 0..3 {
        let message = a.seal(&[0x45; 16], START).unwrap();
        assert!(b.open(&message, START).is_ok());
        let message = b.seal(&[0x45; 16], START).unwrap();
        assert!(a.open(&message, START).is_ok());
    }
}

#[test]
fn packets_are_refused_in_the_order_of_the_checks() {
    let (mut a, mut b) = connected(START);
    let good = a.seal(&[0x45; 16], START).unwrap();
    let with = |range: core::ops::Range<usize>, bytes: &[u8]| {
        let mut message = good.clone();
        message[range].copy_from_slice(bytes);
        message
    };
    let limit = REJECT_AFTER_MESSAGES.to_le_bytes();
    assert_eq!(b.open(&with(8..16, &limit), START), Err(Rejected::CounterBeyondLimit));
    assert_eq!(b.open(&with(4..8, &[9; 4]), START), Err(Rejected::UnknownSession));
    assert_eq!(b.open(&with(0..1, &[3]), START), Err(Rejected::Malformed));
    assert_eq!(b.open(&with(1..2, &[1]), START), Err(Rejected::Malformed));
    assert_eq!(b.open(&good[..15], START), Err(Rejected::Malformed));
    assert_eq!(b.open(&good[..16], START), Err(Rejected::TooShort));
    assert_eq!(b.open(&good[..31], START), Err(Rejected::TooShort));
    assert_eq!(b.open(&good[..40], START), Err(Rejected::TagMismatch));
    assert_eq!(b.open(&with(8..16, &[0; 8]), START), Err(Rejected::Replayed));
    assert_eq!(b.open(&with(8..16, &7u64.to_le_bytes()), START), Err(Rejected::TagMismatch));
    assert_eq!(b.open(&good, START + REJECT_AFTER_TIME), Err(Rejected::SessionExpired));
    assert!(b.open(&good, START + REJECT_AFTER_TIME - GRAIN).is_ok(), "and none of it did harm");
    assert_eq!(b.open(&good, START), Err(Rejected::Replayed));
}

#[test]
fn a_duplicate_in_one_burst_is_opened_once_and_leaves_no_plaintext() {
    let (mut a, mut b) = connected(START);
    let message = a.seal(&[0x45; 64], START).unwrap();
    let (mut first, mut second) = (message.clone(), message);
    let mut burst =
        [Inbound::new(&mut first, endpoint(1), None), Inbound::new(&mut second, endpoint(1), None)];
    b.0.open_burst(&aead(), &mut burst, START);
    assert!(burst[0].result.is_ok());
    assert_eq!(burst[1].result, Err(Rejected::Replayed));
    assert!(burst[1].payload().is_empty());
    assert!(!second.windows(8).any(|bytes| bytes == [0x45; 8]));
}

#[test]
fn a_burst_of_every_fate_gives_each_packet_its_own() {
    let (mut a, mut b) = connected(START);
    let mut messages: Vec<Vec<u8>> =
        (0..150).map(|i| a.seal(&vec![0x45; 16 + i], START).unwrap()).collect();
    for (i, message) in messages.iter_mut().enumerate() {
        match i % 5 {
            1 => message[30] ^= 1,
            2 => message[4] ^= 0x80,
            3 => message.truncate(20),
            _ => {}
        }
    }
    let mut burst: Vec<_> =
        messages.iter_mut().map(|m| Inbound::new(m, endpoint(1), None)).collect();
    b.0.open_burst(&aead(), &mut burst, START);
    for (i, inbound) in burst.iter().enumerate() {
        let expected = match i % 5 {
            1 => Some(Rejected::TagMismatch),
            2 => Some(Rejected::UnknownSession),
            3 => Some(Rejected::TooShort),
            _ => None,
        };
        assert_eq!(inbound.result.err(), expected, "packet {i}");
        let expected = if expected.is_none() { 16 + i } else { 0 };
        assert_eq!(inbound.payload().iter().filter(|b| **b == 0x45).count(), expected);
    }
}

#[test]
fn counters_never_repeat_whatever_becomes_of_the_packets() {
    let (mut a, _) = connected(START);
    let mut seen = std::collections::HashSet::from([0]);
    for round in 1..40 {
        // Packets that cannot be sent lie between, and another peer's.
        let mut messages: Vec<Vec<u8>> = (0..round).map(|_| vec![0; 48]).collect();
        let mut burst: Vec<_> = messages
            .iter_mut()
            .enumerate()
            .map(|(i, message)| {
                let length = if i % 5 == 3 { 17 } else { 16 };
                let peer = if i % 7 == 5 { PeerHandle::new(1, 1) } else { PEER };
                Outbound::new(message, length, peer)
            })
            .collect();
        a.0.seal_burst(&aead(), &mut burst, START);
        for (i, outbound) in burst.iter().enumerate() {
            let expected = match i {
                i if i % 5 == 3 => Err(Rejected::BufferLength),
                i if i % 7 == 5 => Err(Rejected::StalePeer),
                _ => Ok(()),
            };
            assert_eq!(outbound.result, expected, "packet {i}");
            if expected.is_ok() {
                let counter = u64::from_le_bytes(outbound.message[8..16].try_into().unwrap());
                assert!(seen.insert(counter), "counter {counter} again");
            }
        }
    }
    assert_eq!(seen.len() as u64, seen.iter().max().unwrap() + 1, "and none is left out");
}

#[test]
fn a_session_at_its_message_limit_refuses_to_send() {
    let (mut a, _) = connected(START);
    let current = a.0.peers[3].slots.current.unwrap();
    let session = &mut a.0.sessions[number(3, current) as usize];
    session.send_counter = REKEY_AFTER_MESSAGES;
    assert!(a.seal(&[0x45; 16], START).is_ok());
    assert_eq!(a.events(START), [TimerEvent::StartHandshake(PEER)], "but renewal is asked for");
    let session = &mut a.0.sessions[number(3, current) as usize];
    session.send_counter = REJECT_AFTER_MESSAGES - 1;
    assert!(a.seal(&[0x45; 16], START).is_ok());
    assert_eq!(a.seal(&[0x45; 16], START), Err(Rejected::NoSession));
    assert!(!a.0.can_send(PEER, START));
}

#[test]
fn buffers_that_do_not_fit_take_no_counter() {
    let (mut a, _) = connected(START);
    let mut result = |length: usize, room: usize| {
        let mut message = vec![0; room];
        let mut burst = [Outbound::new(&mut message, length, PEER)];
        a.0.seal_burst(&aead(), &mut burst, START);
        burst[0].result
    };
    assert_eq!(result(1, 32), Err(Rejected::BufferLength));
    assert_eq!(result(0, 31), Err(Rejected::BufferLength));
    assert_eq!(result(0, 48), Err(Rejected::BufferLength), "a padded keepalive is no keepalive");
    assert_eq!(result(100, 70_000), Err(Rejected::BufferLength));
    assert_eq!(result(16, 48), Ok(()));
    let message = a.seal(&[0x45; 16], START).unwrap();
    assert_eq!(message[8..16], 2u64.to_le_bytes());
}

#[test]
fn packets_of_a_session_that_ends_within_the_burst_yield_nothing() {
    let (mut a, mut b) = connected(START);
    let oldest = a.seal(&[0x45; 64], START).unwrap();
    let (initiator, responder) = keypairs(2, START);
    a.install(initiator, START);
    b.install(responder, START);
    let second = a.seal(&[], START).unwrap();
    b.open(&second, START).unwrap();
    // The first session is the previous one here; the first packet of a third ends it.
    let (initiator, responder) = keypairs(3, START);
    a.install(initiator, START);
    b.install(responder, START);
    let (mut third, mut late) = (a.seal(&[0x45; 64], START).unwrap(), oldest);
    let mut burst =
        [Inbound::new(&mut third, endpoint(1), None), Inbound::new(&mut late, endpoint(1), None)];
    b.0.open_burst(&aead(), &mut burst, START);
    assert!(burst[0].result.is_ok_and(|received| received.confirmed));
    assert_eq!(burst[1].result, Err(Rejected::SessionGone));
    assert!(!late.windows(8).any(|bytes| bytes == [0x45; 8]));
}

#[test]
fn only_the_first_packet_of_a_burst_confirms_a_session() {
    let (mut a, mut b) = (Side::new(), Side::new());
    let (initiator, responder) = keypairs(1, START);
    a.install(initiator, START);
    b.install(responder, START);
    let mut messages: Vec<_> = (0..4).map(|_| a.seal(&[0x45; 16], START).unwrap()).collect();
    messages[0][20] ^= 1;
    let mut burst: Vec<_> =
        messages.iter_mut().map(|m| Inbound::new(m, endpoint(1), None)).collect();
    b.0.open_burst(&aead(), &mut burst, START);
    let confirmed: Vec<_> =
        burst.iter().map(|inbound| inbound.result.map(|received| received.confirmed)).collect();
    assert_eq!(confirmed, [Err(Rejected::TagMismatch), Ok(true), Ok(false), Ok(false)]);
}

#[test]
fn a_run_past_the_message_limit_is_sent_as_far_as_counters_go() {
    let (mut a, _) = connected(START);
    let current = a.0.peers[3].slots.current.unwrap();
    a.0.sessions[number(3, current) as usize].send_counter = REJECT_AFTER_MESSAGES - 2;
    let mut messages = vec![vec![0; 48]; 5];
    let mut burst: Vec<_> = messages.iter_mut().map(|m| Outbound::new(m, 16, PEER)).collect();
    burst[1].length = 17;
    a.0.seal_burst(&aead(), &mut burst, START);
    let results: Vec<_> = burst.iter().map(|outbound| outbound.result.err()).collect();
    let (length, none) = (Some(Rejected::BufferLength), Some(Rejected::NoSession));
    assert_eq!(results, [None, length, None, none, none]);
}

#[test]
fn a_stale_handle_resolves_to_nothing() {
    let (mut a, mut b) = connected(START);
    let late = a.seal(&[0x45; 16], START).unwrap();
    assert!(b.0.remove_peer(PEER) && !b.0.remove_peer(PEER));
    assert_eq!(b.open(&late, START), Err(Rejected::UnknownSession));
    let next = PeerHandle::new(PEER.index(), PEER.generation() + 1);
    b.0.add_peer(next, None, None, START).unwrap();
    assert_eq!(b.seal(&[0x45; 16], START), Err(Rejected::StalePeer));
    let (keypair, _) = keypairs(4, START);
    assert_eq!(b.0.install(PEER, keypair, None, START), Err(Rejected::StalePeer));
    assert!(!b.0.set_endpoint(PEER, endpoint(2)) && b.0.status(PEER).is_none());
    assert!(b.0.has_peer(next) && !b.0.has_peer(PEER));
    let beyond = PeerHandle::new(8, 0);
    assert_eq!(b.0.add_peer(beyond, None, None, START), Err(Rejected::StalePeer));
}

#[test]
fn a_peer_that_takes_anothers_place_ends_its_sessions() {
    let (mut a, mut b) = connected(START);
    let late = a.seal(&[0x45; 16], START).unwrap();
    let next = PeerHandle::new(PEER.index(), PEER.generation() + 1);
    b.0.add_peer(next, None, None, START).unwrap();
    assert_eq!(b.open(&late, START), Err(Rejected::UnknownSession));
    assert!(b.0.sessions.iter().all(|session| session.send_key.as_bytes() == &[0; 32]));
}

#[test]
fn the_endpoint_follows_authenticated_packets_only() {
    let (mut a, mut b) = connected(START);
    let message = a.seal(&[0x45; 16], START).unwrap();
    let mut forged = message.clone();
    forged[40] ^= 1;
    assert!(b.open_from(&forged, endpoint(66), START).is_err());
    assert_eq!(b.0.endpoint(PEER), Some(endpoint(1)));
    let (received, _) = b.open_from(&message, endpoint(2), START).unwrap();
    assert!(received.roamed);
    assert_eq!(b.0.endpoint(PEER), Some(endpoint(2)));
    assert!(b.open_from(&message, endpoint(66), START).is_err(), "a replay moves nothing");
    assert_eq!(b.0.endpoint(PEER), Some(endpoint(2)));
    let keepalive = a.seal(&[], START).unwrap();
    let (received, _) = b.open_from(&keepalive, endpoint(2), START).unwrap();
    assert!(!received.roamed && received.keepalive);
    b.0.forget_local_address(PEER);
    assert_eq!(b.0.endpoint(PEER), Some(endpoint(2).without_local()));
}

#[test]
fn a_packet_that_would_move_its_peer_has_to_show_where_it_came_from() {
    let (mut a, mut b) = connected(START);
    let message = a.seal(&[0x45; 16], START).unwrap();
    let addresses = wire::Addresses::V4 {
        source: [192, 0, 2, 1].into(),
        destination: [198, 51, 100, 1].into(),
    };
    let mut datagram = [&[0; 8][..], &message].concat();
    let ports = wire::udp::Repr { source_port: 2, destination_port: 51820 };
    ports.emit(&mut datagram, &addresses).unwrap();
    let right: [u8; 8] = *datagram.first_chunk().unwrap();
    let mut wrong = right;
    wrong[7] ^= 1;
    let mut open = |from: Endpoint, header: &[u8; 8]| {
        let mut message = message.clone();
        let mut burst = [Inbound::new(&mut message, from, Some(header))];
        b.0.open_burst(&aead(), &mut burst, START);
        let result = burst[0].result.map(|received| received.roamed);
        (result, b.0.endpoint(PEER).unwrap())
    };
    let refused = (Err(Rejected::ChecksumWrong), endpoint(1));
    assert_eq!(open(endpoint(2), &wrong), refused);
    let elsewhere = Endpoint::new(([192, 0, 2, 3], 2).into(), [198, 51, 100, 1].into());
    assert_eq!(open(elsewhere, &right), refused);
    assert_eq!(open(endpoint(2).without_local(), &right), refused, "no packet comes by this path");
    assert_eq!(open(endpoint(2), &right), (Ok(true), endpoint(2)), "its counter was not used up");
    let next = a.seal(&[0x45; 16], START).unwrap();
    let mut next = next.clone();
    let mut burst = [Inbound::new(&mut next, endpoint(2), Some(&wrong))];
    b.0.open_burst(&aead(), &mut burst, START);
    assert!(burst[0].result.is_ok(), "where nothing moves the tag says enough");
}

#[test]
fn status_counts_whole_messages_both_ways_as_linux_does() {
    let (mut a, mut b) = connected(START);
    let message = a.seal(&[0x45; 50], START).unwrap();
    b.open(&message, START).unwrap();
    // A keepalive, and 50 bytes padded to 64, with header and tag each; before them the two handshake messages.
    let data = 32 + 64 + 32;
    let (initiation, response) = (148, 92);
    a.0.note_handshake_sent(PEER, initiation as usize);
    let status = a.0.status(PEER).unwrap();
    assert_eq!((status.sent_packets, status.sent_bytes), (2, initiation + data));
    assert_eq!((status.received_packets, status.received_bytes), (0, response));
    let status = b.0.status(PEER).unwrap();
    assert_eq!((status.received_packets, status.sent_packets), (2, 0));
    assert_eq!((status.received_bytes, status.sent_bytes), (initiation + data, response));
    assert_eq!(status.last_handshake, Some(START));
}
