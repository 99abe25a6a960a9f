//! Checks of `[wireguard]` and its peers.

use super::interfaces::SMALLEST_MTU;
use super::{Names, lasting, unique, within};
use crate::findings::Findings;
use crate::key::Key;
use crate::model::{Config, Interface, Peer, TunnelRoutes, Wireguard};
use crate::routes::{Endpoints, Withheld};
use crate::values::{Duration, Prefix, PublicKey};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Loopback, multicast, broadcast, and IPv4 addresses in the clothes of IPv6: packets with them are never forwarded.
const NOBODYS: [IpNet; 6] = [
    v4([127, 0, 0, 0], 8),
    v4([224, 0, 0, 0], 4),
    v4([255, 255, 255, 255], 32),
    v6(Ipv6Addr::LOCALHOST, 128),
    v6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
    v6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
];

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length))
}

const fn v6(address: Ipv6Addr, length: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(address, length))
}

pub(super) fn check(config: &Config, names: &Names, findings: &mut Findings<'_>) {
    let Some(wireguard) = &config.wireguard else { return };
    let key = Key::top("wireguard");
    check_service(&key, wireguard, names, findings);
    let interfaces = Key::top("interface");
    let taken = |(index, one): (usize, &Interface)| {
        one.name == wireguard.interface
            && !findings.is_unknown(&interfaces.item(index).field("name"))
    };
    if config.interface.iter().enumerate().any(taken) {
        let allowed = "a name of its own: Ringwall makes this TUN device";
        findings.error(&key.field("interface"), "also an [[interface]]", allowed);
    }
    if wireguard.interface.as_str() == "lo" {
        let allowed = "a name of its own: Ringwall makes this TUN device";
        findings.error(&key.field("interface"), "the kernel's own device", allowed);
    }
    let list = key.field("peer");
    let peers = || wireguard.peer.iter().enumerate();
    unique(
        peers().map(|(i, peer)| (list.item(i).field("name"), peer.name.as_str())),
        "a name",
        findings,
    );
    unique(
        peers().map(|(i, peer)| (list.item(i).field("public_key"), peer.public_key)),
        "a key",
        findings,
    );
    unique(allowed_ips(wireguard, &list), "a network", findings);
    warn_of_withheld_routes(wireguard, &list, findings);
    let own = own_key(wireguard);
    let addresses: BTreeSet<IpNet> =
        wireguard.addresses.iter().map(|address| IpNet::from(address.address())).collect();
    for (index, peer) in peers() {
        check_peer(&list.item(index), peer, own, &addresses, findings);
    }
}

fn check_service(key: &Key, wireguard: &Wireguard, names: &Names, findings: &mut Findings<'_>) {
    if wireguard.listen_port == 0 {
        findings.error(&key.field("listen_port"), "port 0", "a port from 1 to 65535");
    }
    names.zone(&wireguard.zone, &[], &key.field("zone"), findings);
    let addresses = key.field("addresses");
    let own = wireguard.addresses.iter().enumerate();
    unique(own.map(|(i, one)| (addresses.item(i), one.address())), "an address", findings);
    if wireguard.mtu.exactly().is_some_and(|mtu| !(SMALLEST_MTU..=9000).contains(&mtu)) {
        let allowed = format!("\"auto\" or a whole number from {SMALLEST_MTU} to 9000");
        findings.error(&key.field("mtu"), "out of range", allowed);
    }
    let give_up = Duration::from_secs(5)..=Duration::from_secs(3600);
    lasting(&key.field("handshake_give_up"), wireguard.handshake_give_up, give_up, findings);
    if wireguard.handshake_rate.pps() == 0 {
        findings.error(&key.field("handshake_rate"), "no handshake could complete", "from 1pps");
    }
    within(&key.field("handshake_burst"), wireguard.handshake_burst, 1..=65536, findings);
}

/// The public half of the gateway's own key, if that could be read.
fn own_key(wireguard: &Wireguard) -> Option<PublicKey> {
    let secret = wireguard.private_key.as_ref()?;
    let own = ::wireguard::PrivateKey::from_bytes(*secret.bytes()).public_key();
    Some(PublicKey::from_bytes(*own.as_bytes()))
}

fn allowed_ips<'a>(
    wireguard: &'a Wireguard,
    list: &'a Key,
) -> impl Iterator<Item = (Key, Prefix)> + 'a {
    wireguard.peer.iter().enumerate().flat_map(move |(index, peer)| {
        let key = list.item(index).field("allowed_ips");
        peer.allowed_ips.iter().enumerate().map(move |(item, prefix)| (key.item(item), *prefix))
    })
}

/// Networks that do not become routes although all others do.
fn warn_of_withheld_routes(wireguard: &Wireguard, list: &Key, findings: &mut Findings<'_>) {
    if wireguard.routes == TunnelRoutes::Off {
        return;
    }
    let endpoints = Endpoints::configured(wireguard);
    for (key, prefix) in allowed_ips(wireguard, list) {
        let Some(why) = endpoints.withhold(prefix.net()) else { continue };
        let message = match why {
            Withheld::EveryAddress => "not made a route: the machine's default route stays".into(),
            Withheld::EndpointOf(peer, address) => {
                format!("not made a route: it holds {address}, the endpoint of {peer:?}")
            }
        };
        let allowed = format!(
            "where it is wanted, a more specific route to every endpoint, then `ip route add {prefix} dev {}`; or `routes = \"off\"`",
            wireguard.interface.as_str()
        );
        findings.warning(&key, message, allowed);
    }
}

fn check_peer(
    key: &Key,
    peer: &Peer,
    own: Option<PublicKey>,
    addresses: &BTreeSet<IpNet>,
    findings: &mut Findings<'_>,
) {
    let public_key = key.field("public_key");
    if own == Some(peer.public_key) {
        findings.error(&public_key, "the gateway's own key", "the public key of the other end");
    }
    if *peer.public_key.bytes() == [0; 32] {
        findings.error(&public_key, "the all-zero key", "the public key of the other end");
    }
    let allowed_ips = key.field("allowed_ips");
    if peer.allowed_ips.is_empty() {
        let message = "no network: the peer can send and receive nothing";
        findings.warning(&allowed_ips, message, "the networks behind the peer");
    }
    for (index, prefix) in peer.allowed_ips.iter().enumerate() {
        if addresses.contains(&prefix.net()) {
            let allowed = "an address of the peer; this one is in wireguard.addresses";
            findings.error(&allowed_ips.item(index), "the gateway's own address", allowed);
        }
        if let Some(nobodys) = NOBODYS.iter().find(|nobodys| nobodys.contains(&prefix.net())) {
            let message = format!("no host behind a peer has addresses of {nobodys}");
            let allowed = "networks of hosts, such as \"10.8.0.2/32\", or \"0.0.0.0/0\" for all";
            findings.error(&allowed_ips.item(index), message, allowed);
        }
    }
    let Some(keepalive) = peer.persistent_keepalive else { return };
    let seconds = keepalive.get();
    if seconds.subsec_nanos() != 0 || !(1..=65535).contains(&seconds.as_secs()) {
        let allowed = "whole seconds from 1s to 65535s; leave the key out for none";
        findings.error(&key.field("persistent_keepalive"), "not a keepalive interval", allowed);
    }
}
