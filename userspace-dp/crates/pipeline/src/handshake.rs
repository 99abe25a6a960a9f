//! What workers and the handshake thread say to each other.

use clock::Time;
use wireguard::{Endpoint, Keypair, PeerHandle};

use crate::snapshot::{PeerIndex, WorkerId};

/// The longest handshake message.
pub const MESSAGE_MAX: usize = wireguard::INITIATION_LENGTH;

/// From a worker to the handshake thread.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a worker does not allocate, so the message travels by value"
)]
pub enum HandshakeEvent {
    /// A handshake message that passed the gate.
    Message(wireguard::Admitted),
    /// A packet waits for this peer, which has no owner.
    PeerWanted(PeerIndex, WorkerId),
    /// A session with this peer is due.
    HandshakeDue(PeerHandle),
}

/// From the handshake thread to the worker that owns, or is to own, a peer.
#[derive(Debug)]
pub enum PeerCommand {
    /// The peer is this worker's from here on.
    Adopt {
        /// The peer.
        peer: PeerHandle,
        /// Where it is, if that is known.
        endpoint: Option<Endpoint>,
        /// Its persistent keepalive.
        keepalive: Option<core::time::Duration>,
    },
    /// The peer is this worker's no longer.
    Abandon(PeerHandle),
    /// The peer's persistent keepalive has changed.
    SetKeepalive(PeerHandle, Option<core::time::Duration>),
    /// The peer's endpoint was configured anew.
    SetEndpoint(PeerHandle, Endpoint),
    /// A handshake made a session.
    Install {
        /// With whom.
        peer: PeerHandle,
        /// Its keys.
        keypair: Keypair,
        /// Where the handshake message came from.
        endpoint: Endpoint,
    },
    /// A handshake message for the peer, to where it is.
    SendToPeer(PeerHandle, Datagram),
    /// The same, once more: perhaps our own address towards the peer has changed, so routing chooses it anew.
    RetryToPeer(PeerHandle, Datagram),
    /// A handshake message for whoever sent the one that it answers.
    SendTo(Endpoint, Datagram),
    /// The handshake was given up: packets that wait for it are dropped.
    GiveUp(PeerHandle),
}

/// A handshake message on its way out.
#[derive(Clone, Copy, Debug)]
pub struct Datagram {
    bytes: [u8; MESSAGE_MAX],
    length: u8,
}

impl Datagram {
    /// A copy of `message`, at most [`MESSAGE_MAX`] bytes of it.
    pub fn new(message: &[u8]) -> Self {
        let length = message.len().min(MESSAGE_MAX);
        let mut bytes = [0; MESSAGE_MAX];
        bytes[..length].copy_from_slice(&message[..length]);
        Self { bytes, length: length as u8 }
    }

    /// The message.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// When a worker last asked for an unowned peer; it does not ask again sooner than this.
pub(crate) const ASK_AGAIN: core::time::Duration = core::time::Duration::from_secs(1);

/// Never asked.
pub(crate) const NEVER_ASKED: Time = Time::ZERO;
