//! The network around the gateway, as control would publish it.
//!
//! Two devices: `wan` (192.0.2.1, 2001:db8::1) and `lan` (10.1.0.1, fd00:1::1) with VLAN 7 (10.7.0.1). A tunnel
//! (10.8.0.1, fd00:8::1) to the peers of [`PEERS`]. A default route through [`DEFAULT_GATEWAY`], and one route of
//! every kind that refuses.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use policy::{
    Action, IcmpTypeMatch, PeerSpec, Policy, PolicySpec, PortMatch, ProtocolMatch, RuleSpec,
    ZoneId, ZoneMatch, ZoneSpec,
};
use route::{
    FibBuilder, InterfaceId, Lpm, Neighbour, NeighbourState, NeighboursBuilder, NextHop,
    NextHopKind,
};
use wire::Mac;
use wireguard::PeerHandle;

use crate::snapshot::{
    Interface, InterfaceKind, LocalAddresses, PeerOwners, PortId, PortInterfaces, Snapshot, Tunnel,
    TunnelPeer,
};

/// The device towards the Internet.
pub const WAN: PortId = PortId(0);
/// The device towards the hosts that the gateway serves.
pub const LAN: PortId = PortId(1);
/// Our MAC address on all devices.
pub const GATEWAY_MAC: Mac = wire::build::DESTINATION_MAC;
/// The MAC address of everybody else.
pub const HOST_MAC: Mac = wire::build::SOURCE_MAC;
/// The port that the tunnel listens on.
pub const LISTEN_PORT: u16 = 51820;
/// The MTU of the tunnel.
pub const INNER_MTU: u16 = 1420;
/// Our address on the WAN.
pub const WAN_ADDRESS: &str = "192.0.2.1";
/// Our address on the WAN.
pub const WAN_ADDRESS6: &str = "2001:db8::1";
/// A host on the LAN.
pub const LAN_HOST: &str = "10.1.0.5";
/// A host on the LAN.
pub const LAN_HOST6: &str = "fd00:1::5";
/// A host far away, through [`DEFAULT_GATEWAY`].
pub const SERVER: &str = "9.9.9.9";
/// A host far away, through the IPv6 default gateway.
pub const SERVER6: &str = "2620:fe::9";
/// The default gateway.
pub const DEFAULT_GATEWAY: &str = "192.0.2.254";
/// The zone of the tunnel.
pub const VPN_ZONE: ZoneId = ZoneId(3);

/// The interfaces by number.
pub mod interface {
    use route::InterfaceId;

    /// `wan`
    pub const WAN: InterfaceId = InterfaceId(0);
    /// `lan`
    pub const LAN: InterfaceId = InterfaceId(1);
    /// `lan.7`
    pub const VLAN: InterfaceId = InterfaceId(2);
    /// `ringwall0`
    pub const TUNNEL: InterfaceId = InterfaceId(3);
    /// An interface that the gateway does not serve.
    pub const FOREIGN: InterfaceId = InterfaceId(4);
}

/// A peer of the tunnel.
#[derive(Clone, Copy, Debug)]
pub struct PeerPlan {
    /// Where it is.
    pub endpoint: &'static str,
    /// What lies behind it.
    pub allowed_ips: &'static [&'static str],
    /// A host behind it.
    pub host: &'static str,
    /// A host behind it.
    pub host6: &'static str,
    /// Whether its application messages are wanted.
    pub application_messages: bool,
}

/// The peers by number. The first is reached over IPv4, the second over IPv6, the third through the gateway.
pub const PEERS: [PeerPlan; 4] = [
    PeerPlan {
        endpoint: "192.0.2.10:40000",
        allowed_ips: &["10.20.0.0/16", "fd00:20::/64"],
        host: "10.20.0.5",
        host6: "fd00:20::5",
        application_messages: false,
    },
    PeerPlan {
        endpoint: "[2001:db8::11]:40001",
        allowed_ips: &["10.30.0.0/16", "fd00:30::/64"],
        host: "10.30.0.5",
        host6: "fd00:30::5",
        application_messages: true,
    },
    PeerPlan {
        endpoint: "198.18.0.12:40002",
        allowed_ips: &["10.40.0.0/16", "fd00:40::/64"],
        host: "10.40.0.5",
        host6: "fd00:40::5",
        application_messages: false,
    },
    PeerPlan {
        endpoint: "192.0.2.13:40003",
        allowed_ips: &["10.50.0.0/16", "fd00:50::/64"],
        host: "10.50.0.5",
        host6: "fd00:50::5",
        application_messages: false,
    },
];

