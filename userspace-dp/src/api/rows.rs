//! The tables of the control socket, one struct per table and per row.

use serde::{Deserialize, Serialize};

/// The one-screen summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The gateway's configured name.
    pub name: String,
    /// Version of the running binary.
    pub version: String,
    /// Process id of the daemon.
    pub pid: u32,
    /// Wall clock at which this was taken, seconds since the Unix epoch.
    pub taken_at_unix: u64,
    /// Seconds since the daemon finished starting.
    pub uptime_seconds: u64,
    /// Generation of the snapshot that workers use; grows with each published change.
    pub generation: u64,
    /// Whether everything that was configured works.
    pub health: Health,
    /// What is wrong, one line each; empty when healthy.
    pub problems: Vec<String>,
    /// Workers whose heartbeat advances.
    pub workers_alive: u32,
    /// Workers configured.
    pub workers: u32,
    /// Interfaces attached.
    pub interfaces_up: u32,
    /// Interfaces configured.
    pub interfaces: u32,
    /// Peers with a session that can carry data.
    pub peers_up: u32,
    /// Peers configured.
    pub peers: u32,
    /// Packets received and sent over all interfaces and workers.
    pub rx_packets: u64,
    /// Packets sent over all interfaces and workers.
    pub tx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets dropped, all reasons.
    pub drops: u64,
    /// The AEAD backend in use.
    pub aead_backend: String,
    /// The last reload; absent until there was one.
    pub reload: Option<Reload>,
}

/// How well the gateway does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Everything configured works.
    Ok,
    /// Something configured does not work, the rest does.
    Degraded,
    /// No traffic passes.
    Down,
}

/// What became of the last reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reload {
    /// When it ended, seconds since the Unix epoch.
    pub at_unix: u64,
    /// Whether the new configuration is the one in effect.
    pub applied: bool,
    /// What changed, or why it was refused.
    pub message: String,
}

/// Cost per worker and stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Runtime {
    /// Wall clock at which this was taken, seconds since the Unix epoch.
    pub taken_at_unix: u64,
    /// One row per worker, by index.
    pub workers: Vec<WorkerRuntime>,
}

/// What one worker did since it started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerRuntime {
    /// Worker index.
    pub worker: u32,
    /// CPU it is pinned to; absent when it is not pinned.
    pub cpu: Option<u32>,
    /// Whether its heartbeat advances.
    pub alive: bool,
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets dropped.
    pub drops: u64,
    /// Bursts that held at least one packet.
    pub bursts: u64,
    /// Loop turns, empty ones included.
    pub turns: u64,
    /// Nanoseconds of turns that found work.
    pub busy_ns: u64,
    /// Nanoseconds of turns that found none, sleep included.
    pub idle_ns: u64,
    /// Frames handed to other workers.
    pub handed_over: u64,
    /// Frames received from other workers.
    pub taken_over: u64,
    /// Packets passed to the kernel through the tunnel device.
    pub punted: u64,
    /// Packets that came from the kernel through the tunnel device.
    pub injected: u64,
    /// Replies built by the gateway.
    pub replies: u64,
    /// The snapshot generation it uses.
    pub generation: u64,
    /// One row per stage, in pipeline order.
    pub stages: Vec<StageCost>,
    /// Time from receive to transmit.
    pub latency: Latency,
}

/// What one stage cost one worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageCost {
    /// The stage's name.
    pub stage: String,
    /// Packets that it looked at.
    pub packets: u64,
    /// Packets it dropped.
    pub drops: u64,
    /// Packets of the bursts that were timed, a sample of all.
    pub timed_packets: u64,
    /// Nanoseconds spent on the timed bursts.
    pub timed_ns: u64,
}

/// Quantiles of a latency histogram, nanoseconds; all zero while it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Samples taken.
    pub count: u64,
    /// Median.
    pub p50_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// 99.9th percentile.
    pub p999_ns: u64,
    /// Largest sample.
    pub max_ns: u64,
}

