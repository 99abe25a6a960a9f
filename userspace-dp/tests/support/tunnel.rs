//! The usual scene: clients outside, a gateway, a server behind it, tunnels ready to be used.

use crate::gateway::RingwallGateway;
use crate::keys::{KeyPair, preshared_key};
use crate::network::{Lab, LabOptions, Namespace, Topology};
use crate::settings::{GatewaySettings, PeerSettings, TUNNEL_POLICY};
use crate::traffic::WebServer;
use crate::wireguard::{Implementation, Interface, InterfaceSettings, RemotePeer};
use anyhow::{Context, Result, bail};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;

/// The server behind the gateway.
pub const SERVER_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 2));
/// The server behind the gateway.
pub const SERVER_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 2));
/// Where clients reach the gateway.
pub const GATEWAY_OUTSIDE_V4: SocketAddrV4 =
    SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), GATEWAY_PORT);
/// The gateway's own tunnel address.
pub const GATEWAY_TUNNEL_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 8, 0, 1));
/// The gateway's own tunnel address.
pub const GATEWAY_TUNNEL_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 8, 0, 0, 0, 0, 0, 1));

const GATEWAY_PORT: u16 = 51820;
const CLIENT_PORT: u16 = 51000;
/// Fits every outer header in an MTU of 1500.
const TUNNEL_MTU: u32 = 1420;
const PAYLOAD_BYTES: usize = 4 << 20;

/// Address family of the outer packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Whose gateway stands in the middle.
#[derive(Debug, Clone)]
pub enum GatewayKind {
    /// Ringwall, by the path of its binary.
    Ringwall(PathBuf),
    /// Another implementation with kernel forwarding: proves the lab and the peers.
    Reference(Implementation),
}

/// Who sends the first handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Clients know the gateway's endpoint; the gateway learns theirs.
    ClientsCall,
    /// The gateway knows the clients' endpoints; they learn its.
    GatewayCalls,
}

/// What the scene looks like.
#[derive(Debug, Clone)]
pub struct TunnelOptions {
    /// The gateway.
    pub gateway: GatewayKind,
    /// The clients' implementation.
    pub client: Implementation,
    /// How many clients, all in one namespace, each with an interface and addresses of its own.
    pub clients: u8,
    /// Outer address family.
    pub outer: Family,
    /// Who calls first.
    pub start: Start,
    /// Whether tunnels use a preshared key.
    pub preshared: bool,
    /// MTU of the gateway's end of the link to the server, which drops what is larger, whatever the server believes;
    /// none for that of every other link.
    pub lan_mtu: Option<u32>,
    /// Further sections of Ringwall's configuration.
    pub further: &'static str,
}

impl TunnelOptions {
    /// One wireguard-go client that calls over IPv4, without a preshared key.
    #[must_use]
    pub fn new(gateway: GatewayKind) -> Self {
        Self {
            gateway,
            client: Implementation::WireguardGo,
            clients: 1,
            outer: Family::V4,
            start: Start::ClientsCall,
            preshared: false,
            lan_mtu: None,
            further: "",
        }
    }
}

/// The gateway in the middle.
#[derive(Debug)]
pub enum RunningGateway {
    /// Ringwall.
    Ringwall(RingwallGateway),
    /// A reference.
    Reference(Interface),
}

impl RunningGateway {
    /// Process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        match self {
            Self::Ringwall(gateway) => gateway.id(),
            Self::Reference(interface) => interface.id(),
        }
    }
}

/// The scene. Fields end in the order in which they stand here.
#[derive(Debug)]
pub struct Tunnel {
    /// The clients' interfaces.
    pub clients: Vec<Interface>,
    /// A web server behind the gateway.
    pub web: WebServer,
    /// The gateway.
    pub gateway: RunningGateway,
    /// Its configuration, to be changed and reloaded.
    pub settings: GatewaySettings,
    kind: GatewayKind,
    /// The network.
    pub lab: Lab,
}

impl Tunnel {
    /// Builds the scene, runs `body`, and takes the scene down. When `body` fails, the logs are printed.
    ///
    /// # Errors
    /// Those of `body` and of the building.
    pub fn with(options: &TunnelOptions, body: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let mut tunnel = Self::build(options)?;
        let outcome = body(&mut tunnel);
        if outcome.is_err() {
            tunnel.print_logs();
        }
        outcome
    }

