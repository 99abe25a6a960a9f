//! The TUN device through which the gateway itself talks to its peers, and the kernel's routes to it.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use io::Tun;
use ipnet::IpNet;

use super::netlink::{DeviceRoute, Kernel, Mirror, Tables};
use super::tunnel_mtu::{self, Carries};

/// The set-up device.
#[derive(Debug)]
pub struct TunnelDevice {
    /// The kernel's index.
    pub ifindex: u32,
    /// Its name.
    pub name: String,
    /// Its MTU: the largest inner packet.
    pub mtu: u16,
    routes: BTreeSet<IpNet>,
}

/// Who makes and removes routes: the kernel.
pub trait RouteOrders {
    /// Makes a route.
    ///
    /// # Errors
    /// The kernel's answer.
    fn put(&mut self, route: &DeviceRoute) -> Result<()>;
    /// Removes a route.
    ///
    /// # Errors
    /// The kernel's answer.
    fn remove(&mut self, route: &DeviceRoute) -> Result<()>;
}

impl RouteOrders for Kernel {
    fn put(&mut self, route: &DeviceRoute) -> Result<()> {
        Ok(self.put_route(route)?)
    }

    fn remove(&mut self, route: &DeviceRoute) -> Result<()> {
        Ok(self.remove_route(route)?)
    }
}

/// The largest inner packet: as configured, else what the ways to the peers leave.
pub fn mtu(config: &config::Wireguard, carries: &Carries, tables: &Tables) -> u16 {
    let mtu = config.mtu.exactly();
    let mtu = mtu.unwrap_or_else(|| tunnel_mtu::automatic(&config.peer, carries, tables));
    u16::try_from(mtu).unwrap_or(u16::MAX)
}

/// Creates the device and gives it its addresses.
pub fn create(
    config: &config::Wireguard,
    mtu: u16,
    kernel: &mut Kernel,
    mirror: &mut Mirror,
) -> Result<(Tun, TunnelDevice)> {
    let name = config.interface.as_str();
    let tun =
        Tun::open(name).with_context(|| format!("wireguard.interface: TUN device {name:?}"))?;
    mirror.process().context("cannot read the kernel's links")?;
    let link = mirror.tables().link_named(name);
    let ifindex = link.with_context(|| format!("the new device {name:?} is not there"))?.index;
    kernel.set_mtu(ifindex, u32::from(mtu))?;
    kernel.set_up(ifindex, true)?;
    for address in &config.addresses {
        kernel
            .put_address(ifindex, address.net())
            .with_context(|| format!("wireguard.addresses: {address}"))?;
    }
    Ok((tun, TunnelDevice::without_routes(ifindex, name, mtu)))
}

impl TunnelDevice {
    /// A device that nothing leads to so far.
    pub fn without_routes(ifindex: u32, name: &str, mtu: u16) -> Self {
        Self { ifindex, name: name.to_owned(), mtu, routes: BTreeSet::new() }
    }

    /// Makes the allowed IPs of all peers routes to the device, by difference to what was. An order that is refused
    /// holds no other up, and is given again at the next call.
    ///
    /// # Errors
    /// The first refusal, and how many there were.
    pub fn set_routes(
        &mut self,
        wanted: &BTreeSet<IpNet>,
        orders: &mut impl RouteOrders,
    ) -> Result<()> {
        let mut refused = Vec::new();
        let added: Vec<IpNet> = wanted.difference(&self.routes).copied().collect();
        for destination in added {
            match orders.put(&self.route(destination)) {
                Ok(()) => drop(self.routes.insert(destination)),
                Err(error) => refused.push((destination, error)),
            }
        }
        let removed: Vec<IpNet> = self.routes.difference(wanted).copied().collect();
        for destination in removed {
            match orders.remove(&self.route(destination)) {
                Ok(()) => drop(self.routes.remove(&destination)),
                Err(error) => refused.push((destination, error)),
            }
        }
        let others = refused.len().saturating_sub(1);
        let Some((destination, error)) = refused.into_iter().next() else { return Ok(()) };
        let more = if others > 0 { format!(" (and {others} more)") } else { String::new() };
        Err(error)
            .with_context(|| format!("the route to {destination} through {:?}{more}", self.name))
    }

    fn route(&self, destination: IpNet) -> DeviceRoute {
        DeviceRoute { destination, interface: self.ifindex, metric: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel's table that refuses what it is told to refuse.
    #[derive(Default)]
    struct Table {
        routes: BTreeSet<IpNet>,
        refuses: BTreeSet<IpNet>,
    }

    impl Table {
        fn order(&self, route: &DeviceRoute) -> Result<IpNet> {
            anyhow::ensure!(!self.refuses.contains(&route.destination), "refused");
            Ok(route.destination)
        }
    }

    impl RouteOrders for Table {
        fn put(&mut self, route: &DeviceRoute) -> Result<()> {
            let new = self.order(route)?;
            assert!(self.routes.insert(new), "{new} was there");
            Ok(())
        }
        fn remove(&mut self, route: &DeviceRoute) -> Result<()> {
            let old = self.order(route)?;
            assert!(self.routes.remove(&old), "{old} was not there");
            Ok(())
        }
    }

    fn networks(numbers: &[u8]) -> BTreeSet<IpNet> {
        numbers.iter().map(|number| format!("10.{number}.0.0/16").parse().unwrap()).collect()
    }

    #[test]
    fn a_refused_route_holds_up_no_other_and_is_ordered_again() {
        let mut device = TunnelDevice::without_routes(9, "ringwall0", 1420);
        let mut table = Table { refuses: networks(&[1, 2]), ..Table::default() };
        let error = device.set_routes(&networks(&[1, 2, 3]), &mut table).unwrap_err();
        let said = format!("{error:#}");
        assert!(said.contains("10.1.0.0/16") && said.contains("1 more"), "{said}");
        assert_eq!(table.routes, networks(&[3]));
        table.refuses = networks(&[2]);
        assert!(device.set_routes(&networks(&[1, 2, 3]), &mut table).is_err());
        assert_eq!(table.routes, networks(&[1, 3]));
        table.refuses.clear();
        device.set_routes(&networks(&[1, 2, 3]), &mut table).unwrap();
        assert_eq!(table.routes, networks(&[1, 2, 3]));
    }

    #[test]
    fn what_cannot_be_added_does_not_keep_what_must_go() {
        let mut device = TunnelDevice::without_routes(9, "ringwall0", 1420);
        let mut table = Table::default();
        device.set_routes(&networks(&[1, 2]), &mut table).unwrap();
        table.refuses = networks(&[2, 3]);
        assert!(device.set_routes(&networks(&[3]), &mut table).is_err());
        assert_eq!(table.routes, networks(&[2]), "2 could not be removed, 1 could");
        table.refuses.clear();
        device.set_routes(&networks(&[3]), &mut table).unwrap();
        assert_eq!(table.routes, networks(&[3]));
    }
}
