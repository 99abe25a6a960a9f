//! The outer path to a peer: addresses, ports, the way out, and the link header.
//!
//! Found once and kept per peer until the endpoint or anything that routing depends on changes; then a packet's
//! outer headers are a few stores.

use core::net::{IpAddr, SocketAddr};

use io::Frame;
use route::{InterfaceId, NextHop, NextHopKind, Resolution};
use telemetry::Reason;
use wire::{Addresses, Ecn, Family, Mac, ethernet};
use wireguard::Endpoint;

use crate::next_hop;
use crate::outer::OuterHeaders;
use crate::packet::Verdict;
use crate::process::Context;
use crate::snapshot::{InterfaceKind, PortId, Snapshot};

/// Where tunnel packets to one endpoint leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OuterPath {
    endpoint: Endpoint,
    generation: u64,
    headers: OuterHeaders,
    /// The device; `None` while the next hop's MAC address is not known.
    port: Option<PortId>,
    /// The largest inner packet, padding included.
    inner_mtu: u16,
    /// Whether that is less than the tunnel's own MTU.
    narrow: bool,
    /// The interface and the neighbour on it that packets go to.
    neighbour: (InterfaceId, IpAddr),
}

impl OuterPath {
    /// Finds the way to `endpoint`.
    pub(crate) fn find(endpoint: Endpoint, context: &Context<'_>) -> Result<Self, Reason> {
        let snapshot = context.snapshot;
        let remote = endpoint.remote();
        let hop = look_up(remote, context).ok_or(Reason::NoRoute)?;
        match hop.kind {
            NextHopKind::Unicast => {}
            NextHopKind::Local => return Err(Reason::TunnelLoop),
            NextHopKind::Blackhole => return Err(Reason::RouteBlackhole),
            NextHopKind::Unreachable => return Err(Reason::RouteUnreachable),
            NextHopKind::Prohibit => return Err(Reason::RouteProhibit),
        }
        let egress = snapshot.interface(hop.interface).ok_or(Reason::EgressUnattached)?;
        match egress.kind {
            InterfaceKind::Port { .. } => {}
            InterfaceKind::Tunnel => return Err(Reason::TunnelLoop),
            InterfaceKind::Unattached => return Err(Reason::EgressUnattached),
        }
        let by_interface = match remote {
            SocketAddr::V4(_) => egress.address4.map(IpAddr::V4),
            SocketAddr::V6(_) => egress.address6.map(IpAddr::V6),
        };
        // The address that the peer reached us at, as long as it is still ours.
        let local = endpoint.local().filter(|local| is_local(*local, snapshot));
        let source = local.or(hop.preferred_source).or(by_interface).ok_or(Reason::NoRoute)?;
        let addresses = Addresses::new(source, remote.ip()).ok_or(Reason::NoRoute)?;
        let link = link(hop, remote.ip(), &addresses, snapshot)?;
        let (inner_mtu, narrow) =
            inner_mtu(hop.mtu.unwrap_or(egress.mtu).min(egress.mtu), remote, snapshot);
        let ports = (snapshot.tunnel.listen_port, remote.port());
        let headers = OuterHeaders::new(link.as_ref().map(|(_, header)| header), addresses, ports)
            .ok_or(Reason::Undecided)?;
        Ok(Self {
            endpoint,
            generation: snapshot.path_generation,
            headers,
            port: link.map(|(port, _)| port),
            inner_mtu,
            narrow,
            neighbour: (hop.interface, hop.gateway.unwrap_or(remote.ip())),
        })
    }

    /// Whether this is still the way to `endpoint`.
    #[inline]
    pub(crate) fn holds(&self, endpoint: &Endpoint, snapshot: &Snapshot) -> bool {
        self.generation == snapshot.path_generation && self.endpoint == *endpoint
    }

    /// The interface and the neighbour on it that packets go to.
    #[inline]
    pub(crate) fn neighbour(&self) -> (InterfaceId, IpAddr) {
        self.neighbour
    }

    /// The largest inner packet, padding included: what is left of the path's MTU after outer headers, data header
    /// and tag, and no more than the tunnel's own MTU, which may be configured for a narrower path beyond.
    #[inline]
    pub(crate) fn inner_mtu(&self) -> u16 {
        self.inner_mtu
    }

    /// Whether this path carries less than the tunnel's own MTU promises.
    #[inline]
    pub(crate) fn is_narrow(&self) -> bool {
        self.narrow
    }

    /// Puts UDP, IP and link header in front of the datagram in `frame`. `class` is DSCP and ECN.
    #[inline]
    pub(crate) fn wrap(&self, frame: &mut Frame, class: u8, snapshot: &Snapshot) -> Verdict {
        if self.headers.put(frame, class).is_none() {
            return Verdict::Drop(Reason::NoHeadroom);
        }
        match self.port {
            None => Verdict::AwaitNeighbour(self.neighbour.0, self.neighbour.1),
            Some(port) => {
                debug_assert!(snapshot.ports.get(usize::from(port.0)).is_some());
                Verdict::Forward(port)
            }
        }
    }
}

/// The class of outer headers around data: no DSCP, ECN by RFC 6040.
#[inline]
pub(crate) fn data_class(inner: Ecn) -> u8 {
    wire::ecn::encapsulate(inner).bits()
}

/// The class of outer headers around handshake messages.
pub(crate) const HANDSHAKE_CLASS: u8 = wireguard::HANDSHAKE_DSCP << 2;

fn link(
    hop: &NextHop,
    destination: IpAddr,
    addresses: &Addresses,
    snapshot: &Snapshot,
) -> Result<Option<(PortId, ethernet::Repr)>, Reason> {
    let version = match addresses.family() {
        Family::V4 => 0x40,
        Family::V6 => 0x60,
    };
    match snapshot.neighbours.resolve(hop, destination) {
        Resolution::Known(mac) => {
            next_hop::header(hop.interface, mac, &[version], snapshot).map(Some)
        }
        Resolution::Pending | Resolution::Unknown | Resolution::Failed => {
            // The interface must be one of ours even while the neighbour is not known.
            next_hop::header(hop.interface, Mac::ZERO, &[version], snapshot)?;
            Ok(None)
        }
    }
}

/// The largest inner packet on a path with this MTU, and whether it is less than the tunnel's own MTU.
fn inner_mtu(outer: u16, remote: SocketAddr, snapshot: &Snapshot) -> (u16, bool) {
    let path = wireguard::inner_mtu(usize::from(outer), remote.is_ipv6());
    let path = u16::try_from(path).unwrap_or(u16::MAX);
    let tunnel = snapshot.interface(snapshot.tunnel.interface);
    tunnel.map_or((path, false), |tunnel| (tunnel.mtu.min(path), path < tunnel.mtu))
}

fn look_up<'s>(remote: SocketAddr, context: &Context<'s>) -> Option<&'s NextHop> {
    let fib = &context.snapshot.fib;
    let hash = context.hash_seed as u32 ^ u32::from(remote.port());
    match remote.ip() {
        IpAddr::V4(address) => fib.lookup4(address, hash),
        IpAddr::V6(address) => fib.lookup6(address, hash),
    }
}

fn is_local(address: IpAddr, snapshot: &Snapshot) -> bool {
    match address {
        IpAddr::V4(address) => snapshot.locals.contains4(address),
        IpAddr::V6(address) => snapshot.locals.contains6(address),
    }
}
