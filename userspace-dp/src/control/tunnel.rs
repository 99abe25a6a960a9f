//! The TUN device through which the gateway itself talks to its peers, and the kernel's routes to it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use io::Tun;
use ipnet::IpNet;

use super::netlink::{DeviceRoute, Kernel, Mirror, ROUTE_PROTOCOL, TABLE_MAIN, Tables};
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
    /// Its addresses.
    pub addresses: Vec<IpNet>,
}

/// Who gives the device its addresses and routes: the kernel.
pub trait Orders {
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
    /// Gives an interface an address.
    ///
    /// # Errors
    /// The kernel's answer.
    fn put_address(&mut self, interface: u32, address: IpNet) -> Result<()>;
}

impl Orders for Kernel {
    fn put(&mut self, route: &DeviceRoute) -> Result<()> {
        Ok(self.put_route(route)?)
    }

    fn remove(&mut self, route: &DeviceRoute) -> Result<()> {
        Ok(self.remove_route(route)?)
    }

    fn put_address(&mut self, interface: u32, address: IpNet) -> Result<()> {
        Ok(Kernel::put_address(self, interface, address)?)
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
    let tun = Tun::open(name).map_err(|error| {
        let device = unopened(name, &error);
        anyhow::Error::new(error).context(device)
    })?;
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
    let addresses = config.addresses.iter().map(|address| address.net()).collect();
    Ok((tun, TunnelDevice { ifindex, name: name.to_owned(), mtu, addresses }))
}

/// The device that could not be opened, and what it takes where that is missing.
fn unopened(name: &str, error: &std::io::Error) -> String {
    let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
    let needs = if denied { " (CAP_NET_ADMIN is needed)" } else { "" };
    format!("wireguard.interface: TUN device {name:?}{needs}")
}

impl TunnelDevice {
    /// Gives the device the addresses and routes that it lacks, and takes away routes of the gateway's that are not
    /// wanted, by difference to what the kernel has: it drops routes and IPv6 addresses of a device that goes down,
    /// and does not bring them back. An order that is refused holds no other up, and is given again at the next call.
    ///
    /// # Errors
    /// The device is down, or the first refusal and how many there were.
    pub fn restore(
        &self,
        wanted: &BTreeSet<IpNet>,
        tables: &Tables,
        orders: &mut impl Orders,
    ) -> Result<()> {
        let name = &self.name;
        let up = tables.link(self.ifindex).is_some_and(|link| link.up);
        ensure!(up, "the device is down: `ip link set {name} up` brings its routes back");
        let mut refused = Vec::new();
        for &address in self.addresses.iter().filter(|address| !self.has_address(tables, address)) {
            if let Err(error) = orders.put_address(self.ifindex, address) {
                refused.push(error.context(format!("the address {address} of {name:?}")));
            }
        }
        let present = self.own_routes(tables);
        let through = |to: &IpNet| format!("the route to {to} through {name:?}");
        for &destination in wanted.difference(&present) {
            if let Err(error) = orders.put(&self.route(destination)) {
                refused.push(error.context(through(&destination)));
            }
        }
        for &destination in present.difference(wanted) {
            if let Err(error) = orders.remove(&self.route(destination)) {
                refused.push(error.context(through(&destination)));
            }
        }
        let others = refused.len().saturating_sub(1);
        match refused.into_iter().next() {
            None => Ok(()),
            Some(error) if others == 0 => Err(error),
            Some(error) => Err(error.context(format!("{others} more orders are refused"))),
        }
    }

    fn has_address(&self, tables: &Tables, address: &IpNet) -> bool {
        tables.addresses().any(|own| {
            (own.interface, own.address, own.prefix_length)
                == (self.ifindex, address.addr(), address.prefix_len())
        })
    }

    /// Where routes that the gateway made lead through the device.
    fn own_routes(&self, tables: &Tables) -> BTreeSet<IpNet> {
        let own = tables.routes().filter(|route| {
            (route.table, route.protocol) == (TABLE_MAIN, ROUTE_PROTOCOL)
                && route.hops.iter().any(|hop| hop.interface == self.ifindex)
        });
        own.map(|route| route.destination).collect()
    }

    fn route(&self, destination: IpNet) -> DeviceRoute {
        DeviceRoute { destination, interface: self.ifindex, metric: 0 }
    }
}

#[cfg(test)]
mod tests;
