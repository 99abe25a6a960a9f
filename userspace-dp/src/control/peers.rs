//! The configured peers, as the handshake thread and the snapshots know them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use ipnet::IpNet;
use pipeline::{PeerIndex, TunnelPeer};
use policy::PeerSpec;
use tracing::info;
use wireguard::{Endpoint, PeerHandle, PresharedKey, PublicKey};

use crate::runtime::handshake::{Ended, HandshakeClient, NewPeer, PeerSettings};

/// A peer that the gateway has.
#[derive(Clone, Debug)]
pub struct KnownPeer {
    /// Its handle.
    pub handle: PeerHandle,
    /// Its configuration.
    pub config: config::Peer,
}

/// All peers, by public key.
#[derive(Default)]
pub struct PeerRegistry {
    peers: BTreeMap<[u8; 32], KnownPeer>,
    places: usize,
}

/// What became different between two configurations, to be finished or taken back. Until then nothing has been sent to
/// any peer, and those that were there before are as they were to the handshake thread and the workers.
#[derive(Default)]
#[must_use]
pub struct Transition {
    /// Peers that go: out of the registry, but with their sessions until [`Transition::finish`].
    removed: Vec<KnownPeer>,
    /// New ones, that nobody calls before [`Transition::finish`].
    added: Vec<KnownPeer>,
    /// As they were before, and as they are to be.
    changed: Vec<(KnownPeer, config::Peer)>,
    names: Vec<NameToResolve>,
}

/// A peer whose endpoint is a name: the peer, the name, the port.
pub type NameToResolve = (PeerHandle, String, u16);

impl KnownPeer {
    /// Its endpoint, when it is a name.
    pub fn name_to_resolve(&self) -> Option<NameToResolve> {
        name(self.handle, &self.config)
    }
}

impl PeerRegistry {
    /// A registry for at most `places` peers.
    pub fn new(places: usize) -> Self {
        Self { peers: BTreeMap::new(), places }
    }

    /// Every peer.
    pub fn iter(&self) -> impl Iterator<Item = &KnownPeer> {
        self.peers.values()
    }

    /// Takes on what is new in `wanted`, notes what is different, and forgets what is gone. Everything that somebody
    /// else would notice is done by [`Transition::finish`], to be called once the workers have the new snapshot: a
    /// peer that roamed stays where it is as long as the configuration may still be refused.
    ///
    /// # Errors
    /// Why a peer cannot be taken on. Then everything is as it was before.
    pub fn change(
        &mut self,
        wanted: &[config::Peer],
        client: &HandshakeClient,
    ) -> Result<Transition> {
        let mut transition = Transition::default();
        match self.take(wanted, client, &mut transition) {
            Ok(()) => Ok(transition),
            Err(refusal) => Err(match transition.revert(self, client) {
                Ok(()) => refusal,
                Err(error) => refusal.context(error),
            }),
        }
    }

    fn take(
        &mut self,
        wanted: &[config::Peer],
        client: &HandshakeClient,
        transition: &mut Transition,
    ) -> Result<()> {
        for peer in wanted {
            let key = *peer.public_key.bytes();
            match self.peers.get_mut(&key) {
                Some(known) if known.config == *peer => {}
                Some(known) => {
                    // A peer that moved keeps its place, unless the configuration says something new.
                    if known.config.endpoint != peer.endpoint {
                        transition.names.extend(name(known.handle, peer));
                    }
                    transition.changed.push((known.clone(), peer.clone()));
                    known.config = peer.clone();
                }
                None => {
                    let known = KnownPeer { handle: add(peer, client)?, config: peer.clone() };
                    transition.names.extend(known.name_to_resolve());
                    transition.added.push(known.clone());
                    self.peers.insert(key, known);
                }
            }
        }
        let names: BTreeSet<[u8; 32]> =
            wanted.iter().map(|peer| *peer.public_key.bytes()).collect();
        let gone: Vec<_> = self.peers.keys().filter(|key| !names.contains(*key)).copied().collect();
        transition.removed = gone.iter().filter_map(|key| self.peers.remove(key)).collect();
        Ok(())
    }

    /// What workers look peers up in, by place.
    pub fn table(&self) -> Arc<[Option<TunnelPeer>]> {
        let mut table = vec![None; self.places];
        for known in self.peers.values() {
            if let Some(place) = table.get_mut(known.handle.index() as usize) {
                *place = Some(TunnelPeer {
                    id: known.handle,
                    application_messages: known.config.application_messages,
                });
            }
        }
        table.into()
    }

    /// Which peer each prefix belongs to.
    pub fn allowed_ips(&self) -> Vec<(IpNet, PeerIndex)> {
        let of_peer = |known: &KnownPeer| {
            let place = known.handle.index();
            known.config.allowed_ips.iter().map(move |prefix| (prefix.net(), place)).collect()
        };
        self.peers.values().flat_map::<Vec<_>, _>(of_peer).collect()
    }

    /// The peers as rules name them.
    pub fn specs(&self) -> Vec<PeerSpec> {
        let spec = |known: &KnownPeer| PeerSpec {
            name: known.config.name.as_str().to_owned(),
            id: known.handle.index(),
        };
        self.peers.values().map(spec).collect()
    }

