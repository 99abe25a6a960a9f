//! Which peer speaks for which addresses inside the tunnel.
//!
//! What the gateway reaches by itself is no peer's by a catch-all prefix: the networks of the tunnel's own addresses,
//! and those on its links. Who is to have part of such a network says so by a prefix at least as long. Without that,
//! the peer that is the way to everything else could speak for every address in the tunnel that nobody has yet, and
//! for every host of the local network.

use std::collections::BTreeSet;

use ipnet::IpNet;
use pipeline::PeerIndex;
use route::Lpm;

use super::netlink::Tables;
use super::routing;

/// The networks that only a prefix at least as long gives to a peer.
pub(super) fn reserved(tables: &Tables, config: &config::Config) -> BTreeSet<IpNet> {
    let inside = config.wireguard.iter().flat_map(|wireguard| &wireguard.addresses);
    let mut reserved = routing::connected(tables);
    reserved.extend(inside.map(|address| address.net().trunc()));
    reserved
}

/// The table of allowed IPs, compiled anew when peers or reserved networks change.
pub(super) struct AllowedIps {
    peers: Vec<(IpNet, PeerIndex)>,
    reserved: BTreeSet<IpNet>,
    table: Lpm<PeerIndex>,
}

impl AllowedIps {
    /// Takes over the prefixes of the peers.
    pub(super) fn take_peers(&mut self, peers: Vec<(IpNet, PeerIndex)>) {
        self.peers = peers;
        self.compile();
    }

    /// Takes over the reserved networks. Addresses come and go more often than networks do.
    pub(super) fn take_reserved(&mut self, reserved: BTreeSet<IpNet>) {
        if self.reserved != reserved {
            self.reserved = reserved;
            self.compile();
        }
    }

    /// The table in effect.
    pub(super) fn table(&self) -> Lpm<PeerIndex> {
        self.table.clone()
    }

    fn compile(&mut self) {
        let nobody = self.reserved.iter().map(|network| (*network, None));
        // Of a prefix given twice the last word counts: a peer's.
        let peers = self.peers.iter().map(|(prefix, peer)| (*prefix, Some(*peer)));
        self.table = Lpm::with_gaps(nobody.chain(peers));
    }
}

impl Default for AllowedIps {
    fn default() -> Self {
        Self { peers: Vec::new(), reserved: BTreeSet::new(), table: Lpm::empty() }
    }
}

#[cfg(test)]
mod tests;
