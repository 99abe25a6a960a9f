//! Reload: a new configuration takes the place of the old one whole, or not at all.
//!
//! Peers that stay keep their sessions. What only a restart can change is named and refused.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use config::Config;
use tracing::warn;

use super::gateway::Gateway;
use super::netlink::Tables;
use super::peers::{PeerRegistry, Transition};
use super::running::Running;
use super::snapshots::SnapshotMaker;
use super::{logging, rules};
use crate::runtime::handshake::HandshakeClient;

/// Reads the configuration at `path` and makes it the one in effect. What changed.
///
/// # Errors
/// Why nothing has changed.
pub(super) fn reload(gateway: &mut Gateway, path: &Path) -> Result<String> {
    let loaded = Config::load(path)?;
    let changes = Config::diff(&gateway.loaded.config, &loaded.config);
    if !changes.restart_needed.is_empty() {
        bail!("a restart is needed for: {}", changes.restart_needed.join(", "));
    }
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    if changes.is_empty() {
        gateway.loaded = Arc::new(loaded);
        return Ok("nothing has changed".into());
    }
    let removed = apply(gateway, &loaded.config)?;
    logging::set_level(loaded.config.telemetry.log_level);
    gateway.loaded = Arc::new(loaded);
    let mut message = format!(
        "{} peers added, {removed} removed, {} changed; policy {}, zones {}",
        changes.peers_added.len(),
        changes.peers_changed.len(),
        said(changes.policy),
        said(changes.zones),
    );
    // Peers and policy are in effect by now, so this is no refusal.
    if let Err(error) = gateway.route_peers() {
        message += &format!("; {error:#}");
    }
    Ok(message)
}

fn said(changed: config::Changed) -> &'static str {
    match changed {
        config::Changed::Yes => "changed",
        config::Changed::No => "unchanged",
    }
}

/// Brings peers, policy and zones to what `wanted` says; how many peers went.
fn apply(gateway: &mut Gateway, wanted: &Config) -> Result<usize> {
    let Running { registry, client, maker, mirror, .. } = &mut gateway.running;
    let transition = prepare(registry, client.as_ref(), maker, mirror.tables(), wanted)?;
    // Workers stop taking a removed peer's packets with this; then its sessions are wiped.
    gateway.publish();
    gateway.resolve(transition.names_to_resolve());
    match &gateway.running.client {
        Some(client) => Ok(transition.finish(client)?),
        None => Ok(0),
    }
}

/// Brings `registry` and `maker` to what `wanted` says.
///
/// # Errors
/// Why that cannot be. Then both are as they were before.
fn prepare(
    registry: &mut PeerRegistry,
    client: Option<&HandshakeClient>,
    maker: &mut SnapshotMaker,
    tables: &Tables,
    wanted: &Config,
) -> Result<Transition> {
    let (Some(client), Some(wireguard)) = (client, &wanted.wireguard) else {
        take_rules(registry, maker, tables, wanted)?;
        return Ok(Transition::default());
    };
    let transition = registry.change(&wireguard.peer, client)?;
    match take_rules(registry, maker, tables, wanted) {
        Ok(()) => {
            maker.take_peers(registry);
            Ok(transition)
        }
        Err(refusal) => {
            transition.revert(registry, client)?;
            Err(refusal)
        }
    }
}

/// Compiles everything before it takes over anything.
fn take_rules(
    registry: &PeerRegistry,
    maker: &mut SnapshotMaker,
    tables: &Tables,
    wanted: &Config,
) -> Result<()> {
    let policy = rules::compile(wanted, registry.specs())?;
    maker.take_interfaces(tables, wanted)?;
    maker.take_policy(policy);
    Ok(())
}

#[cfg(test)]
mod tests;
