//! Two engines that talk through gates of their own, and everything that can be wrong with a message.

use core::net::SocketAddr;

use rand::SeedableRng;
use rand::rngs::StdRng;
use subtle::ConstantTimeEq;

use super::*;
use crate::cookie::{mac1_key, sign};
use crate::protocol::*;
use crate::{Arrival, Gate, GateSettings, Parsed, Role, Tai64N, Verdict};

const START: Time = Time::from_nanos(1_000_000_000_000);

/// A gate that only checks: its rates have tests of their own.
const OPEN: GateSettings = GateSettings {
    per_source: clock::Rate::new(1_000_000, 1_000_000),
    gateway: clock::Rate::new(1_000_000, 1_000_000),
    load_threshold: u32::MAX,
    sources: 8,
};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn wall(now: Time) -> Tai64N {
    let nanos = now.as_nanos();
    Tai64N::from_unix(1_700_000_000 + nanos / 1_000_000_000, (nanos % 1_000_000_000) as u32)
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint::configured(SocketAddr::from(([192, 0, 2, 1], port)))
}

fn gate_of(engine: &Handshakes) -> Gate {
    let mut rng = StdRng::seed_from_u64(3);
    Gate::new(engine.public_key(), &OPEN, engine.outstanding(), &mut rng)
}

struct Side {
    engine: Handshakes,
    gate: Gate,
}

impl Side {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let private = PrivateKey::generate(&mut rng);
        let settings = HandshakeSettings::new(NonZeroU32::new(4).unwrap(), 8);
        let engine = Handshakes::new(&private, &settings, Box::new(rng));
        let gate = gate_of(&engine);
        Self { engine, gate }
    }

    fn key(&self) -> PublicKey {
        *self.engine.public_key()
    }

    fn initiate(&mut self, peer: PeerHandle, now: Time) -> [u8; INITIATION_LENGTH] {
        self.engine.initiate(peer, 1, now, wall(now)).unwrap().message
    }

    /// The repetition of an initiation, at its time.
    fn repeat(&mut self) -> [u8; INITIATION_LENGTH] {
        let now = self.engine.next_deadline();
        match self.engine.poll(now, wall(now)) {
            Some(RetryEvent::Send(initiation)) => initiation.message,
            other => panic!("{other:?}"),
        }
    }

    /// Through the gate to the engine.
    fn receive(&mut self, message: &[u8], now: Time) -> Result<Outcome, Rejected> {
        let arrival = Arrival { worker: 2, endpoint: endpoint(5) };
        match self.gate.screen(Parsed::read(message)?, arrival, now) {
            Verdict::Admitted(admitted) => self.engine.handle(admitted, now),
            Verdict::Rejected(cause) => Err(cause),
            Verdict::CookieReply(_) => panic!("the gate is loaded"),
        }
    }

    fn accept(&mut self, message: &[u8], now: Time) -> ([u8; RESPONSE_LENGTH], Keypair) {
        match self.receive(message, now) {
            Ok(Outcome::Accepted { response, keypair, .. }) => (response, keypair),
            other => panic!("{other:?}"),
        }
    }

    fn complete(&mut self, message: &[u8], now: Time) -> Keypair {
        match self.receive(message, now) {
            Ok(Outcome::Completed { keypair, .. }) => keypair,
            other => panic!("{other:?}"),
        }
    }
}

/// An initiator and a responder that know each other; the handles are those that each has for the other.
fn sides(at_a: Option<u8>, at_b: Option<u8>) -> (Side, PeerHandle, Side, PeerHandle) {
    let (mut a, mut b) = (Side::new(1), Side::new(2));
    let preshared = |key: Option<u8>| key.map(|byte| PresharedKey::from_bytes([byte; 32]));
    let b_of_a = a.engine.add_peer(b.key(), preshared(at_a)).unwrap();
    let a_of_b = b.engine.add_peer(a.key(), preshared(at_b)).unwrap();
    (a, b_of_a, b, a_of_b)
}

