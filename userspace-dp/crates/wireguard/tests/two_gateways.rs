//! Two gateways of ours over a network that delays, loses, duplicates and reorders, under a virtual clock.

mod gateway;

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, HashSet};

use clock::Time;
use gateway::{Datagram, Gateway, START, packet};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use ringwall_wireguard::{PeerHandle, PresharedKey, PrivateKey, Rejected};

/// How the network treats datagrams, in parts of 256.
#[derive(Clone, Copy, Debug)]
struct Weather {
    loss: u16,
    duplication: u16,
    jitter: Duration,
}

const FAIR: Weather = Weather { loss: 0, duplication: 0, jitter: Duration::ZERO };
const LATENCY: Duration = Duration::from_millis(20);

struct World {
    sides: [Gateway; 2],
    peers: [PeerHandle; 2],
    now: Time,
    weather: Weather,
    /// By time of arrival and a number that keeps equal times apart.
    on_the_way: BTreeMap<(Time, u64), (SocketAddr, Datagram)>,
    sent: u64,
    rng: StdRng,
}

impl World {
    fn new(seed: u64, weather: Weather, keepalive: Option<Duration>) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let keys = [PrivateKey::generate(&mut rng), PrivateKey::generate(&mut rng)];
        let mut a = Gateway::new(&keys[0], "192.0.2.1:51820", seed ^ 1);
        let mut b = Gateway::new(&keys[1], "[2001:db8::2]:51820", seed ^ 2);
        let preshared = || Some(PresharedKey::from_bytes([seed as u8; 32]));
        let b_of_a = a.add_peer(b.key, preshared(), Some(b.address), keepalive);
        let a_of_b = b.add_peer(a.key, preshared(), Some(a.address), None);
        Self {
            sides: [a, b],
            peers: [b_of_a, a_of_b],
            now: START,
            weather,
            on_the_way: BTreeMap::new(),
            sent: 0,
            rng,
        }
    }

    fn dispatch(&mut self, side: usize, datagrams: Vec<Datagram>) {
        let from = self.sides[side].address;
        for datagram in datagrams {
            let roll = self.rng.next_u32() % 256;
            let copies = match self.weather {
                Weather { loss, .. } if roll < u32::from(loss) => 0,
                Weather { duplication, .. } if roll >= 256 - u32::from(duplication) => 2,
                _ => 1,
            };
            for _ in 0..copies {
                let jitter = self.weather.jitter.as_nanos() as u64;
                let delay = LATENCY + Duration::from_nanos(self.rng.next_u64() % (jitter + 1));
                self.sent += 1;
                let at = (self.now + delay, self.sent);
                self.on_the_way.insert(at, (from, datagram.clone()));
            }
        }
    }

    fn send(&mut self, side: usize, packet: &[u8]) {
        let out = self.sides[side].send(self.peers[side], packet, self.now);
        self.dispatch(side, out);
    }

    /// Lets time pass: arrivals and deadlines in their order, nothing in between.
    fn run(&mut self, length: Duration) {
        let end = self.now + length;
        let mut turns = 0u32;
        loop {
            let arrival = self.on_the_way.first_key_value().map_or(Time::NEVER, |((at, _), _)| *at);
            let deadline =
                self.sides.iter().map(Gateway::next_deadline).min().unwrap_or(Time::NEVER);
            let next = arrival.min(deadline);
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if arrival <= deadline {
                let Some((_, (from, datagram))) = self.on_the_way.pop_first() else { break };
                let side = self.sides.iter().position(|s| s.address == datagram.to);
                let side = side.unwrap_or_else(|| panic!("{} is nobody", datagram.to));
                let out = self.sides[side].receive(from, &datagram.bytes, self.now);
                self.dispatch(side, out);
            } else {
                for side in 0..2 {
                    let out = self.sides[side].turn(self.now);
                    self.dispatch(side, out);
                }
            }
            turns += 1;
            assert!(turns < 1_000_000, "the two talk without end");
        }
        self.now = end;
    }
}

#[test]
fn a_first_packet_makes_a_session_and_arrives() {
    let mut world = World::new(1, FAIR, None);
    world.send(0, &packet(1, 100));
    world.run(Duration::from_secs(1));
    assert_eq!(world.sides[1].delivered.len(), 1);
    assert!(world.sides[1].delivered[0].starts_with(&packet(1, 100)));
    // Initiation, response, the packet itself: no keepalive beside it.
    assert_eq!(world.sent, 3);
}

#[test]
fn packets_that_wait_arrive_in_order_and_the_oldest_yields() {
    let mut world = World::new(2, FAIR, None);
    for number in 0..200 {
        world.send(0, &packet(number, 64));
    }
    world.run(Duration::from_secs(1));
    let expected: Vec<Vec<u8>> = (72..200).map(|number| packet(number, 64)).collect();
    assert_eq!(world.sides[1].delivered, expected);
}

