//! A reload takes everything over or nothing, without a kernel underneath.

use std::collections::BTreeSet;

use super::*;
use crate::control::snapshots::Fixed;
use crate::control::testing::{found, load, peer, tables};
use crate::runtime::testing::{RunningScene, handshakes};
use pipeline::Snapshot;

/// The parts of a gateway that a reload changes, under a first configuration.
struct Bench {
    registry: PeerRegistry,
    maker: SnapshotMaker,
    tables: Tables,
    handshakes: RunningScene,
    current: Config,
}

fn bench(config: &Config) -> Bench {
    let handshakes = handshakes(1, 4, 64).run();
    let mut bench = Bench {
        registry: PeerRegistry::new(4),
        maker: SnapshotMaker::new(&Fixed {
            found: &[found(0, "eth0"), found(1, "eth1")],
            tunnel: None,
            listen_port: 51820,
            owners: handshakes.owners.clone(),
            gate: None,
            seed: 1,
        }),
        tables: tables(),
        handshakes,
        current: config.clone(),
    };
    let first = bench.reload(config).unwrap();
    assert_eq!(first, 0);
    bench
}

impl Bench {
    fn reload(&mut self, wanted: &Config) -> Result<usize> {
        let Self { registry, maker, tables, handshakes, current } = self;
        let client = &handshakes.client;
        let mut parts = Parts { registry, client: Some(client), maker, tables };
        let Prepared { transition, identity } = parts.prepare(current, wanted)?;
        if let Some(identity) = identity {
            client.call_again(identity.interrupted)?;
        }
        *current = wanted.clone();
        Ok(transition.finish(client)?)
    }

    fn snapshot(&mut self) -> Snapshot {
        self.maker.make()
    }

    fn names(&self) -> BTreeSet<String> {
        self.registry.iter().map(|known| known.config.name.as_str().to_owned()).collect()
    }
}

fn zone_of(snapshot: &Snapshot, interface: &str) -> policy::ZoneId {
    snapshot.interfaces.iter().find(|one| one.name == interface).unwrap().zone
}

#[test]
fn peers_come_and_go_and_those_that_stay_keep_their_handles() {
    let mut bench = bench(&load(&(peer(1, "") + &peer(2, ""))).config);
    let before: Vec<_> =
        bench.registry.iter().map(|known| (known.config.name.clone(), known.handle)).collect();
    let removed = bench.reload(&load(&(peer(2, "") + &peer(3, ""))).config).unwrap();
    assert_eq!(removed, 1);
    assert_eq!(bench.names(), BTreeSet::from(["p2".to_owned(), "p3".to_owned()]));
    let (name, handle) = before.iter().find(|(name, _)| name.as_str() == "p2").unwrap();
    let after = bench.registry.iter().find(|known| known.config.name == *name).unwrap();
    assert_eq!(after.handle, *handle);
    let snapshot = bench.snapshot();
    let inner = |third: u8| snapshot.tunnel.allowed_ips.lookup4([10, 9, third, 1].into());
    assert_eq!(inner(1), None);
    assert_eq!(inner(2), Some(handle.index()));
    assert!(inner(3).is_some());
}

#[test]
fn rules_that_do_not_compile_leave_peers_policy_and_zones_as_they_were() {
    let old = load(&(peer(1, "") + &peer(2, "")));
    let mut bench = bench(&old.config);
    let before = bench.snapshot();
    let mut wanted = load(&(peer(2, "persistent_keepalive = \"25s\"") + &peer(3, ""))).config;
    // Past the checks of the configuration: a rule for a peer that is not there.
    wanted.policy = load(&(peer(9, "") + "[[policy]]\nname = \"x\"\nfrom = \"vpn\"\nto = \"lan\"\npeer = [\"p9\"]\naction = \"allow\"\n")).config.policy;
    wanted.interface.iter_mut().for_each(|interface| interface.zone = wanted.zone[2].name.clone());
    let refusal = bench.reload(&wanted).unwrap_err();
    assert!(format!("{refusal:#}").contains("p9"), "{refusal:#}");

    assert_eq!(bench.names(), BTreeSet::from(["p1".to_owned(), "p2".to_owned()]));
    assert!(bench.registry.iter().all(|known| known.config.persistent_keepalive.is_none()));
    let after = bench.snapshot();
    assert_eq!(zone_of(&after, "eth0"), zone_of(&before, "eth0"));
    for index in 0..4 {
        let id = |snapshot: &Snapshot| snapshot.peer(index).map(|peer| peer.id);
        assert_eq!(id(&after), id(&before), "place {index}");
    }
    // The handshake thread agrees: the same reload without the mistake finds every place as it was.
    wanted.policy.clear();
    assert_eq!(bench.reload(&wanted).unwrap(), 1);
    assert_eq!(bench.reload(&old.config).unwrap(), 1);
}

