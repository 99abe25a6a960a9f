//! What an operator decides about flows.

use core::time::Duration;

use crate::tick::Tick;
use crate::{Exchange, Phase, TcpPhase};

/// How a table is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowSettings {
    /// The most flows at a time, 1 to [`FlowSettings::CAPACITY_MAX`].
    pub capacity: u32,
    /// What happens to a new flow when there are that many.
    pub on_exhausted: OnExhausted,
    /// Whether TCP conversations may be joined in the middle.
    pub pickup: Pickup,
    /// How long a flow may be silent.
    pub timeouts: Timeouts,
    /// How many keys of flows that are no more are remembered, at least; two for each flow.
    pub departed_keys: u32,
    /// How long they are remembered.
    pub departed_for: Duration,
}

impl FlowSettings {
    /// More flows than this in one table would not fit its index.
    pub const CAPACITY_MAX: u32 = 1 << 28;
}

/// What a full table does with a new flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExhausted {
    /// The oldest flow that the other end has not confirmed makes room; without one the new flow is refused. A flood of
    /// openings then pushes out openings, and never a conversation.
    EvictUnconfirmed,
    /// The new flow is refused.
    Refuse,
}

/// Whether a TCP segment out of the middle of a conversation may open a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pickup {
    /// Only a SYN opens a flow.
    Off,
    /// Conversations survive a restart of the gateway: the first segment of either end opens the flow, if policy lets
    /// it. Windows are as wide as TCP allows, since nobody saw the scales.
    On,
}

/// How long a flow may be silent before it is forgotten, by how far it has come. A deadline is kept in steps of
/// [`Timeouts::STEP`]: a flow goes never early, and at most two steps late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP with a SYN that is not acknowledged, of either end. Must let a SYN be repeated a few times (RFC 6298: after
    /// 1 s, 3 s, 7 s, 15 s).
    pub tcp_half_open: Duration,
    /// TCP with both SYNs acknowledged. Longer than keepalives, which come every two hours (RFC 9293, section 3.8.4;
    /// RFC 5382, REQ-5).
    pub tcp_established: Duration,
    /// TCP after one FIN. The other direction may go on, or be computing, as long as any connection.
    pub tcp_half_closed: Duration,
    /// TCP after both FINs while one of them, or data before it, is still being repeated.
    pub tcp_last_ack: Duration,
    /// TCP after both FINs were acknowledged: as long as the last acknowledgment may have to be repeated.
    pub tcp_time_wait: Duration,
    /// TCP after a reset.
    pub tcp_reset: Duration,
    /// UDP without an answer.
    pub udp_unreplied: Duration,
    /// UDP with answers (RFC 4787, REQ-5).
    pub udp_replied: Duration,
    /// ICMP echo.
    pub icmp: Duration,
    /// Other protocols.
    pub other: Duration,
}

impl Timeouts {
    /// The length of a step of time.
    pub const STEP: Duration = Duration::from_nanos(Tick::NANOS);

    /// What is used unless configured otherwise.
    pub const DEFAULT: Self = Self {
        tcp_half_open: Duration::from_secs(20),
        tcp_established: Duration::from_secs(2 * 3600 + 4 * 60),
        tcp_half_closed: Duration::from_secs(2 * 3600 + 4 * 60),
        tcp_last_ack: Duration::from_secs(30),
        tcp_time_wait: Duration::from_secs(5),
        tcp_reset: Duration::ZERO,
        udp_unreplied: Duration::from_secs(30),
        udp_replied: Duration::from_secs(120),
        icmp: Duration::from_secs(30),
        other: Duration::from_secs(120),
    };

    /// The one that holds in a phase.
    pub const fn of(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Tcp(TcpPhase::SynSent | TcpPhase::SynReceived) => self.tcp_half_open,
            Phase::Tcp(TcpPhase::Established) => self.tcp_established,
            Phase::Tcp(TcpPhase::HalfClosed) => self.tcp_half_closed,
            Phase::Tcp(TcpPhase::LastAck) => self.tcp_last_ack,
            Phase::Tcp(TcpPhase::TimeWait) => self.tcp_time_wait,
            Phase::Tcp(TcpPhase::Reset) => self.tcp_reset,
            Phase::Udp(Exchange::Unreplied) => self.udp_unreplied,
            Phase::Udp(Exchange::Replied) => self.udp_replied,
            Phase::Echo(Exchange::Unreplied | Exchange::Replied) => self.icmp,
            Phase::Other(Exchange::Unreplied | Exchange::Replied) => self.other,
        }
    }

    /// In steps, by the number of the phase.
    pub(crate) fn ticks(&self) -> [u32; Phase::ALL.len()] {
        Phase::ALL.map(|phase| Tick::spanning(self.of(phase)))
    }
}
