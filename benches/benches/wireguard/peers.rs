//! The peers: the bare cipher, boringtun, gotatun. One packet per call, as their interfaces have it.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use boringtun::noise::rate_limiter::RateLimiter as BoringtunLimiter;
use boringtun::noise::{Tunn as Boringtun, TunnResult as BoringtunResult};
use gotatun::noise::index_table::IndexTable;
use gotatun::noise::rate_limiter::RateLimiter as GotatunLimiter;
use gotatun::noise::{Tunn as Gotatun, TunnResult as GotatunResult};
use gotatun::packet::{Packet, WgKind};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ringwall_benches::report::Contender;

use crate::packets::{COUNT, FRAME, INNER, Set, frames, sample};

pub const SECRETS: [[u8; 32]; 2] = [[0x11; 32], [0x22; 32]];
const ANY: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));

/// The cipher alone, in place, with a prepared key.
pub struct BareCipher {
    key: LessSafeKey,
    sealed: u64,
    opened: u64,
}

impl BareCipher {
    pub fn new() -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &[7; 32]).expect("32 bytes");
        Self { key: LessSafeKey::new(key), sealed: 0, opened: 0 }
    }

    /// Seals the packets of `set` in their frames.
    pub fn seal(&mut self, frames: &mut [[u8; FRAME]], set: &Set) {
        for (frame, inner) in frames.iter_mut().zip(&set.inner) {
            let (payload, rest) = frame[INNER..].split_at_mut(inner.len());
            let tag = self
                .key
                .seal_in_place_separate_tag(nonce(self.sealed), Aad::empty(), payload)
                .expect("a short payload");
            rest[..16].copy_from_slice(tag.as_ref());
            self.sealed += 1;
        }
    }

    /// Opens what was sealed, in the same order.
    pub fn open(&mut self, frames: &mut [[u8; FRAME]], set: &Set) {
        for (frame, inner) in frames.iter_mut().zip(&set.inner) {
            let buffer = &mut frame[INNER..INNER + inner.len() + 16];
            self.key
                .open_in_place(nonce(self.opened), Aad::empty(), buffer)
                .expect("what was sealed");
            self.opened += 1;
        }
    }
}

fn nonce(counter: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// The floor of encapsulating.
pub fn ring_seal(set: &Set) -> Contender<'_> {
    let (mut cipher, frames) = (BareCipher::new(), RefCell::new(frames()));
    Contender::new("ring", move || {
        let prepare = || fill(&mut frames.borrow_mut(), set);
        sample(prepare, |()| cipher.seal(&mut frames.borrow_mut(), set))
    })
}

/// The floor of decapsulating.
pub fn ring_open(set: &Set) -> Contender<'_> {
    let (cipher, frames) = (RefCell::new(BareCipher::new()), RefCell::new(frames()));
    Contender::new("ring", move || {
        let prepare = || {
            fill(&mut frames.borrow_mut(), set);
            cipher.borrow_mut().seal(&mut frames.borrow_mut(), set);
        };
        sample(prepare, |()| cipher.borrow_mut().open(&mut frames.borrow_mut(), set))
    })
}

fn fill(frames: &mut [[u8; FRAME]], set: &Set) {
    for (frame, inner) in frames.iter_mut().zip(&set.inner) {
        frame[INNER..INNER + inner.len()].copy_from_slice(inner);
    }
}

/// boringtun copies each packet into the caller's buffer and seals it there.
pub fn boringtun_encapsulate(set: &Set) -> Contender<'_> {
    let (mut sender, _) = boringtun_pair();
    let mut out = frames();
    Contender::new("boringtun", move || {
        sample(|| (), |()| boringtun_seal(&mut sender, set, &mut out))
    })
}

/// boringtun opens each message into the caller's buffer.
pub fn boringtun_decapsulate(set: &Set) -> Contender<'_> {
    let (mut sender, mut receiver) = boringtun_pair();
    let (sealed, mut opened) = (RefCell::new(frames()), frames());
    Contender::new("boringtun", move || {
        let prepare = || boringtun_seal(&mut sender, set, &mut sealed.borrow_mut());
        sample(prepare, |()| {
            let sealed = sealed.borrow();
            for ((message, inner), out) in sealed.iter().zip(&set.inner).zip(&mut opened) {
                let message = &message[..inner.len() + 32];
                let opened = receiver.decapsulate(ANY, message, out);
                let BoringtunResult::WriteToTunnelV4(payload, _) = opened else {
                    panic!("boringtun: {opened:?}")
                };
                assert_eq!(payload.len(), inner.len());
            }
        })
    })
}

