//! Reload: a new configuration takes the place of the old one whole, or not at all.
//!
//! Peers that stay keep their sessions. What only a restart can change is named and refused.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use config::{Config, TunnelRoutes};

use super::gateway::Gateway;
use super::rules;

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
        tracing::warn!("{warning}");
    }
    if changes.is_empty() {
        gateway.loaded = Arc::new(loaded);
        return Ok("nothing has changed".into());
    }
    let removed = apply(gateway, &loaded.config)?;
    gateway.loaded = Arc::new(loaded);
    gateway.resolve_names();
    Ok(format!(
        "{} peers added, {removed} removed, {} changed; policy {}, zones {}",
        changes.peers_added.len(),
        changes.peers_changed.len(),
        said(changes.policy),
        said(changes.zones),
    ))
}

fn said(changed: config::Changed) -> &'static str {
    match changed {
        config::Changed::Yes => "changed",
        config::Changed::No => "unchanged",
    }
}

/// Brings peers, policy and zones to what `wanted` says; how many peers went.
fn apply(gateway: &mut Gateway, wanted: &Config) -> Result<usize> {
    let (Some(client), Some(wireguard)) = (gateway.running.client.clone(), &wanted.wireguard) else {
        take_rules(gateway, wanted)?;
        gateway.publish();
        return Ok(0);
    };
    let transition = match gateway.running.registry.change(&wireguard.peer, &client) {
        Ok(transition) => transition,
        Err(refusal) => return Err(undo(gateway, refusal)),
    };
    if let Err(refusal) = take_rules(gateway, wanted) {
        return Err(undo(gateway, refusal));
    }
    gateway.running.maker.take_peers(&gateway.running.registry);
    // Workers stop taking a removed peer's packets with this; then its sessions are wiped.
    gateway.publish();
    let removed = transition.finish(&client)?;
    if wireguard.routes == TunnelRoutes::AllowedIps
        && let Some(tunnel) = &mut gateway.running.tunnel
    {
        let prefixes = gateway.running.registry.prefixes();
        tunnel.set_routes(prefixes, &mut gateway.running.kernel).context("routes to the tunnel")?;
    }
    Ok(removed)
}

fn take_rules(gateway: &mut Gateway, wanted: &Config) -> Result<()> {
    let policy = rules::compile(wanted, gateway.running.registry.specs())?;
    let tables = gateway.running.mirror.tables();
    gateway.running.maker.take_interfaces(tables, wanted)?;
    gateway.running.maker.take_policy(policy);
    Ok(())
}

/// Brings the peers back to the configuration in effect.
fn undo(gateway: &mut Gateway, refusal: anyhow::Error) -> anyhow::Error {
    let old = Arc::clone(&gateway.loaded);
    let (Some(client), Some(wireguard)) = (gateway.running.client.clone(), &old.config.wireguard) else {
        return refusal;
    };
    let back = gateway.running.registry.change(&wireguard.peer, &client);
    match back.and_then(|transition| transition.finish(&client)) {
        Ok(_) => {
            gateway.running.maker.take_peers(&gateway.running.registry);
            refusal
        }
        Err(error) => refusal.context(format!("and the former peers cannot be restored: {error:#}")),
    }
}
