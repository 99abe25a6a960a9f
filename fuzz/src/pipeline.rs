//! The whole packet path: bursts of valid frames with changes, sealed data under valid keys, handshake messages,
//! commands and passing time. Nothing panics, every frame stays accounted for, and what leaves is a valid packet.
//!
//! The bytes are a script. Each step is one byte of what, one of whom, one of how many changes; then three bytes
//! a change: where (two bytes) and the new value.

use core::num::NonZeroU32;
use core::time::Duration;
use std::sync::Arc;

use pipeline::handshake::PeerCommand;
use pipeline::testing::{
    INNER_MTU, LAN, LAN_HOST, LAN_HOST6, PEERS, Remote, SERVER, SERVER6, Site, WAN, interface,
    outer_datagram, peer_handle,
};
use pipeline::{Entry, PortId};
use rand::SeedableRng;
use rand::rngs::StdRng;
use wire::build::Packet;
use wire::tcp::Flags;
use wireguard::{
    Gate, GateSettings, HandshakeSettings, Handshakes, Outstanding, PrivateKey, Tai64N,
};

/// The most steps of a script, so that an entry runs in milliseconds.
const STEPS: usize = 64;

const GATEWAY_KEY: [u8; 32] = [0x48; 32];

/// Runs a script.
pub fn run(data: &[u8]) {
    let mut site = Site::new();
    let settings = GateSettings { load_threshold: 2, ..GateSettings::STANDARD };
    let mut rng = StdRng::seed_from_u64(9);
    let key = PrivateKey::from_bytes(GATEWAY_KEY).public_key();
    let gate = Gate::new(&key, &settings, Outstanding::new(1), &mut rng);
    site.snapshot.tunnel.gate = Some(Arc::new(gate));
    let mut remotes = [site.connect(0), site.connect(1)];
    let began = site.now;
    let mut bytes = data.iter().copied();
    let mut burst: Vec<(Entry, Vec<u8>)> = Vec::new();
    for _ in 0..STEPS {
        let (Some(what), Some(who)) = (bytes.next(), bytes.next()) else { break };
        let changes = usize::from(bytes.next().unwrap_or(0) % 8);
        let mut draw = || bytes.next().unwrap_or(0);
        let (entry, mut packet) = match what % 16 {
            0..=3 => (Entry::Port(LAN), from_lan(what / 16, who).frame()),
            // A peer seals nothing under a session that has ended.
            4..=6 if site.now.since(began) < wireguard::REJECT_AFTER_TIME => {
                let remote = &mut remotes[usize::from(who) % 2];
                (Entry::Port(WAN), sealed(remote, what / 16, who, draw(), site.now))
            }
            4..=7 => (Entry::Port(WAN), message(who)),
            8 => (
                Entry::Local,
                Packet::ping("10.8.0.1", PEERS[usize::from(who) % 4].host, 1, 1).ip(),
            ),
            9 => (Entry::Seal(u32::from(who % 5)), from_lan(what / 16, who).ip()),
            10 => (Entry::Port(PortId(who)), from_lan(what / 16, who).vlan(u16::from(who)).frame()),
            11..=15 | 16.. => {
                flush(&mut site, &mut burst);
                event(&mut site, what / 16, who);
                continue;
            }
        };
        for _ in 0..changes {
            let at = usize::from(u16::from_le_bytes([draw(), draw()]));
            let value = draw();
            match packet.len() {
                0 => {}
                length if at & 0x8000 != 0 => packet.truncate(at % length),
                length => packet[at % length] = value,
            }
        }
        burst.push((entry, packet));
        if burst.len() == 64 {
            flush(&mut site, &mut burst);
        }
    }
    flush(&mut site, &mut burst);
}

/// Takes the burst in, and looks at what comes out.
fn flush(site: &mut Site, burst: &mut Vec<(Entry, Vec<u8>)>) {
    let before = site.state.frames_held();
    let arrived = burst.len();
    for run in burst.chunk_by(|one, next| one.0 == next.0) {
        let Some((entry, _)) = run.first() else { continue };
        for sent in site.enter(*entry, run.iter().map(|(_, packet)| packet.clone())) {
            let parsed = wire::parse(&sent.bytes).expect("what leaves is valid");
            assert_eq!(parsed.end(), sent.bytes.len(), "and has no tail");
            assert!(parsed.ip_len() <= 1500, "and fits the device");
        }
        for packet in site.punted() {
            assert!(wire::parse_ip(&packet, 0).is_ok(), "what the kernel gets is valid");
        }
        assert!(site.handed_off().is_empty(), "there is one worker");
    }
    burst.clear();
    assert!(site.state.frames_held() <= before + arrived);
    site.out.events.clear();
    site.out.handshakes.clear();
    site.assert_frames_complete();
}

