//! Handshake messages at the gate, with the WireGuard crate as the client.

use core::num::NonZeroU32;
use core::time::Duration;
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::StdRng;
use telemetry::Reason;
use wireguard::{
    Arrival, COOKIE_REPLY_LENGTH, Endpoint, Gate, GateSettings, HandshakeSettings, Handshakes,
    Outcome, Outstanding, Parsed, PeerHandle, PrivateKey, RetryEvent, Tai64N, Verdict,
};

use super::only;
use crate::handshake::HandshakeEvent;
use crate::testing::{GATEWAY_MAC, HOST_MAC, PEERS, Site, WAN, outer_datagram};

/// A client of the gateway, which has a gate that asks for cookies from `load_threshold` messages a second on.
struct Client {
    engine: Handshakes,
    gate: Gate,
    gateway: PeerHandle,
}

fn scene(load_threshold: u32) -> (Site, Client) {
    let mut rng = StdRng::seed_from_u64(5);
    let (ours, theirs) = (PrivateKey::generate(&mut rng), PrivateKey::generate(&mut rng));
    let settings = GateSettings { load_threshold, ..GateSettings::STANDARD };
    let mut site = Site::new();
    let at_us = Gate::new(&ours.public_key(), &settings, Outstanding::new(1), &mut rng);
    site.snapshot.tunnel.gate = Some(Arc::new(at_us));
    let settings = HandshakeSettings::new(NonZeroU32::MIN, 4);
    let mut engine = Handshakes::new(&theirs, &settings, Box::new(StdRng::seed_from_u64(6)));
    let outstanding = engine.outstanding();
    let gate = Gate::new(engine.public_key(), &GateSettings::STANDARD, outstanding, &mut rng);
    let gateway = engine.add_peer(ours.public_key(), None).unwrap();
    (site, Client { engine, gate, gateway })
}

fn frame(message: &[u8], peer: usize) -> Vec<u8> {
    let at = PEERS[peer].socket();
    let gateway = if at.is_ipv4() { "192.0.2.1:51820" } else { "[2001:db8::1]:51820" };
    outer_datagram(at, gateway.parse().unwrap(), message).frame()
}

fn wall(site: &Site) -> Tai64N {
    Tai64N::from_unix(1_700_000_000 + site.now.as_nanos() / 1_000_000_000, 0)
}

impl Client {
    fn initiation(&mut self, site: &Site) -> [u8; 148] {
        self.engine.initiate(self.gateway, 0, site.now, wall(site)).expect("an initiation").message
    }
}

#[test]
fn a_message_that_passes_the_gate_goes_to_the_handshake_thread() {
    let (mut site, mut client) = scene(1000);
    let message = client.initiation(&site);
    assert_eq!(site.receive(WAN, [frame(&message, 0)]), []);
    assert_eq!(site.drops(), []);
    let Some(HandshakeEvent::Message(admitted)) = site.out.handshakes.pop_front() else {
        panic!("no event")
    };
    let local = "192.0.2.1".parse().unwrap();
    assert_eq!(
        admitted.arrival(),
        Arrival { worker: 0, endpoint: Endpoint::new(PEERS[0].socket(), local) }
    );
    site.assert_frames_complete();
}

#[test]
fn a_message_for_another_gateway_or_of_another_length_is_refused() {
    let (mut site, mut client) = scene(1000);
    let mut message = client.initiation(&site);
    message[140] ^= 1;
    site.receive(WAN, [frame(&message, 0)]);
    assert_eq!(site.drops(), [], "only the second MAC was touched, which nobody asked for");
    let _ = site.out.handshakes.pop_front();
    message[117] ^= 1;
    site.receive(WAN, [frame(&message, 0)]);
    assert_eq!(only(&site.drops()), Reason::WgMac1Invalid);
    site.receive(WAN, [frame(&message[..147], 0), frame(&[1, 0, 0, 1], 0), frame(&[], 0)]);
    assert_eq!(site.out.handshakes.len(), 0);
    assert_eq!(site.drops().iter().map(|(_, count)| count).sum::<u64>(), 4);
    site.assert_frames_complete();
}