#[test]
fn peers_without_a_place_are_refused_and_the_old_ones_stay() {
    let old = load(&(peer(1, "") + &peer(2, "")));
    let mut bench = bench(&old.config);
    // Four places: two stay taken until the new peers are in.
    let wanted = load(&(3..=5).map(|number| peer(number, "")).collect::<String>());
    assert!(bench.reload(&wanted.config).is_err());
    assert_eq!(bench.names(), BTreeSet::from(["p1".to_owned(), "p2".to_owned()]));
    assert_eq!(bench.reload(&load(&(peer(3, "") + &peer(4, ""))).config).unwrap(), 2);
    assert_eq!(bench.reload(&old.config).unwrap(), 2);
}

#[test]
fn zones_of_interfaces_and_the_policy_change_together() {
    let mut bench = bench(&load("").config);
    let before = bench.snapshot();
    let mut wanted = load("").config;
    let (first, second) = (wanted.interface[0].zone.clone(), wanted.interface[1].zone.clone());
    wanted.interface[0].zone = second;
    wanted.interface[1].zone = first;
    bench.reload(&wanted).unwrap();
    let after = bench.snapshot();
    assert_eq!(zone_of(&after, "eth0"), zone_of(&before, "eth1"));
    assert_eq!(zone_of(&after, "eth1"), zone_of(&before, "eth0"));
}

/// The configuration with another private key: one byte, repeated. That of the usual one is 7.
fn with_key(config: &Config, byte: u8) -> Config {
    let mut config = config.clone();
    let text = PrivateKey::from_bytes([byte; 32]).to_base64();
    config.wireguard.as_mut().unwrap().private_key = config::Secret::from_base64(&text).ok();
    config
}

/// The configuration with one more peer, which has that private key.
fn with_peer_of_key(config: &Config, byte: u8) -> Config {
    let mut added = load(&peer(3, "")).config.wireguard.unwrap().peer.remove(0);
    let public = PrivateKey::from_bytes([byte; 32]).public_key();
    added.public_key = config::PublicKey::from_bytes(*public.as_bytes());
    let mut config = config.clone();
    config.wireguard.as_mut().unwrap().peer.push(added);
    config
}

// Nobody can be the gateway's peer under its own key, past all checks of the configuration: so that key shows.

#[test]
fn another_private_key_is_taken_over_and_given_back_when_the_reload_is_refused() {
    let old = load(&(peer(1, "") + &peer(2, ""))).config;
    let mut bench = bench(&old);
    assert!(bench.reload(&with_peer_of_key(&old, 7)).is_err(), "the gateway's own");
    bench.reload(&with_peer_of_key(&old, 8)).unwrap();
    bench.reload(&old).unwrap();

    let new = with_key(&old, 8);
    let mut refused = new.clone();
    refused.policy = load(&(peer(9, "") + "[[policy]]\nname = \"x\"\nfrom = \"vpn\"\nto = \"lan\"\npeer = [\"p9\"]\naction = \"allow\"\n")).config.policy;
    assert!(bench.reload(&refused).is_err());
    bench.reload(&with_peer_of_key(&old, 8)).unwrap();
    bench.reload(&old).unwrap();

    bench.reload(&new).unwrap();
    assert!(bench.reload(&with_peer_of_key(&new, 8)).is_err());
    assert_eq!(bench.names(), BTreeSet::from(["p1".to_owned(), "p2".to_owned()]));
}

#[test]
fn what_was_the_gateway_s_own_key_may_become_a_peer_s_in_the_same_reload() {
    let old = load(&peer(1, "")).config;
    let mut bench = bench(&old);
    bench.reload(&with_peer_of_key(&with_key(&old, 8), 7)).unwrap();
    assert_eq!(bench.names(), BTreeSet::from(["p1".to_owned(), "p3".to_owned()]));
}

#[test]
fn what_was_taken_over_is_said_and_nothing_else() {
    let old = load(&(peer(1, "") + &peer(2, ""))).config;
    let said = |wanted: &Config| told(&Config::diff(&old, wanted));
    let mut quieter = old.clone();
    quieter.telemetry.log_level = config::LogLevel::Error;
    assert_eq!(said(&quieter), "telemetry.log_level changed");
    let mut others = old.clone();
    let peers = load(&(peer(2, "") + &peer(3, "") + &peer(4, ""))).config.wireguard.unwrap().peer;
    others.wireguard.as_mut().unwrap().peer = peers;
    assert_eq!(said(&others), "2 peers added, 1 peer removed");
}
