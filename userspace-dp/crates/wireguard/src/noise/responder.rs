//! The responder: learns who calls, has the engine check that, then answers.

use super::curve::{Curve, KeyObject};
use super::hash::Secret;
use super::{Transcript, Transport};
use crate::message::{
    INITIATION_EPHEMERAL, INITIATION_STATIC, INITIATION_TIMESTAMP, RESPONSE_EMPTY,
    RESPONSE_EPHEMERAL, RESPONSE_RECEIVER, SENDER, TYPE_RESPONSE, field, word,
};
use crate::protocol::{INITIATION_LENGTH, RESPONSE_LENGTH};
use crate::{PresharedKey, PublicKey, Rejected, SymmetricKey, Tai64N};

/// An initiation was made for us, and claims to be from this static key.
pub(crate) struct Identified<'a> {
    message: &'a [u8; INITIATION_LENGTH],
    transcript: Transcript,
    claimed: PublicKey,
}

impl<'a> Identified<'a> {
    /// Decrypts the static key.
    ///
    /// # Errors
    /// [`Rejected::ZeroSharedSecret`] or [`Rejected::StaticKeyUndecryptable`].
    pub(crate) fn read(
        curve: &mut Curve,
        own: &KeyObject,
        beginning: &Transcript,
        message: &'a [u8; INITIATION_LENGTH],
    ) -> Result<Self, Rejected> {
        let public: [u8; 32] = field(message, INITIATION_EPHEMERAL);
        let mut transcript = beginning.clone();
        transcript.mix_key(&public);
        transcript.mix_hash(&public);
        let shared = curve.agree(own, &public)?;
        let key = transcript.derive_key(shared.as_slice());
        let claimed = transcript
            .open::<32>(&key, &message[INITIATION_STATIC])
            .ok_or(Rejected::StaticKeyUndecryptable)?;
        Ok(Self { message, transcript, claimed: PublicKey::from_bytes(*claimed) })
    }

    /// Whom to look up.
    pub(crate) fn claimed(&self) -> &PublicKey {
        &self.claimed
    }

    /// Decrypts the timestamp, which proves that the initiator holds the static key.
    ///
    /// # Errors
    /// [`Rejected::TimestampUndecryptable`].
    pub(crate) fn authenticate(self, static_static: &Secret) -> Result<Initiated, Rejected> {
        let Self { message, mut transcript, claimed } = self;
        let key = transcript.derive_key(static_static.as_slice());
        let timestamp = transcript
            .open::<{ Tai64N::LENGTH }>(&key, &message[INITIATION_TIMESTAMP])
            .ok_or(Rejected::TimestampUndecryptable)?;
        Ok(Initiated {
            transcript,
            initiator: claimed,
            ephemeral: field(message, INITIATION_EPHEMERAL),
            remote_index: word(message, SENDER),
            timestamp: Tai64N::from_bytes(*timestamp),
        })
    }
}

/// The initiator is who it claims to be. Whether the initiation is new is for the engine to decide.
pub(crate) struct Initiated {
    transcript: Transcript,
    initiator: PublicKey,
    ephemeral: [u8; 32],
    remote_index: u32,
    timestamp: Tai64N,
}

impl Initiated {
    pub(crate) fn timestamp(&self) -> Tai64N {
        self.timestamp
    }

    /// Writes the response, its two MACs left zero, and derives the session.
    ///
    /// # Errors
    /// [`Rejected::ZeroSharedSecret`].
    pub(crate) fn respond(
        self,
        curve: &mut Curve,
        ephemeral: &KeyObject,
        preshared: &PresharedKey,
        local_index: u32,
    ) -> Result<([u8; RESPONSE_LENGTH], Transport), Rejected> {
        let mut transcript = self.transcript;
        let mut message = [0; RESPONSE_LENGTH];
        message[..4].copy_from_slice(&TYPE_RESPONSE.to_le_bytes());
        message[SENDER].copy_from_slice(&local_index.to_le_bytes());
        message[RESPONSE_RECEIVER].copy_from_slice(&self.remote_index.to_le_bytes());

        let public = ephemeral.public().as_bytes();
        message[RESPONSE_EPHEMERAL].copy_from_slice(public);
        transcript.mix_key(public);
        transcript.mix_hash(public);
        transcript.mix_key(curve.agree(ephemeral, &self.ephemeral)?.as_slice());
        transcript.mix_key(curve.agree(ephemeral, self.initiator.as_bytes())?.as_slice());
        let key = transcript.derive_key_preshared(preshared.as_bytes());
        transcript.seal(&key, &[], &mut message[RESPONSE_EMPTY]);

        let (receive, send) = transcript.split();
        let transport = Transport {
            remote_index: self.remote_index,
            send_key: SymmetricKey::from_bytes(*send),
            receive_key: SymmetricKey::from_bytes(*receive),
        };
        Ok((message, transport))
    }
}