fn assert_match(initiator: &Keypair, responder: &Keypair) {
    assert_eq!((initiator.role, responder.role), (Role::Initiator, Role::Responder));
    assert_eq!(initiator.local_index, responder.remote_index);
    assert_eq!(initiator.remote_index, responder.local_index);
    assert!(bool::from(initiator.send_key.ct_eq(&responder.receive_key)));
    assert!(bool::from(initiator.receive_key.ct_eq(&responder.send_key)));
    assert!(!bool::from(initiator.send_key.ct_eq(&initiator.receive_key)));
}

/// The message with one byte changed and the first MAC made right again, as anyone can who knows our public key.
fn altered<const N: usize>(message: &[u8; N], byte: usize, to: &PublicKey) -> [u8; N] {
    let mut altered = *message;
    altered[byte] ^= 1;
    sign(&mut altered, &mac1_key(to), None);
    altered
}

#[test]
fn both_sides_end_with_the_same_keys() {
    for preshared in [None, Some(7)] {
        let (mut a, peer, mut b, _) = sides(preshared, preshared);
        let (response, responder) = b.accept(&a.initiate(peer, START), START);
        let initiator = a.complete(&response, START);
        assert_match(&initiator, &responder);
        assert_eq!(a.engine.statistics().agreements, 1 + 1 + 2, "add, initiate, read response");
        assert_eq!(b.engine.statistics().agreements, 1 + 1 + 2, "add, read initiation, respond");
    }
}

#[test]
fn another_preshared_key_makes_no_session() {
    for (at_a, at_b) in [(None, Some(1)), (Some(1), None), (Some(1), Some(2))] {
        let (mut a, peer, mut b, _) = sides(at_a, at_b);
        let (response, _) = b.accept(&a.initiate(peer, START), START);
        assert_eq!(a.receive(&response, START).err(), Some(Rejected::ResponseUndecryptable));
    }
}

#[test]
fn a_changed_preshared_key_holds_from_the_next_handshake_on() {
    let (mut a, peer, mut b, back) = sides(None, None);
    assert!(a.engine.set_preshared_key(peer, Some(PresharedKey::from_bytes([5; 32]))));
    assert!(b.engine.set_preshared_key(back, Some(PresharedKey::from_bytes([5; 32]))));
    let (response, responder) = b.accept(&a.initiate(peer, START), START);
    assert_match(&a.complete(&response, START), &responder);
}

#[test]
fn an_index_names_the_owner_which_is_the_worker_first_met() {
    let (mut a, peer, mut b, back) = sides(None, None);
    let (response, responder) = b.accept(&a.initiate(peer, START), START);
    let initiator = a.complete(&response, START);
    assert_eq!((a.engine.owner(peer), b.engine.owner(back)), (Some(1), Some(2)));
    assert_eq!((initiator.local_index % 4, responder.local_index % 4), (1, 2));
    assert!(a.engine.set_owner(peer, 3));
    let initiation = a.engine.initiate(peer, 0, START + seconds(6), wall(START + seconds(6)));
    assert_eq!(initiation.unwrap().owner, 3, "asking does not move it");
}

#[test]
fn every_altered_byte_of_an_initiation_is_refused_for_its_reason() {
    let (mut a, peer, mut b, _) = sides(None, None);
    let message = a.initiate(peer, START);
    for byte in 8..116 {
        let cause = b.receive(&altered(&message, byte, &b.key()), START).err();
        let expected = match byte {
            // The top bit of a point is ignored by X25519, but not by the transcript.
            8..88 => Rejected::StaticKeyUndecryptable,
            _ => Rejected::TimestampUndecryptable,
        };
        assert_eq!(cause, Some(expected), "byte {byte}");
    }
    for byte in (0..132).filter(|byte| !(0..4).contains(byte)) {
        let mut damaged = message;
        damaged[byte] ^= 0x10;
        assert_eq!(b.receive(&damaged, START).err(), Some(Rejected::Mac1Invalid), "byte {byte}");
    }
    b.accept(&message, START);
}

