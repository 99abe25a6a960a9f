//! The question: one packet between two zones.

use wire::{Addresses, Parsed, Transport};

/// The number control gave a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(pub u16);

impl ZoneId {
    /// The gateway itself: what it sends and what is addressed to it. Always exists, is called
    /// `local`.
    pub const LOCAL: Self = Self(0);
}

/// What rules can ask about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// The zone the packet came from.
    pub from: ZoneId,
    /// The zone it is on its way to.
    pub to: ZoneId,
    /// Source and destination address.
    pub addresses: Addresses,
    /// Upper-layer protocol number.
    pub protocol: u8,
    /// The upper-layer header, as far as the packet shows it.
    pub transport: Transport,
    /// The tunnel peer whose session the packet came out of; `None` for traffic from no tunnel.
    pub who: Option<u32>,
}

impl Query {
    /// The question about a parsed packet.
    pub const fn new(from: ZoneId, to: ZoneId, packet: &Parsed, who: Option<u32>) -> Self {
        Self {
            from,
            to,
            addresses: packet.addresses,
            protocol: packet.protocol,
            transport: packet.transport,
            who,
        }
    }
}