    fn build(options: &TunnelOptions) -> Result<Self> {
        let lab = Lab::up(LabOptions {
            kernel_forwarding: matches!(options.gateway, GatewayKind::Reference(_)),
            ..LabOptions::new(Topology::Client)
        })?;
        if let Some(mtu) = options.lan_mtu {
            lab.namespace("gateway").run(&format!("ip link set lan0 mtu {mtu}"))?;
        }
        let gateway_keys = KeyPair::generate()?;
        let mut settings = gateway_settings(&lab, &gateway_keys);
        settings.policy.push_str(options.further);
        let mut interfaces = Vec::new();
        for index in 0..options.clients {
            let keys = KeyPair::generate()?;
            let preshared = options.preshared.then(preshared_key).transpose()?;
            settings.peers.push(peer_settings(index, &keys, preshared.clone(), options));
            interfaces.push(client_settings(&lab, index, &keys, &gateway_keys, preshared, options));
        }
        let gateway = start_gateway(&lab, &options.gateway, &settings)?;
        let web = WebServer::start(&lab, &lab.namespace("server"), PAYLOAD_BYTES)?;
        let outside = lab.namespace("client");
        let clients = interfaces
            .iter()
            .map(|interface| Interface::start(&lab, &outside, interface))
            .collect::<Result<_>>()?;
        Ok(Self { clients, web, gateway, settings, kind: options.gateway.clone(), lab })
    }

    /// The namespace of the clients.
    #[must_use]
    pub fn client_side(&self) -> Namespace {
        self.lab.namespace("client")
    }

    /// The namespace of the server.
    #[must_use]
    pub fn server_side(&self) -> Namespace {
        self.lab.namespace("server")
    }

    /// Ringwall, in a scene that was built with it.
    ///
    /// # Errors
    /// In any other scene.
    pub fn ringwall(&mut self) -> Result<&mut RingwallGateway> {
        match &mut self.gateway {
            RunningGateway::Ringwall(gateway) => Ok(gateway),
            RunningGateway::Reference(_) => bail!("the gateway of this scene is a reference"),
        }
    }

    /// Starts the gateway again, after it ended.
    ///
    /// # Errors
    /// As the first start.
    pub fn restart_gateway(&mut self) -> Result<()> {
        self.gateway = start_gateway(&self.lab, &self.kind, &self.settings)?;
        Ok(())
    }

    /// Makes a client send everything that it routes into its tunnel to the gateway: no destination is refused there.
    ///
    /// # Errors
    /// When `wg` fails.
    pub fn allow_every_destination(&self, client: usize) -> Result<()> {
        let interface = self.clients.get(client).context("a client")?;
        let peer = interface.wg("show", "peers")?.trim().to_owned();
        interface.wg("set", &format!("peer {peer} allowed-ips 0.0.0.0/0,::/0")).map(drop)
    }

    /// The tunnel addresses of a client.
    #[must_use]
    pub fn client_addresses(index: u8) -> [IpAddr; 2] {
        let host = index + 2;
        [
            IpAddr::V4(Ipv4Addr::new(10, 8, 0, host)),
            IpAddr::V6(Ipv6Addr::new(0xfd00, 8, 0, 0, 0, 0, 0, u16::from(host))),
        ]
    }

    fn print_logs(&self) {
        let Ok(files) = std::fs::read_dir(self.lab.directory()) else { return };
        for path in files.flatten().map(|file| file.path()) {
            if path.extension().is_some_and(|extension| extension == "log") {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                eprintln!("--- {}\n{text}", path.display());
            }
        }
    }
}

fn start_gateway(
    lab: &Lab,
    kind: &GatewayKind,
    settings: &GatewaySettings,
) -> Result<RunningGateway> {
    start_gateway_in(lab, &lab.namespace("gateway"), kind, settings)
}

