//! What can be wrong with a policy.

use crate::ZoneId;

/// Why a [`PolicySpec`](crate::PolicySpec) was refused. All of these are the configuration's fault;
/// each names the rule or definition at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Two zones, sets, peers or rules of one name.
    #[error("{kind} `{name}` is defined twice")]
    DuplicateName {
        /// "zone", "set", "peer" or "rule".
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// Two zones of one number, or the number of `local` on another zone.
    #[error("zone `{name}` has the number {id:?} of another zone")]
    DuplicateZoneId {
        /// The later of the two.
        name: String,
        /// Its number.
        id: ZoneId,
    },
    /// `local` is listed with a number of its own.
    #[error("zone `local` always has the number {:?}", ZoneId::LOCAL)]
    LocalZoneRenumbered,
    /// More zones than the table of zone pairs holds.
    #[error("{count} zones; at most {max} are possible")]
    TooManyZones {
        /// How many there are, `local` included.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// A rule names a zone that does not exist.
    #[error("rule `{rule}`: unknown zone `{zone}`")]
    UnknownZone {
        /// The rule.
        rule: String,
        /// The zone.
        zone: String,
    },
    /// A rule names a set that does not exist.
    #[error("rule `{rule}`: unknown set `@{set}`")]
    UnknownSet {
        /// The rule.
        rule: String,
        /// The set.
        set: String,
    },
    /// A rule names a peer that does not exist.
    #[error("rule `{rule}`: unknown peer `{peer}`")]
    UnknownPeer {
        /// The rule.
        rule: String,
        /// The peer.
        peer: String,
    },
    /// A condition lists nothing; leave it out to match everything.
    #[error("rule `{rule}`: {field} lists nothing; leave it out to match everything")]
    EmptyList {
        /// The rule.
        rule: String,
        /// The condition.
        field: &'static str,
    },
    /// A port range that ends before it starts.
    #[error("rule `{rule}`: {field} {start}-{end} ends before it starts")]
    ReversedPorts {
        /// The rule.
        rule: String,
        /// The condition.
        field: &'static str,
        /// First port.
        start: u16,
        /// Last port.
        end: u16,
    },
    /// Ports with a protocol that has none.
    #[error("rule `{rule}`: {field} needs protocol tcp, udp or any, not {protocol}")]
    PortsWithoutPorts {
        /// The rule.
        rule: String,
        /// The condition.
        field: &'static str,
        /// The rule's protocol number.
        protocol: u8,
    },
    /// ICMP types with a protocol other than the two ICMPs.
    #[error("rule `{rule}`: icmp_type needs protocol icmp or icmpv6")]
    TypesWithoutIcmp {
        /// The rule.
        rule: String,
    },
}