#[test]
fn every_altered_byte_of_a_response_is_refused_and_the_true_one_still_counts() {
    let (mut a, peer, mut b, _) = sides(Some(3), Some(3));
    let (response, responder) = b.accept(&a.initiate(peer, START), START);
    for byte in 8..60 {
        let cause = a.receive(&altered(&response, byte, &a.key()), START).err();
        let expected = match byte {
            8..12 => Rejected::UnknownHandshake,
            _ => Rejected::ResponseUndecryptable,
        };
        assert_eq!(cause, Some(expected), "byte {byte}");
    }
    assert_match(&a.complete(&response, START), &responder);
    assert_eq!(a.receive(&response, START).err(), Some(Rejected::UnknownHandshake), "only once");
}

#[test]
fn truncated_and_extended_messages_are_malformed() {
    let (mut a, peer, mut b, _) = sides(None, None);
    let message = a.initiate(peer, START);
    for length in 0..message.len() {
        assert_eq!(b.receive(&message[..length], START).err(), Some(Rejected::Malformed));
    }
    let longer = [&message[..], &[0]].concat();
    assert_eq!(b.receive(&longer, START).err(), Some(Rejected::Malformed));
}

#[test]
fn points_of_small_order_are_refused_wherever_they_come() {
    let (mut a, peer, mut b, _) = sides(None, None);
    let message = a.initiate(peer, START);
    let mut weak = message;
    weak[8..40].fill(0);
    sign(&mut weak, &mac1_key(&b.key()), None);
    assert_eq!(b.receive(&weak, START).err(), Some(Rejected::ZeroSharedSecret));

    let (response, _) = b.accept(&message, START);
    let mut weak = response;
    weak[12..44].fill(0);
    weak[12] = 1;
    sign(&mut weak, &mac1_key(&a.key()), None);
    assert_eq!(a.receive(&weak, START).err(), Some(Rejected::ZeroSharedSecret));
    a.complete(&response, START);

    let zero = a.engine.add_peer(PublicKey::from_bytes([0; 32]), None);
    assert_eq!(zero, Err(PeerError::WeakKey));
}

#[test]
fn peers_that_cannot_be_are_not_taken() {
    let (mut a, _, b, _) = sides(None, None);
    assert_eq!(a.engine.add_peer(b.key(), None), Err(PeerError::Duplicate));
    assert_eq!(a.engine.add_peer(a.key(), None), Err(PeerError::OwnKey));
    for seed in 10..17 {
        a.engine.add_peer(Side::new(seed).key(), None).unwrap();
    }
    assert_eq!(a.engine.add_peer(Side::new(17).key(), None), Err(PeerError::TableFull));
}

#[test]
fn a_stranger_is_unknown_and_costs_one_agreement() {
    let (mut a, peer, mut b, back) = sides(None, None);
    assert!(b.engine.remove_peer(back));
    let before = b.engine.statistics().agreements;
    let refused = b.receive(&a.initiate(peer, START), START).err();
    assert_eq!(refused, Some(Rejected::UnknownPeer));
    assert_eq!(b.engine.statistics().agreements, before + 1);
}

#[test]
fn a_replayed_initiation_is_refused_even_after_the_peer_was_taken_out_and_in_again() {
    let (mut a, peer, mut b, back) = sides(None, None);
    let message = a.initiate(peer, START);
    b.accept(&message, START);
    let later = START + seconds(3);
    assert_eq!(b.receive(&message, later).err(), Some(Rejected::TimestampNotLater));
    b.engine.remove_peer(back);
    let again = b.engine.add_peer(a.key(), None).unwrap();
    assert_ne!(again, back);
    assert_eq!(b.receive(&message, later).err(), Some(Rejected::TimestampNotLater));
    b.accept(&a.repeat(), START + seconds(6));
}

