//! Answering initiations: what bounds how many peers one core can keep supplied with sessions.
//!
//! All responders get initiations of one known peer, each new, through their check of the first MAC. Ours also goes
//! through the rates and finds the peer by its key among [`PEERS`]; the others hold the one peer only.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use boringtun::noise::{Tunn as Boringtun, TunnResult as BoringtunResult};
use clock::{Rate, Time};
use gotatun::noise::TunnResult as GotatunResult;
use gotatun::packet::Packet;
use rand::SeedableRng;
use rand::rngs::StdRng;
use ringwall_benches::report::{Contender, Family, Sample, Unit};
use wireguard::{
    Arrival, Endpoint, Gate, GateSettings, HandshakeSettings, Handshakes, Outcome, Parsed,
    PrivateKey, RetryEvent, Tai64N, Verdict,
};

use crate::peers::{SECRETS, gotatun};

/// Peers in our table.
const PEERS: usize = 1000;
/// Initiations per sample: a fraction of a millisecond, so that most samples are not interrupted.
const COUNT: usize = 4;
const SOURCE: ([u8; 4], u16) = ([192, 0, 2, 1], 51820);
const FREELY: Rate = Rate::new(1_000_000_000, 1_000_000_000);
const NEVER_LOADED: GateSettings =
    GateSettings { per_source: FREELY, gateway: FREELY, load_threshold: u32::MAX, sources: 4096 };

/// The family's handshake figure.
pub fn measure(family: &mut Family) {
    let peers = vec![boringtun_responder(), gotatun_responder()];
    family.compare("wireguard.handshake.responder", Unit::PerSecond, ours(), peers);
}

/// An endless row of initiations from the peer with the first secret to the one with the second.
struct Initiator {
    engine: Handshakes,
    seconds: u64,
}

impl Initiator {
    fn new() -> Self {
        let mut settings = HandshakeSettings::new(NonZeroU32::MIN, 1);
        settings.give_up = Duration::MAX;
        let rng = Box::new(StdRng::seed_from_u64(1));
        let mut engine = Handshakes::new(&PrivateKey::from_bytes(SECRETS[0]), &settings, rng);
        let peer = PrivateKey::from_bytes(SECRETS[1]).public_key();
        let peer = engine.add_peer(peer, None).expect("the first peer");
        let (now, wall) = times(1_000);
        engine.initiate(peer, 0, now, wall).expect("the first initiation");
        Self { engine, seconds: 1_000 }
    }

    fn some(&mut self) -> Vec<[u8; 148]> {
        (0..COUNT).map(|_| self.next()).collect()
    }

    fn next(&mut self) -> [u8; 148] {
        loop {
            self.seconds += 6;
            let (now, wall) = times(self.seconds);
            if let Some(RetryEvent::Send(initiation)) = self.engine.poll(now, wall) {
                return initiation.message;
            }
        }
    }
}

fn times(seconds: u64) -> (Time, Tai64N) {
    (Time::ZERO + Duration::from_secs(seconds), Tai64N::from_unix(1_700_000_000 + seconds, 0))
}

/// Times `answer` over a row of initiations made outside the clock.
fn answers<R>(initiator: &mut Initiator, mut answer: impl FnMut([u8; 148]) -> R) -> Sample {
    let initiations = initiator.some();
    let mut kept = Vec::with_capacity(COUNT);
    let start = Instant::now();
    for initiation in initiations {
        kept.push(answer(initiation));
    }
    Sample { elapsed: start.elapsed(), items: COUNT as u64 }
}

fn ours() -> Contender<'static> {
    let mut rng = StdRng::seed_from_u64(2);
    let private = PrivateKey::from_bytes(SECRETS[1]);
    let settings = HandshakeSettings::new(NonZeroU32::MIN, PEERS);
    let engine_rng = Box::new(StdRng::seed_from_u64(4));
    let mut engine = Handshakes::new(&private, &settings, engine_rng);
    let gate = Gate::new(engine.public_key(), &NEVER_LOADED, engine.outstanding(), &mut rng);
    engine.add_peer(PrivateKey::from_bytes(SECRETS[0]).public_key(), None).expect("a place");
    let mut others = StdRng::seed_from_u64(3);
    for _ in 1..PEERS {
        engine.add_peer(PrivateKey::generate(&mut others).public_key(), None).expect("a place");
    }
    let arrival = Arrival { worker: 0, endpoint: Endpoint::configured(SOURCE.into()) };
    let (mut initiator, mut seconds) = (Initiator::new(), 1_000);
    Contender::new("ringwall", move || {
        answers(&mut initiator, |initiation| {
            seconds += 1;
            let (now, _) = times(seconds);
            let parsed = Parsed::read(&initiation).expect("an initiation");
            let Verdict::Admitted(admitted) = gate.screen(parsed, arrival, now) else {
                panic!("the gate refuses")
            };
            match engine.handle(admitted, now) {
                Ok(Outcome::Accepted { response, keypair, .. }) => (response, keypair),
                other => panic!("no response: {other:?}"),
            }
        })
    })
}

fn boringtun_responder() -> Contender<'static> {
    let secret = boringtun::x25519::StaticSecret::from(SECRETS[1]);
    let public = boringtun::x25519::PublicKey::from(&secret);
    let peer = boringtun::x25519::StaticSecret::from(SECRETS[0]);
    let limiter = boringtun::noise::rate_limiter::RateLimiter::new(&public, u64::MAX);
    let mut tunnel = Boringtun::new(secret, (&peer).into(), None, None, 1, Some(Arc::new(limiter)));
    let (mut initiator, out) = (Initiator::new(), RefCell::new(vec![0; 2048]));
    Contender::new("boringtun", move || {
        answers(&mut initiator, |initiation| {
            let address = SocketAddr::from(SOURCE).ip();
            let mut out = out.borrow_mut();
            let answer = tunnel.decapsulate(Some(address), &initiation, &mut out);
            let BoringtunResult::WriteToNetwork(response) = answer else {
                panic!("boringtun: {answer:?}")
            };
            assert_eq!(response.len(), 92);
        })
    })
}

fn gotatun_responder() -> Contender<'static> {
    let (mut tunnel, limiter) = gotatun(1);
    let mut initiator = Initiator::new();
    Contender::new("gotatun", move || {
        answers(&mut initiator, |initiation| {
            let packet = Packet::copy_from(initiation.as_slice());
            let Ok(verified) = limiter.verify_packet(SOURCE.into(), packet) else {
                panic!("gotatun refuses the MAC")
            };
            let answer = tunnel.handle_incoming_packet(verified);
            let GotatunResult::WriteToNetwork(response) = answer else {
                panic!("gotatun: {answer:?}")
            };
            response
        })
    })
}