/// Starts a gateway of any kind from the same settings.
pub(crate) fn start_gateway_in(
    lab: &Lab,
    middle: &Namespace,
    kind: &GatewayKind,
    settings: &GatewaySettings,
) -> Result<RunningGateway> {
    Ok(match kind {
        GatewayKind::Ringwall(program) => {
            RunningGateway::Ringwall(RingwallGateway::start(program, lab, middle, settings)?)
        }
        GatewayKind::Reference(implementation) => {
            let interface = reference_settings(*implementation, settings);
            RunningGateway::Reference(
                Interface::start(lab, middle, &interface).context("the reference gateway")?,
            )
        }
    })
}

fn gateway_settings(lab: &Lab, keys: &KeyPair) -> GatewaySettings {
    GatewaySettings {
        workers: 2,
        cpus: Vec::new(),
        poll_mode: "interrupt",
        interfaces: vec![("wan0", "wan"), ("lan0", "lan")],
        tunnel_interface: lab.interface_name("g"),
        private_key: keys.private.clone(),
        listen_port: GATEWAY_PORT,
        addresses: vec![format!("{GATEWAY_TUNNEL_V4}/24"), format!("{GATEWAY_TUNNEL_V6}/64")],
        peers: Vec::new(),
        policy: TUNNEL_POLICY.to_owned(),
    }
}

fn peer_settings(
    index: u8,
    keys: &KeyPair,
    preshared_key: Option<String>,
    options: &TunnelOptions,
) -> PeerSettings {
    let client = match options.outer {
        Family::V4 => IpAddr::from([192, 0, 2, 2]),
        Family::V6 => IpAddr::from([0x2001, 0xdb8, 1, 0, 0, 0, 0, 2]),
    };
    let endpoint = SocketAddr::new(client, CLIENT_PORT + u16::from(index));
    PeerSettings {
        name: format!("client{index}"),
        public_key: keys.public.clone(),
        preshared_key,
        endpoint: (options.start == Start::GatewayCalls).then_some(endpoint),
        allowed_ips: Tunnel::client_addresses(index).iter().map(host_prefix).collect(),
    }
}

fn client_settings(
    lab: &Lab,
    index: u8,
    keys: &KeyPair,
    gateway: &KeyPair,
    preshared_key: Option<String>,
    options: &TunnelOptions,
) -> InterfaceSettings {
    let address = match options.outer {
        Family::V4 => IpAddr::from([192, 0, 2, 1]),
        Family::V6 => IpAddr::from([0x2001, 0xdb8, 1, 0, 0, 0, 0, 1]),
    };
    let endpoint = SocketAddr::new(address, GATEWAY_PORT);
    let behind = ["198.51.100.0/24", "2001:db8:2::/64"].map(str::to_owned);
    let gateway_addresses = [GATEWAY_TUNNEL_V4, GATEWAY_TUNNEL_V6];
    InterfaceSettings {
        implementation: options.client,
        name: lab.interface_name(&format!("c{index}")),
        private_key: keys.private.clone(),
        listen_port: CLIENT_PORT + u16::from(index),
        addresses: Tunnel::client_addresses(index).iter().map(host_prefix).collect(),
        mtu: TUNNEL_MTU,
        peers: vec![RemotePeer {
            public_key: gateway.public.clone(),
            preshared_key,
            endpoint: (options.start == Start::ClientsCall).then_some(endpoint),
            allowed_ips: behind
                .into_iter()
                .chain(gateway_addresses.iter().map(host_prefix))
                .collect(),
        }],
    }
}

fn reference_settings(
    implementation: Implementation,
    settings: &GatewaySettings,
) -> InterfaceSettings {
    let peer = |peer: &PeerSettings| RemotePeer {
        public_key: peer.public_key.clone(),
        preshared_key: peer.preshared_key.clone(),
        endpoint: peer.endpoint,
        allowed_ips: peer.allowed_ips.clone(),
    };
    InterfaceSettings {
        implementation,
        name: settings.tunnel_interface.clone(),
        private_key: settings.private_key.clone(),
        listen_port: settings.listen_port,
        addresses: settings.addresses.clone(),
        mtu: TUNNEL_MTU,
        peers: settings.peers.iter().map(peer).collect(),
    }
}

fn host_prefix(address: &IpAddr) -> String {
    let length = if address.is_ipv4() { 32 } else { 128 };
    format!("{address}/{length}")
}
