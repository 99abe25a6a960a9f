//! The gateway's own addresses, for steering, for the workers and for what they answer.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeSet;

use ipnet::IpNet;

use super::super::netlink::{RouteKind, TABLE_LOCAL, Tables};

/// Addresses that the gateway answers to; those of the loopback device are left out, since nobody outside may use
/// them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locals {
    /// Unicast and anycast addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// Broadcast addresses of its links.
    pub broadcasts: BTreeSet<Ipv4Addr>,
    /// Whole prefixes that an operator declared local.
    pub prefixes: BTreeSet<IpNet>,
}

/// The gateway's own addresses.
pub fn locals(tables: &Tables) -> Locals {
    let mut locals = Locals::default();
    for route in tables.routes().filter(|route| route.table == TABLE_LOCAL) {
        let address = route.destination.addr();
        let host = route.destination.prefix_len() == route.destination.max_prefix_len();
        match (route.kind, address) {
            _ if address.is_loopback() => {}
            (RouteKind::Local | RouteKind::Anycast, _) if host => {
                locals.addresses.insert(address);
            }
            (RouteKind::Local | RouteKind::Anycast, _) => {
                locals.prefixes.insert(route.destination);
            }
            (RouteKind::Broadcast, IpAddr::V4(broadcast)) => {
                locals.broadcasts.insert(broadcast);
            }
            (
                RouteKind::Broadcast
                | RouteKind::Unicast
                | RouteKind::Multicast
                | RouteKind::Blackhole
                | RouteKind::Unreachable
                | RouteKind::Prohibit
                | RouteKind::Throw
                | RouteKind::Other(_),
                _,
            ) => {}
        }
    }
    let own = tables.addresses().filter(|own| !own.tentative && !own.address.is_loopback());
    locals.addresses.extend(own.map(|own| own.address));
    locals
}

/// The networks on the links of this machine, by its addresses there, wherever routes to them lead.
pub fn connected(tables: &Tables) -> BTreeSet<IpNet> {
    let networks = tables.addresses().filter(|own| !own.address.is_loopback()).filter_map(|own| {
        // A point-to-point address says which network is on the other end.
        let on_link = own.peer.unwrap_or(own.address);
        IpNet::new(on_link, own.prefix_length).ok()
    });
    networks.map(|network| network.trunc()).collect()
}

/// The addresses that replies of the gateway carry on an interface: the first of each family, else one of another
/// interface, as the kernel does; of the tunnel's device only when there is no other. An IPv6 address of the link is
/// none: it says nothing to anybody beyond.
pub fn reply_addresses(
    tables: &Tables,
    interface: u32,
    tunnel: u32,
) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
    let (mut v4, mut v6) = (None, None);
    let mut ranks = (u8::MAX, u8::MAX);
    for own in tables.addresses().filter(|own| !own.tentative) {
        let place = match own.interface {
            here if here == interface => 0,
            here if here == tunnel => 4,
            _ => 2,
        };
        let rank = place + u8::from(own.secondary);
        match own.address {
            // A single link without a server for addresses may well have no others (RFC 3927).
            IpAddr::V4(address) if place > 0 && address.is_link_local() => {}
            address if address.is_loopback() => {}
            IpAddr::V4(address) if rank < ranks.0 => (v4, ranks.0) = (Some(address), rank),
            IpAddr::V6(address) if rank < ranks.1 && !address.is_unicast_link_local() => {
                (v6, ranks.1) = (Some(address), rank);
            }
            IpAddr::V4(_) | IpAddr::V6(_) => {}
        }
    }
    (v4, v6)
}