/// The handle of a peer.
pub const fn peer_handle(index: u32) -> PeerHandle {
    PeerHandle::new(index, 1)
}

/// The interface of untagged frames of `lan` and `wan`.
pub fn port(id: PortId) -> InterfaceId {
    if id == WAN { interface::WAN } else { interface::LAN }
}

/// Routes and neighbours, to change and to compile.
#[derive(Debug)]
pub struct Network {
    /// The routes.
    pub routes: FibBuilder,
    /// The neighbours.
    pub neighbours: NeighboursBuilder,
}

impl Network {
    /// The network that the module describes.
    pub fn new() -> Self {
        let mut routes = FibBuilder::new();
        let mut add = |prefix: &str, hop: NextHop| {
            routes.insert(prefix.parse().expect("a prefix"), &[hop.into()]);
        };
        add("192.0.2.0/24", NextHop::on_link(interface::WAN));
        add("2001:db8::/64", NextHop::on_link(interface::WAN));
        add("10.1.0.0/16", NextHop::on_link(interface::LAN));
        add("fd00:1::/64", NextHop::on_link(interface::LAN));
        add("10.7.0.0/16", NextHop::on_link(interface::VLAN));
        add("10.8.0.0/24", NextHop::on_link(interface::TUNNEL));
        add("0.0.0.0/0", NextHop::via(interface::WAN, address(DEFAULT_GATEWAY)));
        add("2620::/16", NextHop::via(interface::WAN, address("2001:db8::fe")));
        add("10.66.0.0/16", NextHop::discard(NextHopKind::Blackhole));
        add("10.67.0.0/16", NextHop::discard(NextHopKind::Unreachable));
        add("10.68.0.0/16", NextHop::discard(NextHopKind::Prohibit));
        add("10.69.0.0/16", NextHop::on_link(interface::FOREIGN));
        add("fd00:66::/64", NextHop::discard(NextHopKind::Blackhole));
        add("fd00:67::/64", NextHop::discard(NextHopKind::Unreachable));
        add("fd00:68::/64", NextHop::discard(NextHopKind::Prohibit));
        for prefix in PEERS.iter().flat_map(|peer| peer.allowed_ips) {
            add(prefix, NextHop::on_link(interface::TUNNEL));
        }
        let mut network = Self { routes, neighbours: NeighboursBuilder::new(7) };
        for known in [DEFAULT_GATEWAY, "192.0.2.10", "192.0.2.13", "2001:db8::fe", "2001:db8::11"] {
            network.learn(interface::WAN, known);
        }
        network.learn(interface::LAN, LAN_HOST);
        network.learn(interface::LAN, LAN_HOST6);
        network.learn(interface::VLAN, "10.7.0.5");
        network
    }

    /// A neighbour answers.
    pub fn learn(&mut self, interface: InterfaceId, at: &str) {
        let (mac, state) = (HOST_MAC, NeighbourState::Reachable);
        self.neighbours.insert(Neighbour { interface, address: address(at), mac, state });
    }

