//! The ways out of the program, with their counters.

/// What the kernel does with a frame that left the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `XDP_PASS`: the kernel's stack gets it.
    Pass,
    /// `XDP_DROP`.
    Drop,
    /// `XDP_REDIRECT`: the AF_XDP socket of its queue gets it.
    Redirect,
}

macro_rules! exits {
    ($($(#[doc = $text:literal])+ $variant:ident = $name:literal => $action:ident,)+) => {
        /// A way out of the program. Each frame takes exactly one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Exit {
            $($(#[doc = $text])+ $variant,)+
        }

        impl Exit {
            /// All exits, in the order of their counters.
            pub const ALL: [Self; Self::COUNT] = [$(Self::$variant),+];
            /// How many there are.
            pub const COUNT: usize = [$($name),+].len();

            /// The name in metrics and tables.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What happens to the frame.
            pub const fn action(self) -> Action {
                match self {
                    $(Self::$variant => Action::$action,)+
                }
            }
        }
    };
}

exits! {
    /// The interface is not registered: none of the gateway's business.
    PortUnregistered = "port_unregistered" => Pass,
    /// The Ethernet header or a VLAN tag is cut off.
    FrameTruncated = "frame_truncated" => Drop,
    /// Three or more tags, or a tag protocol no VLAN device speaks.
    VlanUnsupported = "vlan_unsupported" => Drop,
    /// Transit or tunnel traffic of a VLAN that is not registered.
    VlanUnregistered = "vlan_unregistered" => Drop,
    /// ARP.
    Arp = "arp" => Pass,
    /// Neither IP nor ARP: LLDP, LACP, spanning tree.
    NonIp = "non_ip" => Pass,
    /// IPv4 header truncated or contradicting itself.
    Ipv4Malformed = "ipv4_malformed" => Drop,
    /// IPv6 header or extension header truncated or contradicting itself.
    Ipv6Malformed = "ipv6_malformed" => Drop,
    /// More than eight IPv6 extension headers.
    ExtensionChain = "extension_chain" => Drop,
    /// UDP or TCP without room for its ports.
    TransportTruncated = "transport_truncated" => Drop,
    /// Neighbour discovery to a multicast, link-local or local address.
    NeighbourDiscovery = "neighbour_discovery" => Pass,
    /// The source is blocked.
    Blocked = "blocked" => Drop,
    /// IP multicast.
    Multicast = "multicast" => Pass,
    /// IPv4 limited broadcast, or a group address in the Ethernet header.
    Broadcast = "broadcast" => Pass,
    /// IPv6 link-local destination.
    LinkLocal = "link_local" => Pass,
    /// To an address of this host.
    Local = "local" => Pass,
    /// Later fragment to an address of this host, of no tunnel packet as far as is known.
    LocalFragment = "local_fragment" => Pass,
    /// To a tunnel service, fragments too: its worker has it.
    Tunnel = "tunnel" => Redirect,
    /// To a tunnel service while the gateway is disabled.
    TunnelDisabled = "tunnel_disabled" => Drop,
    /// To a tunnel service; its queue has no socket.
    TunnelNoSocket = "tunnel_no_socket" => Drop,
    /// To a tunnel service; the worker of its queue is silent.
    TunnelStale = "tunnel_stale" => Drop,
    /// Transit: its worker has it.
    Transit = "transit" => Redirect,
    /// Transit while the gateway is disabled.
    TransitDisabled = "transit_disabled" => Drop,
    /// Transit; its queue has no socket.
    TransitNoSocket = "transit_no_socket" => Drop,
    /// Transit; the worker of its queue is silent.
    TransitStale = "transit_stale" => Drop,
    /// As `transit_disabled`, with `transit_on_failure = pass`.
    TransitDisabledPassed = "transit_disabled_passed" => Pass,
    /// As `transit_no_socket`, with `transit_on_failure = pass`.
    TransitNoSocketPassed = "transit_no_socket_passed" => Pass,
    /// As `transit_stale`, with `transit_on_failure = pass`.
    TransitStalePassed = "transit_stale_passed" => Pass,
}

/// Frames by exit since load, summed over the processors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters([u64; Exit::COUNT]);

impl Counters {
    pub(crate) const fn new(counts: [u64; Exit::COUNT]) -> Self {
        Self(counts)
    }

    /// Frames that left by `exit`.
    pub const fn get(&self, exit: Exit) -> u64 {
        self.0[exit as usize]
    }

    /// Every exit with its count, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (Exit, u64)> + '_ {
        Exit::ALL.into_iter().zip(self.0)
    }
}