    /// The endpoints that are names, with their peers.
    pub fn names_to_resolve(&self) -> impl Iterator<Item = NameToResolve> {
        self.peers.values().filter_map(KnownPeer::name_to_resolve)
    }
}

impl Transition {
    /// Names in the log who comes, goes and changes: some of them, and how many more there are.
    pub fn log(&self) {
        let names = |known: &KnownPeer| known.config.name.as_str().to_owned();
        log_names("added", self.added.len(), self.added.iter().map(names));
        log_names("removed", self.removed.len(), self.removed.iter().map(names));
        let changed = self.changed.iter().map(|(_, wanted)| wanted.name.as_str().to_owned());
        log_names("changed", self.changed.len(), changed);
    }

    /// Tells what changed about peers, begins to call the new ones, and wipes the sessions of those that are gone.
    /// How many of these there were.
    ///
    /// # Errors
    /// The handshake thread has ended, which ends the gateway.
    pub fn finish(self, client: &HandshakeClient) -> Result<usize, Ended> {
        for (former, wanted) in &self.changed {
            update(former, wanted, client)?;
        }
        for known in &self.added {
            if let Some(interval) = keepalive(&known.config) {
                client.set_keepalive(known.handle, Some(interval))?;
            }
        }
        for known in &self.removed {
            client.remove(known.handle)?;
        }
        Ok(self.removed.len())
    }

    /// Makes `registry` what it was before, and has the handshake thread forget the new peers.
    ///
    /// # Errors
    /// The handshake thread has ended, which ends the gateway.
    pub fn revert(
        self,
        registry: &mut PeerRegistry,
        client: &HandshakeClient,
    ) -> Result<(), Ended> {
        for known in &self.added {
            registry.peers.remove(known.config.public_key.bytes());
        }
        let former = self.changed.into_iter().map(|(former, _)| former);
        let key = |known: KnownPeer| (*known.config.public_key.bytes(), known);
        registry.peers.extend(former.chain(self.removed).map(key));
        for known in self.added {
            client.remove(known.handle)?;
        }
        Ok(())
    }

    /// Endpoints that are names and have not been resolved.
    pub fn names_to_resolve(&self) -> &[NameToResolve] {
        &self.names
    }
}

/// Peers of one kind that a reload names.
const NAMED: usize = 32;

fn log_names(what: &str, count: usize, names: impl Iterator<Item = String>) {
    for peer in names.take(NAMED) {
        info!(peer, "{what}");
    }
    if count > NAMED {
        info!(peers = count - NAMED, "more {what}");
    }
}

/// Takes a peer on, without the keepalive that would have it called at once.
fn add(peer: &config::Peer, client: &HandshakeClient) -> Result<PeerHandle> {
    let new = NewPeer {
        public: PublicKey::from_bytes(*peer.public_key.bytes()),
        preshared: preshared(peer),
        settings: PeerSettings { endpoint: address(peer), keepalive: None },
    };
    let added = client.add(new)?;
    added.with_context(|| format!("wireguard.peer {:?}", peer.name.as_str()))
}

fn update(known: &KnownPeer, wanted: &config::Peer, client: &HandshakeClient) -> Result<(), Ended> {
    let (old, handle) = (&known.config, known.handle);
    if old.preshared_key != wanted.preshared_key {
        client.set_preshared(handle, preshared(wanted))?;
    }
    if old.persistent_keepalive != wanted.persistent_keepalive {
        client.set_keepalive(handle, keepalive(wanted))?;
    }
    if old.endpoint != wanted.endpoint {
        match (address(wanted), name(handle, wanted)) {
            (Some(endpoint), _) => client.set_endpoint(handle, endpoint)?,
            (None, Some(_)) => client.expect_endpoint(handle)?,
            (None, None) => {}
        }
    }
    Ok(())
}

fn preshared(peer: &config::Peer) -> Option<PresharedKey> {
    peer.preshared_key.as_ref().map(|key| PresharedKey::from_bytes(*key.bytes()))
}

fn keepalive(peer: &config::Peer) -> Option<core::time::Duration> {
    peer.persistent_keepalive.map(config::Duration::get)
}

/// The endpoint, when it is a name.
fn name(handle: PeerHandle, peer: &config::Peer) -> Option<NameToResolve> {
    match peer.endpoint.as_ref()? {
        config::Endpoint { host: config::Host::Name(name), port } => {
            Some((handle, name.clone(), *port))
        }
        config::Endpoint { host: config::Host::Address(_), .. } => None,
    }
}

/// The endpoint, when it is an address; names are resolved later.
fn address(peer: &config::Peer) -> Option<Endpoint> {
    match peer.endpoint.as_ref()? {
        config::Endpoint { host: config::Host::Address(address), port } => {
            Some(Endpoint::configured(SocketAddr::new(*address, *port)))
        }
        config::Endpoint { host: config::Host::Name(_), .. } => None,
    }
}

#[cfg(test)]
mod tests;
