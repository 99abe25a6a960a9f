//! Why a packet was dropped: the one table that enum, documentation and metrics come from.

use crate::Stage;

/// How much a drop should worry an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Expected in ordinary operation: policy did its work, a hop limit ran out.
    Normal,
    /// Somebody sends what they should not: malformed, forged or replayed packets.
    Hostile,
    /// The gateway is short of something: ring space, table space, a neighbour, a session.
    Shortage,
    /// Should never happen; worth a report.
    Fault,
}

impl Severity {
    /// The name in tables and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Hostile => "hostile",
            Self::Shortage => "shortage",
            Self::Fault => "fault",
        }
    }
}

macro_rules! reasons {
    ($($variant:ident $name:literal $stage:ident $severity:ident $help:literal;)*) => {
        /// Why a packet was dropped. Every dropped packet has exactly one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Reason {
            $(#[doc = $help] $variant,)*
        }

        impl Reason {
            const TABLE: &'static [(Self, &'static str, Stage, Severity, &'static str)] = &[
                $((Self::$variant, $name, Stage::$stage, Severity::$severity, $help),)*
            ];
        }
    };
}

impl Reason {
    /// Every reason, in path order.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        Self::TABLE.iter().map(|row| row.0)
    }

    /// The name in tables and metrics.
    pub const fn name(self) -> &'static str {
        Self::TABLE[self as usize].1
    }

    /// The stage that drops for this reason.
    pub const fn stage(self) -> Stage {
        Self::TABLE[self as usize].2
    }

    /// How much it should worry an operator.
    pub const fn severity(self) -> Severity {
        Self::TABLE[self as usize].3
    }

    /// One sentence for operators.
    pub const fn help(self) -> &'static str {
        Self::TABLE[self as usize].4
    }
}

//  variant                 name                      stage     severity  help
reasons! {
    IngressUnknown          "ingress_unknown"         Parse     Fault     "The frame came by an interface or VLAN that is in no zone.";

    OuterFragment           "wg_outer_fragment"       Classify  Normal    "A fragment of a tunnel packet; lower the tunnel MTU of the sender.";
    LocalNotTunnel          "local_not_tunnel"        Classify  Normal    "Addressed to the gateway outside any tunnel, but not to a tunnel service; steering should have left it to the kernel.";

    LocalSource             "local_source"            Policy    Hostile   "The source is an address of the gateway itself.";
    MartianSource           "martian_source"          Policy    Hostile   "The source can never be forwarded: unspecified, loopback, multicast or broadcast.";
    MartianDestination      "martian_destination"     Policy    Normal    "The destination can never be forwarded: unspecified, loopback, link-local, multicast or broadcast.";
    NoRoute                 "no_route"                Policy    Normal    "No route leads to the destination.";
    RouteBlackhole          "route_blackhole"         Policy    Normal    "The route to the destination is a blackhole.";
    RouteUnreachable        "route_unreachable"       Policy    Normal    "The route to the destination is of type unreachable; the sender is told.";
    RouteProhibit           "route_prohibit"          Policy    Normal    "The route to the destination is of type prohibit; the sender is told.";
    EgressUnattached        "egress_unattached"       Policy    Normal    "The route leads to an interface that the gateway does not serve.";
    PolicyDeny              "policy_deny"             Policy    Normal    "A rule, or the default, denies the packet.";
    PolicyReject            "policy_reject"           Policy    Normal    "A rule rejects the packet; the sender is told, within the reply rate.";

    HopLimit                "hop_limit"               Forward   Normal    "The hop limit ran out; the sender is told, within the reply rate.";
    PacketTooBig            "packet_too_big"          Forward   Normal    "Larger than the way out carries and not to be fragmented; the sender is told, within the reply rate.";
    NeedsFragmentation      "needs_fragmentation"     Forward   Normal    "Larger than the way out carries; the gateway does not fragment.";
    NeighbourTimeout        "neighbour_timeout"       Forward   Shortage  "The next hop did not answer within a second.";
    NeighbourQueueFull      "neighbour_queue_full"    Forward   Shortage  "Too many packets wait for next hops to answer.";

    PeerUnknown             "wg_no_peer"              Egress    Normal    "No peer's allowed IPs cover the destination.";
    PeerHasNoEndpoint       "wg_no_endpoint"          Egress    Normal    "The peer's address is not known: none is configured and it has not connected.";
    StagedQueueFull         "wg_staged_queue_full"    Egress    Shortage  "More packets than the queue holds wait for a session; the oldest goes.";
    StagedAbandoned         "wg_staged_abandoned"     Egress    Normal    "The handshake was given up, or the peer removed, with packets waiting.";
    SealRefused             "wg_seal_refused"         Egress    Fault     "The session could not seal the packet.";
    TunnelLoop              "wg_tunnel_loop"          Egress    Fault     "The route to the peer's endpoint leads into the tunnel itself.";
    NoHeadroom              "no_headroom"             Egress    Fault     "No room in the frame for the outer headers.";

    TransmitRingFull        "transmit_ring_full"      Transmit  Shortage  "The transmit ring had no room.";
    HandOffRingFull         "hand_off_ring_full"      Transmit  Shortage  "The ring to the owning worker had no room.";
    HandOffLoop             "hand_off_loop"           Transmit  Fault     "The packet was handed over more often than any path needs.";
    SlowPathFull            "slow_path_full"          Transmit  Shortage  "The ring to the kernel's slow path had no room.";
    SlowPathError           "slow_path_error"         Transmit  Fault     "The kernel refused the packet on the slow path.";
    ReplyRateLimited        "reply_rate_limited"      Transmit  Normal    "A reply was due but the reply rate was spent; counted beside the packet's own reason.";
    PeerRemoved             "wg_peer_removed"         Egress    Normal    "The peer was removed while the packet was on its way.";
    Shutdown                "shutdown"                Transmit  Normal    "The packet was on its way when the gateway stopped.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_the_enum() {
        for (index, reason) in Reason::all().enumerate() {
            assert_eq!(reason as usize, index, "{}", reason.name());
        }
    }

    #[test]
    fn names_are_unique_and_in_the_metric_alphabet() {
        let mut names: Vec<_> = Reason::all().map(Reason::name).collect();
        assert!(
            names.iter().all(|n| n
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()))
        );
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::all().len());
    }
}
