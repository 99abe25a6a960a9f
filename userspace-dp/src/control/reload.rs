//! Reload: a new configuration takes the place of the old one whole, or not at all.
//!
//! Peers that stay keep their sessions, also when the gateway's own key changes: that is for handshakes from then on.
//! What only a restart can change is named and refused.

use std::sync::Arc;

use anyhow::{Result, bail};
use config::Config;
use tracing::warn;
use wireguard::{PrivateKey, PublicKey};

use super::gateway::Gateway;
use super::netlink::Tables;
use super::peers::{PeerRegistry, Transition};
use super::running::Running;
use super::snapshots::SnapshotMaker;
use super::{logging, rules};
use crate::runtime::handshake::{HandshakeClient, NewIdentity};

/// Reads the configuration anew and makes it the one in effect. What changed.
///
/// # Errors
/// Why nothing has changed.
pub(super) fn reload(gateway: &mut Gateway) -> Result<String> {
    let loaded = gateway.source.load()?;
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
    let new_public_key = apply(gateway, &loaded.config)?;
    logging::set_level(loaded.config.telemetry.log_level);
    gateway.loaded = Arc::new(loaded);
    let mut message = told(&changes);
    if let Some(public_key) = new_public_key {
        message += &format!("; the gateway's public key is {public_key} now");
    }
    // Peers and policy are in effect by now, so this is no refusal.
    if let Err(error) = gateway.route_peers() {
        message += &format!("; {error:#}");
    }
    Ok(message)
}

/// What was taken over, in words.
fn told(changes: &config::Changes) -> String {
    let config::Changes { peers_added, peers_removed, peers_changed, policy, zones, .. } = changes;
    let peers = [(peers_added, "added"), (peers_removed, "removed"), (peers_changed, "changed")];
    let counted = peers.into_iter().filter_map(|(peers, what)| match peers.len() {
        0 => None,
        1 => Some(format!("1 peer {what}")),
        many => Some(format!("{many} peers {what}")),
    });
    let wholes = [(policy, "policy"), (zones, "zones")].into_iter();
    let wholes = wholes.filter(|(changed, _)| **changed == config::Changed::Yes);
    let keys = wholes.map(|(_, name)| name).chain(changes.reloaded.iter().map(String::as_str));
    counted.chain(keys.map(|key| format!("{key} changed"))).collect::<Vec<_>>().join(", ")
}

/// Brings private key, peers, policy and zones to what `wanted` says; the public key, when it is another one.
fn apply(gateway: &mut Gateway, wanted: &Config) -> Result<Option<PublicKey>> {
    let Running { registry, client, maker, mirror, .. } = &mut gateway.running;
    let mut parts = Parts { registry, client: client.as_ref(), maker, tables: mirror.tables() };
    let Prepared { transition, identity } = parts.prepare(&gateway.loaded.config, wanted)?;
    if let Some(identity) = &identity {
        gateway.running.public_key = Some(identity.public_key);
    }
    // Workers stop taking a removed peer's packets with this; then its sessions are wiped.
    gateway.publish();
    gateway.resolve(transition.names_to_resolve());
    let public_key = identity.as_ref().map(|identity| identity.public_key);
    transition.log();
    let Some(client) = &gateway.running.client else { return Ok(public_key) };
    if let Some(NewIdentity { interrupted, .. }) = identity {
        client.call_again(interrupted)?;
    }
    transition.finish(client)?;
    Ok(public_key)
}

/// What a reload changes.
struct Parts<'a> {
    registry: &'a mut PeerRegistry,
    client: Option<&'a HandshakeClient>,
    maker: &'a mut SnapshotMaker,
    tables: &'a Tables,
}

/// What is left to do once the workers have the new snapshot.
#[derive(Default)]
struct Prepared {
    transition: Transition,
    identity: Option<NewIdentity>,
}

impl Parts<'_> {
    /// Brings everything from what `current` says to what `wanted` says.
    ///
    /// # Errors
    /// Why that cannot be. Then all is as it was before.
    fn prepare(&mut self, current: &Config, wanted: &Config) -> Result<Prepared> {
        let (Some(client), Some(wireguard)) = (self.client, &wanted.wireguard) else {
            self.take_rules(wanted)?;
            return Ok(Prepared::default());
        };
        // Before the peers: what was the gateway's own key may be a peer's from here on.
        let identity = match changed_key(current, wanted) {
            Some(private) => Some(client.set_private_key(private)?),
            None => None,
        };
        match self.take_peers_and_rules(&wireguard.peer, client, wanted) {
            Ok(transition) => {
                if let Some(identity) = &identity {
                    self.maker.take_identity(&identity.public_key);
                }
                Ok(Prepared { transition, identity })
            }
            Err(refusal) => {
                if let (Some(identity), Some(former)) = (identity, changed_key(wanted, current)) {
                    let mut interrupted = client.set_private_key(former)?.interrupted;
                    interrupted.extend(identity.interrupted);
                    client.call_again(interrupted)?;
                }
                Err(refusal)
            }
        }
    }

    fn take_peers_and_rules(
        &mut self,
        peers: &[config::Peer],
        client: &HandshakeClient,
        wanted: &Config,
    ) -> Result<Transition> {
        let transition = self.registry.change(peers, client)?;
        match self.take_rules(wanted) {
            Ok(()) => {
                self.maker.take_peers(self.registry);
                Ok(transition)
            }
            Err(refusal) => {
                transition.revert(self.registry, client)?;
                Err(refusal)
            }
        }
    }

    /// Compiles everything before it takes over anything.
    fn take_rules(&mut self, wanted: &Config) -> Result<()> {
        let policy = rules::compile(wanted, self.registry.specs())?;
        self.maker.take_interfaces(self.tables, wanted)?;
        self.maker.take_policy(policy);
        Ok(())
    }
}

/// The private key of `wanted`, if it is another than that of `current`.
fn changed_key(current: &Config, wanted: &Config) -> Option<PrivateKey> {
    let key = |config: &Config| config.wireguard.as_ref()?.private_key.clone();
    let (current, wanted) = (key(current), key(wanted)?);
    (current.as_ref() != Some(&wanted)).then(|| PrivateKey::from_bytes(*wanted.bytes()))
}

#[cfg(test)]
mod tests;
