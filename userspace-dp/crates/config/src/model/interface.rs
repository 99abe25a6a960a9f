//! `[[interface]]`: the network interfaces that Ringwall takes over.

use crate::values::{Count, InterfaceName, Name};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One network interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Interface {
    /// The kernel's name of the interface.
    #[schemars(extend("x-example" = "eth0", "x-failure" = "An interface that is not there fails the start."))]
    pub name: InterfaceName,

    /// The zone its packets come from and go to.
    #[schemars(extend("x-example" = "lan", "x-reload" = true, "x-failure" = "A zone that is not declared is refused."))]
    pub zone: Name,

    /// How the steering program is attached. `native` runs in the driver; `generic` runs later, in the kernel's
    /// stack, on any driver and slower; `auto` takes native where the driver can and says what it got.
    #[serde(default = "Interface::default_mode")]
    #[schemars(extend("x-failure" = "`native` on a driver that cannot fails the start."))]
    pub mode: Mode,

    /// Whether packets reach the gateway without a copy. `on` fails the start where the driver cannot; `auto`
    /// steps down to copies and says so.
    #[serde(default = "Interface::default_zero_copy")]
    #[schemars(extend("x-failure" = "`on` with `mode = \"generic\"` is impossible and refused."))]
    pub zero_copy: ZeroCopy,

    /// Queues to use. `"auto"` sets the interface's channels to the number of workers where the driver allows
    /// it, and uses what is there otherwise; a veth keeps those that it has beyond that, since it runs no program
    /// natively with fewer than its other end sends from. At the end the interface gets back what it had.
    #[serde(default = "Interface::default_queues")]
    #[schemars(extend("x-unit" = "queues", "x-failure" = "More than the interface has fails the start; fewer leaves packets of the other queues to the kernel, which is why all must be covered by steering them (RSS) onto these."))]
    pub queues: Count,

    /// What to do when another XDP program is attached already: `refuse` names it and fails the start,
    /// `replace` takes its place.
    #[serde(default = "Interface::default_foreign_program")]
    #[schemars(extend("x-failure" = "`replace` breaks whatever the other program did."))]
    pub foreign_program: ForeignProgram,

    /// The largest IP packet to be carried. `"auto"` takes the interface's own MTU at start.
    #[serde(default = "Interface::default_mtu")]
    #[schemars(extend("x-unit" = "bytes", "x-failure" = "More than a frame holds is refused, naming the largest that fits."))]
    pub mtu: Count,

    /// Descriptors of the receive ring, a power of two.
    #[serde(default = "Interface::default_rx_ring")]
    #[schemars(range(min = 64, max = 65536), extend("x-unit" = "descriptors", "x-failure" = "Too small drops bursts (`rx_ring_full` in `show rings`); too large lets packets age under overload."))]
    pub rx_ring: u32,

    /// Descriptors of the transmit ring, a power of two.
    #[serde(default = "Interface::default_tx_ring")]
    #[schemars(range(min = 64, max = 65536), extend("x-unit" = "descriptors", "x-failure" = "Too small drops bursts on transmit; too large adds delay under overload."))]
    pub tx_ring: u32,

    /// Descriptors of the fill ring, a power of two, at least as many as the receive ring. Best is the
    /// hardware's ring plus the receive ring.
    #[serde(default = "Interface::default_fill_ring")]
    #[schemars(range(min = 64, max = 65536), extend("x-unit" = "descriptors", "x-failure" = "Too small and the driver finds no frame to receive into (`rx_fill_ring_empty_descs` in `show rings`)."))]
    pub fill_ring: u32,

    /// Descriptors of the completion ring, a power of two, best as many as the transmit ring.
    #[serde(default = "Interface::default_completion_ring")]
    #[schemars(range(min = 64, max = 65536), extend("x-unit" = "descriptors", "x-failure" = "Smaller than the transmit ring, it holds transmission back."))]
    pub completion_ring: u32,
}

/// How the steering program is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Mode {
    /// Native where the driver can, generic otherwise.
    Auto,
    /// In the driver; required.
    Native,
    /// In the kernel's stack.
    Generic,
}

/// Whether packets reach the gateway without a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum ZeroCopy {
    /// Where the driver can.
    Auto,
    /// Required.
    On,
    /// Never.
    Off,
}

/// What to do when another XDP program is attached already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum ForeignProgram {
    /// The start fails and names it.
    Refuse,
    /// It is detached.
    Replace,
}

/// The defaults, where the file and the schema look for them.
impl Interface {
    const fn default_mode() -> Mode {
        Mode::Auto
    }

    const fn default_zero_copy() -> ZeroCopy {
        ZeroCopy::Auto
    }

    const fn default_queues() -> Count {
        Count::Auto
    }

    const fn default_foreign_program() -> ForeignProgram {
        ForeignProgram::Refuse
    }

    const fn default_mtu() -> Count {
        Count::Auto
    }

    const fn default_rx_ring() -> u32 {
        2048
    }

    const fn default_tx_ring() -> u32 {
        2048
    }

    const fn default_fill_ring() -> u32 {
        4096
    }

    const fn default_completion_ring() -> u32 {
        2048
    }
}
