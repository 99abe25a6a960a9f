//! The stages of the packet path, as operators see them.

/// A stage of the packet path, in the order that a packet meets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Stage {
    /// Bytes become offsets and small values.
    Parse,
    /// Tunnel traffic to the gateway is told from transit.
    Classify,
    /// Handshakes are screened, tunnel packets are opened.
    Detunnel,
    /// The destination is looked up and the zone policy asked.
    Policy,
    /// Hop limit, size, segment size, next hop.
    Forward,
    /// Tunnel packets are sealed, outer headers written.
    Egress,
    /// Rings: transmit, hand-off, slow path.
    Transmit,
}

impl Stage {
    /// How many stages there are.
    pub const COUNT: usize = 7;
    /// Every stage, in path order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Parse,
        Self::Classify,
        Self::Detunnel,
        Self::Policy,
        Self::Forward,
        Self::Egress,
        Self::Transmit,
    ];

    /// The name in tables and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Classify => "classify",
            Self::Detunnel => "detunnel",
            Self::Policy => "policy",
            Self::Forward => "forward",
            Self::Egress => "egress",
            Self::Transmit => "transmit",
        }
    }
}
