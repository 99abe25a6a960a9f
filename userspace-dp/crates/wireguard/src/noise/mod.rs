//! The Noise_IKpsk2 handshake of WireGuard (paper, section 5.4): one value per state, consumed by its step.
//!
//! ```text
//! initiator   begin ------------> AwaitingResponse -- finish --> Transport
//! responder   Identified::read -- authenticate --> Initiated -- respond --> Transport
//! ```
//!
//! These steps see bytes and keys; peers, timestamps, indices and rates are the business of the engine that calls
//! them. MACs are not checked here: the gate has done that.

pub(crate) mod curve;
pub(crate) mod hash;
mod initiator;
mod responder;
mod transcript;

pub(crate) use self::initiator::{AwaitingResponse, Identity, begin};
pub(crate) use self::responder::{Identified, Initiated};
pub(crate) use self::transcript::Transcript;
use crate::SymmetricKey;

/// The keys of the session that a handshake made.
pub(crate) struct Transport {
    pub(crate) remote_index: u32,
    pub(crate) send_key: SymmetricKey,
    pub(crate) receive_key: SymmetricKey,
}
