//! A spoofed flood of initiations with right MACs: the gateway's curve operations stay within the rate, and a peer
//! that can show a cookie gets its session. A flood of cookie replies: the gateway takes the one that it waits for.

mod gateway;

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use clock::Time;
use gateway::{Gateway, START, wall};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use ringwall_wireguard::{
    COOKIE_REPLY_LENGTH, GateSettings, PrivateKey, REKEY_JITTER, REKEY_TIMEOUT, Rejected,
};

const FLOOD_PER_SECOND: u64 = 100_000;

/// Initiations that pass the first MAC and fail at the first decryption: made for the gateway by a stranger, then
/// damaged, with the MAC of the damaged message. Made by engines that know only the gateway's public key.
fn hostile_initiations(target: &Gateway, rng: &mut StdRng) -> Vec<Vec<u8>> {
    (0..16)
        .map(|_| {
            let mut stranger =
                Gateway::new(&PrivateKey::generate(rng), "203.0.113.1:1", rng.next_u64());
            let peer = stranger.add_peer(target.key, None, Some(target.address), None);
            let initiation = stranger.engine.initiate(peer, 0, START, wall(START)).unwrap();
            initiation.message.to_vec()
        })
        .collect()
}

#[test]
fn a_known_peer_connects_through_a_spoofed_flood_and_the_curve_stays_within_its_rate() {
    let mut rng = StdRng::seed_from_u64(0xf100d);
    let mut gateway = Gateway::new(&PrivateKey::generate(&mut rng), "192.0.2.1:51820", 1);
    let mut peer = Gateway::new(&PrivateKey::generate(&mut rng), "198.51.100.7:40000", 2);
    gateway.add_peer(peer.key, None, None, None);
    let to_gateway = peer.add_peer(gateway.key, None, Some(gateway.address), None);
    let hostile = hostile_initiations(&gateway, &mut rng);
    let before = gateway.engine.statistics().agreements;

    let step = Duration::from_nanos(1_000_000_000 / FLOOD_PER_SECOND);
    let begins = START + Duration::from_secs(1);
    let (mut now, mut connected_at, mut asked) = (START, None, false);
    let mut on_the_way = Vec::new();
    while connected_at.is_none() {
        now = now + step;
        assert!(now < START + Duration::from_secs(8), "the peer was starved");
        let source =
            SocketAddr::from((Ipv4Addr::from(0x1000_0000 + rng.next_u32() % 0x6000_0000), 1_000));
        let message = &hostile[rng.next_u32() as usize % hostile.len()];
        gateway.receive(source, message, now);

        if !asked && now >= begins {
            asked = true;
            on_the_way.extend(peer.send(to_gateway, &gateway::packet(1, 100), now));
        }
        if peer.next_deadline() <= now {
            on_the_way.extend(peer.turn(now));
        }
        while let Some(datagram) = on_the_way.pop() {
            for answer in gateway.receive(peer.address, &datagram.bytes, now) {
                assert_eq!(answer.to, peer.address);
                on_the_way.extend(peer.receive(gateway.address, &answer.bytes, now));
            }
        }
        connected_at = (!gateway.delivered.is_empty()).then_some(now);
    }

    let took = connected_at.unwrap_or(Time::NEVER).since(begins);
    assert!(took < REKEY_TIMEOUT + REKEY_JITTER + Duration::from_millis(100), "{took:?}");
    assert_eq!(peer.counts.cookies_kept, 1, "it was the cookie that let it in");
    assert_flood_was_cheap(&gateway, before, now.since(START));
}

fn assert_flood_was_cheap(gateway: &Gateway, agreements_before: u64, lasted: Duration) {
    let agreements = gateway.engine.statistics().agreements - agreements_before;
    // Admitted messages cost one agreement each, a completed handshake two more. The standing rate of the gateway
    // bounds what is admitted: a burst of 256, then 100 a second.
    let admitted = 256 + 100 * (lasted.as_secs() + 1);
    assert!(agreements <= admitted + 2, "{agreements} agreements");
    // In truth load sets in after 25, so it is far less.
    assert!(agreements < 100, "{agreements} agreements");
    let received = lasted.as_secs() * FLOOD_PER_SECOND;
    assert!(gateway.counts.cookie_replies > received - 1_000, "the rest was asked for cookies");
    assert_eq!(gateway.rejected(Rejected::GatewayRateLimited), 0, "nothing was charged");
}

#[test]
fn strangers_from_everywhere_are_held_to_half_the_rate_and_the_curve_with_them() {
    let mut rng = StdRng::seed_from_u64(7);
    let settings = GateSettings { load_threshold: u32::MAX, ..GateSettings::STANDARD };
    let mut gateway =
        Gateway::with_gate(&PrivateKey::generate(&mut rng), "192.0.2.1:51820", 1, &settings);
    let hostile = hostile_initiations(&gateway, &mut rng);
    let before = gateway.engine.statistics().agreements;
    // Four seconds of 2,000 a second from many addresses, with load detection off: only the rates are left.
    for n in 0..8_000u32 {
        let now = START + Duration::from_micros(500) * n;
        let source = SocketAddr::from((Ipv4Addr::from(0x0b00_0000 + n), 1_000));
        gateway.receive(source, &hostile[n as usize % hostile.len()], now);
    }
    let agreements = gateway.engine.statistics().agreements - before;
    assert!((300..=328).contains(&agreements), "{agreements}: 128 at once and 50 a second");
    assert_eq!(gateway.counts.cookie_replies, 8_000 - agreements);
    assert_eq!(gateway.rejected(Rejected::UnknownPeer), agreements);
}

