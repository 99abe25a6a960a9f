//! What the kernel knows about the network, as plain values.
//!
//! The decoder makes them, [`super::Tables`] keeps them, `control::routing` compiles them. No netlink type leaks
//! out, so that tests and other parts build them by hand.

use core::net::{IpAddr, Ipv4Addr};
use core::ops::{BitOr, BitOrAssign};

use ipnet::IpNet;

use super::uapi::{
    RTN_ANYCAST, RTN_BLACKHOLE, RTN_BROADCAST, RTN_LOCAL, RTN_MULTICAST, RTN_PROHIBIT, RTN_THROW,
    RTN_UNICAST, RTN_UNREACHABLE,
};

/// The table of the gateway's own addresses, kept by the kernel.
pub const TABLE_LOCAL: u32 = 255;
/// The table `ip route` shows when nothing else is asked for.
pub const TABLE_MAIN: u32 = 254;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Interface index, unique in the network namespace and never 0.
    pub index: u32,
    /// Name, for people; it may change.
    pub name: String,
    /// The kernel's device kind (`veth`, `vlan`, `bridge`, `tun`, ..); physical devices have none.
    pub kind: Option<String>,
    /// Ethernet address; `None` for devices without one (TUN).
    pub mac: Option<[u8; 6]>,
    /// Largest IP packet, in bytes.
    pub mtu: u32,
    /// Set up by the administrator.
    pub up: bool,
    /// The lower layer works: a frame that is sent can leave.
    pub carrier: bool,
    /// State of the interface by RFC 2863.
    pub operational: OperationalState,
    /// The loopback device.
    pub loopback: bool,
    /// Point to point: no neighbour is resolved.
    pub point_to_point: bool,
    /// The device resolves no neighbours.
    pub no_arp: bool,
    /// Device below this one in the same namespace (the port of a VLAN interface; the peer of a veth).
    pub parent: Option<u32>,
    /// VLAN tag, when this is a VLAN sub-interface of `parent`.
    pub vlan: Option<Vlan>,
    /// Bridge, bond or VRF that this device belongs to.
    pub master: Option<u32>,
    /// Receive queues the device was made with: the maximum, not how many are in use (see `ethtool` channels).
    pub rx_queues: u32,
    /// Transmit queues the device was made with: the maximum, not how many are in use.
    pub tx_queues: u32,
    /// Bus and name on it of the hardware (`pci`, `0000:00:03.0`), when there is one.
    pub hardware: Option<(String, String)>,
}

/// Tag of a VLAN sub-interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vlan {
    /// VLAN id, 1 to 4094.
    pub id: u16,
    /// Ethertype of the tag: 0x8100 or 0x88a8.
    pub protocol: u16,
}

/// State of an interface by RFC 2863.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationalState {
    /// The driver does not say (loopback and TUN devices that work stay here).
    Unknown,
    /// The hardware is missing.
    NotPresent,
    /// Down.
    Down,
    /// A device below is down.
    LowerLayerDown,
    /// In a test mode.
    Testing,
    /// Waits for an external event, such as 802.1X.
    Dormant,
    /// Up.
    Up,
}

/// An address of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Index of the interface that holds it.
    pub interface: u32,
    /// The address itself.
    pub address: IpAddr,
    /// Length of the prefix on the link.
    pub prefix_length: u8,
    /// Other end of a point-to-point address.
    pub peer: Option<IpAddr>,
    /// Broadcast address of the prefix.
    pub broadcast: Option<Ipv4Addr>,
    /// IPv4: another address of the same prefix comes first as source. IPv6: a temporary address (RFC 8981).
    pub secondary: bool,
    /// Duplicate address detection runs or failed: the address is not ours to use (RFC 4862).
    pub tentative: bool,
}

/// One route of one table, as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Table it is in.
    pub table: u32,
    /// Destination, host bits cleared; length 0 is the default route.
    pub destination: IpNet,
    /// Source prefix of source-specific IPv6 routing; length 0 for all others.
    pub source: IpNet,
    /// IPv4 type-of-service selector; 0 for all.
    pub tos: u8,
    /// Preference among routes to the same destination: the lowest is used.
    pub metric: u32,
    /// What happens to a packet that matches.
    pub kind: RouteKind,
    /// Who made it (`RTPROT_*`: 2 kernel, 3 boot, 4 static, 186 BGP, ..).
    pub protocol: u8,
    /// Distance of the destination (`RT_SCOPE_*`; 0 is global, 253 the link).
    pub scope: u8,
    /// Source address for packets that the gateway itself makes.
    pub preferred_source: Option<IpAddr>,
    /// Path MTU set on the route.
    pub mtu: Option<u32>,
    /// Ways out, in the kernel's order; empty for kinds that lead nowhere. For a route by nexthop object they are
    /// what the kernel said along with it; [`super::Tables::ways`] gives the present ones.
    pub hops: Vec<Hop>,
    /// Nexthop object the route uses.
    pub nexthop: Option<u32>,
}