#[test]
fn initiations_of_a_peer_are_accepted_no_faster_than_fifty_a_second() {
    let (mut a, peer, mut b, _) = sides(None, None);
    let mut messages = vec![a.initiate(peer, START)];
    messages.extend((1..17).map(|_| a.repeat()));
    let mut accepted = 0;
    for (n, message) in messages.iter().enumerate() {
        let now = START + Duration::from_millis(5 * n as u64);
        match b.receive(message, now) {
            Ok(_) => accepted += 1,
            Err(cause) => assert_eq!(cause, Rejected::PeerRateLimited),
        }
    }
    assert_eq!(accepted, 5, "80 ms at one in 20 ms");
}

#[test]
fn an_initiation_repeats_after_five_seconds_until_it_is_given_up() {
    let (mut a, peer, ..) = sides(None, None);
    let mut messages = std::collections::HashSet::from([a.initiate(peer, START)]);
    let mut last = START;
    let gave_up = loop {
        let now = a.engine.next_deadline();
        match a.engine.poll(now, wall(now)) {
            Some(RetryEvent::Send(initiation)) => {
                let pause = now.since(last);
                assert!(pause >= REKEY_TIMEOUT && pause < REKEY_TIMEOUT + REKEY_JITTER);
                assert!(messages.insert(initiation.message), "each is a message of its own");
                last = now;
            }
            Some(RetryEvent::GaveUp(who)) => {
                assert_eq!(who, peer);
                break now;
            }
            None => panic!("a deadline without an event"),
        }
    };
    let after = gave_up.since(START);
    assert!(after >= HANDSHAKE_GIVE_UP && after < HANDSHAKE_GIVE_UP + seconds(6), "{after:?}");
    assert!((17..=18).contains(&messages.len()), "{}", messages.len());
    assert_eq!(a.engine.next_deadline(), Time::NEVER);
    assert_eq!(a.engine.indices.len(), 0);
    a.initiate(peer, gave_up + seconds(1));
}

#[test]
fn jitter_differs_from_handshake_to_handshake() {
    let pauses: std::collections::HashSet<u64> = (1..20)
        .map(|seed| {
            let (mut a, b) = (Side::new(seed), Side::new(100 + seed));
            let peer = a.engine.add_peer(b.key(), None).unwrap();
            a.initiate(peer, START);
            a.engine.next_deadline().since(START).as_millis() as u64
        })
        .collect();
    assert!(pauses.len() > 10, "{pauses:?}");
}

#[test]
fn a_second_request_waits_for_the_first() {
    let (mut a, peer, mut b, _) = sides(None, None);
    let message = a.initiate(peer, START);
    let mut again = |now: Time| a.engine.initiate(peer, 1, now, wall(now)).err();
    assert_eq!(again(START), Some(Rejected::HandshakeUnderWay));
    assert_eq!(again(START + seconds(60)), Some(Rejected::HandshakeUnderWay));
    let (response, _) = b.accept(&message, START);
    a.complete(&response, START);
    let mut again = |now: Time| a.engine.initiate(peer, 1, now, wall(now)).err();
    assert_eq!(again(START + seconds(4)), Some(Rejected::HandshakeUnderWay));
    assert_eq!(again(START + seconds(5)), None);
}

#[test]
fn when_the_peer_was_first_we_take_its_answer_but_do_not_ask_again() {
    let (mut a, b_of_a, mut b, a_of_b) = sides(None, None);
    let from_a = a.initiate(b_of_a, START);
    let from_b = b.initiate(a_of_b, START);
    let (to_b, at_a) = a.accept(&from_b, START);
    let (to_a, at_b) = b.accept(&from_a, START);
    assert_match(&b.complete(&to_b, START), &at_a);
    assert_match(&a.complete(&to_a, START), &at_b);

    let (mut a, b_of_a, mut b, a_of_b) = sides(None, None);
    a.initiate(b_of_a, START);
    let from_b = b.initiate(a_of_b, START);
    a.accept(&from_b, START);
    let due = a.engine.next_deadline();
    assert!(a.engine.poll(due, wall(due)).is_none(), "our lost initiation is not repeated");
    assert_eq!(a.engine.indices.len(), 1, "and its index is free");
    a.initiate(b_of_a, due);
}

