//! What a reload would change, and what it cannot.

use crate::model::Config;
use crate::schema::{is_live, schema};
use crate::values::PublicKey;
use serde_json::Value;
use std::collections::BTreeMap;

/// The difference between the configuration in effect and a new one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Peers by public key that are new.
    pub peers_added: Vec<PublicKey>,
    /// Peers by public key that are gone.
    pub peers_removed: Vec<PublicKey>,
    /// Peers by public key of which something else changed, their preshared key included.
    pub peers_changed: Vec<PublicKey>,
    /// Whether the policy changed: rules, their order, or sets.
    pub policy: Changed,
    /// Whether zones changed: their list, or what is in them.
    pub zones: Changed,
    /// Further keys that changed and that a reload takes over.
    pub reloaded: Vec<String>,
    /// Keys that changed and that only a restart takes over. A reload with any of these is refused whole.
    pub restart_needed: Vec<String>,
}

/// Whether something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Changed {
    /// It is the same.
    #[default]
    No,
    /// It is not.
    Yes,
}

impl Changes {
    /// Whether nothing changed at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Config {
    /// What a reload from `old` to `new` would change.
    #[must_use]
    pub fn diff(old: &Self, new: &Self) -> Changes {
        let mut changes = Changes {
            policy: changed(old.policy != new.policy || old.set != new.set),
            zones: changed(old.zone != new.zone || members(old) != members(new)),
            ..Changes::default()
        };
        diff_peers(old, new, &mut changes);
        diff_keys(old, new, &mut changes);
        changes
    }
}

fn changed(is: bool) -> Changed {
    if is { Changed::Yes } else { Changed::No }
}

/// What is in which zone.
fn members(config: &Config) -> BTreeMap<&str, &str> {
    let interfaces = config.interface.iter().map(|one| (one.name.as_str(), one.zone.as_str()));
    let tunnels = config.wireguard.iter().map(|one| (one.interface.as_str(), one.zone.as_str()));
    interfaces.chain(tunnels).collect()
}

fn diff_peers(old: &Config, new: &Config, changes: &mut Changes) {
    let by_key = |config: &Config| -> BTreeMap<PublicKey, crate::Peer> {
        let peers = config.wireguard.iter().flat_map(|wireguard| wireguard.peer.clone());
        peers.map(|peer| (peer.public_key, peer)).collect()
    };
    let (old, new) = (by_key(old), by_key(new));
    for (key, peer) in &new {
        match old.get(key) {
            None => changes.peers_added.push(*key),
            Some(before) if before != peer => changes.peers_changed.push(*key),
            Some(_) => {}
        }
    }
    changes.peers_removed = old.keys().filter(|key| !new.contains_key(key)).copied().collect();
}

/// Sorts every other changed key by whether a reload takes it over.
fn diff_keys(old: &Config, new: &Config, changes: &mut Changes) {
    let schema = schema();
    let (old_keys, new_keys) = (flattened(old), flattened(new));
    let keys = old_keys.keys().chain(new_keys.keys().filter(|key| !old_keys.contains_key(*key)));
    for key in keys.filter(|key| old_keys.get(*key) != new_keys.get(*key)) {
        let list =
            if is_live(&schema, key) { &mut changes.reloaded } else { &mut changes.restart_needed };
        list.push(key.clone());
    }
    if own_secret(old) != own_secret(new) {
        changes.restart_needed.push("wireguard.private_key_file (its content)".to_owned());
    }
    changes.reloaded.sort();
    changes.restart_needed.sort();
}

fn own_secret(config: &Config) -> Option<&crate::Secret> {
    config.wireguard.as_ref()?.private_key.as_ref()
}

/// Every key with its value, save peers, zones, sets and rules, which are compared as wholes. Interfaces are
/// named by name: `interface.eth0.rx_ring`.
fn flattened(config: &Config) -> BTreeMap<String, Value> {
    let mut keys = BTreeMap::new();
    let Ok(Value::Object(sections)) = serde_json::to_value(config) else { return keys };
    for (section, value) in sections {
        match (section.as_str(), value) {
            ("zone" | "set" | "policy", _) => {}
            ("interface", Value::Array(interfaces)) => {
                for interface in interfaces {
                    let name = interface.get("name").and_then(Value::as_str).unwrap_or_default();
                    flatten(&format!("interface.{name}"), &interface, &mut keys);
                }
            }
            ("wireguard", Value::Object(mut wireguard)) => {
                wireguard.remove("peer");
                flatten("wireguard", &Value::Object(wireguard), &mut keys);
            }
            (_, value) => flatten(&section, &value, &mut keys),
        }
    }
    keys
}

fn flatten(prefix: &str, value: &Value, keys: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(table) => {
            for (name, value) in table {
                flatten(&format!("{prefix}.{name}"), value, keys);
            }
        }
        scalar => {
            keys.insert(prefix.to_owned(), scalar.clone());
        }
    }
}

#[cfg(test)]
mod tests;
