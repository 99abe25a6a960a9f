//! The initiator: says who it is, then waits for the response.

use super::curve::{Curve, KeyObject};
use super::hash::Secret;
use super::{Transcript, Transport};
use crate::message::{
    INITIATION_EPHEMERAL, INITIATION_STATIC, INITIATION_TIMESTAMP, RESPONSE_EMPTY,
    RESPONSE_EPHEMERAL, SENDER, TYPE_INITIATION, field, word,
};
use crate::protocol::{INITIATION_LENGTH, RESPONSE_LENGTH};
use crate::{PresharedKey, PublicKey, Rejected, SymmetricKey, Tai64N};

/// Who talks to whom.
pub(crate) struct Identity<'a> {
    pub(crate) own: &'a KeyObject,
    pub(crate) peer: &'a PublicKey,
    /// The secret that the two static keys share.
    pub(crate) static_static: &'a Secret,
}

/// An initiation was sent.
pub(crate) struct AwaitingResponse {
    transcript: Transcript,
    ephemeral: KeyObject,
}

/// Writes an initiation. Its two MACs are left zero.
///
/// # Errors
/// [`Rejected::ZeroSharedSecret`] when the peer's key is of small order.
pub(crate) fn begin(
    curve: &mut Curve,
    identity: &Identity<'_>,
    ephemeral: KeyObject,
    local_index: u32,
    timestamp: Tai64N,
) -> Result<([u8; INITIATION_LENGTH], AwaitingResponse), Rejected> {
    let mut message = [0; INITIATION_LENGTH];
    message[..4].copy_from_slice(&TYPE_INITIATION.to_le_bytes());
    message[SENDER].copy_from_slice(&local_index.to_le_bytes());

    let mut transcript = Transcript::new(identity.peer);
    let public = ephemeral.public().as_bytes();
    message[INITIATION_EPHEMERAL].copy_from_slice(public);
    transcript.mix_key(public);
    transcript.mix_hash(public);

    let shared = curve.agree(&ephemeral, identity.peer.as_bytes())?;
    let key = transcript.derive_key(shared.as_slice());
    let own = identity.own.public().as_bytes();
    transcript.seal(&key, own, &mut message[INITIATION_STATIC]);

    let key = transcript.derive_key(identity.static_static.as_slice());
    transcript.seal(&key, timestamp.as_bytes(), &mut message[INITIATION_TIMESTAMP]);
    Ok((message, AwaitingResponse { transcript, ephemeral }))
}

impl AwaitingResponse {
    /// Reads the response. A message that is not the response gives the state back: anyone may send such.
    ///
    /// # Errors
    /// [`Rejected::ZeroSharedSecret`] or [`Rejected::ResponseUndecryptable`].
    pub(crate) fn finish(
        self,
        curve: &mut Curve,
        own: &KeyObject,
        preshared: &PresharedKey,
        response: &[u8; RESPONSE_LENGTH],
    ) -> Result<Transport, (Self, Rejected)> {
        match self.read(curve, own, preshared, response) {
            Ok(transport) => Ok(transport),
            Err(cause) => Err((self, cause)),
        }
    }

    fn read(
        &self,
        curve: &mut Curve,
        own: &KeyObject,
        preshared: &PresharedKey,
        response: &[u8; RESPONSE_LENGTH],
    ) -> Result<Transport, Rejected> {
        let public: [u8; 32] = field(response, RESPONSE_EPHEMERAL);
        let mut transcript = self.transcript.clone();
        transcript.mix_key(&public);
        transcript.mix_hash(&public);
        transcript.mix_key(curve.agree(&self.ephemeral, &public)?.as_slice());
        transcript.mix_key(curve.agree(own, &public)?.as_slice());
        let key = transcript.derive_key_preshared(preshared.as_bytes());
        transcript
            .open::<0>(&key, &response[RESPONSE_EMPTY])
            .ok_or(Rejected::ResponseUndecryptable)?;
        let (send, receive) = transcript.split();
        Ok(Transport {
            remote_index: word(response, SENDER),
            send_key: SymmetricKey::from_bytes(*send),
            receive_key: SymmetricKey::from_bytes(*receive),
        })
    }
}
