//! What a route says about a packet: which interface, through whom, with what limits.

use core::net::IpAddr;

/// The number control gave an interface (a VLAN sub-interface and a tunnel have their own).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId(pub u16);

impl InterfaceId {
    /// Stands where a route names no interface (blackhole, unreachable, prohibit).
    pub const NONE: Self = Self(u16::MAX);
}

/// What to do with packets of a route, as rtnetlink(7) names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHopKind {
    /// Forward, to the gateway or, without one, to the destination itself on the link.
    Unicast,
    /// Addressed to this host.
    Local,
    /// Drop in silence.
    Blackhole,
    /// Drop and answer host unreachable (ICMP 3/1, ICMPv6 1/0).
    Unreachable,
    /// Drop and answer administratively prohibited (ICMP 3/13, ICMPv6 1/1).
    Prohibit,
}

/// Where a gateway stands in the list of gateways of one [`Fib`](crate::Fib).
///
/// A hint, never an authority: [`Neighbours::resolve`](crate::Neighbours::resolve) compares the
/// entry it leads to with the gateway that is wanted, so a slot of another FIB costs a hash
/// lookup and cannot lead to a wrong MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GatewaySlot(pub(crate) u32);

impl GatewaySlot {
    /// Of a hop that no FIB has numbered yet, or that has no gateway.
    pub const NONE: Self = Self(u32::MAX);
}

/// One way on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHop {
    /// Forward, deliver here, or refuse.
    pub kind: NextHopKind,
    /// The interface to leave by; [`InterfaceId::NONE`] for a route that refuses.
    pub interface: InterfaceId,
    /// The router to hand the packet to; of either family. `None`: the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// The path's MTU in bytes of IP packet, where the route states one.
    pub mtu: Option<u16>,
    /// The source address for packets that the gateway itself originates.
    pub preferred_source: Option<IpAddr>,
    /// Set by [`FibBuilder`](crate::FibBuilder); leave it [`GatewaySlot::NONE`].
    pub gateway_slot: GatewaySlot,
}

impl NextHop {
    /// A hop of this kind through this interface, with nothing else stated.
    pub const fn new(kind: NextHopKind, interface: InterfaceId) -> Self {
        Self {
            kind,
            interface,
            gateway: None,
            mtu: None,
            preferred_source: None,
            gateway_slot: GatewaySlot::NONE,
        }
    }

    /// Forwarding to destinations on the link of `interface`.
    pub const fn on_link(interface: InterfaceId) -> Self {
        Self::new(NextHopKind::Unicast, interface)
    }

    /// Forwarding through `gateway` on `interface`.
    pub const fn via(interface: InterfaceId, gateway: IpAddr) -> Self {
        Self { gateway: Some(gateway), ..Self::on_link(interface) }
    }

    /// Delivery to this host, for an address of `interface`.
    pub const fn local(interface: InterfaceId) -> Self {
        Self::new(NextHopKind::Local, interface)
    }

    /// A route that leads nowhere: [`NextHopKind::Blackhole`] and its relatives.
    pub const fn discard(kind: NextHopKind) -> Self {
        Self::new(kind, InterfaceId::NONE)
    }

    /// With a path MTU in bytes.
    pub const fn with_mtu(self, mtu: u16) -> Self {
        Self { mtu: Some(mtu), ..self }
    }

    /// With a source address for what the gateway itself sends this way.
    pub const fn with_preferred_source(self, source: IpAddr) -> Self {
        Self { preferred_source: Some(source), ..self }
    }
}

/// One hop of a multipath route with its share of the flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WeightedHop {
    /// The hop.
    pub hop: NextHop,
    /// Its share relative to its siblings (`rtnh_hops + 1` of the kernel); 0 counts as 1.
    pub weight: u16,
}

impl From<NextHop> for WeightedHop {
    fn from(hop: NextHop) -> Self {
        Self { hop, weight: 1 }
    }
}
