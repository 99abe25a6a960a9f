//! Compiles what workers are told, and publishes it when something changed.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use pipeline::{
    Interface, InterfaceKind, LocalAddresses, PeerOwners, PortInterfaces, Snapshot, Tunnel,
    TunnelPeer,
};
use policy::{Policy, ZoneId};
use route::{Fib, InterfaceId, Neighbours};
use wireguard::{Gate, PublicKey};

use super::allowed_ips::{AllowedIps, reserved};
use super::devices::Found;
use super::netlink::{Changes, Tables};
use super::observer::RouteView;
use super::peers::PeerRegistry;
use super::routing::{self, Compiler, InterfaceNumbers, Report};
use super::rules;
use super::tunnel::TunnelDevice;

/// The parts of the present snapshot, each rebuilt only when what it depends on changed.
pub struct SnapshotMaker {
    compiler: Compiler,
    numbers: InterfaceNumbers,
    found: Vec<Found>,
    tunnel_ifindex: u32,
    tunnel_mtu: u16,
    listen_port: u16,
    owners: PeerOwners,
    gate: Option<Arc<Gate>>,
    generation: u64,
    path_generation: u64,
    interfaces: Vec<Interface>,
    locals: LocalAddresses,
    /// Broadcast addresses stand last.
    local_list: Vec<IpAddr>,
    unicast_locals: usize,
    fib: Arc<Fib>,
    neighbours: Arc<Neighbours>,
    policy: Arc<Policy>,
    allowed_ips: AllowedIps,
    peers: Arc<[Option<TunnelPeer>]>,
    report: Report,
}

/// What does not change while the gateway runs.
pub struct Fixed<'a> {
    /// The devices.
    pub found: &'a [Found],
    /// The tunnel device, if there is a tunnel.
    pub tunnel: Option<&'a TunnelDevice>,
    /// The UDP port of the tunnel; zero without one.
    pub listen_port: u16,
    /// The owner words.
    pub owners: PeerOwners,
    /// The gate.
    pub gate: Option<Arc<Gate>>,
    /// Keys hash tables; random per boot.
    pub seed: u64,
}

impl SnapshotMaker {
    /// A maker that knows no tables so far; call the `take_` functions before [`SnapshotMaker::make`].
    pub fn new(fixed: &Fixed<'_>) -> Self {
        let mut numbers: InterfaceNumbers = (0..)
            .zip(fixed.found)
            .map(|(number, found)| (found.ifindex, InterfaceId(number)))
            .collect();
        let tunnel_ifindex = fixed.tunnel.map_or(0, |tunnel| tunnel.ifindex);
        if tunnel_ifindex != 0 {
            numbers.insert(tunnel_ifindex, InterfaceId(fixed.found.len() as u16));
        }
        Self {
            compiler: Compiler::new(&[super::netlink::TABLE_MAIN], fixed.seed),
            numbers,
            found: fixed.found.to_vec(),
            tunnel_ifindex,
            tunnel_mtu: fixed.tunnel.map_or(0, |tunnel| tunnel.mtu),
            listen_port: fixed.listen_port,
            owners: fixed.owners.clone(),
            gate: fixed.gate.clone(),
            generation: 0,
            path_generation: 0,
            interfaces: Vec::new(),
            locals: LocalAddresses::default(),
            local_list: Vec::new(),
            unicast_locals: 0,
            fib: Arc::new(Fib::empty()),
            neighbours: Arc::new(Neighbours::empty()),
            policy: Arc::new(Policy::deny_all()),
            allowed_ips: AllowedIps::default(),
            peers: Arc::new([]),
            report: Report::default(),
        }
    }

    /// Has workers judge handshake messages by another identity of the gateway.
    pub fn take_identity(&mut self, public_key: &PublicKey) {
        self.gate = self.gate.take().map(|gate| Arc::new(gate.with_identity(public_key)));
    }

    /// The number of each interface by the kernel's index.
    pub fn numbers(&self) -> &InterfaceNumbers {
        &self.numbers
    }

    /// The gateway's own addresses.
    pub fn local_addresses(&self) -> &[IpAddr] {
        &self.local_list
    }

    /// The same without broadcast addresses: where peers may reach the gateway.
    pub fn unicast_addresses(&self) -> &[IpAddr] {
        self.local_list.get(..self.unicast_locals).unwrap_or_default()
    }

    /// What the last compilation of routes met.
    pub fn routes_report(&self) -> Report {
        self.report
    }

    /// Every route with its next hops.
    pub fn routes(&self) -> Vec<RouteView> {
        self.compiler.routes().map(|(prefix, hops)| (prefix, hops.to_vec())).collect()
    }