#[test]
fn timestamps_grow_when_the_wall_clock_steps_back() {
    let (mut a, peer, mut b, _) = sides(None, None);
    let frozen = wall(START);
    for n in 0..5 {
        let now = START + seconds(6 * n);
        let message = a.engine.initiate(peer, 1, now, frozen).unwrap().message;
        let (response, _) = b.accept(&message, now);
        a.complete(&response, now);
    }
}

#[test]
fn a_removed_peer_is_gone_with_its_handshake() {
    let (mut a, peer, mut b, _) = sides(None, None);
    let (response, _) = b.accept(&a.initiate(peer, START), START);
    assert!(a.engine.remove_peer(peer) && !a.engine.remove_peer(peer));
    assert_eq!(a.receive(&response, START).err(), Some(Rejected::UnknownHandshake));
    let due = a.engine.next_deadline();
    assert!(a.engine.poll(due, wall(due)).is_none());
    let next = a.engine.add_peer(b.key(), None).unwrap();
    assert_eq!((next.index(), next.generation()), (peer.index(), peer.generation() + 1));
    let stale = a.engine.initiate(peer, 1, due, wall(due)).err();
    assert_eq!(stale, Some(Rejected::StalePeer));
    assert!(!a.engine.set_preshared_key(peer, None) && a.engine.owner(peer).is_none());
    assert_eq!(a.engine.find(&b.key()), Some(next));
}

#[test]
fn a_new_identity_ends_handshakes_and_keeps_timestamps() {
    let (mut a, peer, mut b, back) = sides(None, None);
    let old = a.initiate(peer, START);
    let other = PrivateKey::generate(&mut StdRng::seed_from_u64(77));
    b.initiate(back, START);
    assert_eq!(b.engine.set_private_key(&other), [back]);
    b.gate = b.gate.with_identity(b.engine.public_key());
    assert_eq!(b.engine.indices.len(), 0);
    assert_eq!(b.receive(&old, START).err(), Some(Rejected::Mac1Invalid));
    let peer = a.engine.add_peer(b.key(), None).unwrap();
    let message = a.initiate(peer, START + seconds(1));
    let (response, responder) = b.accept(&message, START + seconds(1));
    assert_match(&a.complete(&response, START + seconds(1)), &responder);
    // The one that was under way begins anew without waiting five seconds, as the new identity.
    let called = b.initiate(back, START + seconds(1));
    let (response, responder) = a.accept(&called, START + seconds(1));
    assert_match(&b.complete(&response, START + seconds(1)), &responder);
    assert_eq!(b.engine.set_private_key(&other), [], "none is under way");
}

mod cookies {
    use super::*;

    /// The reply that `side`, loaded, sends to a message from `port`.
    fn reply(side: &Side, message: &[u8], port: u16, now: Time) -> [u8; COOKIE_REPLY_LENGTH] {
        side.gate.report_queue(1, 1, now);
        let arrival = Arrival { worker: 0, endpoint: endpoint(port) };
        let Verdict::CookieReply(reply) =
            side.gate.screen(Parsed::read(message).unwrap(), arrival, now)
        else {
            panic!("a loaded gate asks for a cookie")
        };
        reply
    }

    fn second_mac(message: &[u8]) -> &[u8] {
        &message[message.len() - 16..]
    }

    #[test]
    fn a_kept_cookie_is_shown_next_and_for_115_s() {
        let (mut a, peer, b, _) = sides(None, None);
        let first = a.initiate(peer, START);
        assert_eq!(second_mac(&first), [0; 16]);
        let reply = reply(&b, &first, 9, START);
        assert!(
            matches!(a.receive(&reply, START), Ok(Outcome::CookieKept { peer: p }) if p == peer)
        );
        let mut shown = Vec::new();
        loop {
            let now = a.engine.next_deadline();
            let Some(RetryEvent::Send(next)) = a.engine.poll(now, wall(now)) else { break };
            shown.push(second_mac(&next.message) != [0; 16]);
            if shown.len() == 1 {
                b.gate.report_queue(1, 1, now);
                let arrival = Arrival { worker: 0, endpoint: endpoint(9) };
                let parsed = Parsed::read(&next.message).unwrap();
                let verdict = b.gate.screen(parsed, arrival, now);
                assert!(matches!(verdict, Verdict::Admitted(_)), "the loaded peer takes it");
            }
        }
        assert!(shown.iter().all(|cookie| *cookie), "90 s are within its life");
        let late = START + COOKIE_LIFETIME;
        assert_eq!(second_mac(&a.initiate(peer, late)), [0; 16]);
    }

