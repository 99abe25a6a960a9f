//! What the gate stops, what it lets through, and what it charges.

use core::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::cookie::{Cookie, read_reply, reply_key, sign};

const US: PublicKey = PublicKey::from_bytes([9; 32]);
const START: Time = Time::from_nanos(1_000_000_000_000);

fn gate() -> Gate {
    with(&GateSettings::STANDARD)
}

fn with(settings: &GateSettings) -> Gate {
    Gate::new(&US, settings, Outstanding::new(8), &mut StdRng::seed_from_u64(1))
}

/// Only the rates are left.
fn never_loaded(gateway: Rate) -> Gate {
    let settings = GateSettings { gateway, load_threshold: u32::MAX, ..GateSettings::STANDARD };
    with(&settings)
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

    /// A cookie the gate would send there.
    fn valid_cookie(&self, arrival: Arrival, now: Time) -> Cookie {
        self.cookies.valid_for(&arrival.endpoint, now)[0]
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
    gate.cookie_for(&message, source, START);
    assert_eq!(gate.cause(&message, from("192.0.2.2:5"), START), None, "others do not suffer");
    let later = START + Duration::from_millis(250);
    assert_eq!(gate.cause(&message, source, later), None);
    gate.cookie_for(&message, source, later);
    assert!(!gate.is_loaded(later));
}

#[test]
fn a_source_with_a_cookie_is_held_to_its_burst_and_its_rate_too() {
    let gate = gate();
    let source = from("192.0.2.1:5");
    let message = initiation(Some(&gate.valid_cookie(source, START)));
    for _ in 0..8 {
        assert_eq!(gate.cause(&message, source, START), None);
    }
    assert_eq!(gate.cause(&message, source, START), Some(Rejected::SourceRateLimited));
    let later = START + Duration::from_millis(250);
    assert_eq!(gate.cause(&message, source, later), None);
    assert_eq!(gate.cause(&message, source, later), Some(Rejected::SourceRateLimited));
}

#[test]
fn at_rest_a_wrong_cookie_is_worth_no_more_than_none() {
    let gate = gate();
    let peer = from("192.0.2.1:5");
    let cookie = gate.valid_cookie(peer, START);
    let elsewhere = [from("192.0.2.1:6"), from("192.0.2.1:7")];
    let admitted = (0..12)
        .filter(|n| gate.admits(&initiation(Some(&cookie)), elsewhere[n % 2], START))
        .count();
    assert_eq!(admitted, 8, "one burst for the address, whatever the ports");
    for wrong in [[0; 16], gate.valid_cookie(from("192.0.2.2:5"), START)] {
        gate.cookie_for(&initiation(Some(&wrong)), peer, START);
    }
    assert!(gate.admits(&initiation(Some(&cookie)), peer, START));
    assert!(!gate.is_loaded(START));
}

#[test]
fn all_sources_together_stay_within_the_rate_of_the_gateway() {
    let gate = never_loaded(GateSettings::STANDARD.gateway);
    let admitted = |now: Time, first: u32| {
        (0..1_000)
            .map(|n| crowd(first + n))
            .filter(|&one| gate.admits(&initiation(Some(&gate.valid_cookie(one, now))), one, now))
            .count()
    };
    assert_eq!(admitted(START, 0), 256);
    assert_eq!(admitted(START + Duration::from_secs(1), 1_000), 100);
    // Nothing is left for those without a cookie, and they are told what to do.
    gate.cookie_for(&initiation(None), crowd(5_000), START + Duration::from_secs(1));
}

#[test]
fn without_a_cookie_all_sources_together_get_half_the_rate_of_the_gateway() {
    let gate = never_loaded(GateSettings::STANDARD.gateway);
    let message = initiation(None);
    let admitted = |now: Time, first: u32| {
        (0..1_000).filter(|n| gate.admits(&message, crowd(first + n), now)).count()
    };
    assert_eq!(admitted(START, 0), 128);
    let later = START + Duration::from_secs(1);
    assert_eq!(admitted(later, 1_000), 50);
    // The other half of the burst, and of what came since, is there for whoever has a cookie.
    let proven = (2_000..3_000)
        .map(crowd)
        .filter(|&one| gate.admits(&initiation(Some(&gate.valid_cookie(one, later))), one, later));
    assert_eq!(proven.count(), 128 + 50);
}

/// Others send in the name of the peer, from its address and another port, slowly enough that there is no load.
#[test]
fn a_peer_with_a_cookie_passes_every_time_while_others_send_in_its_name() {
    for address in ["192.0.2.1", "2001:db8::1"] {
        for per_second in [5, 10, 20, 23] {
            let victim = from(&core::net::SocketAddr::new(address.parse().unwrap(), 5).to_string());
            let tried = forge(per_second, victim);
            let what = format!("{per_second}/s from {address}: {tried:?}");
            assert_eq!(tried.len(), 22, "110 s, an attempt every 5 s");
            assert_eq!(tried.iter().filter(|passed| !**passed).count(), 1, "{what}");
            let asked = tried.iter().position(|passed| !passed);
            assert!(asked <= Some(1), "the forger had spent the rate by then: {what}");
        }
    }
}

/// Which attempts of `victim` passed. Those that did not brought it a cookie, which it shows from then on.
fn forge(per_second: u64, victim: Arrival) -> Vec<bool> {
    let gate = gate();
    let mut forger = victim;
    let port = victim.endpoint.remote().port() + 1;
    let remote = core::net::SocketAddr::new(victim.endpoint.remote().ip(), port);
    forger.endpoint = Endpoint::configured(remote);
    let (mut cookie, mut tried, mut forged, mut next_try) = (None, Vec::new(), 0u64, 5_000u64);
    for n in 0..115 * per_second {
        let millis = n * 1_000 / per_second;
        let now = START + Duration::from_millis(millis);
        forged += u64::from(gate.admits(&initiation(None), forger, now));
        if millis >= next_try {
            next_try += 5_000;
            let message = initiation(cookie.as_ref());
            match gate.judge_bytes(&message, victim, now) {
                Verdict::Admitted(_) => tried.push(true),
                Verdict::CookieReply(reply) => {
                    tried.push(false);
                    cookie = read_reply(&reply_key(&US), &reply, macs(&message).1);
                    assert!(cookie.is_some());
                }
                Verdict::Rejected(cause) => panic!("{per_second}/s: {cause:?}"),
            }
        }
        assert!(!gate.is_loaded(now), "this is about a gateway at rest");
        assert!(forged <= 8 + 4 * millis / 1_000, "{forged} forged within {millis} ms");
    }
    tried
}

/// A gateway whose rate lies below what it calls load, and forgers that use all of what they can get.
#[test]
fn forgers_from_everywhere_leave_half_of_a_small_rate_to_peers_with_cookies() {
    let gate = never_loaded(Rate::new(10, 20));
    let (mut forged, mut passed) = (0, 0);
    for millis in 0..60_000u32 {
        let now = START + Duration::from_millis(u64::from(millis));
        forged += u64::from(gate.admits(&initiation(None), crowd(millis), now));
        if millis % 200 == 0 {
            let peer = from(&format!("192.0.2.{}:5", millis / 200 % 5));
            let message = initiation(Some(&gate.valid_cookie(peer, now)));
            assert_eq!(gate.cause(&message, peer, now), None, "after {millis} ms");
            passed += 1;
        }
    }
    assert_eq!(passed, 300);
    assert!((300..=310).contains(&forged), "{forged}: the other half");
}

#[test]
fn forged_sources_push_no_proven_one_out_of_the_table() {
    let settings = GateSettings {
        gateway: Rate::new(1_000_000, 1_000_000),
        load_threshold: u32::MAX,
        sources: 8,
        ..GateSettings::STANDARD
    };
    let gate = with(&settings);
    // One set, and every entry of it spent.
    for n in 0..1_000 {
        let _ = gate.judge_bytes(&initiation(None), crowd(n % 8), START);
        let _ = gate.judge_bytes(&initiation(None), crowd(n), START);
    }
    let peer = from("192.0.2.1:5");
    gate.cookie_for(&initiation(None), peer, START);
    let message = initiation(Some(&gate.valid_cookie(peer, START)));
    assert_eq!((0..20).filter(|_| gate.admits(&message, peer, START)).count(), 8);
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

/// The index in what [`message`] makes.
const INDEX: u32 = 0x0102_0304;

#[test]
fn cookie_replies_to_nothing_of_ours_are_turned_away_and_charged_to_nothing() {
    let gate = gate();
    let reply = message::<64>(3, None);
    let mut junk = reply;
    for n in 0..10_000u32 {
        junk[4..8].copy_from_slice(&n.to_le_bytes());
        assert_eq!(gate.cause(&junk, crowd(n), START), Some(Rejected::CookieUnsolicited));
    }
    gate.state.outstanding.insert(INDEX);
    assert_eq!(gate.cause(&reply, crowd(1), START), None, "the whole rate is left");
    gate.state.outstanding.remove(INDEX);
    assert_eq!(gate.cause(&reply, crowd(1), START), Some(Rejected::CookieUnsolicited));
}

#[test]
fn forged_cookie_replies_do_not_use_up_the_rate_of_handshakes() {
    let gate = gate();
    gate.state.outstanding.insert(INDEX);
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

#[test]
fn another_identity_takes_rates_and_cookies_along_and_knows_its_own_messages_only() {
    let them = PublicKey::from_bytes([10; 32]);
    let old = gate();
    let peer = from("192.0.2.1:5");
    let mut to_them: [u8; 148] = message(1, None);
    sign(&mut to_them, &mac1_key(&them), None);
    assert_eq!(old.cause(&to_them, peer, START), Some(Rejected::Mac1Invalid));
    for _ in 0..8 {
        assert!(old.admits(&initiation(None), peer, START));
    }
    let new = old.with_identity(&them);
    assert_eq!(new.cause(&initiation(None), peer, START), Some(Rejected::Mac1Invalid));
    let Verdict::CookieReply(reply) = new.judge_bytes(&to_them, peer, START) else {
        panic!("the rate that was spent is full again")
    };
    let cookie = read_reply(&reply_key(&them), &reply, macs(&to_them).1);
    assert_eq!(cookie, Some(old.valid_cookie(peer, START)), "and good for both");
    sign(&mut to_them, &mac1_key(&them), cookie.as_ref());
    assert!(new.admits(&to_them, peer, START));
    old.load(START);
    assert!(new.is_loaded(START));
}
