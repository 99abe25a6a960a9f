//! What the control thread asks the kernel to do: the TUN device's state, addresses and routes, and neighbours to
//! resolve.
//!
//! Every order waits for the kernel's answer, which takes microseconds, and may be given again without harm.
//! Orders need CAP_NET_ADMIN. Nothing here touches a route, an address or a neighbour that somebody else made.

use core::net::IpAddr;
use std::io::ErrorKind;

use ipnet::IpNet;

use super::error::Error;
use super::message::{Request, family};
use super::model::TABLE_MAIN;
use super::socket::Asker;
use super::uapi::*;

/// Marks the gateway's own routes (`ip route show proto 82`), so that no other route is ever removed.
pub const ROUTE_PROTOCOL: u8 = 82;

/// A route to everything behind a device, such as the allowed addresses of the peers behind the TUN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceRoute {
    /// Where to; host bits are ignored.
    pub destination: IpNet,
    /// Index of the device.
    pub interface: u32,
    /// Preference, lowest first; 0 lets the kernel choose (0 for IPv4, 1024 for IPv6).
    pub metric: u32,
}

/// Gives orders to the kernel.
pub struct Kernel {
    asker: Asker,
}

impl Kernel {
    /// Opens a socket of its own.
    pub fn open() -> Result<Self, Error> {
        Ok(Self { asker: Asker::open(NETLINK_ROUTE)? })
    }

    /// Sets a link up or down.
    pub fn set_up(&mut self, interface: u32, up: bool) -> Result<(), Error> {
        let flags = if up { IFF_UP } else { 0 };
        self.asker.order(link_request(interface, flags, IFF_UP), "set the link's state")
    }

    /// Sets a link's MTU, in bytes of IP packet.
    pub fn set_mtu(&mut self, interface: u32, mtu: u32) -> Result<(), Error> {
        let request = link_request(interface, 0, 0).number(IFLA_MTU, mtu);
        self.asker.order(request, "set the link's MTU")
    }

    /// Gives the interface an address with the prefix on its link. Duplicate address detection is left out: on a
    /// tunnel nobody would answer.
    pub fn put_address(&mut self, interface: u32, address: IpNet) -> Result<(), Error> {
        let request =
            address_request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, interface, address);
        self.asker.order(request, "add the address")
    }

    /// Takes an address away; one that is not there is no error.
    pub fn remove_address(&mut self, interface: u32, address: IpNet) -> Result<(), Error> {
        let request = address_request(RTM_DELADDR, 0, interface, address);
        accept(self.asker.order(request, "remove the address"), &[ErrorKind::AddrNotAvailable])
    }

    /// Adds a route to a device, in the main table; one that is there already is no error. A route that somebody
    /// else made to the same destination with the same metric stays, and stays the preferred one.
    pub fn put_route(&mut self, route: &DeviceRoute) -> Result<(), Error> {
        let request = route_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, route);
        accept(self.asker.order(request, "add the route"), &[ErrorKind::AlreadyExists])
    }

    /// Removes a route that [`Kernel::put_route`] added; one that is not there is no error.
    pub fn remove_route(&mut self, route: &DeviceRoute) -> Result<(), Error> {
        match self.asker.order(route_request(RTM_DELROUTE, 0, route), "remove the route") {
            Err(Error::Refused { source, .. }) if source.raw_os_error() == Some(NO_SUCH_ROUTE) => {
                Ok(())
            }
            other => other,
        }
    }

    /// Has the kernel resolve a neighbour, or confirm one that is stale, as if it had a packet for it. The answer
    /// comes as a change of the neighbour table.
    ///
    /// Must not be used on a permanent entry: the kernel would take it for a dynamic one from then on.
    pub fn ask_neighbour(&mut self, interface: u32, address: IpAddr) -> Result<(), Error> {
        let [i0, i1, i2, i3] = interface.to_ne_bytes();
        let [s0, s1] = NUD_NONE.to_ne_bytes();
        let fixed = [family(address), 0, 0, 0, i0, i1, i2, i3, s0, s1, NTF_USE, 0];
        let request =
            Request::new(RTM_NEWNEIGH, NLM_F_CREATE).fixed(&fixed).address(NDA_DST, address);
        self.asker.order(request, "ask for the neighbour")
    }
}

/// ESRCH, the kernel's word for a route that is not there.
const NO_SUCH_ROUTE: i32 = rustix::io::Errno::SRCH.raw_os_error();

fn accept(result: Result<(), Error>, harmless: &[ErrorKind]) -> Result<(), Error> {
    match result {
        Err(error) if error.refusal().is_some_and(|kind| harmless.contains(&kind)) => Ok(()),
        other => other,
    }
}

fn link_request(interface: u32, flags: u32, change: u32) -> Request {
    let mut fixed = [0; 16];
    for (at, value) in [(4, interface), (8, flags), (12, change)] {
        fixed[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }
    Request::new(RTM_NEWLINK, 0).fixed(&fixed)
}

fn address_request(kind: u16, flags: u16, interface: u32, address: IpNet) -> Request {
    let [i0, i1, i2, i3] = interface.to_ne_bytes();
    let own = address.addr();
    let no_detection = if own.is_ipv6() { IFA_F_NODAD as u8 } else { 0 };
    let scope = match own {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => RT_SCOPE_LINK,
        IpAddr::V4(_) | IpAddr::V6(_) => RT_SCOPE_UNIVERSE,
    };
    Request::new(kind, flags)
        .fixed(&[family(own), address.prefix_len(), no_detection, scope, i0, i1, i2, i3])
        .address(IFA_LOCAL, own)
        .address(IFA_ADDRESS, own)
}

fn route_request(kind: u16, flags: u16, route: &DeviceRoute) -> Request {
    let destination = route.destination.trunc();
    // The kernel matches a removal by scope too, where it is given for IPv4.
    let scope = match destination {
        IpNet::V4(_) => RT_SCOPE_LINK,
        IpNet::V6(_) => RT_SCOPE_UNIVERSE,
    };
    let fixed = [
        family(destination.addr()),
        destination.prefix_len(),
        0,
        0,
        RT_TABLE_UNSPEC,
        ROUTE_PROTOCOL,
        scope,
        RTN_UNICAST,
    ];
    let mut request = Request::new(kind, flags).fixed(&fixed).fixed(&[0; 4]);
    if destination.prefix_len() > 0 {
        request = request.address(RTA_DST, destination.addr());
    }
    if route.metric != 0 {
        request = request.number(RTA_PRIORITY, route.metric);
    }
    request.number(RTA_TABLE, TABLE_MAIN).number(RTA_OIF, route.interface)
}

#[cfg(test)]
mod tests;
