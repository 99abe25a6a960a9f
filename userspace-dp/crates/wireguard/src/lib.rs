//! WireGuard without I/O and without a clock: handshakes, sessions, replay windows, timers, cookies.
#![forbid(unsafe_code)]

mod endpoint;
mod keys;
mod rejected;

pub use endpoint::Endpoint;
pub use keys::{KEY_LENGTH, KeyError, PresharedKey, PrivateKey, PublicKey, SymmetricKey};
pub use rejected::Rejected;