/// Something that is no packet.
fn event(site: &mut Site, what: u8, who: u8) {
    let peer = u32::from(who % 4);
    match what {
        0..=3 => site.pass(Duration::from_millis(1 << (who % 18))),
        4 => site.network.learn(interface::LAN, "10.1.0.77"),
        5 => site.publish(),
        6 => site.command(PeerCommand::GiveUp(peer_handle(peer))),
        7 => site.command(PeerCommand::Abandon(peer_handle(peer))),
        8 => site.adopt(peer),
        _ => site.poll(),
    }
    for sent in site.sent() {
        assert!(wire::parse(&sent.bytes).is_ok(), "what leaves is valid");
    }
    site.assert_frames_complete();
}

fn from_lan(kind: u8, who: u8) -> Packet {
    let peer = &PEERS[usize::from(who) % 4];
    let to = [SERVER, peer.host, "10.1.0.77", "10.67.0.1", "10.8.0.1"][usize::from(who / 4) % 5];
    let to6 = [SERVER6, peer.host6, LAN_HOST6, "fd00:67::1", "fd00:8::1"][usize::from(who / 4) % 5];
    between(kind, (LAN_HOST, to), (LAN_HOST6, to6))
}

fn between(kind: u8, v4: (&str, &str), v6: (&str, &str)) -> Packet {
    let socket =
        |address: &str, port| std::net::SocketAddr::new(address.parse().expect("an address"), port);
    let (from, to) = if kind % 2 == 0 { v4 } else { v6 };
    let port = [25, 23, 443][usize::from(kind) % 3];
    match kind / 2 % 4 {
        0 => Packet::udp(socket(from, 4000), socket(to, port)).payload_len(usize::from(kind) * 90),
        1 => Packet::tcp(socket(from, 4000), socket(to, port), Flags::SYN).mss(1460),
        2 => Packet::ping(socket(from, 0), socket(to, 0), 1, 1).hop_limit(1),
        _ => Packet::udp(socket(from, 4000), socket(to, port)).payload_len(1400).dont_fragment(),
    }
}

/// A data message under valid keys. What the changes of the script cannot reach is changed inside.
fn sealed(remote: &mut Remote, kind: u8, who: u8, inside: u8, now: clock::Time) -> Vec<u8> {
    let peer = &PEERS[usize::from(who) % 2];
    let mut inner = match kind {
        15 => Vec::new(),
        14 => vec![0, 0, inside, 0, 1, 2, 3, 4],
        _ => between(kind, (peer.host, LAN_HOST), (peer.host6, LAN_HOST6)).ip(),
    };
    inner.truncate(usize::from(INNER_MTU));
    if let (Some(byte), true) = (inner.get_mut(usize::from(inside % 64)), inside & 0x80 != 0) {
        *byte ^= who | 1;
    }
    remote.frame(&inner, now)
}

/// A message of each kind and of nobody.
fn message(who: u8) -> Vec<u8> {
    let to = "192.0.2.1:51820".parse().expect("an address");
    if who >= 0x80 {
        let peer = &PEERS[usize::from(who) % 4];
        let to = if peer.socket().is_ipv4() {
            to
        } else {
            "[2001:db8::1]:51820".parse().expect("an address")
        };
        return outer_datagram(peer.socket(), to, &initiation(who)).frame();
    }
    let (kind, length) = [(1, 148), (2, 92), (3, 64), (4, 32), (5, 40)][usize::from(who) % 5];
    let mut bytes = vec![who; length];
    bytes[..4].copy_from_slice(&[kind, 0, 0, 0]);
    outer_datagram(PEERS[0].socket(), to, &bytes).frame()
}

/// An initiation that passes the gate, and under load is answered by a cookie.
fn initiation(serial: u8) -> Vec<u8> {
    let key = PrivateKey::from_bytes([serial; 32]);
    let settings = HandshakeSettings::new(NonZeroU32::MIN, 1);
    let mut engine =
        Handshakes::new(&key, &settings, Box::new(StdRng::seed_from_u64(u64::from(serial))));
    let gateway = PrivateKey::from_bytes(GATEWAY_KEY).public_key();
    let peer = engine.add_peer(gateway, None).expect("a place");
    let now = clock::Time::from_nanos(1);
    let made = engine.initiate(peer, 0, now, Tai64N::from_unix(1, 0)).expect("the first");
    made.message.to_vec()
}
