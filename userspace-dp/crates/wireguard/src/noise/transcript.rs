//! What both sides agree on so far: the chaining key and the hash of everything said.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::hash::{Secret, hash, kdf1, kdf2, kdf3};
use crate::PublicKey;

const CONSTRUCTION: &[u8] = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
const IDENTIFIER: &[u8] = b"WireGuard v1 zx2c4 Jason@zx2c4.com";
const TAG: usize = 16;

/// The symmetric state of Noise.
#[derive(Clone)]
pub(crate) struct Transcript {
    chaining: Secret,
    hash: [u8; 32],
}

impl Transcript {
    /// The beginning of every handshake towards `responder`.
    pub(crate) fn new(responder: &PublicKey) -> Self {
        let chaining = hash(&[CONSTRUCTION]);
        let identified = hash(&[&chaining, IDENTIFIER]);
        Self {
            chaining: Zeroizing::new(chaining),
            hash: hash(&[&identified, responder.as_bytes()]),
        }
    }

    pub(crate) fn mix_hash(&mut self, said: &[u8]) {
        self.hash = hash(&[&self.hash, said]);
    }

    pub(crate) fn mix_key(&mut self, input: &[u8]) {
        self.chaining = kdf1(&self.chaining, input);
    }

    /// Mixes `input` in and derives a key for one message part.
    pub(crate) fn derive_key(&mut self, input: &[u8]) -> Secret {
        let (chaining, key) = kdf2(&self.chaining, input);
        self.chaining = chaining;
        key
    }

    /// Mixes the preshared key in and derives a key for one message part.
    pub(crate) fn derive_key_preshared(&mut self, preshared: &[u8; 32]) -> Secret {
        let (chaining, said, key) = kdf3(&self.chaining, preshared);
        self.chaining = chaining;
        self.mix_hash(said.as_slice());
        key
    }

    /// Seals `plaintext` into `out`, which is one tag longer, and records what was said.
    pub(crate) fn seal(&mut self, key: &Secret, plaintext: &[u8], out: &mut [u8]) {
        let (body, tag) = out.split_at_mut(plaintext.len());
        body.copy_from_slice(plaintext);
        let sealed = cipher(key)
            .seal_in_place_separate_tag(zero_nonce(), Aad::from(self.hash), body)
            .expect("a handshake field is far shorter than the cipher's limit");
        tag.copy_from_slice(sealed.as_ref());
        self.mix_hash(out);
    }

    /// Opens `sealed`, which holds `N` bytes and a tag, and records what was said.
    pub(crate) fn open<const N: usize>(
        &mut self,
        key: &Secret,
        sealed: &[u8],
    ) -> Option<Zeroizing<[u8; N]>> {
        let mut scratch = Zeroizing::new([0; 64]);
        let scratch = scratch.get_mut(..sealed.len()).filter(|s| s.len() == N + TAG)?;
        scratch.copy_from_slice(sealed);
        let opened = cipher(key).open_in_place(zero_nonce(), Aad::from(self.hash), scratch).ok()?;
        let mut plaintext = Zeroizing::new([0; N]);
        plaintext.copy_from_slice(opened);
        self.mix_hash(sealed);
        Some(plaintext)
    }

    /// The two keys of the session: initiator to responder, responder to initiator.
    pub(crate) fn split(self) -> (Secret, Secret) {
        kdf2(&self.chaining, &[])
    }
}

/// Each key seals one part only, so its nonce is zero.
fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn cipher(key: &Secret) -> LessSafeKey {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice())
        .expect("the key has the cipher's length by its type");
    LessSafeKey::new(key)
}
