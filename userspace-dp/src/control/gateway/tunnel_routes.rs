//! The addresses of the tunnel's device and the kernel's routes to it, as the peers' networks ask for them.
//!
//! They are held against what the kernel reports, so that a device that went down and up again, or lost something by
//! another hand, gets back what it had.

use std::sync::Arc;

use anyhow::{Context, Result};
use config::{Endpoints, Withheld};
use ipnet::IpNet;

use super::super::netlink::{RouteKind, TABLE_MAIN, Tables};
use super::super::problems::Matter;
use super::super::running::Running;
use super::Gateway;

impl Gateway {
    /// Gives the tunnel's device its addresses, and routes to the peers' networks where the configuration says so. What
    /// the kernel refuses is a problem until a later call succeeds.
    ///
    /// # Errors
    /// What the kernel refused.
    pub(in crate::control) fn route_peers(&mut self) -> Result<()> {
        let outcome = self.order_routes();
        let problem = outcome.as_ref().err().map(|error| format!("{error:#}"));
        self.problems.note(Matter::TunnelRoutes, problem);
        outcome
    }

    fn order_routes(&mut self) -> Result<()> {
        let loaded = Arc::clone(&self.loaded);
        let Running { registry, tunnel, kernel, mirror, .. } = &mut self.running;
        let (Some(tunnel), Some(wireguard)) = (tunnel, &loaded.config.wireguard) else {
            return Ok(());
        };
        let mut endpoints = Endpoints::configured(wireguard);
        for known in registry.iter() {
            let address = known.name_to_resolve().and_then(|asked| self.resolver.address(&asked));
            if let Some(address) = address {
                endpoints.resolved(&known.config, address);
            }
        }
        let (made, withheld) = wireguard.automatic_routes(&endpoints);
        let problem =
            of_withheld(&withheld, |network| is_routed(mirror.tables(), network, tunnel.ifindex));
        self.problems.note(Matter::WithheldRoutes, problem);
        tunnel.restore(&made, mirror.tables(), kernel).context("the tunnel")
    }
}

/// What it means that networks are not made routes, unless somebody else did. That the default route is left alone is
/// what everybody expects, and said by the check of the configuration alone.
fn of_withheld(
    withheld: &[(IpNet, Withheld<'_>)],
    is_routed: impl Fn(IpNet) -> bool,
) -> Option<String> {
    let lines = withheld.iter().filter_map(|&(network, why)| match why {
        Withheld::EveryAddress => None,
        Withheld::EndpointOf(..) if is_routed(network) => None,
        Withheld::EndpointOf(peer, address) => Some((network, peer, address)),
    });
    let mut lines = lines;
    let (network, peer, address) = lines.next()?;
    let others = match lines.count() {
        0 => String::new(),
        others => format!(" (and {others} more networks like it)"),
    };
    Some(format!(
        "no route to {network} through the tunnel{others}: it holds {address}, the endpoint of {peer:?}; add it with `ip route` once a more specific route leads there"
    ))
}

/// Whether a route to exactly `network` leads to the interface.
fn is_routed(tables: &Tables, network: IpNet, interface: u32) -> bool {
    tables.routes_to(TABLE_MAIN, network).any(|route| {
        let (kind, hops) = tables.ways(route);
        kind == RouteKind::Unicast && hops.iter().any(|hop| hop.interface == interface)
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::netlink::testing::{hop, route};
    use super::super::super::netlink::{Placement, Update};
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_that_holds_an_endpoint_is_a_problem_until_somebody_routes_it() {
        let holds = Withheld::EndpointOf("far", "10.0.0.5".parse().unwrap());
        let withheld = [(net("10.0.0.0/8"), holds), (net("10.0.0.0/16"), holds)];
        let said = of_withheld(&withheld, |_| false).unwrap();
        assert!(said.contains("10.0.0.0/8") && said.contains("10.0.0.5"), "{said}");
        assert!(said.contains("\"far\"") && said.contains("1 more"), "{said}");
        let rest = of_withheld(&withheld, |network| network == net("10.0.0.0/8")).unwrap();
        assert!(rest.contains("10.0.0.0/16") && !rest.contains("more networks"), "{rest}");
        assert_eq!(of_withheld(&withheld, |_| true), None);
        assert_eq!(of_withheld(&[(net("::/0"), Withheld::EveryAddress)], |_| false), None);
    }

    #[test]
    fn routed_is_what_leads_to_that_interface_by_exactly_that_prefix() {
        let mut tables = Tables::new();
        let _ = tables.apply(Update::Route(route("10.0.0.0/8", &[hop(9, "")]), Placement::Append));
        assert!(is_routed(&tables, net("10.0.0.0/8"), 9));
        assert!(!is_routed(&tables, net("10.0.0.0/8"), 3));
        assert!(!is_routed(&tables, net("10.0.0.0/16"), 9));
    }
}
