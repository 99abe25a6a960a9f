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
    };
    let first = bench.reload(config).unwrap();
    assert_eq!(first, 0);
    bench
}

impl Bench {
    fn reload(&mut self, wanted: &Config) -> Result<usize> {
        let Self { registry, maker, tables, handshakes } = self;
        let transition = prepare(registry, Some(&handshakes.client), maker, tables, wanted)?;
        Ok(transition.finish(&handshakes.client)?)
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