/// Every drop reason with its counter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drops {
    /// Wall clock at which this was taken, seconds since the Unix epoch.
    pub taken_at_unix: u64,
    /// One row per reason in the order of the reason table, zero rows included.
    pub drops: Vec<Drop>,
}

/// One drop reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drop {
    /// Stage that drops for this reason.
    pub stage: String,
    /// The reason's name, as in metrics.
    pub reason: String,
    /// How much an operator should care: `info`, `warn` or `error`.
    pub severity: String,
    /// Packets dropped for it, all workers.
    pub count: u64,
    /// What it means, one line.
    pub help: String,
}

/// Interfaces: asked for and got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interfaces {
    /// Wall clock at which this was taken, seconds since the Unix epoch.
    pub taken_at_unix: u64,
    /// One row per interface, in configuration order, the tunnel device last.
    pub interfaces: Vec<Interface>,
    /// One row per way out of the steering program, in its order, zero rows included. All interfaces run the same
    /// program, which counts for all of them.
    pub steering: Vec<SteeringExit>,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Kernel name.
    pub name: String,
    /// Kernel index.
    pub ifindex: u32,
    /// Zone it is in.
    pub zone: String,
    /// Attach mode that was got: `native`, `generic`, or `tun` for the tunnel device.
    pub mode: String,
    /// Whether its sockets run in zero-copy mode.
    pub zero_copy: bool,
    /// Why less was got than could have been; absent when nothing stepped down.
    pub stepped_down: Option<String>,
    /// Queues with a socket.
    pub queues: u32,
    /// Largest IP packet, bytes.
    pub mtu: u32,
    /// Hardware address, colon-separated; absent on the tunnel device.
    pub mac: Option<String>,
    /// Kernel id of the attached XDP program; absent on the tunnel device.
    pub program_id: Option<u32>,
    /// Whether the link is up with carrier.
    pub link_up: bool,
    /// The kernel's own counters.
    pub link: LinkStatistics,
}

/// One way out of the steering program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SteeringExit {
    /// The exit's name.
    pub exit: String,
    /// Packets that took it.
    pub packets: u64,
}

/// The kernel's counters of a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatistics {
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Receive drops.
    pub rx_dropped: u64,
    /// Receive errors.
    pub rx_errors: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Transmit drops.
    pub tx_dropped: u64,
    /// Transmit errors.
    pub tx_errors: u64,
}

/// Ring levels, XDP statistics, frame census and hand-offs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rings {
    /// Wall clock at which this was taken, seconds since the Unix epoch.
    pub taken_at_unix: u64,
    /// One row per socket: worker, interface, queue.
    pub queues: Vec<Queue>,
    /// One row per worker.
    pub frames: Vec<WorkerFrames>,
    /// One row per pair of workers that can hand frames over, and one from each worker to the slow path.
    pub handoffs: Vec<Handoff>,
}

/// One AF_XDP socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Worker that owns it.
    pub worker: u32,
    /// Interface name.
    pub interface: String,
    /// Queue index.
    pub queue: u32,
    /// Receive ring.
    pub rx: RingLevel,
    /// Transmit ring.
    pub tx: RingLevel,
    /// Fill ring.
    pub fill: RingLevel,
    /// Completion ring.
    pub completion: RingLevel,
    /// Times the kernel was woken.
    pub kicks: u64,
    /// What the kernel counts for the socket.
    pub xdp: XdpStatistics,
}

/// How full a ring is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingLevel {
    /// Descriptors in it.
    pub level: u32,
    /// Descriptors it can hold.
    pub size: u32,
}

/// `XDP_STATISTICS` of a socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct XdpStatistics {
    /// Received packets dropped by the kernel.
    pub rx_dropped: u64,
    /// `rx_invalid_descs` and `tx_invalid_descs` together.
    pub descs_refused: u64,
    /// Descriptors that the kernel refused in the fill ring.
    pub rx_invalid_descs: u64,
    /// Descriptors that the kernel refused in the transmit ring.
    pub tx_invalid_descs: u64,
    /// Packets dropped because the receive ring was full.
    pub rx_ring_full: u64,
    /// Times the fill ring was empty when a frame was needed.
    pub rx_fill_ring_empty_descs: u64,
    /// Times the kernel looked for a packet to send and found none.
    pub tx_ring_empty_descs: u64,
}