/// One way out of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Index of the interface.
    pub interface: u32,
    /// Next router; `None` when the destination is on the link. It may be IPv6 for an IPv4 route (RFC 5549).
    pub gateway: Option<IpAddr>,
    /// The gateway is taken to be on the link even if no prefix says so.
    pub onlink: bool,
    /// Share of the flows, 1 and up.
    pub weight: u16,
    /// The kernel would encapsulate (MPLS, SRv6, ..): workers cannot follow it.
    pub encapsulated: bool,
}

/// What a route does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteKind {
    /// Forward by one of the hops.
    Unicast,
    /// For the gateway itself.
    Local,
    /// A broadcast address of the gateway's links.
    Broadcast,
    /// An anycast address that the gateway answers to.
    Anycast,
    /// A multicast range.
    Multicast,
    /// Discard in silence.
    Blackhole,
    /// Discard, answer host unreachable.
    Unreachable,
    /// Discard, answer administratively prohibited.
    Prohibit,
    /// Go on with the next table.
    Throw,
    /// A kind this program does not know, by the kernel's number.
    Other(u8),
}

impl RouteKind {
    pub(super) const fn from_number(number: u8) -> Self {
        match number {
            RTN_UNICAST => Self::Unicast,
            RTN_LOCAL => Self::Local,
            RTN_BROADCAST => Self::Broadcast,
            RTN_ANYCAST => Self::Anycast,
            RTN_MULTICAST => Self::Multicast,
            RTN_BLACKHOLE => Self::Blackhole,
            RTN_UNREACHABLE => Self::Unreachable,
            RTN_PROHIBIT => Self::Prohibit,
            RTN_THROW => Self::Throw,
            other => Self::Other(other),
        }
    }
}

/// A neighbour entry (RFC 826, RFC 4861).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Index of the interface.
    pub interface: u32,
    /// Protocol address.
    pub address: IpAddr,
    /// Ethernet address, when known.
    pub mac: Option<[u8; 6]>,
    /// How sure the kernel is of it.
    pub state: NeighbourState,
    /// The neighbour says that it is a router.
    pub router: bool,
}

/// How sure the kernel is of a neighbour entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeighbourState {
    /// Just made, nothing asked.
    None,
    /// Being resolved.
    Incomplete,
    /// Confirmed lately.
    Reachable,
    /// Not confirmed lately; used until shown to be wrong.
    Stale,
    /// Used while stale; a probe follows.
    Delay,
    /// Being probed.
    Probe,
    /// Does not answer.
    Failed,
    /// The device needs no resolution.
    NoArp,
    /// Set by the administrator; never expires.
    Permanent,
}

impl NeighbourState {
    /// The entry's Ethernet address may be used.
    pub const fn is_valid(self) -> bool {
        match self {
            Self::Reachable
            | Self::Stale
            | Self::Delay
            | Self::Probe
            | Self::NoArp
            | Self::Permanent => true,
            Self::None | Self::Incomplete | Self::Failed => false,
        }
    }
}

/// A nexthop object (`ip nexthop`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nexthop {
    /// Its number, never 0.
    pub id: u32,
    /// Where it leads.
    pub target: NexthopTarget,
}

/// Where a nexthop object leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NexthopTarget {
    /// One way out.
    Hop(Hop),
    /// Nowhere, in silence.
    Blackhole,
    /// Several objects with their weights, 1 and up.
    Group(Vec<(u32, u16)>),
}

/// Which kinds of things changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes(u8);

impl Changes {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Links.
    pub const LINKS: Self = Self(1);
    /// Addresses.
    pub const ADDRESSES: Self = Self(2);
    /// Routes of the mirrored tables, or nexthop objects.
    pub const ROUTES: Self = Self(4);
    /// Neighbours.
    pub const NEIGHBOURS: Self = Self(8);
    /// Messages were lost and everything was read again; the bits of what differs are set as well.
    pub const OVERRUN: Self = Self(16);
    /// There is more to read: call again on the next turn, the file descriptor may not become ready again.
    pub const MORE: Self = Self(32);

    /// All bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Some bit of `other` is set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// No bit is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Changes {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Changes {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
