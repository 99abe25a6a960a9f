//! How far a flow has come. Its timeout, its name in `show` and whether it may be evicted follow from it.

use core::fmt;

use wire::protocol;

use crate::Tuple;

/// How far a flow has come, by protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// TCP.
    Tcp(TcpPhase),
    /// UDP.
    Udp(Exchange),
    /// ICMP echo.
    Echo(Exchange),
    /// Any other protocol.
    Other(Exchange),
}

/// How far a TCP connection has come, both ends together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TcpPhase {
    /// A SYN, and no answer yet.
    SynSent,
    /// Both ends have sent a SYN, and not both are acknowledged.
    SynReceived,
    /// Both SYNs are acknowledged.
    Established,
    /// One end has said FIN.
    HalfClosed,
    /// Both have said FIN, and not both are acknowledged.
    LastAck,
    /// Both have said FIN and heard that it arrived.
    TimeWait,
    /// An exact reset has ended it.
    Reset,
}

/// Whether a flow was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exchange {
    /// Packets of the opening direction only.
    Unreplied,
    /// Packets of both directions.
    Replied,
}

impl Phase {
    /// Every phase, by number.
    pub const ALL: [Self; 13] = [
        Self::Tcp(TcpPhase::SynSent),
        Self::Tcp(TcpPhase::SynReceived),
        Self::Tcp(TcpPhase::Established),
        Self::Tcp(TcpPhase::HalfClosed),
        Self::Tcp(TcpPhase::LastAck),
        Self::Tcp(TcpPhase::TimeWait),
        Self::Tcp(TcpPhase::Reset),
        Self::Udp(Exchange::Unreplied),
        Self::Udp(Exchange::Replied),
        Self::Echo(Exchange::Unreplied),
        Self::Echo(Exchange::Replied),
        Self::Other(Exchange::Unreplied),
        Self::Other(Exchange::Replied),
    ];

    /// Where a flow of this tuple begins; for TCP, one that begins with a SYN.
    pub(crate) const fn first(tuple: &Tuple) -> Self {
        match tuple.protocol {
            protocol::TCP => Self::Tcp(TcpPhase::SynSent),
            protocol::UDP => Self::Udp(Exchange::Unreplied),
            _ if tuple.is_echo() => Self::Echo(Exchange::Unreplied),
            _ => Self::Other(Exchange::Unreplied),
        }
    }

    /// Its place in [`Phase::ALL`].
    #[inline]
    pub const fn number(self) -> usize {
        match self {
            Self::Tcp(phase) => phase as usize,
            Self::Udp(exchange) => 7 + exchange as usize,
            Self::Echo(exchange) => 9 + exchange as usize,
            Self::Other(exchange) => 11 + exchange as usize,
        }
    }

    /// True while the other end has not confirmed the flow: a full table may give its place away.
    #[inline]
    pub const fn is_unconfirmed(self) -> bool {
        match self {
            Self::Tcp(TcpPhase::SynSent | TcpPhase::SynReceived)
            | Self::Udp(Exchange::Unreplied)
            | Self::Echo(Exchange::Unreplied)
            | Self::Other(Exchange::Unreplied) => true,
            Self::Tcp(
                TcpPhase::Established
                | TcpPhase::HalfClosed
                | TcpPhase::LastAck
                | TcpPhase::TimeWait
                | TcpPhase::Reset,
            )
            | Self::Udp(Exchange::Replied)
            | Self::Echo(Exchange::Replied)
            | Self::Other(Exchange::Replied) => false,
        }
    }

    /// True when the two ends have ended it in form.
    pub const fn is_closed(self) -> bool {
        matches!(self, Self::Tcp(TcpPhase::TimeWait | TcpPhase::Reset))
    }

    /// The name in `show` and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp(TcpPhase::SynSent) => "tcp_syn_sent",
            Self::Tcp(TcpPhase::SynReceived) => "tcp_syn_received",
            Self::Tcp(TcpPhase::Established) => "tcp_established",
            Self::Tcp(TcpPhase::HalfClosed) => "tcp_half_closed",
            Self::Tcp(TcpPhase::LastAck) => "tcp_last_ack",
            Self::Tcp(TcpPhase::TimeWait) => "tcp_time_wait",
            Self::Tcp(TcpPhase::Reset) => "tcp_reset",
            Self::Udp(Exchange::Unreplied) => "udp_unreplied",
            Self::Udp(Exchange::Replied) => "udp_replied",
            Self::Echo(Exchange::Unreplied) => "echo_unreplied",
            Self::Echo(Exchange::Replied) => "echo_replied",
            Self::Other(Exchange::Unreplied) => "other_unreplied",
            Self::Other(Exchange::Replied) => "other_replied",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_phase_has_its_number_and_its_name() {
        for (number, phase) in Phase::ALL.into_iter().enumerate() {
            assert_eq!(phase.number(), number);
        }
        let names: BTreeSet<&str> = Phase::ALL.iter().map(|phase| phase.name()).collect();
        assert_eq!(names.len(), Phase::ALL.len());
    }

    #[test]
    fn a_closed_flow_is_a_confirmed_one() {
        assert!(Phase::ALL.iter().all(|phase| !(phase.is_closed() && phase.is_unconfirmed())));
    }
}
