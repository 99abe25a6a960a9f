//! `[limits]`: sizes of tables and queues, and rates.

use crate::values::{Duration, Rate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sizes of tables and queues, and rates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Limits {
    /// Most WireGuard peers. A reload needs places for the peers that come beside those that go.
    #[schemars(range(min = 1, max = 1048576), extend("x-unit" = "peers", "x-failure" = "A configuration with more peers is refused."))]
    pub peers: u32,

    /// Most policy rules.
    #[schemars(range(min = 1, max = 1048576), extend("x-unit" = "rules", "x-failure" = "A configuration with more rules is refused."))]
    pub policy_rules: u32,

    /// Most next hops whose entries in the kernel's neighbour table are looked for and kept alive.
    #[schemars(range(min = 16, max = 1048576), extend("x-unit" = "next hops", "x-failure" = "Further next hops are not looked for: their packets wait for `park_time`, are dropped and counted."))]
    pub neighbours: u32,

    /// Packets that one worker holds while the kernel looks for their next hop's hardware address.
    #[schemars(range(min = 1, max = 65536), extend("x-unit" = "packets per worker", "x-failure" = "Further packets are dropped and counted."))]
    pub parked_packets: u32,

    /// How long such a packet is held. The kernel asks once a second and gives up after three seconds: where a first
    /// request may be lost, `"2500ms"` waits for the answer to the third.
    #[schemars(extend("x-failure" = "A packet held longer is dropped and counted; its sender hears that the host cannot be reached, within `reply_rate`. From 10ms to 10s."))]
    pub park_time: Duration,

    /// Frames that wait between each pair of workers, and between a worker and the TUN device, a power of two.
    #[schemars(range(min = 64, max = 65536), extend("x-unit" = "frames", "x-failure" = "When full, the frame is dropped and counted."))]
    pub handoff_ring: u32,

    /// Commands that wait for a worker, a power of two.
    #[schemars(range(min = 64, max = 65536), extend("x-unit" = "commands", "x-failure" = "When full, control tries again later; sessions are installed late."))]
    pub command_ring: u32,

    /// Events that wait for control per worker, a power of two.
    #[schemars(range(min = 64, max = 65536), extend("x-unit" = "events", "x-failure" = "When full, the newest is dropped and counted."))]
    pub event_ring: u32,

    /// Handshake messages that wait for the handshake thread per worker, a power of two. At an eighth full
    /// the gateway counts as under load and asks for cookies.
    #[schemars(range(min = 64, max = 65536), extend("x-unit" = "messages", "x-failure" = "When full, the newest is dropped and counted; the peer tries again after 5s."))]
    pub handshake_queue: u32,

    /// Source addresses whose handshake rate is watched at one time.
    #[schemars(range(min = 256, max = 1048576), extend("x-unit" = "sources", "x-failure" = "Under a flood from more sources, new ones share a bucket that is never fuller than theirs would be."))]
    pub handshake_sources: u32,

    /// Frames for packets between the TUN device and the workers, for each direction, a power of two.
    #[schemars(range(min = 64, max = 65536), extend("x-unit" = "frames", "x-failure" = "Too few and packets of the gateway itself wait in the TUN device's own queue, where the kernel drops them."))]
    pub tun_queue: u32,

    /// Replies per second, ICMP errors and TCP resets, to all packets that come from one zone. It holds for the
    /// whole gateway, however many workers there are.
    #[schemars(extend("x-failure" = "Above it packets are dropped without a reply, which is counted."))]
    pub reply_rate: Rate,

    /// Of these, replies per second to one source: an IPv4 address or an IPv6 network of 64 bits.
    #[schemars(extend("x-failure" = "As with `reply_rate`; at most `reply_rate`."))]
    pub reply_rate_per_source: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            peers: 16384,
            policy_rules: 16384,
            neighbours: 16384,
            parked_packets: 256,
            park_time: Duration::from_secs(1),
            handoff_ring: 2048,
            command_ring: 1024,
            event_ring: 4096,
            handshake_queue: 1024,
            handshake_sources: 16384,
            tun_queue: 1024,
            reply_rate: Rate::from_pps(10_000),
            reply_rate_per_source: Rate::from_pps(100),
        }
    }
}
