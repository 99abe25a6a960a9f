//! What the gateway takes from the machine before any thread runs: devices with the program on them (disabled), packet
//! memory, sockets, the tunnel device and its port.

use std::net::UdpSocket;

use anyhow::{Context, Result};
use ebpf::{Capacities, OnFailure, Steering, SteeringOptions};
use io::Tun;

use super::super::channels::ChannelKeeper;
use super::super::devices::{self, Found, Held};
use super::super::netlink::{Kernel, Mirror, Options};
use super::super::tunnel::{self, TunnelDevice};
use super::super::vlan_tags::TagKeeper;
use super::memory::Memory;
use super::queues::{self, Queues};
use crate::runtime::pin::{self, CpuNumber};

/// All of it. Dropping it undoes it in the order of the fields: the program goes before the sockets.
pub(super) struct Machine {
    /// The kernel's tables.
    pub mirror: Mirror,
    /// Orders to the kernel.
    pub kernel: Kernel,
    /// The steering program.
    pub steering: Steering,
    /// The devices with the program on them.
    pub held: Vec<Held>,
    /// The queues of each worker.
    pub queues: Queues,
    /// Which devices run without copies, in the order of `held`.
    pub zero_copy: Vec<bool>,
    /// Packet memory.
    pub memory: Memory,
    /// Packets for and from the kernel.
    pub tun: Option<Tun>,
    /// The device that they go through.
    pub tunnel: Option<TunnelDevice>,
    /// Keeps the tunnel's port from other processes.
    pub port_guard: Option<UdpSocket>,
    /// Keeps VLAN tags in the frames of the devices.
    pub tags: TagKeeper,
    /// Gives the devices their number of queues back, when no socket is bound to one any more.
    pub channels: ChannelKeeper,
    /// The processor of each worker.
    pub cpus: Vec<CpuNumber>,
}

impl Machine {
    /// Takes what the configuration asks for.
    pub(super) fn take(config: &config::Config) -> Result<Self> {
        let mut mirror =
            Mirror::open(&Options::default()).context("cannot read the kernel's tables")?;
        let mut kernel = Kernel::open().context("cannot give the kernel orders")?;
        let allowed = pin::allowed_cpus()?;
        let mut channels = ChannelKeeper::open();
        let (found, workers) = devices::find(config, &mirror, &mut channels, allowed.len())?;
        let configured: Vec<CpuNumber> =
            config.gateway.cpus.iter().map(|&cpu| cpu as CpuNumber).collect();
        let cpus = pin::choose(workers as usize, &configured)?;

        let mut steering = load_steering(config)?;
        let (tags, mut held) = attach(config, &mut steering, found)?;
        let mut memory = Memory::map(config, &held, workers)?;
        let (queues, zero_copy) = queues::open(config, &mut steering, &mut held, &mut memory)?;
        let (tun, tunnel) = create_tunnel(config, &held, &mut kernel, &mut mirror)?;
        let port_guard = guard_port(config)?;
        Ok(Self {
            mirror,
            kernel,
            steering,
            held,
            queues,
            zero_copy,
            memory,
            tun,
            tunnel,
            port_guard,
            tags,
            channels,
            cpus,
        })
    }

    /// Makes the peers' networks routes to the tunnel, where the configuration says so. Names among the endpoints
    /// are not resolved so far.
    pub(super) fn route_to_tunnel(&mut self, config: &config::Config) -> Result<()> {
        let (Some(tunnel), Some(wireguard)) = (&self.tunnel, &config.wireguard) else {
            return Ok(());
        };
        self.mirror.process().context("cannot read the kernel's tables")?;
        let (made, _) = wireguard.automatic_routes(&config::Endpoints::configured(wireguard));
        tunnel.restore(&made, self.mirror.tables(), &mut self.kernel)
    }
}

fn load_steering(config: &config::Config) -> Result<Steering> {
    let options = SteeringOptions {
        transit_on_failure: match config.gateway.on_stall {
            config::OnStall::Drop => OnFailure::Drop,
            config::OnStall::Pass => OnFailure::Pass,
        },
        heartbeat_timeout: config.gateway.heartbeat_timeout.get(),
        multi_buffer: false,
        capacities: Capacities::default(),
    };
    Steering::load(&options).context("the steering program cannot be loaded")
}

/// Attaches the program to devices that leave VLAN tags in their frames.
fn attach(
    config: &config::Config,
    steering: &mut Steering,
    found: Vec<Found>,
) -> Result<(TagKeeper, Vec<Held>)> {
    let mut tags = TagKeeper::open()?;
    let mut held = Vec::new();
    for (found, wanted) in found.into_iter().zip(&config.interface) {
        tags.add(found.ifindex, &found.name)?;
        held.push(devices::attach(steering, found, wanted)?);
    }
    Ok((tags, held))
}

fn create_tunnel(
    config: &config::Config,
    held: &[Held],
    kernel: &mut Kernel,
    mirror: &mut Mirror,
) -> Result<(Option<Tun>, Option<TunnelDevice>)> {
    let Some(wireguard) = &config.wireguard else { return Ok((None, None)) };
    let carries = held.iter().map(|held| (held.found.ifindex, held.found.mtu)).collect();
    let mtu = tunnel::mtu(wireguard, &carries, mirror.tables());
    let (tun, device) = tunnel::create(wireguard, mtu, kernel, mirror)?;
    Ok((Some(tun), Some(device)))
}

/// Holds the tunnel's port in the kernel too, so that no other process takes it.
fn guard_port(config: &config::Config) -> Result<Option<UdpSocket>> {
    let Some(wireguard) = &config.wireguard else { return Ok(None) };
    let port = wireguard.listen_port;
    UdpSocket::bind(("::", port))
        .or_else(|_| UdpSocket::bind(("0.0.0.0", port)))
        .with_context(|| format!("wireguard.listen_port: UDP port {port} is taken"))
        .map(Some)
}
