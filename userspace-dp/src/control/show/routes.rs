//! `show routes`: what workers look up, with the neighbour that each next hop needs.

use core::net::IpAddr;

use ipnet::IpNet;
use pipeline::{InterfaceKind, Snapshot};
use route::{InterfaceId, NeighbourState, NextHop, NextHopKind};

use super::taken_at;
use crate::api::{Route, Routes};
use crate::control::observer::Observer;

/// Every route; `None` when control does not answer.
pub(super) fn routes(observer: &Observer) -> Option<Routes> {
    let found = observer.routes()?;
    let view = observer.view();
    let snapshot = &view.snapshot;
    let mut routes = Vec::new();
    for (prefix, hops) in found {
        routes.extend(hops.iter().map(|weighted| row(prefix, &weighted.hop, snapshot)));
    }
    Some(Routes { taken_at_unix: taken_at(), routes })
}

fn row(prefix: IpNet, hop: &NextHop, snapshot: &Snapshot) -> Route {
    let interface = snapshot.interface(hop.interface);
    let tunnel = interface.is_some_and(|interface| interface.kind == InterfaceKind::Tunnel);
    let kind = match hop.kind {
        NextHopKind::Unicast if tunnel => "tunnel",
        NextHopKind::Unicast => "unicast",
        NextHopKind::Local => "local",
        NextHopKind::Blackhole => "blackhole",
        NextHopKind::Unreachable => "unreachable",
        NextHopKind::Prohibit => "prohibit",
    };
    let needed = if tunnel { None } else { needed(prefix, hop) };
    let neighbour = needed.and_then(|address| snapshot.neighbours.get(hop.interface, address));
    Route {
        prefix: prefix.to_string(),
        kind: kind.into(),
        via: hop.gateway.map(|gateway| gateway.to_string()),
        interface: interface.map(|interface| interface.name.clone()),
        neighbour: needed.map(|address| address.to_string()),
        mac: neighbour.map(|neighbour| neighbour.mac.to_string()),
        state: neighbour.map(|neighbour| {
            match neighbour.state {
                NeighbourState::Reachable => "reachable",
                NeighbourState::Stale => "stale",
                NeighbourState::Incomplete => "incomplete",
                NeighbourState::Failed => "failed",
            }
            .into()
        }),
    }
}

/// The one address whose hardware address packets of the route need: the gateway's, or on the link that of the only
/// destination. Of a network on the link each destination is its own.
fn needed(prefix: IpNet, hop: &NextHop) -> Option<IpAddr> {
    let host = prefix.prefix_len() == prefix.max_prefix_len();
    let served = hop.interface != InterfaceId::NONE;
    let on_link = hop.kind == NextHopKind::Unicast && served && host;
    hop.gateway.or_else(|| on_link.then(|| prefix.addr()))
}

#[cfg(test)]
mod tests {
    use pipeline::PeerOwners;
    use pipeline::testing::{Network, interface};

    use super::*;

    /// What is shown of a route: kind, via, interface, neighbour, state.
    fn shown(prefix: &str, hop: NextHop) -> [Option<String>; 5] {
        let snapshot = Network::new().snapshot(PeerOwners::new(4), 1);
        let row = row(prefix.parse().unwrap(), &hop, &snapshot);
        assert_eq!(row.mac.is_some(), row.state.is_some());
        [Some(row.kind), row.via, row.interface, row.neighbour, row.state]
    }

    fn expected(words: [&str; 5]) -> [Option<String>; 5] {
        words.map(|word| (word != "-").then(|| word.to_owned()))
    }

    #[test]
    fn a_route_through_a_gateway_needs_the_gateway_s_hardware_address() {
        let via = |gateway: &str| NextHop::via(interface::WAN, gateway.parse().unwrap());
        assert_eq!(
            shown("0.0.0.0/0", via("192.0.2.254")),
            expected(["unicast", "192.0.2.254", "wan", "192.0.2.254", "reachable"])
        );
        assert_eq!(
            shown("10.9.9.9/32", via("192.0.2.99")),
            expected(["unicast", "192.0.2.99", "wan", "192.0.2.99", "-"])
        );
    }

    #[test]
    fn a_host_on_the_link_is_its_own_next_hop_and_a_network_has_none_of_its_own() {
        let lan = NextHop::on_link(interface::LAN);
        assert_eq!(
            shown("10.1.0.5/32", lan),
            expected(["unicast", "-", "lan", "10.1.0.5", "reachable"])
        );
        assert_eq!(
            shown("fd00:1::5/128", lan),
            expected(["unicast", "-", "lan", "fd00:1::5", "reachable"])
        );
        assert_eq!(shown("10.1.0.6/32", lan), expected(["unicast", "-", "lan", "10.1.0.6", "-"]));
        assert_eq!(shown("10.1.0.0/16", lan), expected(["unicast", "-", "lan", "-", "-"]));
        let nowhere = NextHop::on_link(InterfaceId::NONE);
        assert_eq!(shown("10.1.0.6/32", nowhere), expected(["unicast", "-", "-", "-", "-"]));
    }

    #[test]
    fn what_goes_to_peers_to_us_or_nowhere_needs_no_neighbour() {
        let tunnel = NextHop::on_link(interface::TUNNEL);
        assert_eq!(shown("10.20.0.5/32", tunnel), expected(["tunnel", "-", "ringwall0", "-", "-"]));
        assert_eq!(
            shown("10.1.0.1/32", NextHop::local(interface::LAN)),
            expected(["local", "-", "lan", "-", "-"])
        );
        assert_eq!(
            shown("10.66.0.0/16", NextHop::discard(NextHopKind::Blackhole)),
            expected(["blackhole", "-", "-", "-", "-"])
        );
    }
}
