//! Against boringtun, an independent implementation: both roles, with and without a preshared key, renewal over
//! many sessions, cookies in both directions. Its clock is moved together with ours.

mod gateway;

use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;

use boringtun::noise::rate_limiter::RateLimiter;
use boringtun::noise::{Tunn, TunnResult};
use clock::Time;
use gateway::{Datagram, Gateway, START, packet};
use mock_instant::MockClock;
use ringwall_wireguard::{PeerHandle, PresharedKey, PrivateKey, PublicKey};

const OURS: &str = "192.0.2.1:51820";
const THEIRS: &str = "198.51.100.7:40000";

/// Our gateway and a boringtun tunnel, joined by a network without delay or loss.
struct World {
    ours: Gateway,
    peer: PeerHandle,
    theirs: Tunn,
    now: Time,
    delivered_there: Vec<Vec<u8>>,
    datagrams: u64,
}

struct Options {
    preshared: bool,
    /// Handshake messages a second from which boringtun asks for cookies.
    their_limit: u64,
}

const PLAIN: Options = Options { preshared: false, their_limit: 1_000_000 };

impl World {
    fn new(options: &Options) -> Self {
        let (our_secret, their_secret) = ([1; 32], [2; 32]);
        let preshared = options.preshared.then_some([3; 32]);
        let private = PrivateKey::from_bytes(our_secret);
        let their_static = x25519_dalek::StaticSecret::from(their_secret);
        let their_public = x25519_dalek::PublicKey::from(&their_static);
        let our_public = x25519_dalek::PublicKey::from(*private.public_key().as_bytes());

        let mut ours = Gateway::new(&private, OURS, 5);
        let peer = ours.add_peer(
            PublicKey::from_bytes(their_public.to_bytes()),
            preshared.map(PresharedKey::from_bytes),
            Some(THEIRS.parse().unwrap()),
            None,
        );
        let limiter = Arc::new(RateLimiter::new(&their_public, options.their_limit));
        let theirs = Tunn::new(their_static, our_public, preshared, None, 77, Some(limiter));
        Self { ours, peer, theirs, now: START, delivered_there: Vec::new(), datagrams: 0 }
    }

    fn advance(&mut self, by: Duration) {
        MockClock::advance(by);
        self.now = self.now + by;
        let mut buffer = vec![0; 2_048];
        if let TunnResult::WriteToNetwork(bytes) = self.theirs.update_timers(&mut buffer) {
            let bytes = bytes.to_vec();
            self.carry_to_ours(&bytes);
        }
        let out = self.ours.turn(self.now);
        self.carry_to_theirs(out);
    }

    fn send_from_ours(&mut self, packet: &[u8]) {
        let out = self.ours.send(self.peer, packet, self.now);
        self.carry_to_theirs(out);
    }

    fn send_from_theirs(&mut self, packet: &[u8]) {
        let mut buffer = vec![0; 2_048];
        if let TunnResult::WriteToNetwork(bytes) = self.theirs.encapsulate(packet, &mut buffer) {
            let bytes = bytes.to_vec();
            self.carry_to_ours(&bytes);
        }
    }

    fn carry_to_ours(&mut self, bytes: &[u8]) {
        self.datagrams += 1;
        let out = self.ours.receive(THEIRS.parse().unwrap(), bytes, self.now);
        self.carry_to_theirs(out);
    }

    fn carry_to_theirs(&mut self, datagrams: Vec<Datagram>) {
        for datagram in datagrams {
            assert_eq!(datagram.to, THEIRS.parse::<SocketAddr>().unwrap());
            self.datagrams += 1;
            self.decapsulate(&datagram.bytes);
        }
    }

    /// boringtun wants to be called with nothing until it has nothing more to send.
    fn decapsulate(&mut self, datagram: &[u8]) {
        let mut buffer = vec![0; 2_048];
        let from = Some(OURS.parse::<SocketAddr>().unwrap().ip());
        let mut input = datagram;
        loop {
            match self.theirs.decapsulate(from, input, &mut buffer) {
                TunnResult::WriteToNetwork(bytes) => {
                    let bytes = bytes.to_vec();
                    self.carry_to_ours(&bytes);
                    input = &[];
                }
                TunnResult::WriteToTunnelV4(inner, _) | TunnResult::WriteToTunnelV6(inner, _) => {
                    self.delivered_there.push(inner.to_vec());
                    return;
                }
                TunnResult::Done => return,
                TunnResult::Err(error) => panic!("boringtun refuses a datagram of ours: {error:?}"),
            }
        }
    }

