//! `[gateway]`: threads, memory, polling.

use crate::values::{Count, Duration, Name, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The gateway as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Gateway {
    /// The gateway's name in `ringwall status`.
    #[schemars(extend("x-failure" = "None: it is only shown."))]
    pub name: Name,

    /// Worker threads. Each is pinned to one CPU and serves one queue of every interface. `"auto"` takes one
    /// per queue of the interface with the most queues, and leaves one CPU to control.
    #[schemars(extend("x-unit" = "threads", "x-failure" = "More than there are CPUs share them and make packets wait, with a warning in the log; more than queues leaves workers idle; fewer makes a worker serve several queues."))]
    pub workers: Count,

    /// CPUs that workers are pinned to, the first for worker 0 and so on. Empty: the CPUs that the process may
    /// use, from the last one down, so that CPU 0 stays with the kernel.
    #[schemars(extend("x-unit" = "CPU numbers", "x-failure" = "A CPU that is not there, or fewer CPUs than workers, fails the start."))]
    pub cpus: Vec<u32>,

    /// How a worker waits for packets. `adaptive` polls while there is traffic and sleeps when there is none;
    /// `busy` never sleeps, for the lowest latency; `interrupt` sleeps whenever it can, for the least CPU time.
    #[schemars(extend("x-failure" = "`busy` with fewer CPUs than workers starves everything else on them."))]
    pub poll_mode: PollMode,

    /// Packets the driver may process per busy-poll call.
    #[schemars(range(min = 1, max = 65535), extend("x-unit" = "packets", "x-failure" = "Too low costs system calls; above the kernel's weight it needs CAP_NET_ADMIN at start."))]
    pub busy_poll_budget: u32,

    /// A worker whose heartbeat is older than this counts as dead: its queue fails closed and the process
    /// exits with an error, so that it is restarted.
    #[schemars(extend("x-failure" = "Too low takes a busy machine's scheduling delay for a death; too high leaves a dead queue dropping that long. From 100ms to 60s."))]
    pub heartbeat_timeout: Duration,

    /// What happens to transit packets of a queue without a live worker. `drop` fails closed; `pass` gives
    /// them to the kernel, which then forwards them by its own rules, without zones and policy.
    #[schemars(extend("x-failure" = "`pass` is a hole in the firewall whenever a worker dies."))]
    pub on_stall: OnStall,

    /// Bytes of one packet frame: `"4KiB"` or `"2KiB"`. Small frames need half the memory and hold packets
    /// of up to about 1700 bytes.
    #[schemars(extend("x-failure" = "An interface whose MTU does not fit is refused."))]
    pub frame_size: Size,

    /// Packet frames per worker. `"auto"` takes what the rings of its queues can hold, `limits.parked_packets`, and
    /// 4096 for other packets in flight.
    #[schemars(extend("x-unit" = "frames", "x-failure" = "Too few and the fill rings run dry: the driver drops, and an idle driver burns a core. Fewer than the fill rings hold is refused, and so are more than 2097152."))]
    pub frames_per_worker: Count,

    /// Whether packet memory comes from huge pages. `auto` takes them when there are enough and says what it
    /// got; `on` fails the start without them.
    #[schemars(extend("x-failure" = "Without huge pages, address translation costs some percent at high rates."))]
    pub huge_pages: HugePages,
}

/// How a worker waits for packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum PollMode {
    /// Polls while there is traffic, sleeps when there is none.
    Adaptive,
    /// Never sleeps.
    Busy,
    /// Sleeps whenever it can.
    Interrupt,
}

/// What happens to transit packets of a queue without a live worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum OnStall {
    /// They are dropped.
    Drop,
    /// They go to the kernel.
    Pass,
}

/// Whether packet memory comes from huge pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum HugePages {
    /// When there are enough.
    Auto,
    /// Required.
    On,
    /// Never.
    Off,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            name: Name::known("ringwall"),
            workers: Count::Auto,
            cpus: Vec::new(),
            poll_mode: PollMode::Adaptive,
            busy_poll_budget: 64,
            heartbeat_timeout: Duration::from_secs(1),
            on_stall: OnStall::Drop,
            frame_size: Size::from_bytes(4096),
            frames_per_worker: Count::Auto,
            huge_pages: HugePages::Auto,
        }
    }
}