#[test]
fn both_sides_starting_at_once_end_with_a_working_tunnel() {
    let mut world = World::new(3, FAIR, None);
    world.send(0, &packet(1, 64));
    world.send(1, &packet(2, 64));
    world.run(Duration::from_secs(1));
    for second in 0..400 {
        world.send(0, &packet(second, 64));
        world.send(1, &packet(second, 64));
        world.run(Duration::from_secs(1));
    }
    for side in &world.sides {
        assert_eq!(side.delivered.len(), 401);
        assert!(side.counts.rejected.is_empty(), "{:?}", side.counts);
    }
}

#[test]
fn two_idle_gateways_exchange_nothing() {
    let mut world = World::new(4, FAIR, None);
    world.send(0, &packet(1, 64));
    world.run(Duration::from_secs(60));
    // The one keepalive in answer to the data is over.
    let sent = world.sent;
    world.run(Duration::from_secs(100_000));
    assert_eq!(world.sent, sent);
}

#[test]
fn a_persistent_keepalive_holds_the_tunnel_up_and_sends_little_else() {
    let mut world = World::new(5, FAIR, Some(Duration::from_secs(25)));
    world.run(Duration::from_secs(3_600));
    let keepalives = world.sides[1].counts.keepalives_received;
    assert!((140..=176).contains(&keepalives), "{keepalives} in 144 intervals");
    let sessions = world.sides[0].counts.sessions;
    assert!((24..=31).contains(&sessions), "{sessions} sessions in an hour");
    // Two messages per handshake, one keepalive per interval, and the first keepalive of each session.
    assert!(world.sent <= keepalives + 2 * sessions, "{} datagrams", world.sent);
    assert_eq!(world.sides[1].delivered.len(), 0);
}

#[test]
fn a_peer_that_is_not_there_is_given_up_and_tried_again_on_demand() {
    let dead = Weather { loss: 256, ..FAIR };
    let mut world = World::new(6, dead, None);
    world.send(0, &packet(1, 64));
    world.run(Duration::from_secs(200));
    assert_eq!(world.sides[0].counts.given_up, 1);
    world.weather = FAIR;
    world.send(0, &packet(2, 64));
    world.run(Duration::from_secs(1));
    assert_eq!(world.sides[1].delivered, [packet(2, 64)], "what waited before was dropped");
}

#[test]
fn a_side_that_forgot_its_sessions_is_reached_again() {
    let mut world = World::new(7, FAIR, None);
    world.send(0, &packet(1, 64));
    world.run(Duration::from_secs(12));
    // The other side restarts its worker: no sessions, same keys.
    let (peer, address) = (world.peers[1], world.sides[0].address);
    assert!(world.sides[1].sessions.remove_peer(peer));
    let endpoint = ringwall_wireguard::Endpoint::configured(address);
    world.sides[1].sessions.add_peer(peer, Some(endpoint), None, world.now).unwrap();
    for second in 0..40 {
        world.send(0, &packet(100 + second, 64));
        world.run(Duration::from_secs(1));
    }
    let unheard = world.sides[1].counts.rejected[&Rejected::UnknownSession];
    assert!((15..=17).contains(&unheard), "15 s pass until the silence is noticed: {unheard}");
    assert_eq!(world.sides[1].delivered.len() as u64, 1 + 40 - unheard);
}

#[test]
fn a_peer_that_moves_is_followed() {
    let mut world = World::new(8, FAIR, None);
    world.send(0, &packet(1, 64));
    world.run(Duration::from_secs(1));
    world.sides[0].address = "203.0.113.9:1024".parse().unwrap();
    world.send(0, &packet(2, 64));
    world.run(Duration::from_secs(1));
    world.send(1, &packet(3, 64));
    world.run(Duration::from_secs(1));
    assert_eq!(world.sides[0].delivered, [packet(3, 64)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Ten minutes of conversation in bad weather: nothing is delivered twice, nothing false is delivered, and the
    /// tunnel is never down for long.
    #[test]
    fn in_any_weather_packets_arrive_at_most_once_and_most_of_them_do(
        seed in any::<u64>(),
        loss in 0..60u16,
        duplication in 0..60u16,
        jitter_ms in 0..200u64,
    ) {
        let jitter = Duration::from_millis(jitter_ms);
        let mut world = World::new(seed, Weather { loss, duplication, jitter }, None);
        let seconds = 600;
        for second in 0..seconds {
            for side in 0..2 {
                world.send(side, &packet(second, 40 + second as usize));
            }
            world.run(Duration::from_secs(1));
        }
        world.run(Duration::from_secs(2));
        for side in &world.sides {
            let mut seen = HashSet::new();
            for inner in &side.delivered {
                let number = u32::from_be_bytes(inner[4..8].try_into().unwrap());
                prop_assert!(seen.insert(number), "{} twice", number);
                prop_assert!(inner.starts_with(&packet(number, 40 + number as usize)));
            }
            // Of each direction at least what the weather leaves, less two handshakes that had to be repeated.
            let expected = (seconds as usize * (256 - usize::from(loss)) / 256) * 8 / 10;
            prop_assert!(seen.len() >= expected, "{} of {}: {:?}", seen.len(), seconds, side.counts);
        }
    }
}
