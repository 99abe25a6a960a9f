//! BLAKE2s in its four uses: hash, keyed MAC, HMAC, and the key derivation of Noise (WireGuard paper, section 5.4).

use blake2::digest::consts::U16;
use blake2::digest::{FixedOutput, KeyInit, Mac, Update};
use blake2::{Blake2s256, Blake2sMac, Digest};
use zeroize::Zeroizing;

/// A secret of 32 bytes on its way from one step to the next.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

const BLOCK: usize = 64;

/// `HASH`: BLAKE2s-256 of the parts one after another.
pub(crate) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut state = Blake2s256::new();
    for part in parts {
        Digest::update(&mut state, part);
    }
    state.finalize_fixed().into()
}

/// `MAC`: BLAKE2s-128 keyed with up to 32 bytes.
pub(crate) fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let mut state = <Blake2sMac<U16> as KeyInit>::new_from_slice(key)
        .expect("keys here have 16 or 32 bytes and BLAKE2s takes up to 32");
    for part in parts {
        Update::update(&mut state, part);
    }
    state.finalize().into_bytes().into()
}

/// HMAC (RFC 2104) over BLAKE2s-256, with a key of one hash.
fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> Secret {
    let pad = |byte: u8| {
        let mut block = Zeroizing::new([byte; BLOCK]);
        for (slot, k) in block.iter_mut().zip(key) {
            *slot ^= k;
        }
        block
    };
    let mut inner = Blake2s256::new();
    Digest::update(&mut inner, pad(0x36).as_slice());
    for part in parts {
        Digest::update(&mut inner, part);
    }
    let inner: Secret = Zeroizing::new(inner.finalize_fixed().into());
    Zeroizing::new(hash(&[pad(0x5c).as_slice(), inner.as_slice()]))
}

/// `KDF` with one output.
pub(crate) fn kdf1(chaining: &[u8; 32], input: &[u8]) -> Secret {
    let root = hmac(chaining, &[input]);
    hmac(&root, &[&[1]])
}

/// `KDF` with two outputs.
pub(crate) fn kdf2(chaining: &[u8; 32], input: &[u8]) -> (Secret, Secret) {
    let root = hmac(chaining, &[input]);
    let first = hmac(&root, &[&[1]]);
    let second = hmac(&root, &[first.as_slice(), &[2]]);
    (first, second)
}

/// `KDF` with three outputs.
pub(crate) fn kdf3(chaining: &[u8; 32], input: &[u8]) -> (Secret, Secret, Secret) {
    let root = hmac(chaining, &[input]);
    let first = hmac(&root, &[&[1]]);
    let second = hmac(&root, &[first.as_slice(), &[2]]);
    let third = hmac(&root, &[second.as_slice(), &[3]]);
    (first, second, third)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7693, appendix B: BLAKE2s-256 of "abc".
    #[test]
    fn the_hash_is_blake2s() {
        let expected = [
            0x50, 0x8c, 0x5e, 0x8c, 0x32, 0x7c, 0x14, 0xe2, 0xe1, 0xa7, 0x2b, 0xa3, 0x4e, 0xeb,
            0x45, 0x2f, 0x37, 0x45, 0x8b, 0x20, 0x9e, 0xd6, 0x3a, 0x29, 0x4d, 0x99, 0x9b, 0x4c,
            0x86, 0x67, 0x59, 0x82,
        ];
        assert_eq!(hash(&[b"a", b"bc"]), expected);
    }

    #[test]
    fn the_mac_depends_on_key_and_every_part() {
        let of = mac(&[1; 32], &[b"ab", b"c"]);
        assert_eq!(of, mac(&[1; 32], &[b"abc"]));
        assert_ne!(of, mac(&[1; 16], &[b"abc"]));
        assert_ne!(of, mac(&[1; 32], &[b"abd"]));
    }

    /// Against a generic HMAC written from RFC 2104 over the same hash, with the block in one piece.
    #[test]
    fn derived_keys_chain_as_in_hkdf() {
        let reference = |key: &[u8; 32], data: &[u8]| {
            let (mut inner, mut outer) = (vec![0x36; 64], vec![0x5c; 64]);
            for i in 0..32 {
                inner[i] ^= key[i];
                outer[i] ^= key[i];
            }
            inner.extend_from_slice(data);
            outer.extend_from_slice(&hash(&[&inner]));
            hash(&[&outer])
        };
        let root = reference(&[9; 32], b"input");
        let first = reference(&root, &[1]);
        let second = reference(&root, &[&first[..], &[2]].concat());
        let third = reference(&root, &[&second[..], &[3]].concat());
        let (a, b, c) = kdf3(&[9; 32], b"input");
        assert_eq!((*a, *b, *c), (first, second, third));
        let (a, b) = kdf2(&[9; 32], b"input");
        assert_eq!((*a, *b), (first, second));
        assert_eq!(*kdf1(&[9; 32], b"input"), first);
    }
}