    /// Data both ways, of sizes around the padding, all of which must arrive in order.
    fn exchange(&mut self, numbers: core::ops::Range<u32>) {
        for number in numbers {
            let packet = packet(number, 20 + (number as usize * 37) % 1_400);
            let (here, there) = (self.ours.delivered.len(), self.delivered_there.len());
            self.send_from_ours(&packet);
            assert_eq!(self.delivered_there.len(), there + 1, "packet {number} to boringtun");
            assert_eq!(self.delivered_there[there], packet);
            self.send_from_theirs(&packet);
            assert_eq!(self.ours.delivered.len(), here + 1, "packet {number} from boringtun");
            assert!(self.ours.delivered[here].starts_with(&packet));
        }
    }
}

#[test]
fn we_initiate() {
    for preshared in [false, true] {
        let mut world = World::new(&Options { preshared, ..PLAIN });
        world.send_from_ours(&packet(0, 100));
        assert_eq!(world.delivered_there, [packet(0, 100)], "the waiting packet arrived");
        assert_eq!(world.ours.counts.sessions, 1);
        world.exchange(1..200);
    }
}

#[test]
fn boringtun_initiates() {
    for preshared in [false, true] {
        let mut world = World::new(&Options { preshared, ..PLAIN });
        world.send_from_theirs(&packet(0, 100));
        assert_eq!(world.ours.counts.sessions, 1);
        assert!(world.ours.delivered.iter().any(|inner| inner.starts_with(&packet(0, 100))));
        world.exchange(1..200);
    }
}

#[test]
fn a_conversation_of_an_hour_loses_nothing_and_renews_its_sessions() {
    for we_begin in [true, false] {
        let mut world = World::new(&PLAIN);
        if we_begin {
            world.send_from_ours(&packet(0, 50));
        } else {
            world.send_from_theirs(&packet(0, 50));
        }
        for second in 1..3_600 {
            world.advance(Duration::from_secs(1));
            world.exchange(second..second + 1);
        }
        let sessions = world.ours.counts.sessions;
        assert!((28..=31).contains(&sessions), "one every two minutes, not {sessions}");
        assert!(world.ours.counts.rejected.is_empty(), "{:?}", world.ours.counts.rejected);
    }
}

#[test]
fn one_way_traffic_is_kept_alive_by_the_silent_side() {
    let mut world = World::new(&PLAIN);
    world.send_from_ours(&packet(0, 50));
    for second in 1..600 {
        world.advance(Duration::from_secs(1));
        world.send_from_ours(&packet(second, 50));
    }
    assert_eq!(world.delivered_there.len(), 600);
    assert!(world.ours.counts.keepalives_received >= 50, "{:?}", world.ours.counts);
    assert!((5..=6).contains(&world.ours.counts.sessions), "{:?}", world.ours.counts);

    let mut world = World::new(&PLAIN);
    world.send_from_theirs(&packet(0, 50));
    for second in 1..600 {
        world.advance(Duration::from_secs(1));
        world.send_from_theirs(&packet(second, 50));
    }
    assert_eq!(world.ours.delivered.len(), 600);
    assert!((5..=6).contains(&world.ours.counts.sessions), "{:?}", world.ours.counts);
}

#[test]
fn a_loaded_boringtun_gives_us_a_cookie_and_takes_it_back() {
    let mut world = World::new(&Options { their_limit: 0, ..PLAIN });
    world.send_from_ours(&packet(0, 50));
    assert_eq!(world.ours.counts.cookies_kept, 1);
    assert_eq!(world.ours.counts.sessions, 0);
    for _ in 0..6 {
        world.advance(Duration::from_secs(1));
    }
    assert_eq!(world.ours.counts.sessions, 1);
    world.exchange(1..10);
}

#[test]
fn boringtun_takes_our_cookie_and_comes_back_with_it() {
    let mut world = World::new(&PLAIN);
    let keep_loaded = |world: &World| world.ours.gate.report_queue(1, 1, world.now);
    keep_loaded(&world);
    world.send_from_theirs(&packet(0, 50));
    assert_eq!((world.ours.counts.cookie_replies, world.ours.counts.sessions), (1, 0));
    for _ in 0..6 {
        keep_loaded(&world);
        world.advance(Duration::from_secs(1));
    }
    assert_eq!(world.ours.counts.sessions, 1);
    world.exchange(1..10);
}

#[test]
fn an_idle_tunnel_stays_silent() {
    let mut world = World::new(&PLAIN);
    world.send_from_ours(&packet(0, 50));
    for _ in 0..30 {
        world.advance(Duration::from_secs(1));
    }
    let after_settling = world.datagrams;
    for _ in 0..2_000 {
        MockClock::advance(Duration::from_secs(1));
        world.now = world.now + Duration::from_secs(1);
        let out = world.ours.turn(world.now);
        world.carry_to_theirs(out);
    }
    assert_eq!(world.datagrams, after_settling);
}