    /// Takes over what changed in the kernel. Whether a new snapshot is due.
    pub fn take_kernel(
        &mut self,
        tables: &Tables,
        changes: Changes,
        config: &config::Config,
    ) -> Result<bool> {
        let routing = Changes::LINKS | Changes::ADDRESSES | Changes::ROUTES;
        if changes.intersects(routing) {
            let (fib, report) = self.compiler.fib(tables, &self.numbers);
            self.fib = Arc::new(fib);
            self.report = report;
            self.take_locals(tables);
            self.take_interfaces(tables, config)?;
            self.allowed_ips.take_reserved(reserved(tables, config));
        }
        if changes.intersects(routing | Changes::NEIGHBOURS) {
            self.neighbours = Arc::new(self.compiler.neighbours(tables, &self.numbers, &self.fib));
            self.path_generation += 1;
        }
        Ok(!changes.is_empty())
    }

    /// Takes over peers.
    pub fn take_peers(&mut self, registry: &PeerRegistry) {
        self.peers = registry.table();
        self.allowed_ips.take_peers(registry.allowed_ips());
    }

    /// Takes over a compiled policy.
    pub fn take_policy(&mut self, policy: Policy) {
        self.policy = Arc::new(policy);
    }

    fn take_locals(&mut self, tables: &Tables) {
        let locals = routing::locals(tables);
        let broadcasts = locals.broadcasts.iter().copied();
        let v4 = locals.addresses.iter().filter_map(|address| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        });
        let v6 = locals.addresses.iter().filter_map(|address| match address {
            IpAddr::V6(address) => Some(*address),
            IpAddr::V4(_) => None,
        });
        self.locals = LocalAddresses::new(v4.chain(broadcasts.clone()), v6);
        self.local_list = locals.addresses.iter().copied().collect();
        self.unicast_locals = self.local_list.len();
        self.local_list.extend(broadcasts.map(IpAddr::V4));
    }

    /// Names, zones and addresses of the interfaces.
    pub fn take_interfaces(&mut self, tables: &Tables, config: &config::Config) -> Result<()> {
        let zone = |name: &config::Name| {
            rules::zone_id(config, name.as_str()).with_context(|| format!("zone {name}"))
        };
        let mut interfaces = Vec::with_capacity(self.found.len() + 1);
        for found in &self.found {
            let configured = config.interface.iter().find(|i| i.name.as_str() == found.name);
            let configured = configured.with_context(|| format!("interface {:?}", found.name))?;
            let (address4, address6) =
                routing::reply_addresses(tables, found.ifindex, self.tunnel_ifindex);
            let link = tables.link(found.ifindex);
            let mac = link.and_then(|link| link.mac).unwrap_or(found.mac);
            // A link that shrinks is followed; frames were made for no more than it had at the start.
            let mtu = link.map_or(found.mtu, |link| found.mtu.min(link.mtu));
            interfaces.push(Interface {
                name: found.name.clone(),
                kind: InterfaceKind::Port { port: found.port, vlan: None, mac },
                zone: zone(&configured.zone)?,
                mtu: u16::try_from(mtu).unwrap_or(u16::MAX),
                address4,
                address6,
            });
        }
        interfaces.push(self.tunnel_interface(tables, config, zone)?);
        self.interfaces = interfaces;
        Ok(())
    }

    /// The tunnel stands last, also when there is none: then nothing leads to it.
    fn tunnel_interface(
        &self,
        tables: &Tables,
        config: &config::Config,
        zone: impl Fn(&config::Name) -> Result<ZoneId>,
    ) -> Result<Interface> {
        let Some(wireguard) = &config.wireguard else {
            return Ok(Interface {
                name: String::new(),
                kind: InterfaceKind::Unattached,
                zone: ZoneId::LOCAL,
                mtu: 0,
                address4: None,
                address6: None,
            });
        };
        let (address4, address6) =
            routing::reply_addresses(tables, self.tunnel_ifindex, self.tunnel_ifindex);
        Ok(Interface {
            name: wireguard.interface.as_str().to_owned(),
            kind: InterfaceKind::Tunnel,
            zone: zone(&wireguard.zone)?,
            mtu: self.tunnel_mtu,
            address4,
            address6,
        })
    }

    /// The snapshot of the present parts, under the next generation.
    pub fn make(&mut self) -> Snapshot {
        self.generation += 1;
        let port = |number: usize| PortInterfaces {
            untagged: Some(InterfaceId(number as u16)),
            vlans: Box::default(),
        };
        Snapshot {
            generation: self.generation,
            path_generation: self.path_generation,
            interfaces: self.interfaces.clone().into(),
            ports: (0..self.found.len()).map(port).collect(),
            locals: self.locals.clone(),
            fib: Arc::clone(&self.fib),
            neighbours: Arc::clone(&self.neighbours),
            policy: Arc::clone(&self.policy),
            tunnel: Tunnel {
                interface: InterfaceId(self.found.len() as u16),
                listen_port: self.listen_port,
                allowed_ips: self.allowed_ips.table(),
                peers: Arc::clone(&self.peers),
                owners: self.owners.clone(),
                gate: self.gate.clone(),
            },
        }
    }
}

#[cfg(test)]
mod tests;
