//! The configured peers, as the handshake thread and the snapshots know them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use ipnet::IpNet;
use pipeline::{PeerIndex, TunnelPeer};
use policy::PeerSpec;
use route::Lpm;
use tracing::info;
use wireguard::{Endpoint, PeerHandle, PresharedKey, PublicKey};

use crate::runtime::handshake::{HandshakeClient, NewPeer, PeerSettings};

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

/// What changes between two configurations: first those that go, so that their places and prefixes are free.
pub struct Transition {
    removed: Vec<KnownPeer>,
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

    /// Takes on what is new in `wanted`, changes what is different, and forgets what is gone; the sessions of the
    /// latter are wiped by [`Transition::finish`], to be called once the workers have the new snapshot.
    pub fn change(&mut self, wanted: &[config::Peer], client: &HandshakeClient) -> Result<Transition> {
        let names: BTreeSet<[u8; 32]> = wanted.iter().map(|peer| *peer.public_key.bytes()).collect();
        let gone: Vec<_> = self.peers.keys().filter(|key| !names.contains(*key)).copied().collect();
        let removed = gone.iter().filter_map(|key| self.peers.remove(key)).collect();
        for peer in wanted {
            let key = *peer.public_key.bytes();
            match self.peers.get_mut(&key) {
                Some(known) => {
                    update(known, peer, client)?;
                    known.config = peer.clone();
                }
                None => {
                    let handle = add(peer, client)?;
                    self.peers.insert(key, KnownPeer { handle, config: peer.clone() });
                }
            }
        }
        Ok(Transition { removed })
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

    /// Which peer an inner address belongs to.
    pub fn allowed_ips(&self) -> Lpm<PeerIndex> {
        Lpm::from_prefixes(self.peers.values().flat_map(|known| {
            known.config.allowed_ips.iter().map(|prefix| (prefix.net(), known.handle.index()))
        }))
    }

    /// The prefixes that lead into the tunnel.
    pub fn prefixes(&self) -> BTreeSet<IpNet> {
        let configs = self.peers.values().map(|known| &known.config);
        configs.flat_map(|peer| peer.allowed_ips.iter().map(|prefix| prefix.net())).collect()
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
    pub fn names_to_resolve(&self) -> Vec<(PeerHandle, String, u16)> {
        let name = |known: &KnownPeer| match known.config.endpoint.as_ref() {
            Some(config::Endpoint { host: config::Host::Name(name), port }) => {
                Some((known.handle, name.clone(), *port))
            }
            Some(config::Endpoint { host: config::Host::Address(_), .. }) | None => None,
        };
        self.peers.values().filter_map(name).collect()
    }
}

impl Transition {
    /// Wipes the sessions of the peers that are gone. How many there were.
    pub fn finish(self, client: &HandshakeClient) -> Result<usize> {
        for known in &self.removed {
            client.remove(known.handle)?;
            info!(peer = known.config.name.as_str(), "removed");
        }
        Ok(self.removed.len())
    }
}

fn add(peer: &config::Peer, client: &HandshakeClient) -> Result<PeerHandle> {
    let new = NewPeer {
        public: PublicKey::from_bytes(*peer.public_key.bytes()),
        preshared: preshared(peer),
        settings: PeerSettings { endpoint: address(peer), keepalive: keepalive(peer) },
    };
    let added = client.add(new)?;
    added.with_context(|| format!("wireguard.peer {:?}", peer.name.as_str()))
}

fn update(known: &KnownPeer, wanted: &config::Peer, client: &HandshakeClient) -> Result<()> {
    let (old, handle) = (&known.config, known.handle);
    if old.preshared_key != wanted.preshared_key {
        client.set_preshared(handle, preshared(wanted))?;
    }
    if old.persistent_keepalive != wanted.persistent_keepalive {
        client.set_keepalive(handle, keepalive(wanted))?;
    }
    if let (true, Some(endpoint)) = (old.endpoint != wanted.endpoint, address(wanted)) {
        client.set_endpoint(handle, endpoint)?;
    }
    Ok(())
}

fn preshared(peer: &config::Peer) -> Option<PresharedKey> {
    peer.preshared_key.as_ref().map(|key| PresharedKey::from_bytes(*key.bytes()))
}

fn keepalive(peer: &config::Peer) -> Option<core::time::Duration> {
    peer.persistent_keepalive.map(config::Duration::get)
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
