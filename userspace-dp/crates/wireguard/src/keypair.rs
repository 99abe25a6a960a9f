//! What a handshake yields: the keys of a session and the names both sides call it by.

use clock::Time;

use crate::SymmetricKey;

/// Which side began the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We did: we may send at once, and we see to the renewal.
    Initiator,
    /// The peer did: we send nothing until its first packet shows that it has the keys.
    Responder,
}

/// The keys of a session, on their way from the handshake thread to the worker that owns the peer.
#[derive(Debug)]
pub struct Keypair {
    /// The receiver index that the peer writes into packets to us.
    pub local_index: u32,
    /// The receiver index that we write into packets to the peer.
    pub remote_index: u32,
    /// Seals what we send.
    pub send_key: SymmetricKey,
    /// Opens what we receive.
    pub receive_key: SymmetricKey,
    /// Our part in the handshake.
    pub role: Role,
    /// When the keys were derived; every age of the session counts from here.
    pub born: Time,
}
