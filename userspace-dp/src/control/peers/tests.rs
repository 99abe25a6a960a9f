//! The registry with a running handshake thread.

use super::*;
use crate::control::testing::{load, peer};
use crate::runtime::testing::{RunningScene, handshakes};
use pipeline::handshake::PeerCommand;

fn running() -> RunningScene {
    handshakes(1, 8, 64).run()
}

fn wanted(text: &str) -> Vec<config::Peer> {
    load(text).config.wireguard.unwrap().peer
}

fn registry(text: &str, running: &RunningScene) -> PeerRegistry {
    let mut registry = PeerRegistry::new(8);
    registry.change(&wanted(text), &running.client).unwrap().finish(&running.client).unwrap();
    registry
}

/// The commands that a worker has been sent, once the thread has done all that was asked before.
fn told(running: &mut RunningScene) -> Vec<PeerCommand> {
    // Its answer says that all commands so far are on the ring, or found it full.
    running.client.remove(PeerHandle::new(7, u32::MAX)).unwrap();
    std::iter::from_fn(|| running.workers[0].commands.pop().ok()).collect()
}

#[test]
fn a_peer_is_found_by_place_by_prefix_and_by_name() {
    let running = running();
    let registry = registry(&(peer(1, "application_messages = true") + &peer(2, "")), &running);
    let (table, prefixes) = (registry.table(), route::Lpm::from_prefixes(registry.allowed_ips()));
    assert_eq!(table.len(), 8);
    for known in registry.iter() {
        let number: u8 = known.config.name.as_str()[1..].parse().unwrap();
        let place = prefixes.lookup4([10, 9, number, 200].into()).unwrap();
        let entry = table[place as usize].unwrap();
        assert_eq!((entry.id, entry.application_messages), (known.handle, number == 1));
        let spec = registry.specs().into_iter().find(|spec| spec.id == place).unwrap();
        assert_eq!(spec.name, known.config.name.as_str());
    }
    assert_eq!(prefixes.lookup4([10, 9, 3, 1].into()), None);
    assert_eq!(table.iter().flatten().count(), 2);
}

#[test]
fn only_what_changed_about_a_peer_is_told_to_its_owner() {
    let mut running = running();
    let called = "endpoint = \"192.0.2.9:4000\"\npersistent_keepalive = \"25s\"";
    let mut registry = registry(&peer(1, called), &running);
    // A keepalive and an address: it is called at once, so it has an owner.
    assert_eq!(told(&mut running).len(), 2);
    let mut change = |running: &mut RunningScene, rest: &str| {
        let transition = registry.change(&wanted(&peer(1, rest)), &running.client).unwrap();
        assert_eq!(transition.finish(&running.client).unwrap(), 0);
        told(running)
    };
    assert!(change(&mut running, called).is_empty());
    let moved =
        change(&mut running, "endpoint = \"192.0.2.10:4000\"\npersistent_keepalive = \"25s\"");
    assert!(matches!(moved.as_slice(), [PeerCommand::SetEndpoint(..)]), "{moved:?}");
    let silent = change(&mut running, "endpoint = \"192.0.2.10:4000\"");
    assert!(matches!(silent.as_slice(), [PeerCommand::SetKeepalive(_, None)]), "{silent:?}");
}

#[test]
fn a_peer_that_goes_keeps_its_sessions_until_the_transition_is_finished() {
    let mut running = running();
    let called = "endpoint = \"192.0.2.9:4000\"\npersistent_keepalive = \"25s\"";
    let mut registry = registry(&peer(1, called), &running);
    told(&mut running);
    let transition = registry.change(&[], &running.client).unwrap();
    assert_eq!(registry.iter().count(), 0);
    assert!(told(&mut running).is_empty(), "the workers still send to it");
    assert_eq!(transition.finish(&running.client).unwrap(), 1);
    let told = told(&mut running);
    assert!(matches!(told.as_slice(), [PeerCommand::Abandon(_)]), "{told:?}");
}

#[test]
fn a_transition_taken_back_leaves_no_trace() {
    let mut running = running();
    let mut registry = registry(&(peer(1, "") + &peer(2, "")), &running);
    let state = |registry: &PeerRegistry| -> Vec<_> {
        registry.iter().map(|known| (known.handle, known.config.clone())).collect()
    };
    let before = state(&registry);
    let new = peer(2, "persistent_keepalive = \"5s\"") + &peer(3, "");
    let transition = registry.change(&wanted(&new), &running.client).unwrap();
    assert_ne!(state(&registry), before);
    transition.revert(&mut registry, &running.client).unwrap();
    assert_eq!(state(&registry), before);
    assert!(told(&mut running).iter().all(|command| !matches!(command, PeerCommand::Abandon(_))));
}

#[test]
fn nothing_is_told_of_peers_before_the_transition_is_finished() {
    let mut running = running();
    let called =
        |address: &str| format!("endpoint = \"{address}:4000\"\npersistent_keepalive = \"25s\"");
    let mut registry = registry(&peer(1, &called("192.0.2.9")), &running);
    told(&mut running);
    let new = peer(1, &called("192.0.2.10")) + &peer(2, &called("192.0.2.11"));
    let refused = registry.change(&wanted(&new), &running.client).unwrap();
    assert!(told(&mut running).is_empty(), "a peer is moved or called while it may be refused");
    refused.revert(&mut registry, &running.client).unwrap();
    assert!(told(&mut running).is_empty(), "a peer that roamed is moved back to its first place");
    let applied = registry.change(&wanted(&new), &running.client).unwrap();
    applied.finish(&running.client).unwrap();
    let told = told(&mut running);
    let moved = |command: &PeerCommand| matches!(command, PeerCommand::SetEndpoint(..));
    let adopted = |command: &PeerCommand| {
        matches!(command, PeerCommand::Adopt { keepalive: Some(_), endpoint: Some(_), .. })
    };
    assert!(told.iter().any(moved) && told.iter().any(adopted), "{told:?}");
}

#[test]
fn a_name_is_resolved_for_a_new_peer_or_a_new_name_and_not_for_a_peer_that_stays() {
    let running = running();
    let mut registry = PeerRegistry::new(8);
    let mut change = |rest: &str| -> Vec<String> {
        let transition = registry.change(&wanted(&peer(1, rest)), &running.client).unwrap();
        let names = transition.names_to_resolve().iter().map(|(_, name, _)| name.clone()).collect();
        transition.finish(&running.client).unwrap();
        names
    };
    assert_eq!(change("endpoint = \"a.example:4000\""), ["a.example"]);
    // It may have moved since: its place is not undone.
    assert!(change("endpoint = \"a.example:4000\"").is_empty());
    assert!(change("endpoint = \"a.example:4000\"\npersistent_keepalive = \"5s\"").is_empty());
    assert_eq!(change("endpoint = \"b.example:4000\""), ["b.example"]);
    assert!(change("endpoint = \"192.0.2.1:4000\"").is_empty());
    assert_eq!(registry.names_to_resolve().count(), 0);
}
