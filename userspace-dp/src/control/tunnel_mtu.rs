//! The tunnel's MTU where it is left to the gateway: what the narrowest way to the peers carries, less what a tunnel
//! adds.
//!
//! Worked out at the start from the routes of that moment. Only interfaces that tunnel packets leave by count: a
//! narrow network behind the gateway says nothing about tunnels. A peer whose path turns out narrower, because it
//! moved or a route changed, gets packets that fit all the same: their senders are told, and segment sizes are
//! clamped to that path. Links that are down and routes that stand by count like others, so that a start without a
//! cable ends with the same MTU.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use config::Host;
use ipnet::IpNet;

use super::netlink::{RouteKind, TABLE_MAIN, Tables};

/// What a tunnel adds to a packet over IPv6: outer headers, data header, tag.
const OVERHEAD: u32 = 80;
/// The least MTU of IPv6.
const MTU_MIN: u32 = 1280;
/// That of Ethernet, should there be no interface at all.
const ETHERNET: u32 = 1500;

/// The MTU of each interface that the gateway serves, by the kernel's index.
pub type Carries = BTreeMap<u32, u32>;

/// The largest inner packet that every way to a peer carries.
///
/// The way to a peer is the route to its endpoint. A peer that calls, or whose endpoint is a name, may be anywhere:
/// its ways are the default routes, or every interface where there are none.
pub fn automatic(peers: &[config::Peer], carries: &Carries, tables: &Tables) -> u32 {
    let known: Vec<Option<u32>> = peers
        .iter()
        .map(|peer| match peer.endpoint.as_ref().map(|endpoint| &endpoint.host) {
            Some(Host::Address(address)) => to(*address, carries, tables),
            Some(Host::Name(_)) | None => None,
        })
        .collect();
    let somewhere = known.iter().flatten().copied().min();
    let anywhere = known.is_empty() || known.contains(&None);
    let anywhere = anywhere.then(|| to_anywhere(carries, tables));
    let narrowest = somewhere.into_iter().chain(anywhere).min().unwrap_or(ETHERNET);
    narrowest.saturating_sub(OVERHEAD).max(MTU_MIN)
}

fn to_anywhere(carries: &Carries, tables: &Tables) -> u32 {
    let any = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let defaults = any.into_iter().filter_map(|any| by(IpNet::new(any, 0).ok()?, carries, tables));
    defaults.min().or_else(|| carries.values().copied().min()).unwrap_or(ETHERNET)
}

/// What the way to `address` carries, when there is one out of an interface of the gateway.
fn to(address: IpAddr, carries: &Carries, tables: &Tables) -> Option<u32> {
    let longest = if address.is_ipv4() { 32 } else { 128 };
    (0..=longest).rev().find_map(|length| {
        let prefix = IpNet::new(address, length).ok()?.trunc();
        by(prefix, carries, tables)
    })
}

/// What the routes of exactly this prefix carry, all of them together.
fn by(prefix: IpNet, carries: &Carries, tables: &Tables) -> Option<u32> {
    let mut narrowest = None;
    for route in tables.routes_to(TABLE_MAIN, prefix) {
        let (kind, hops) = tables.ways(route);
        if kind != RouteKind::Unicast || route.tos != 0 || route.source.prefix_len() != 0 {
            continue;
        }
        for hop in hops.iter().filter(|hop| !hop.encapsulated) {
            let Some(&interface) = carries.get(&hop.interface) else { continue };
            let way = route.mtu.unwrap_or(interface).min(interface);
            narrowest = Some(narrowest.map_or(way, |before: u32| before.min(way)));
        }
    }
    narrowest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::netlink::testing::{hop, route};
    use crate::control::netlink::{Placement, Route, Update};
    use crate::control::testing::{load, peer};

    const WAN: u32 = 2;
    const LAN: u32 = 3;

    fn tables(routes: &[(&str, u32, Option<u32>)]) -> Tables {
        let mut tables = Tables::new();
        for &(destination, interface, mtu) in routes {
            let route = Route { mtu, ..route(destination, &[hop(interface, "")]) };
            let _ = tables.apply(Update::Route(route, Placement::Append));
        }
        tables
    }

    /// The MTU with peers at these endpoints, between an ordinary link and a narrow network.
    fn mtu(endpoints: &[&str], routes: &[(&str, u32, Option<u32>)]) -> u32 {
        let peers: Vec<String> = (1..)
            .zip(endpoints)
            .map(|(number, endpoint)| match *endpoint {
                "" => peer(number, ""),
                endpoint => peer(number, &format!("endpoint = \"{endpoint}:51820\"")),
            })
            .collect();
        let loaded = load(&peers.join("\n"));
        let wireguard = loaded.config.wireguard.expect("a tunnel");
        automatic(&wireguard.peer, &BTreeMap::from([(WAN, 1500), (LAN, 1400)]), &tables(routes))
    }

    const DEFAULT: (&str, u32, Option<u32>) = ("0.0.0.0/0", WAN, None);
    const BEHIND: (&str, u32, Option<u32>) = ("10.0.0.0/8", LAN, None);

    #[test]
    fn a_narrow_network_behind_the_gateway_does_not_narrow_the_tunnel() {
        for endpoints in [&["203.0.113.1"][..], &[""], &["peer.example.net"], &[]] {
            assert_eq!(mtu(endpoints, &[DEFAULT, BEHIND]), 1420, "{endpoints:?}");
        }
    }

    #[test]
    fn a_peer_that_is_reached_by_a_narrow_way_narrows_it() {
        assert_eq!(mtu(&["203.0.113.1", "10.1.2.3"], &[DEFAULT, BEHIND]), 1320, "its interface");
        let narrow = ("198.51.100.0/24", WAN, Some(1450));
        assert_eq!(mtu(&["198.51.100.9", ""], &[DEFAULT, BEHIND, narrow]), 1370, "its route");
        assert_eq!(mtu(&["203.0.113.1"], &[DEFAULT, BEHIND, narrow]), 1420, "another's route");
        assert_eq!(mtu(&[""], &[DEFAULT, ("::/0", WAN, Some(1300)), BEHIND]), 1280, "the least");
        let boastful = ("198.51.100.0/24", WAN, Some(9000));
        assert_eq!(mtu(&["198.51.100.9"], &[boastful]), 1420, "no more than its interface");
    }

    #[test]
    fn the_longest_route_that_leaves_by_an_interface_of_the_gateway_counts() {
        let nearer = ("10.1.0.0/16", WAN, None);
        assert_eq!(mtu(&["10.1.2.3"], &[DEFAULT, BEHIND, nearer]), 1420);
        assert_eq!(mtu(&["10.2.2.3"], &[DEFAULT, BEHIND, nearer]), 1320);
        let foreign = ("10.1.2.0/24", 77, Some(1300));
        assert_eq!(mtu(&["10.1.2.3"], &[DEFAULT, BEHIND, nearer, foreign]), 1420);
        assert_eq!(mtu(&["[2001:db8::1]"], &[("::/0", WAN, None), BEHIND]), 1420);
    }

    #[test]
    fn without_a_way_to_anywhere_every_interface_counts() {
        for endpoints in [&["203.0.113.1"][..], &[""], &[]] {
            assert_eq!(mtu(endpoints, &[BEHIND]), 1320, "{endpoints:?}");
        }
        assert_eq!(mtu(&["10.1.2.3"], &[("10.0.0.0/8", WAN, None)]), 1420, "its way is known");
    }
}
