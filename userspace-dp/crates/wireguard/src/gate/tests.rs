//! What the gate stops, what it lets through, and what it charges.

use core::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::cookie::{Cookie, read_reply, reply_key, sign};

const US: PublicKey = PublicKey::from_bytes([9; 32]);
const START: Time = Time::from_nanos(1_000_000_000_000);

fn gate() -> Gate {
    Gate::new(&US, &GateSettings::STANDARD, &mut StdRng::seed_from_u64(1))
}

fn from(remote: &str) -> Arrival {
    Arrival { worker: 0, endpoint: Endpoint::configured(remote.parse().unwrap()) }
}

/// A source that nobody else in the test uses.
fn crowd(n: u32) -> Arrival {
    let address = core::net::Ipv4Addr::from(0x0a00_0000 + n);
    Arrival { worker: 0, endpoint: Endpoint::configured((address, 7).into()) }
}

/// A message with right MACs, of nonsense otherwise: the gate looks no deeper.
fn message<const N: usize>(kind: u8, cookie: Option<&Cookie>) -> [u8; N] {
    let mut message = [0x77; N];
    message[..8].copy_from_slice(&[kind, 0, 0, 0, 4, 3, 2, 1]);
    sign(&mut message, &mac1_key(&US), cookie);
    message
}

fn initiation(cookie: Option<&Cookie>) -> [u8; 148] {
    message(1, cookie)
}

impl Gate {
    fn judge_bytes(&self, bytes: &[u8], arrival: Arrival, now: Time) -> Verdict {
        self.screen(Parsed::read(bytes).unwrap(), arrival, now)
    }

    fn cause(&self, bytes: &[u8], arrival: Arrival, now: Time) -> Option<Rejected> {
        match self.judge_bytes(bytes, arrival, now) {
            Verdict::Admitted(_) => None,
            Verdict::Rejected(cause) => Some(cause),
            Verdict::CookieReply(_) => panic!("a cookie was asked for"),
        }
    }

    fn admits(&self, bytes: &[u8], arrival: Arrival, now: Time) -> bool {
        matches!(self.judge_bytes(bytes, arrival, now), Verdict::Admitted(_))
    }

    /// The cookie in the reply that the message is answered with.
    fn cookie_for<const N: usize>(&self, bytes: &[u8; N], arrival: Arrival, now: Time) -> Cookie {
        let Verdict::CookieReply(reply) = self.judge_bytes(bytes, arrival, now) else {
            panic!("no cookie was asked for")
        };
        assert!(reply.len() < N, "a reply is smaller than its cause");
        assert_eq!(reply[..8], [3, 0, 0, 0, 4, 3, 2, 1]);
        read_reply(&reply_key(&US), &reply, macs(bytes).1).unwrap()
    }

    fn load(&self, now: Time) {
        self.report_queue(1, 8, now);
        assert!(self.is_loaded(now));
    }
}

#[test]
fn a_wrong_first_mac_is_neither_charged_nor_counted_as_load() {
    let gate = gate();
    let mut forged = initiation(None);
    forged[50] ^= 1;
    for _ in 0..10_000 {
        assert_eq!(gate.cause(&forged, from("192.0.2.1:5"), START), Some(Rejected::Mac1Invalid));
    }
    assert!(!gate.is_loaded(START));
    assert!(gate.admits(&initiation(None), from("192.0.2.1:5"), START));
}

#[test]
fn at_rest_a_source_gets_its_burst_and_then_its_rate() {
    let gate = gate();
    let (message, source) = (initiation(None), from("192.0.2.1:5"));
    for _ in 0..8 {
        assert_eq!(gate.cause(&message, source, START), None);
    }
    assert_eq!(gate.cause(&message, source, START), Some(Rejected::SourceRateLimited));
    assert_eq!(gate.cause(&message, from("192.0.2.2:5"), START), None, "others do not suffer");
    let later = START + Duration::from_millis(250);
    assert_eq!(gate.cause(&message, source, later), None);
    assert_eq!(gate.cause(&message, source, later), Some(Rejected::SourceRateLimited));
}

