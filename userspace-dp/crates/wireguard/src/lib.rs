//! WireGuard without I/O and without a clock: handshakes, sessions, replay windows, timers, cookies.
#![forbid(unsafe_code)]

mod cookie;
mod endpoint;
mod gate;
mod handshakes;
mod keypair;
mod keys;
mod message;
mod noise;
mod outstanding;
mod peer;
mod protocol;
mod rejected;
mod sessions;
mod tai64n;

pub use endpoint::Endpoint;
pub use gate::{Admitted, Arrival, Gate, GateSettings, Verdict};
pub use handshakes::{
    HandshakeSettings, HandshakeStatistics, Handshakes, Initiation, Outcome, PeerError, RetryEvent,
};
pub use keypair::{Keypair, Role};
pub use keys::{KEY_LENGTH, KeyError, PresharedKey, PrivateKey, PublicKey, SymmetricKey};
pub use message::Parsed;
pub use outstanding::Outstanding;
pub use peer::PeerHandle;
pub use protocol::*;
pub use rejected::Rejected;
pub use sessions::{
    FRAMED_HEADER_LENGTH, FRAMED_MESSAGE_LIMIT, Inbound, Outbound, Payload, PeerStatus, Received,
    Sessions, TimerEvent, framed_header, inner_mtu, message_length, padded_length,
};
pub use tai64n::Tai64N;