#[test]
fn a_handshake_message_from_a_damaged_address_is_neither_admitted_nor_answered() {
    // One gate that admits, one that asks for a cookie.
    for load_threshold in [1000, 1] {
        let (mut site, mut client) = scene(load_threshold);
        let whole = frame(&client.initiation(&site), 1);
        let mut damaged = whole.clone();
        damaged[14 + 8 + 15] ^= 4;
        assert_eq!(site.receive(WAN, [damaged]), []);
        assert_eq!(site.drops(), [(Reason::WgOuterChecksum, 1)]);
        assert_eq!(site.out.handshakes.len(), 0);
        let answered = site.receive(WAN, [whole]).len();
        assert_eq!(answered + site.out.handshakes.len(), 1);
        site.out.handshakes.clear();
    }
}

#[test]
fn without_a_gate_there_are_no_handshakes() {
    let (mut site, mut client) = scene(1000);
    site.snapshot.tunnel.gate = None;
    let message = client.initiation(&site);
    site.receive(WAN, [frame(&message, 0)]);
    assert_eq!(only(&site.drops()), Reason::LocalNotTunnel);
}

#[test]
fn under_load_a_cookie_reply_goes_back_in_place_and_opens_the_gate() {
    for peer in [0, 1] {
        let (mut site, mut client) = scene(1);
        let message = client.initiation(&site);
        let cause = frame(&message, peer);
        let sent = site.receive(WAN, [cause.clone()]);
        assert_eq!(site.drops(), [(Reason::WgCookieDemanded, 1)]);
        assert_eq!(site.out.handshakes.len(), 0, "and it goes no further");
        let [reply] = <[_; 1]>::try_from(sent).expect("one reply");
        assert!(reply.bytes.len() < cause.len(), "never larger than its cause");
        assert_eq!(reply.bytes[..12], [HOST_MAC.0, GATEWAY_MAC.0].concat());
        let (asked, parsed) = (wire::parse(&cause).unwrap(), reply.parsed());
        assert_eq!(parsed.addresses, asked.addresses.reversed());
        assert_eq!(parsed.transport.ports(), asked.transport.ports().map(|(from, to)| (to, from)));
        assert_eq!(reply.payload().len(), COOKIE_REPLY_LENGTH);

        let from = Endpoint::new("192.0.2.1:51820".parse().unwrap(), PEERS[peer].socket().ip());
        let arrival = Arrival { worker: 0, endpoint: from };
        let cookie = Parsed::read(reply.payload()).expect("a message");
        let Verdict::Admitted(admitted) = client.gate.screen(cookie, arrival, site.now) else {
            panic!("refused")
        };
        let kept = client.engine.handle(admitted, site.now);
        assert!(matches!(kept, Ok(Outcome::CookieKept { .. })), "{kept:?}");

        site.now = site.now + Duration::from_secs(6);
        let again = client.engine.poll(site.now, wall(&site));
        let Some(RetryEvent::Send(initiation)) = again else { panic!("{again:?}") };
        assert_eq!(site.receive(WAN, [frame(&initiation.message, peer)]), []);
        assert_eq!(site.out.handshakes.len(), 1, "with the cookie it passes");
        let other = frame(&initiation.message, 3 - 3 * (peer % 2));
        assert_eq!(site.receive(WAN, [other]).len(), 1, "but not from elsewhere");
        site.out.handshakes.clear();
        site.assert_frames_complete();
    }
}

#[test]
fn a_cookie_reply_that_has_no_way_back_is_dropped() {
    let (mut site, mut client) = scene(1);
    site.network.routes.remove("0.0.0.0/0".parse().unwrap());
    site.publish();
    let message = client.initiation(&site);
    assert_eq!(site.receive(WAN, [frame(&message, 2)]), []);
    assert_eq!(site.drops(), [(Reason::WgCookieDemanded, 1), (Reason::NoRoute, 1)]);
    site.assert_frames_complete();
}

#[test]
fn a_full_queue_to_the_handshake_thread_is_counted() {
    let (mut site, mut client) = scene(1000);
    site.out = crate::Outbox::new(2, 2);
    let message = client.initiation(&site);
    let frames: Vec<Vec<u8>> = (0..5).map(|_| frame(&message, 0)).collect();
    site.receive(WAN, frames);
    assert_eq!((site.out.handshakes.len(), only_count(&site)), (2, 3));
    site.assert_frames_complete();
}

fn only_count(site: &Site) -> u64 {
    site.counters.dropped(Reason::WgHandshakeQueueFull)
}