    #[test]
    fn a_responder_shows_a_cookie_too() {
        let (mut a, peer, mut b, _) = sides(None, None);
        let (response, _) = b.accept(&a.initiate(peer, START), START);
        let reply = reply(&a, &response, 5, START);
        assert!(matches!(b.receive(&reply, START), Ok(Outcome::CookieKept { .. })));
        let later = START + seconds(6);
        let message = a.engine.poll(later, wall(later));
        let Some(RetryEvent::Send(again)) = message else { panic!("{message:?}") };
        let (response, _) = b.accept(&again.message, later);
        assert_ne!(second_mac(&response), [0; 16]);
    }

    #[test]
    fn replies_are_expected_while_a_message_has_no_answer() {
        let sender = |message: &[u8]| u32::from_le_bytes(*message[4..].first_chunk().unwrap());
        let (mut a, peer, mut b, back) = sides(None, None);
        let (of_a, of_b) = (a.engine.outstanding(), b.engine.outstanding());
        let first = sender(&a.initiate(peer, START));
        assert!(of_a.contains(first));
        let again = a.repeat();
        assert!(of_a.contains(sender(&again)) && !of_a.contains(first), "only to the latest");
        let now = START + seconds(10);
        let (response, _) = b.accept(&again, now);
        assert!(of_b.contains(sender(&response)), "a response may be answered by a cookie too");
        a.complete(&response, now);
        assert!(!of_a.contains(sender(&again)), "it is answered");
        assert!(b.engine.remove_peer(back) && !of_b.contains(sender(&response)));

        let later = now + seconds(200);
        let mut last = sender(&a.initiate(peer, later));
        while a.engine.next_deadline() != Time::NEVER {
            let due = a.engine.next_deadline();
            if let Some(RetryEvent::Send(next)) = a.engine.poll(due, wall(due)) {
                last = sender(&next.message);
                assert!(of_a.contains(last));
            }
        }
        assert!(!of_a.contains(last), "given up");
        let other = PrivateKey::generate(&mut StdRng::seed_from_u64(77));
        last = sender(&a.initiate(peer, later + seconds(200)));
        assert!(of_a.contains(last));
        a.engine.set_private_key(&other);
        assert!(!of_a.contains(last), "it was sent by somebody else");
    }

    #[test]
    fn replies_to_nothing_of_ours_are_refused() {
        let (mut a, peer, b, _) = sides(None, None);
        let first = a.initiate(peer, START);
        let good = reply(&b, &first, 9, START);
        let mut other_index = good;
        other_index[4] ^= 1;
        assert_eq!(a.receive(&other_index, START).err(), Some(Rejected::CookieUnsolicited));
        for byte in 8..64 {
            let mut damaged = good;
            damaged[byte] ^= 1;
            let cause = a.receive(&damaged, START).err();
            assert_eq!(cause, Some(Rejected::CookieUndecryptable), "byte {byte}");
        }
        // For another message of ours: the first MAC differs.
        let (mut c, c_peer) = (Side::new(5), b.key());
        let c_peer = c.engine.add_peer(c_peer, None).unwrap();
        let mut foreign = reply(&b, &c.initiate(c_peer, START), 9, START);
        foreign[4..8].copy_from_slice(&first[4..8]);
        assert_eq!(a.receive(&foreign, START).err(), Some(Rejected::CookieUndecryptable));
        assert!(a.receive(&good, START).is_ok());
        assert_eq!(a.receive(&good, START).err(), Some(Rejected::CookieUnsolicited), "only once");
    }
}
