//! What a reload takes over, and what it refuses.

use super::*;
use crate::tests::scratch;

/// The configuration in `text` with a line replaced.
fn with(from: &str, to: &str) -> Config {
    let scratch = scratch();
    let text = scratch.sample();
    assert!(text.contains(from), "the sample has no `{from}`");
    let mut config =
        scratch.load(&text.replacen(from, to, 1)).expect("a good configuration").config;
    // Every scratch directory has another path; that is not what is compared.
    if let Some(wireguard) = &mut config.wireguard {
        wireguard.private_key_file = "private.key".into();
    }
    config
}

fn changes(from: &str, to: &str) -> Changes {
    Config::diff(&with("", ""), &with(from, to))
}

#[test]
fn the_same_configuration_changes_nothing() {
    assert!(changes("", "").is_empty());
}

#[test]
fn peers_are_told_apart_by_their_public_key() {
    let added = changes(
        "[[policy]]",
        "[[wireguard.peer]]\nname = \"new\"\npublic_key = \"BQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\"\nallowed_ips = [\"10.8.0.9/32\"]\n\n[[policy]]",
    );
    assert_eq!(added.peers_added.len(), 1);
    assert_eq!((added.peers_removed.len(), added.peers_changed.len()), (0, 0));
    assert_eq!(added.restart_needed, [""; 0]);

    let changed = changes("10.8.0.2/32", "10.8.0.3/32");
    assert_eq!(changed.peers_changed.len(), 1);
    assert_eq!((changed.peers_added.len(), changed.peers_removed.len()), (0, 0));

    let other = changes("AgID", "AwID");
    assert_eq!((other.peers_added.len(), other.peers_removed.len()), (1, 1));
    assert_eq!(other.peers_changed.len(), 0);
}

#[test]
fn another_preshared_key_in_the_same_file_changes_the_peer() {
    let (old, mut new) = (with("", ""), with("", ""));
    let peer = &mut new.wireguard.as_mut().unwrap().peer[0];
    peer.preshared_key =
        crate::Secret::from_base64("BQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=").ok();
    let key = peer.public_key;
    assert_eq!(Config::diff(&old, &new).peers_changed, [key]);
}

#[test]
fn rules_sets_and_zones_are_taken_over() {
    let policy = changes("action = \"allow\"", "action = \"deny\"");
    assert_eq!((policy.policy, policy.zones), (Changed::Yes, Changed::No));
    assert_eq!(policy.restart_needed, [""; 0]);

    let set = changes("10.20.0.0/16", "10.30.0.0/16");
    assert_eq!((set.policy, set.zones), (Changed::Yes, Changed::No));

    let zone = changes("name = \"eth0\"\nzone = \"lan\"", "name = \"eth0\"\nzone = \"vpn\"");
    assert_eq!((zone.policy, zone.zones), (Changed::No, Changed::Yes));
    assert_eq!(zone.reloaded, ["interface.eth0.zone"]);
    assert_eq!(zone.restart_needed, [""; 0]);
}

#[test]
fn what_is_fixed_at_start_is_named_and_needs_a_restart() {
    let tunnel = "[wireguard]";
    for (from, to, key) in [
        ("zone = \"lan\"", "zone = \"lan\"\nrx_ring = 4096", "interface.eth0.rx_ring"),
        ("zone = \"lan\"", "zone = \"lan\"\nqueues = 2", "interface.eth0.queues"),
        (tunnel, "[wireguard]\nlisten_port = 51821", "wireguard.listen_port"),
        (tunnel, "[wireguard]\ninterface = \"tunnel7\"", "wireguard.interface"),
        (tunnel, "[gateway]\nworkers = 2\n[wireguard]", "gateway.workers"),
        (tunnel, "[limits]\npeers = 77\n[wireguard]", "limits.peers"),
        (
            tunnel,
            "[[interface]]\nname = \"eth9.7\"\nzone = \"lan\"\n[wireguard]",
            "interface.eth9.7",
        ),
    ] {
        assert_eq!(changes(from, to).restart_needed, [key], "{to}");
    }
}

#[test]
fn tunnels_cannot_come_or_go_without_a_restart() {
    let (old, mut new) = (with("", ""), with("", ""));
    new.wireguard = None;
    let changes = Config::diff(&old, &new);
    assert!(changes.restart_needed.contains(&"wireguard".to_owned()), "{changes:?}");
    assert_eq!(changes.peers_removed.len(), 1);
}

#[test]
fn another_private_key_is_taken_over_from_the_same_file_and_from_another() {
    let (old, mut new) = (with("", ""), with("", ""));
    new.wireguard.as_mut().unwrap().private_key =
        crate::Secret::from_base64("BQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=").ok();
    let content = "wireguard.private_key_file (its content)";
    let changes = Config::diff(&old, &new);
    assert_eq!((changes.reloaded, changes.restart_needed), (vec![content.to_owned()], vec![]));

    new.wireguard.as_mut().unwrap().private_key_file = "other.key".into();
    let changes = Config::diff(&old, &new);
    assert_eq!(changes.reloaded, ["wireguard.private_key_file", content]);
    assert_eq!(changes.restart_needed, [""; 0]);
}

#[test]
fn the_log_level_is_taken_over() {
    let changes = changes("[wireguard]", "[telemetry]\nlog_level = \"debug\"\n[wireguard]");
    assert_eq!(changes.reloaded, ["telemetry.log_level"]);
    assert_eq!(changes.restart_needed, [""; 0]);
}
