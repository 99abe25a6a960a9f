//! ChaCha20-Poly1305 (RFC 8439) over a batch of packets, as WireGuard data messages use it.
//!
//! The packet path hands over a whole burst in one call, so that a backend may work on several packets at once.
//! The nonce is four zero bytes and the 64-bit counter, little endian; there is no additional data. [`Packet`]
//! owns the rules about lengths and aliasing, so a backend may rely on them. The backend is chosen once, by
//! [`Aead::new`], which proves it with known answers before it touches a packet.
//!
//! It never reports a packet as open whose tag did not match, and never leaves the plaintext of such a packet in
//! its buffer. Key objects that a backend builds on the stack are wiped.

mod packet;
mod ring_backend;
mod self_test;

#[cfg(test)]
mod tests;

pub use packet::{BadLength, Failures, MAX_BATCH, MAX_BUFFER, Packet};

/// Bytes of a key.
pub const KEY_LENGTH: usize = 32;
/// Bytes of the authentication tag behind each payload.
pub const TAG_LENGTH: usize = 16;

/// An implementation of the cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The `ring` crate, one packet at a time.
    Ring,
}

impl Backend {
    /// Every backend, best first.
    pub const ALL: [Self; 1] = [Self::Ring];

    /// The name used in configuration, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ring => "ring",
        }
    }
}

impl core::fmt::Display for Backend {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// Which backend to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The best one that this processor has and that passes its self-test.
    Auto,
    /// This one or none.
    Forced(Backend),
}

/// Why no cipher could be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The backend computed something else than the known answers.
    #[error("the ChaCha20-Poly1305 backend `{0}` failed its self-test")]
    SelfTest(Backend),
}

/// A proven backend. Copy it to every worker.
#[derive(Clone, Copy, Debug)]
pub struct Aead {
    backend: Backend,
}

impl Aead {
    /// Chooses a backend and proves it with known answers.
    ///
    /// # Errors
    /// [`Error::SelfTest`] when the chosen backend, or with [`Choice::Auto`] the last one left, computes wrongly.
    pub fn new(choice: Choice) -> Result<Self, Error> {
        let candidate = Self {
            backend: match choice {
                Choice::Auto => Backend::Ring,
                Choice::Forced(backend) => backend,
            },
        };
        if self_test::passes(&candidate) {
            Ok(candidate)
        } else {
            Err(Error::SelfTest(candidate.backend))
        }
    }

    /// The backend in use.
    pub const fn backend(&self) -> Backend {
        self.backend
    }

    /// Encrypts every payload in place and writes its tag behind it. The caller sees to it that no counter is
    /// used twice under one key, and that no packet is sealed twice.
    ///
    /// # Panics
    /// If there are more than [`MAX_BATCH`] packets.
    pub fn seal(&self, packets: &mut [Packet<'_>]) {
        assert!(packets.len() <= MAX_BATCH, "a batch is at most {MAX_BATCH} packets");
        match self.backend {
            Backend::Ring => ring_backend::seal(packets),
        }
    }

    /// Verifies and decrypts every packet in place. The buffer of a packet named by the result holds no
    /// plaintext; one packet's failure says nothing about the others.
    ///
    /// # Panics
    /// If there are more than [`MAX_BATCH`] packets.
    pub fn open(&self, packets: &mut [Packet<'_>]) -> Failures {
        assert!(packets.len() <= MAX_BATCH, "a batch is at most {MAX_BATCH} packets");
        match self.backend {
            Backend::Ring => ring_backend::open(packets),
        }
    }
}
