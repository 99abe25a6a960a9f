//! Keys as values: generated, written and read in the base64 of wg(8), and wiped when dropped.
//!
//! Private and preshared keys have no `Debug` that shows bytes and no `PartialEq` that takes data-dependent time.
//! Keys of sessions are plain 32-byte arrays inside [`SymmetricKey`]; no library key object outlives a call.

use core::fmt;
use core::str::FromStr;

use aws_lc_rs::agreement;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of every key.
pub const KEY_LENGTH: usize = 32;
/// Characters of a key in base64, padding included.
const TEXT_LENGTH: usize = 44;

/// Why a text is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not base64 with padding.
    #[error("a key is written in base64, with padding")]
    NotBase64,
    /// Base64 of another number of bytes.
    #[error("a key is {KEY_LENGTH} bytes, which is {TEXT_LENGTH} characters of base64")]
    Length,
}

/// A Curve25519 secret: the identity of the gateway, or an ephemeral of one handshake.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct PrivateKey([u8; KEY_LENGTH]);

impl PrivateKey {
    /// A new key, clamped as X25519 (RFC 7748, section 5) asks for.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut key = Self([0; KEY_LENGTH]);
        rng.fill_bytes(&mut key.0);
        key.0[0] &= 248;
        key.0[31] = (key.0[31] & 127) | 64;
        key
    }

    /// The key with these bytes.
    pub const fn from_bytes(bytes: [u8; KEY_LENGTH]) -> Self {
        Self(bytes)
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        self.key_object().1
    }

    /// The key in base64.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0))
    }

    /// The key as the cryptographic library wants it, and its public half, which the library computes with it.
    pub(crate) fn key_object(&self) -> (agreement::PrivateKey, PublicKey) {
        let object = agreement::PrivateKey::from_private_key(&agreement::X25519, &self.0)
            .expect("any 32 bytes are an X25519 private key");
        let computed = object.compute_public_key().expect("every X25519 key has a public half");
        let mut public = PublicKey([0; KEY_LENGTH]);
        public.0.copy_from_slice(computed.as_ref());
        (object, public)
    }
}

impl FromStr for PrivateKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text).map(|bytes| Self(*bytes))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

/// A Curve25519 point: the identity of a peer. Not a secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; KEY_LENGTH]);

impl PublicKey {
    /// The key with these bytes.
    pub const fn from_bytes(bytes: [u8; KEY_LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes on the wire.
    pub const fn as_bytes(&self) -> &[u8; KEY_LENGTH] {
        &self.0
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text).map(|bytes| Self(*bytes))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// A symmetric secret that two peers share beside their keys. All zeros stands for none.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PresharedKey([u8; KEY_LENGTH]);

impl PresharedKey {
    /// What a peer without a preshared key uses.
    pub const NONE: Self = Self([0; KEY_LENGTH]);

    /// A new key.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut key = Self([0; KEY_LENGTH]);
        rng.fill_bytes(&mut key.0);
        key
    }

    /// The key with these bytes.
    pub const fn from_bytes(bytes: [u8; KEY_LENGTH]) -> Self {
        Self(bytes)
    }

    /// The key in base64.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0))
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; KEY_LENGTH] {
        &self.0
    }
}

impl FromStr for PresharedKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text).map(|bytes| Self(*bytes))
    }
}

impl fmt::Debug for PresharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresharedKey(..)")
    }
}

/// A key of one direction of a session.
#[derive(Zeroize, ZeroizeOnDrop)]
#[repr(transparent)]
pub struct SymmetricKey([u8; KEY_LENGTH]);

impl SymmetricKey {
    /// The key with these bytes.
    pub const fn from_bytes(bytes: [u8; KEY_LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes, as the data cipher takes them.
    pub const fn as_bytes(&self) -> &[u8; KEY_LENGTH] {
        &self.0
    }
}

impl ConstantTimeEq for SymmetricKey {
    fn ct_eq(&self, other: &Self) -> subtle::Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SymmetricKey(..)")
    }
}

fn decode(text: &str) -> Result<Zeroizing<[u8; KEY_LENGTH]>, KeyError> {
    let text = text.trim_ascii();
    // The decoder wants room for three bytes per four characters.
    let mut bytes = Zeroizing::new([0; TEXT_LENGTH / 4 * 3]);
    if text.len() != TEXT_LENGTH {
        let base64 = STANDARD.decode(text).map(Zeroizing::new);
        return Err(if base64.is_ok() { KeyError::Length } else { KeyError::NotBase64 });
    }
    let length =
        STANDARD.decode_slice(text, bytes.as_mut_slice()).map_err(|_| KeyError::NotBase64)?;
    let mut key = Zeroizing::new([0; KEY_LENGTH]);
    key.copy_from_slice(bytes[..length].get(..KEY_LENGTH).ok_or(KeyError::Length)?);
    if length == KEY_LENGTH { Ok(key) } else { Err(KeyError::Length) }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use subtle::ConstantTimeEq as _;

    use super::*;

    /// RFC 7748, section 6.1.
    #[test]
    fn the_public_key_is_that_of_rfc_7748() {
        let private = PrivateKey::from_bytes([
            0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2,
            0x66, 0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5,
            0x1d, 0xb9, 0x2c, 0x2a,
        ]);
        let public = [
            0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54, 0x74, 0x8b, 0x7d, 0xdc, 0xb4, 0x3e,
            0xf7, 0x5a, 0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38, 0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e,
            0xaa, 0x9b, 0x4e, 0x6a,
        ];
        assert_eq!(private.public_key().as_bytes(), &public);
    }

    #[test]
    fn keys_survive_the_way_through_text() {
        let mut rng = StdRng::seed_from_u64(1);
        let private = PrivateKey::generate(&mut rng);
        let text = private.to_base64();
        assert_eq!(text.len(), TEXT_LENGTH);
        let read: PrivateKey = format!("{}\n", text.as_str()).parse().unwrap();
        assert!(bool::from(read.0.ct_eq(&private.0)));
        let public = private.public_key();
        assert_eq!(public.to_string().parse(), Ok(public));
        let preshared = PresharedKey::generate(&mut rng);
        let read: PresharedKey = preshared.to_base64().parse().unwrap();
        assert!(bool::from(read.0.ct_eq(&preshared.0)));
    }

    #[test]
    fn what_is_not_a_key_is_told_apart() {
        let read = |text: &str| text.parse::<PublicKey>();
        assert_eq!(read("AAAA"), Err(KeyError::Length));
        assert_eq!(read(""), Err(KeyError::Length));
        assert_eq!(read(&"A".repeat(44)), Err(KeyError::Length));
        assert_eq!(read("not base64!"), Err(KeyError::NotBase64));
        // The last character may not carry bits that no byte holds.
        assert_eq!(read(&format!("{}B=", "A".repeat(42))), Err(KeyError::NotBase64));
        assert!(read(&format!("{}A=", "A".repeat(42))).is_ok());
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let shown = format!(
            "{:?} {:?} {:?}",
            PrivateKey::from_bytes([0x41; 32]),
            PresharedKey::from_bytes([0x41; 32]),
            SymmetricKey::from_bytes([0x41; 32]),
        );
        assert!(!shown.contains("65") && !shown.contains("41") && !shown.contains("QUFB"));
    }
}
