//! What a reload would change, and what it cannot.

use crate::model::Config;
use crate::schema::{is_live, schema};
use crate::values::PublicKey;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

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

/// Sorts every other changed key by whether a reload takes it over. A table that comes or goes is named whole.
fn diff_keys(old: &Config, new: &Config, changes: &mut Changes) {
    let schema = schema();
    let (old_tables, new_tables) = (tables(old), tables(new));
    let names: BTreeSet<&String> = old_tables.keys().chain(new_tables.keys()).collect();
    for name in names {
        let (Some(old), Some(new)) = (old_tables.get(name), new_tables.get(name)) else {
            changes.restart_needed.push(name.clone());
            continue;
        };
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for key in keys.into_iter().filter(|key| old.get(*key) != new.get(*key)) {
            let live = is_live(&schema, name, key);
            let list = if live { &mut changes.reloaded } else { &mut changes.restart_needed };
            list.push(format!("{name}.{key}"));
        }
    }
    // Where tunnels come or go there is nothing to compare.
    let secrets = own_secret(old).zip(own_secret(new));
    if secrets.is_some_and(|(old, new)| old != new) {
        changes.reloaded.push("wireguard.private_key_file (its content)".to_owned());
    }
}

fn own_secret(config: &Config) -> Option<&crate::Secret> {
    config.wireguard.as_ref()?.private_key.as_ref()
}

/// Every table with its keys and values, save peers, zones, sets and rules, which are compared as wholes.
/// Interfaces are named `interface.eth0`.
fn tables(config: &Config) -> BTreeMap<String, Map<String, Value>> {
    let mut tables = BTreeMap::new();
    let Ok(Value::Object(sections)) = serde_json::to_value(config) else { return tables };
    for (section, value) in sections {
        match (section.as_str(), value) {
            ("zone" | "set" | "policy", _) => {}
            (_, Value::Object(mut table)) => {
                table.remove("peer");
                tables.insert(section, table);
            }
            ("interface", Value::Array(interfaces)) => {
                for (interface, table) in config.interface.iter().zip(interfaces) {
                    let table = table.as_object().cloned().unwrap_or_default();
                    tables.insert(format!("interface.{}", interface.name), table);
                }
            }
            // The version: there is only one.
            (_, _) => {}
        }
    }
    tables
}

#[cfg(test)]
mod tests;