fn boringtun_seal(sender: &mut Boringtun, set: &Set, out: &mut [[u8; FRAME]]) {
    for (inner, out) in set.inner.iter().zip(out) {
        let sealed = sender.encapsulate(inner, out);
        let BoringtunResult::WriteToNetwork(message) = sealed else {
            panic!("boringtun: {sealed:?}")
        };
        assert_eq!(message.len(), inner.len() + 32);
    }
}

/// Two boringtun tunnels with a session.
fn boringtun_pair() -> (Boringtun, Boringtun) {
    let tunnel = |own: usize, index| {
        let secret = boringtun::x25519::StaticSecret::from(SECRETS[own]);
        let public = boringtun::x25519::PublicKey::from(&secret);
        let peer = boringtun::x25519::StaticSecret::from(SECRETS[1 - own]);
        let limiter = Arc::new(BoringtunLimiter::new(&public, u64::MAX));
        Boringtun::new(secret, (&peer).into(), None, None, index, Some(limiter))
    };
    let (mut a, mut b) = (tunnel(0, 1), tunnel(1, 2));
    let mut message = {
        let mut out = vec![0; FRAME];
        let initiation = a.format_handshake_initiation(&mut out, false);
        written(initiation)
    };
    for turn in 0..3 {
        let side = if turn == 1 { &mut a } else { &mut b };
        let mut out = vec![0; FRAME];
        let answer = side.decapsulate(ANY, &message, &mut out);
        if let BoringtunResult::WriteToNetwork(bytes) = answer {
            message = bytes.to_vec();
        }
    }
    (a, b)
}

fn written(result: BoringtunResult<'_>) -> Vec<u8> {
    let BoringtunResult::WriteToNetwork(bytes) = result else { panic!("boringtun: {result:?}") };
    bytes.to_vec()
}

/// gotatun takes an owned buffer and gives an owned one.
pub fn gotatun_encapsulate(set: &Set) -> Contender<'_> {
    let (mut sender, _) = gotatun_pair();
    Contender::new("gotatun", move || {
        sample(|| owned(set), |packets| gotatun_seal(&mut sender, packets))
    })
}

/// gotatun opens in the owned buffer.
pub fn gotatun_decapsulate(set: &Set) -> Contender<'_> {
    let (mut sender, mut receiver) = gotatun_pair();
    Contender::new("gotatun", move || {
        let prepare = || {
            let sealed = gotatun_seal(&mut sender, owned(set));
            sealed.into_iter().map(Packet::<[u8]>::from).collect::<Vec<_>>()
        };
        sample(prepare, |messages| {
            let mut opened = Vec::with_capacity(COUNT);
            for message in messages {
                let Ok(WgKind::Data(data)) = message.try_into_wg() else {
                    panic!("gotatun does not know its own message")
                };
                let payload = receiver.decapsulate_with_session(data).expect("what was sealed");
                let payload = payload.try_into_ip().expect("an IP packet");
                opened.push(payload);
            }
            opened
        })
    })
}

fn owned(set: &Set) -> Vec<Packet> {
    set.inner.iter().map(|inner| Packet::copy_from(inner.as_slice())).collect()
}

fn gotatun_seal(
    sender: &mut Gotatun,
    packets: Vec<Packet>,
) -> Vec<Packet<gotatun::packet::WgData>> {
    let mut sealed = Vec::with_capacity(COUNT);
    for packet in packets {
        sealed.push(sender.encapsulate_with_session(packet).expect("a session"));
    }
    sealed
}

/// A gotatun tunnel from one of the two secrets to the other, and its limiter.
pub fn gotatun(own: usize) -> (Gotatun, Arc<GotatunLimiter>) {
    let secret = gotatun::x25519::StaticSecret::from(SECRETS[own]);
    let public = gotatun::x25519::PublicKey::from(&secret);
    let peer = gotatun::x25519::StaticSecret::from(SECRETS[1 - own]);
    let limiter = Arc::new(GotatunLimiter::new(&public, u64::MAX));
    let table = IndexTable::from_os_rng();
    (Gotatun::new(secret, (&peer).into(), None, None, table, Arc::clone(&limiter)), limiter)
}

fn gotatun_pair() -> (Gotatun, Gotatun) {
    let ((mut a, _), (mut b, _)) = (gotatun(0), gotatun(1));
    let initiation = a.format_handshake_initiation(false).expect("no handshake before");
    let mut message = WgKind::HandshakeInit(initiation);
    for turn in 0..3 {
        let side = if turn == 1 { &mut a } else { &mut b };
        if let GotatunResult::WriteToNetwork(answer) = side.handle_incoming_packet(message) {
            message = answer;
        } else {
            break;
        }
    }
    (a, b)
}