#[test]
fn a_peer_in_whose_name_others_send_slowly_gets_and_renews_its_sessions() {
    for per_second in [5, 10, 20, 23] {
        let mut rng = StdRng::seed_from_u64(per_second);
        let mut gateway = Gateway::new(&PrivateKey::generate(&mut rng), "192.0.2.1:51820", 1);
        let mut peer = Gateway::new(&PrivateKey::generate(&mut rng), "198.51.100.7:40000", 2);
        gateway.add_peer(peer.key, None, None, None);
        let to_gateway = peer.add_peer(gateway.key, None, Some(gateway.address), None);
        let hostile = hostile_initiations(&gateway, &mut rng);
        let forger = SocketAddr::new(peer.address.ip(), 40_001);
        let step = Duration::from_nanos(1_000_000_000 / per_second);
        // The forger is at work for ten seconds when the peer begins to send something every second.
        let begins = START + Duration::from_secs(10);
        let (mut now, mut next_packet, mut sent) = (START, begins, 0);
        let mut on_the_way = Vec::new();
        while now < START + Duration::from_secs(600) {
            now = now + step;
            gateway.receive(forger, &hostile[rng.next_u32() as usize % hostile.len()], now);
            if now >= next_packet {
                next_packet = next_packet + Duration::from_secs(1);
                sent += 1;
                on_the_way.extend(peer.send(to_gateway, &gateway::packet(sent, 100), now));
            }
            on_the_way.extend(peer.turn(now));
            while let Some(datagram) = on_the_way.pop() {
                for answer in gateway.receive(peer.address, &datagram.bytes, now) {
                    on_the_way.extend(peer.receive(gateway.address, &answer.bytes, now));
                }
            }
            assert!(!gateway.gate.is_loaded(now), "this is about a gateway at rest");
        }
        assert_eq!(gateway.delivered.len(), sent as usize, "{per_second}/s: everything arrived");
        assert!(gateway.counts.sessions >= 5, "{per_second}/s: every 120 s a new session");
        assert!(peer.counts.cookies_kept >= 1, "{per_second}/s: it was the cookie that let it in");
    }
}

/// A cookie reply to nothing.
fn junk_reply(rng: &mut StdRng) -> [u8; COOKIE_REPLY_LENGTH] {
    let mut message = [0; COOKIE_REPLY_LENGTH];
    rng.fill_bytes(&mut message);
    message[..4].copy_from_slice(&[3, 0, 0, 0]);
    message
}

#[test]
fn a_flood_of_cookie_replies_keeps_no_gateway_from_the_one_that_it_needs() {
    let mut rng = StdRng::seed_from_u64(0xc00c1e);
    let mut gateway = Gateway::new(&PrivateKey::generate(&mut rng), "192.0.2.1:51820", 1);
    let mut loaded = Gateway::new(&PrivateKey::generate(&mut rng), "198.51.100.7:40000", 2);
    loaded.add_peer(gateway.key, None, None, None);
    let to_loaded = gateway.add_peer(loaded.key, None, Some(loaded.address), None);
    let step = Duration::from_nanos(1_000_000_000 / FLOOD_PER_SECOND);
    // The gateway calls when the flood has had a second to use everything up.
    let begins = START + Duration::from_secs(1);
    let (mut now, mut asked, mut junk) = (START, false, 0);
    let mut on_the_way = Vec::new();
    while loaded.delivered.is_empty() {
        now = now + step;
        assert!(now < START + Duration::from_secs(8), "the peer was not reached");
        junk += 1;
        let source = SocketAddr::from((Ipv4Addr::from(0x1000_0000 + junk), 51820));
        gateway.receive(source, &junk_reply(&mut rng), now);
        loaded.gate.report_queue(1, 8, now);
        if !asked && now >= begins {
            asked = true;
            on_the_way.extend(gateway.send(to_loaded, &gateway::packet(1, 100), now));
        }
        if gateway.next_deadline() <= now {
            on_the_way.extend(gateway.turn(now));
        }
        while let Some(datagram) = on_the_way.pop() {
            for answer in loaded.receive(gateway.address, &datagram.bytes, now) {
                on_the_way.extend(gateway.receive(loaded.address, &answer.bytes, now));
            }
        }
    }
    assert_eq!(gateway.counts.cookies_kept, 1, "it was the cookie that let it in");
    assert_eq!(gateway.rejected(Rejected::CookieUnsolicited), u64::from(junk));
    assert_eq!(gateway.rejected(Rejected::GatewayRateLimited), 0, "junk is charged to nothing");
}
