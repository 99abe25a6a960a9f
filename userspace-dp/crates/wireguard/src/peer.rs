//! Names of peers.

/// A peer by its place in the gateway's tables and the occupant's number at that place.
///
/// The handshake engine gives handles out; workers and snapshots only carry them. When a peer is removed its place
/// may be used again under the next generation, and the old handle resolves to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerHandle {
    index: u32,
    generation: u32,
}

impl PeerHandle {
    /// The occupant number `generation` of place `index`.
    pub const fn new(index: u32, generation: u32) -> Self {
        Self { index, generation }
    }

    /// The place, below the configured number of peers.
    #[inline]
    pub const fn index(self) -> u32 {
        self.index
    }

    /// Which occupant of the place.
    #[inline]
    pub const fn generation(self) -> u32 {
        self.generation
    }
}
