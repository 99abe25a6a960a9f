//! X25519, counted: every scalar multiplication of the handshake goes through here.

use aws_lc_rs::agreement::{self, UnparsedPublicKey, X25519};
use rand::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::hash::Secret;
use crate::{PrivateKey, PublicKey, Rejected};

/// A private key ready for use, with its public half.
pub(crate) struct KeyObject {
    private: agreement::PrivateKey,
    public: PublicKey,
}

impl KeyObject {
    pub(crate) fn new(private: &PrivateKey) -> Self {
        let (private, public) = private.key_object();
        Self { private, public }
    }

    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }
}

/// Does the multiplications and counts them.
#[derive(Debug, Default)]
pub(crate) struct Curve {
    agreements: u64,
}

impl Curve {
    /// How many shared secrets were computed: the expensive operations that the gate guards.
    pub(crate) fn agreements(&self) -> u64 {
        self.agreements
    }

    /// A fresh key for one handshake.
    pub(crate) fn ephemeral(&self, rng: &mut dyn CryptoRng) -> KeyObject {
        KeyObject::new(&PrivateKey::generate(rng))
    }

    /// The shared secret with `public`.
    ///
    /// # Errors
    /// [`Rejected::ZeroSharedSecret`] when it is all zeros, which only points of small order bring about.
    pub(crate) fn agree(&mut self, own: &KeyObject, public: &[u8; 32]) -> Result<Secret, Rejected> {
        self.agreements += 1;
        let peer = UnparsedPublicKey::new(&X25519, public);
        agreement::agree(&own.private, peer, Rejected::ZeroSharedSecret, |shared| {
            let mut secret = Zeroizing::new([0; 32]);
            let fits = secret.len() == shared.len();
            if fits {
                secret.copy_from_slice(shared);
            }
            if bool::from(secret.ct_eq(&[0; 32])) {
                return Err(Rejected::ZeroSharedSecret);
            }
            Ok(secret)
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn secrets_and_public_keys_are_those_of_the_dalek_crate() {
        let mut rng = StdRng::seed_from_u64(3);
        let mut curve = Curve::default();
        for _ in 0..20 {
            let (mut a, mut b) = ([0; 32], [0; 32]);
            rand::Rng::fill_bytes(&mut rng, &mut a);
            rand::Rng::fill_bytes(&mut rng, &mut b);
            let ours = KeyObject::new(&PrivateKey::from_bytes(a));
            let theirs = x25519_dalek::StaticSecret::from(b);
            let their_public = x25519_dalek::PublicKey::from(&theirs);
            let our_public = x25519_dalek::PublicKey::from(*ours.public().as_bytes());
            let secret = curve.agree(&ours, their_public.as_bytes()).unwrap();
            assert_eq!(*secret, theirs.diffie_hellman(&our_public).to_bytes());
        }
        assert_eq!(curve.agreements(), 20);
    }

    /// The points of small order of Curve25519, and their non-canonical encodings.
    #[test]
    fn every_point_of_small_order_is_refused() {
        const ORDER_8_A: [u8; 32] = [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f,
            0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16,
            0x5f, 0x49, 0xb8, 0x00,
        ];
        const ORDER_8_B: [u8; 32] = [
            0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83,
            0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd,
            0xd0, 0x9f, 0x11, 0x57,
        ];
        let near_prime = |low: u8| {
            let mut point = [0xff; 32];
            (point[0], point[31]) = (low, 0x7f);
            point
        };
        let mut one = [0; 32];
        one[0] = 1;
        let points = [
            [0; 32],
            one,
            ORDER_8_A,
            ORDER_8_B,
            near_prime(0xec),
            near_prime(0xed),
            near_prime(0xee),
        ];
        let own = KeyObject::new(&PrivateKey::generate(&mut StdRng::seed_from_u64(4)));
        for point in points {
            let secret = Curve::default().agree(&own, &point);
            assert_eq!(secret.err(), Some(Rejected::ZeroSharedSecret), "{point:02x?}");
        }
    }
}
