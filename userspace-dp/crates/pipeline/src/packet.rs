//! A packet on its way through the stages, and what becomes of it.

use core::net::IpAddr;

use arrayvec::ArrayVec;
use clock::Time;
use io::{BURST, Frame};
use policy::ZoneId;
use route::{InterfaceId, NextHop};
use telemetry::Reason;
use wire::Parsed;

use crate::snapshot::{PeerIndex, PortId, WorkerId};

/// How a frame came to the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A link frame as the device received it, here or at the worker that handed it over.
    Port(PortId),
    /// An IP packet that the gateway's own kernel sends into a tunnel.
    Local,
    /// An IP packet that has passed every check at another worker and is to be sealed for this peer.
    Seal(PeerIndex),
}

/// A frame that arrives at a worker.
#[derive(Debug)]
pub struct Ingress {
    /// The frame.
    pub frame: Frame,
    /// How it came.
    pub entry: Entry,
    /// When the gateway received it.
    pub arrived: Time,
    /// How often it has been handed over.
    pub hops: u8,
}

/// No path through the gateway needs more hand-overs: to the opening peer's owner, from there to the sealing
/// peer's owner, and one more while an owner changes.
pub const HOPS_MAX: u8 = 3;

/// Packets that arrive together.
pub type Arrivals = ArrayVec<Ingress, BURST>;

/// What becomes of a packet. Every packet gets exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Still on its way through the stages.
    Pending,
    /// The frame is complete; transmit it on this device.
    Forward(PortId),
    /// Another worker owns the next step.
    HandOff(WorkerId, Entry),
    /// Addressed to the gateway itself: to the kernel, through the slow path.
    Punt,
    /// Wait until the peer has a session.
    AwaitSession(PeerIndex),
    /// Wait until the next hop answers on this interface.
    AwaitNeighbour(InterfaceId, IpAddr),
    /// What it carried was taken out (a handshake message, a keepalive); the frame is spent.
    Consumed,
    /// Gone, and counted.
    Drop(Reason),
}

/// Where a packet comes from, as policy sees it.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The interface it arrived on; for a packet out of a tunnel, the tunnel.
    pub interface: InterfaceId,
    /// The zone of that interface.
    pub zone: ZoneId,
    /// The peer whose tunnel it came out of.
    pub peer: Option<PeerIndex>,
}

/// A packet between the stages. Its frame begins at the IP header once it is transit.
#[derive(Debug)]
pub struct Packet<'s> {
    pub(crate) frame: Frame,
    pub(crate) parsed: Parsed,
    pub(crate) entry: Entry,
    pub(crate) origin: Origin,
    pub(crate) arrived: Time,
    pub(crate) hops: u8,
    pub(crate) verdict: Verdict,
    /// The way out, once routing has found one.
    pub(crate) hop: Option<&'s NextHop>,
    /// The peer to seal for, when the way out is the tunnel.
    pub(crate) seal_for: Option<PeerIndex>,
    /// Built by the gateway as an answer: routed, but asked no policy and charged no hop.
    pub(crate) reply: bool,
}

impl Packet<'_> {
    /// Whether the stages still have to decide.
    #[inline]
    pub(crate) fn pending(&self) -> bool {
        matches!(self.verdict, Verdict::Pending)
    }
}

/// The packets of one burst.
pub(crate) type Packets<'s> = ArrayVec<Packet<'s>, BURST>;

/// A frame that is ready for a device.
#[derive(Debug)]
pub struct Outgoing {
    /// The frame, link header included.
    pub frame: Frame,
    /// When the gateway received it.
    pub arrived: Time,
}
