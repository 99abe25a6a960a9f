//! Keys: public ones by value, secret ones only ever from files.

use crate::text::{Invalid, textual};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// A Curve25519 public key, written in base64 as wg(8) does (44 characters).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

/// A secret key that was read from a file. It is wiped when dropped, shows nothing and is never written.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<[u8; 32]>);

const KEY_FORM: &str = "32 bytes in base64: 43 characters and '=', as wg(8) prints them";

textual!(PublicKey, "PublicKey", "a public key in base64", {
    "pattern": "^[A-Za-z0-9+/]{43}=$"
});

impl PublicKey {
    /// The key's bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key made of `bytes`.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl Secret {
    /// The key's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads a secret key in base64; white space around it is ignored.
    ///
    /// # Errors
    /// [`Invalid`] when it is not 32 bytes in base64. The text is not repeated in the error.
    pub fn from_base64(text: &str) -> Result<Self, Invalid> {
        decode(text.trim_ascii()).map(Self)
    }
}

impl FromStr for PublicKey {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
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

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Exactly 32 bytes from canonical, padded base64.
fn decode(text: &str) -> Result<Zeroizing<[u8; 32]>, Invalid> {
    let mut bytes = Zeroizing::new([0; 32]);
    // The estimate of `decode_slice` is 33 bytes for 44 characters; the exact length is checked after it.
    let mut room = Zeroizing::new([0u8; 33]);
    if text.len() != 44 {
        return Err(Invalid::new("not a key", KEY_FORM));
    }
    match STANDARD.decode_slice(text, room.as_mut_slice()) {
        Ok(32) => {
            bytes.copy_from_slice(&room[..32]);
            Ok(bytes)
        }
        Ok(_) | Err(_) => Err(Invalid::new("not a key", KEY_FORM)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_reads_and_shows_as_base64() {
        let text = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
        let key: PublicKey = text.parse().unwrap();
        assert_eq!(key.bytes()[0..3], [1, 2, 3]);
        assert_eq!(key.to_string(), text);
    }

    #[test]
    fn keys_of_other_lengths_or_spellings_are_refused() {
        for bad in [
            "",
            "AQID",
            "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA",
            "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyE=AA==",
            "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyB=",
            "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh",
            "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eH-A=",
        ] {
            assert!(bad.parse::<PublicKey>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_secret_shows_nothing() {
        let secret = Secret::from_base64("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert_eq!(secret.bytes()[31], 32);
    }
}
