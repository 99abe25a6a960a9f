//! Which of the peers' networks become routes to the tunnel by themselves.
//!
//! Not those that would lead the gateway's own packets to a peer into the tunnel that they carry, and not the default
//! route: with it everything that the machine itself sends would go to one peer. `check` warns of both, the daemon
//! leaves both out; an operator who wants such a route adds it, beside more specific ones to the endpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::{Peer, TunnelRoutes, Wireguard};
use crate::values::{Endpoint, Host};

/// Why a network is not made a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld<'a> {
    /// It is every address there is.
    EveryAddress,
    /// It holds the endpoint of the peer of this name.
    EndpointOf(&'a str, IpAddr),
}

/// Where peers are, as far as that is known.
#[derive(Clone, Debug, Default)]
pub struct Endpoints<'a>(BTreeMap<IpAddr, &'a str>);

impl<'a> Endpoints<'a> {
    /// The endpoints that `wireguard` gives as addresses.
    #[must_use]
    pub fn configured(wireguard: &'a Wireguard) -> Self {
        Self(wireguard.peer.iter().filter_map(|peer| Some((address(peer)?, name(peer)))).collect())
    }

    /// Adds where the name of a peer's endpoint leads.
    pub fn resolved(&mut self, peer: &'a Peer, address: IpAddr) {
        self.0.insert(address.to_canonical(), name(peer));
    }

    /// Why `network` must not become a route, if so.
    #[must_use]
    pub fn withhold(&self, network: IpNet) -> Option<Withheld<'a>> {
        if network.prefix_len() == 0 {
            return Some(Withheld::EveryAddress);
        }
        let (&address, &peer) = self.0.range(network.network()..=network.broadcast()).next()?;
        Some(Withheld::EndpointOf(peer, address))
    }
}

impl Wireguard {
    /// The networks that become routes to the tunnel, and those that do not although the configuration says
    /// `routes = "allowed-ips"`.
    #[must_use]
    pub fn automatic_routes<'a>(
        &self,
        endpoints: &Endpoints<'a>,
    ) -> (BTreeSet<IpNet>, Vec<(IpNet, Withheld<'a>)>) {
        let (mut made, mut withheld) = (BTreeSet::new(), Vec::new());
        match self.routes {
            TunnelRoutes::Off => {}
            TunnelRoutes::AllowedIps => {
                for prefix in self.peer.iter().flat_map(|peer| &peer.allowed_ips) {
                    match endpoints.withhold(prefix.net()) {
                        None => drop(made.insert(prefix.net())),
                        Some(why) => withheld.push((prefix.net(), why)),
                    }
                }
            }
        }
        (made, withheld)
    }
}

fn name(peer: &Peer) -> &str {
    peer.name.as_str()
}

fn address(peer: &Peer) -> Option<IpAddr> {
    match peer.endpoint.as_ref()? {
        Endpoint { host: Host::Address(address), .. } => Some(address.to_canonical()),
        Endpoint { host: Host::Name(_), .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn at(addresses: &[&'static str]) -> Endpoints<'static> {
        Endpoints(addresses.iter().map(|text| (text.parse().unwrap(), *text)).collect())
    }

    #[test]
    fn no_default_route_is_made_and_no_route_to_an_endpoint() {
        let endpoints = at(&["192.0.2.9", "2001:db8::9"]);
        for every in ["0.0.0.0/0", "::/0"] {
            assert_eq!(endpoints.withhold(net(every)), Some(Withheld::EveryAddress));
        }
        for holds in
            ["128.0.0.0/1", "192.0.2.0/24", "192.0.2.8/29", "192.0.2.9/32", "2001:db8::/64"]
        {
            let withheld = endpoints.withhold(net(holds));
            assert!(matches!(withheld, Some(Withheld::EndpointOf(..))), "{holds}: {withheld:?}");
        }
        for other in
            ["0.0.0.0/1", "192.0.2.0/29", "192.0.2.10/31", "192.0.3.0/24", "2001:db8:1::/48"]
        {
            assert_eq!(endpoints.withhold(net(other)), None, "{other}");
        }
    }

    #[test]
    fn the_first_and_the_last_address_of_a_network_are_in_it() {
        for edge in ["10.0.0.0", "10.0.0.255", "fd00::", "fd00::ffff"] {
            let network = if edge.contains(':') { "fd00::/112" } else { "10.0.0.0/24" };
            assert!(at(&[edge]).withhold(net(network)).is_some(), "{edge}");
        }
    }
}
