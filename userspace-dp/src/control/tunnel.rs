//! The TUN device through which the gateway itself talks to its peers, and the kernel's routes to it.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use io::Tun;
use ipnet::IpNet;

use super::netlink::{DeviceRoute, Kernel, Mirror};

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

/// What a tunnel adds to a packet over IPv6: outer headers, data header, tag.
const OVERHEAD: u32 = 80;
/// The least MTU of IPv6.
const MTU_MIN: u32 = 1280;

/// The largest inner packet: as configured, else what the smallest of the devices leaves.
pub fn mtu(config: &config::Wireguard, devices: impl Iterator<Item = u32>) -> u16 {
    let automatic = devices.min().unwrap_or(1500).saturating_sub(OVERHEAD).max(MTU_MIN);
    u16::try_from(config.mtu.exactly().unwrap_or(automatic)).unwrap_or(u16::MAX)
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

    /// Makes the allowed IPs of all peers routes to the device, by difference to what was.
    pub fn set_routes(&mut self, wanted: BTreeSet<IpNet>, kernel: &mut Kernel) -> Result<()> {
        for &destination in wanted.difference(&self.routes) {
            kernel
                .put_route(&self.route(destination))
                .with_context(|| format!("the route to {destination} through {:?}", self.name))?;
        }
        for &destination in self.routes.difference(&wanted) {
            kernel
                .remove_route(&self.route(destination))
                .with_context(|| format!("the route to {destination} through {:?}", self.name))?;
        }
        self.routes = wanted;
        Ok(())
    }

    fn route(&self, destination: IpNet) -> DeviceRoute {
        DeviceRoute { destination, interface: self.ifindex, metric: 0 }
    }
}