    /// What control would publish.
    pub fn snapshot(&mut self, owners: PeerOwners, generation: u64) -> Snapshot {
        let fib = self.routes.snapshot();
        let neighbours = self.neighbours.snapshot(&fib);
        let allowed = |(index, plan): (u32, &PeerPlan)| {
            plan.allowed_ips
                .iter()
                .map(move |prefix| (prefix.parse::<IpNet>().expect("a prefix"), index))
        };
        let peers = (0..).zip(&PEERS).map(|(index, plan)| {
            Some(TunnelPeer {
                id: peer_handle(index),
                application_messages: plan.application_messages,
            })
        });
        Snapshot {
            generation,
            path_generation: generation,
            interfaces: interfaces(),
            ports: ports(),
            locals: locals(),
            fib: Arc::new(fib),
            neighbours: Arc::new(neighbours),
            policy: Arc::new(Policy::compile(&policy()).expect("a policy")),
            tunnel: Tunnel {
                interface: interface::TUNNEL,
                listen_port: LISTEN_PORT,
                allowed_ips: Lpm::from_prefixes((0..).zip(&PEERS).flat_map(allowed)),
                peers: peers.collect(),
                owners,
                gate: None,
            },
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl PeerPlan {
    /// Where it is.
    pub fn socket(&self) -> SocketAddr {
        self.endpoint.parse().expect("an address and a port")
    }
}

pub(super) fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn interfaces() -> Box<[Interface]> {
    let device = |port, vlan| InterfaceKind::Port { port, vlan, mac: GATEWAY_MAC.0 };
    let of = |name: &str, kind, zone, mtu, address4: &str, address6: &str| Interface {
        name: name.to_owned(),
        kind,
        zone: ZoneId(zone),
        mtu,
        address4: address4.parse().ok(),
        address6: address6.parse().ok(),
    };
    [
        of("wan", device(WAN, None), 1, 1500, WAN_ADDRESS, WAN_ADDRESS6),
        of("lan", device(LAN, None), 2, 1500, "10.1.0.1", "fd00:1::1"),
        of("lan.7", device(LAN, Some(7)), 2, 1400, "10.7.0.1", ""),
        of("ringwall0", InterfaceKind::Tunnel, VPN_ZONE.0, INNER_MTU, "10.8.0.1", "fd00:8::1"),
        of("docker0", InterfaceKind::Unattached, 0, 1500, "10.69.0.1", ""),
    ]
    .into()
}

fn ports() -> Box<[PortInterfaces]> {
    let lan =
        PortInterfaces { untagged: Some(interface::LAN), vlans: [(7, interface::VLAN)].into() };
    [PortInterfaces { untagged: Some(interface::WAN), vlans: Box::default() }, lan].into()
}

fn locals() -> LocalAddresses {
    let v4: [Ipv4Addr; 5] =
        [[192, 0, 2, 1], [10, 1, 0, 1], [10, 7, 0, 1], [10, 8, 0, 1], [10, 69, 0, 1]]
            .map(Into::into);
    let v6 = [WAN_ADDRESS6, "fd00:1::1", "fd00:8::1"];
    LocalAddresses::new(v4, v6.map(|text| text.parse::<Ipv6Addr>().expect("an address")))
}

/// LAN and tunnels talk to each other and to the Internet, the Internet to nobody; TCP and UDP port 25 are
/// rejected, port 23 denied, whoever asks; tunnels may ping the gateway.
fn policy() -> PolicySpec {
    let zone = |name: &str, id| ZoneSpec { name: name.to_owned(), id };
    let to_port = |name, action, port| RuleSpec {
        destination_ports: PortMatch::In(vec![port..=port]),
        ..RuleSpec::new(name, action)
    };
    let allow = |from: &str, to: &str| RuleSpec {
        from: ZoneMatch::Zone(from.to_owned()),
        to: ZoneMatch::Zone(to.to_owned()),
        ..RuleSpec::new(format!("{from}-to-{to}"), Action::Allow)
    };
    let ping = |name, protocol| RuleSpec {
        protocol,
        icmp_types: IcmpTypeMatch::Any,
        ..RuleSpec { name, ..allow("vpn", "local") }
    };
    PolicySpec {
        zones: vec![zone("wan", ZoneId(1)), zone("lan", ZoneId(2)), zone("vpn", VPN_ZONE)],
        sets: Vec::new(),
        peers: (0..)
            .zip(&PEERS)
            .map(|(id, _)| PeerSpec { name: format!("peer{id}"), id })
            .collect(),
        rules: vec![
            to_port("mail", Action::Reject, 25),
            to_port("telnet", Action::Deny, 23),
            allow("lan", "wan"),
            allow("lan", "lan"),
            allow("lan", "vpn"),
            allow("vpn", "lan"),
            allow("vpn", "vpn"),
            allow("vpn", "wan"),
            allow("local", "vpn"),
            allow("local", "lan"),
            ping("ping".to_owned(), ProtocolMatch::ICMP),
            ping("ping6".to_owned(), ProtocolMatch::ICMPV6),
        ],
    }
}
