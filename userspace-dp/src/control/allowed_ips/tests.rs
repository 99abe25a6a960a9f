//! What a catch-all prefix gives to a peer, and what it does not.

use super::*;
use crate::control::netlink::testing::address;
use crate::control::netlink::{Tables, Update};
use crate::control::testing::{load, tables};

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// A way to everything else, a peer with an address in the tunnel, and one that was given half of the local network.
fn allowed_ips(reserved: BTreeSet<IpNet>) -> Lpm<PeerIndex> {
    let mut allowed = AllowedIps::default();
    allowed.take_reserved(reserved);
    allowed.take_peers(vec![
        (net("0.0.0.0/0"), 1),
        (net("::/0"), 1),
        (net("10.8.0.2/32"), 2),
        (net("fd00:8::2/128"), 2),
        (net("198.51.100.128/25"), 3),
        (net("192.0.2.0/24"), 3),
    ]);
    allowed.table()
}

fn peer_of(table: &Lpm<PeerIndex>, address: &str) -> Option<PeerIndex> {
    table.lookup(address.parse().unwrap())
}

/// The tunnel's own range, both devices' networks, and one that an address far away stands for.
fn usual() -> BTreeSet<IpNet> {
    let config = load("addresses = [\"10.8.0.1/24\", \"fd00:8::1/64\"]").config;
    reserved(&tables(), &config)
}

#[test]
fn a_catch_all_gives_a_peer_neither_the_range_of_the_tunnel_nor_the_hosts_on_a_link() {
    let table = allowed_ips(usual());
    for nobody in ["10.8.0.77", "10.8.0.1", "fd00:8::77", "198.51.100.7"] {
        assert_eq!(peer_of(&table, nobody), None, "{nobody}");
    }
    for elsewhere in ["10.8.1.77", "203.0.113.1", "fd00:9::1", "2001:db8::1"] {
        assert_eq!(peer_of(&table, elsewhere), Some(1), "{elsewhere}");
    }
}

#[test]
fn a_prefix_at_least_as_long_gives_a_peer_its_part_of_such_a_network() {
    let table = allowed_ips(usual());
    for (address, peer) in
        [("10.8.0.2", 2), ("fd00:8::2", 2), ("198.51.100.200", 3), ("192.0.2.7", 3)]
    {
        assert_eq!(peer_of(&table, address), Some(peer), "{address}");
    }
}

#[test]
fn the_network_of_a_point_to_point_address_is_on_the_other_end() {
    let mut tables = Tables::new();
    let own = address(7, "192.0.2.1/32");
    let peer = Some("203.0.113.9".parse().unwrap());
    let _ = tables.apply(Update::Address(crate::control::netlink::Address { peer, ..own }));
    let networks = routing::connected(&tables);
    assert_eq!(networks.into_iter().collect::<Vec<_>>(), [net("203.0.113.9/32")]);
}