/// Where a worker's frames are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerFrames {
    /// Worker index.
    pub worker: u32,
    /// Frames in each state.
    pub states: Vec<FrameState>,
    /// Frames the worker was given, and those of others that it has in hand.
    pub total: u64,
    /// Whether the states add up to the total (frames lent over hand-off rings accounted for).
    pub sums_up: bool,
}

/// Frames in one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameState {
    /// The state: `free`, `fill`, `rx`, `tx`, `completion`, `handoff`, `parked`, `lost`, ...
    pub state: String,
    /// Frames in it.
    pub frames: u64,
}

/// Frames handed from one worker to another, or to the slow path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handoff {
    /// Worker that hands over.
    pub from: u32,
    /// Worker that owns the packet; the number after the last worker's where it is the slow path.
    pub to: u32,
    /// Whether it went to the slow path, for the kernel, and to no worker.
    pub slow_path: bool,
    /// Frames handed over.
    pub frames: u64,
    /// Frames dropped because the ring was full.
    pub full: u64,
    /// Frames in the ring.
    pub ring: RingLevel,
}

/// WireGuard peers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peers {
    /// Wall clock at which this was taken, seconds since the Unix epoch.
    pub taken_at_unix: u64,
    /// The gateway's tunnel device.
    pub interface: String,
    /// The gateway's public key, base64.
    pub public_key: String,
    /// The UDP port the gateway listens on.
    pub listen_port: u16,
    /// One row per peer, in configuration order.
    pub peers: Vec<Peer>,
}

/// One WireGuard peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Configured name.
    pub name: String,
    /// Public key, base64.
    pub public_key: String,
    /// Whether a preshared key is configured.
    pub preshared_key: bool,
    /// Where it was last heard from, or the configured endpoint; absent when neither is known.
    pub endpoint: Option<String>,
    /// Worker that owns its sessions; absent before the first handshake.
    pub worker: Option<u32>,
    /// Last completed handshake, seconds since the Unix epoch; absent before the first.
    pub latest_handshake_unix: Option<u64>,
    /// Packets received and accepted.
    pub rx_packets: u64,
    /// Bytes received and accepted, outer payload as wg(8) counts it.
    pub rx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes sent, outer payload as wg(8) counts it.
    pub tx_bytes: u64,
    /// Prefixes whose traffic belongs to it.
    pub allowed_ips: Vec<String>,
    /// Persistent keepalive in seconds; absent when off.
    pub persistent_keepalive_seconds: Option<u16>,
}

/// The routes the workers use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// Wall clock at which this was taken, seconds since the Unix epoch.
    pub taken_at_unix: u64,
    /// One row per route and next hop, ordered by family, then prefix.
    pub routes: Vec<Route>,
}

/// One route, or one next hop of a multipath route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Destination prefix.
    pub prefix: String,
    /// `unicast`, `local`, `blackhole`, `unreachable`, `prohibit` or `tunnel`.
    pub kind: String,
    /// Gateway address; absent for all kinds but `unicast`, and there when the destination is on the link.
    pub via: Option<String>,
    /// Interface it leaves by; absent for kinds that have none, and when the gateway does not serve that interface.
    pub interface: Option<String>,
    /// The one address whose hardware address is needed: the gateway's, or the destination's where that is a single one
    /// on the link. Absent for a network on the link, where each destination is its own, and for all other kinds.
    pub neighbour: Option<String>,
    /// The neighbour's hardware address, colon-separated; absent when it was not looked for yet.
    pub mac: Option<String>,
    /// What workers make of the neighbour: `reachable`, `stale`, `incomplete` or `failed`; absent when it was not looked
    /// for yet.
    pub state: Option<String>,
}

/// The configuration in effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfigReport {
    /// Generation of the snapshot made from it.
    pub generation: u64,
    /// Files it was read from, in order.
    pub files: Vec<String>,
    /// The configuration, defaults filled in; secrets appear only as file paths.
    pub config: serde_json::Value,
}
