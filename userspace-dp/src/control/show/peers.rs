//! `show peers`: the tunnel's peers as wg(8) would list them, and which worker owns each.

use std::collections::HashMap;

use super::taken_at;
use crate::api::{Peer, Peers};
use crate::control::observer::{Observer, View, unix_at};
use crate::control::peers::KnownPeer;
use crate::runtime::shared::WorkerReport;
use wireguard::{PeerHandle, PeerStatus};

/// A session this old cannot carry data.
const SESSION_LIFE_SECONDS: u64 = wireguard::REJECT_AFTER_TIME.as_secs();

pub(super) fn peers(observer: &Observer) -> Peers {
    let view = observer.view();
    let wireguard = view.loaded.config.wireguard.as_ref();
    Peers {
        taken_at_unix: taken_at(),
        interface: wireguard.map(|w| w.interface.as_str().to_owned()).unwrap_or_default(),
        public_key: view.public_key.as_ref().map(ToString::to_string).unwrap_or_default(),
        listen_port: view.snapshot.tunnel.listen_port,
        peers: peer_rows(&observer.reports(), &view),
    }
}

/// Every peer with what its owner reported of it.
pub(crate) fn peer_rows(reports: &[Option<WorkerReport>], view: &View) -> Vec<Peer> {
    let statuses: HashMap<(usize, PeerHandle), PeerStatus> = reports
        .iter()
        .enumerate()
        .flat_map(|(worker, report)| {
            let peers = report.iter().flat_map(|report| &report.peers);
            peers.map(move |&(handle, status)| ((worker, handle), status))
        })
        .collect();
    let owner = |peer: &KnownPeer| view.snapshot.tunnel.owners.owner(peer.handle.index());
    ordered(&view.peers, view.loaded.config.wireguard.as_ref())
        .map(|peer| {
            let worker = owner(peer);
            let status =
                worker.and_then(|worker| statuses.get(&(usize::from(worker.0), peer.handle)));
            row(peer, worker.map(|worker| u32::from(worker.0)), status.copied())
        })
        .collect()
}

/// The peers in the order of the configuration.
fn ordered<'a>(
    peers: &'a [KnownPeer],
    wireguard: Option<&'a config::Wireguard>,
) -> impl Iterator<Item = &'a KnownPeer> {
    let by_key: HashMap<_, _> =
        peers.iter().map(|peer| (peer.config.public_key.bytes(), peer)).collect();
    let configured = wireguard.into_iter().flat_map(|wireguard| &wireguard.peer);
    configured.filter_map(move |peer| by_key.get(peer.public_key.bytes()).copied())
}

fn row(peer: &KnownPeer, worker: Option<u32>, status: Option<PeerStatus>) -> Peer {
    let config = &peer.config;
    let seen =
        status.and_then(|status| status.endpoint).map(|endpoint| endpoint.remote().to_string());
    Peer {
        name: config.name.as_str().into(),
        public_key: config.public_key.to_string(),
        preshared_key: config.preshared_key_file.is_some(),
        endpoint: seen.or_else(|| config.endpoint.as_ref().map(ToString::to_string)),
        worker,
        latest_handshake_unix: status.and_then(|status| status.last_handshake).map(unix_at),
        rx_packets: status.map_or(0, |status| status.received_packets),
        rx_bytes: status.map_or(0, |status| status.received_bytes),
        tx_packets: status.map_or(0, |status| status.sent_packets),
        tx_bytes: status.map_or(0, |status| status.sent_bytes),
        allowed_ips: config.allowed_ips.iter().map(ToString::to_string).collect(),
        persistent_keepalive_seconds: config
            .persistent_keepalive
            .and_then(|interval| u16::try_from(interval.get().as_secs()).ok()),
    }
}

/// Peers with a session that can carry data.
pub(crate) fn up(observer: &Observer) -> usize {
    let now = taken_at();
    let fresh = |peer: &Peer| {
        peer.latest_handshake_unix.is_some_and(|at| now.saturating_sub(at) < SESSION_LIFE_SECONDS)
    };
    let peers = peer_rows(&observer.reports(), &observer.view());
    peers.iter().filter(|peer| fresh(peer)).count()
}