#[test]
fn all_sources_together_stay_within_the_rate_of_the_gateway() {
    let settings = GateSettings { load_threshold: u32::MAX, ..GateSettings::STANDARD };
    let gate = Gate::new(&US, &settings, &mut StdRng::seed_from_u64(1));
    let message = initiation(None);
    let admitted = |now: Time, first: u32| {
        (0..1_000).filter(|n| gate.admits(&message, crowd(first + n), now)).count()
    };
    assert_eq!(admitted(START, 0), 256);
    assert_eq!(admitted(START + Duration::from_secs(1), 1_000), 100);
}

#[test]
fn the_twenty_fifth_message_in_a_second_brings_load() {
    let gate = gate();
    for n in 0..24 {
        assert!(gate.admits(&initiation(None), crowd(n), START));
    }
    gate.cookie_for(&initiation(None), crowd(24), START);
    assert!(gate.is_loaded(START));
}

#[test]
fn under_load_a_valid_cookie_and_nothing_else_passes() {
    let gate = gate();
    let peer = from("192.0.2.1:5");
    gate.load(START);
    let cookie = gate.cookie_for(&initiation(None), peer, START);
    assert!(gate.admits(&initiation(Some(&cookie)), peer, START));
    gate.cookie_for(&initiation(Some(&cookie)), from("192.0.2.1:6"), START);
    gate.cookie_for(&initiation(Some(&cookie)), from("192.0.2.2:5"), START);
    gate.cookie_for(&initiation(Some(&[0; 16])), peer, START);
}

#[test]
fn responses_are_held_to_the_same() {
    let gate = gate();
    let peer = from("[2001:db8::1]:5");
    let response = |cookie: Option<&Cookie>| message::<92>(2, cookie);
    let mut forged = response(None);
    forged[70] ^= 1;
    assert_eq!(gate.cause(&forged, peer, START), Some(Rejected::Mac1Invalid));
    assert!(gate.admits(&response(None), peer, START));
    gate.load(START);
    let cookie = gate.cookie_for(&response(None), peer, START);
    assert!(gate.admits(&response(Some(&cookie)), peer, START));
}

#[test]
fn a_cookie_is_asked_for_without_charge() {
    let gate = gate();
    let peer = from("192.0.2.1:5");
    gate.load(START);
    let cookie = gate.cookie_for(&initiation(None), peer, START);
    for n in 0..5_000 {
        gate.cookie_for(&initiation(None), peer, START);
        gate.cookie_for(&initiation(None), crowd(n), START);
    }
    // Both rates are untouched: the peer has its whole burst.
    let passed = (0..20).filter(|_| gate.admits(&initiation(Some(&cookie)), peer, START)).count();
    assert_eq!(passed, 8);
}

#[test]
fn a_cookie_is_good_for_the_time_a_peer_uses_it() {
    let gate = gate();
    let peer = from("192.0.2.1:5");
    for offset in [0, 1, 60, 119] {
        let issued = START + Duration::from_secs(offset);
        gate.load(issued);
        let cookie = gate.cookie_for(&initiation(None), peer, issued);
        let used = issued + crate::protocol::COOKIE_LIFETIME;
        gate.load(used);
        assert!(gate.admits(&initiation(Some(&cookie)), peer, used), "offset {offset}");
        let stale = issued + Duration::from_secs(241);
        gate.load(stale);
        gate.cookie_for(&initiation(Some(&cookie)), peer, stale);
    }
}

#[test]
fn forged_cookie_replies_do_not_use_up_the_rate_of_handshakes() {
    let gate = gate();
    let passed =
        (0..1_000).filter(|n| gate.admits(&message::<64>(3, None), crowd(*n), START)).count();
    assert_eq!(passed, 256);
    assert!(gate.admits(&initiation(None), crowd(2_000), START));
    assert!(!gate.is_loaded(START), "and are not load");
}

#[test]
fn a_source_that_cannot_be_answered_is_turned_away() {
    let gate = gate();
    for remote in ["0.0.0.0:5", "239.1.1.1:5", "192.0.2.1:0", "[ff02::1]:5"] {
        let cause = gate.cause(&initiation(None), from(remote), START);
        assert_eq!(cause, Some(Rejected::UnusableSource), "{remote}");
    }
}
