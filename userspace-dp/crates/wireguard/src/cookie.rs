//! Cookies: what a loaded responder hands out, and how a handshake message shows one (WireGuard paper, 5.4.7).

use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use subtle::ConstantTimeEq;

use crate::PublicKey;
use crate::message::{
    COOKIE_NONCE, COOKIE_RECEIVER, COOKIE_SEALED, MAC_LENGTH, TYPE_COOKIE_REPLY, field, macs,
};
use crate::noise::hash::{hash, mac};
use crate::protocol::COOKIE_REPLY_LENGTH;

/// A proof that its holder receives packets at its address.
pub(crate) type Cookie = [u8; 16];

/// The key of the first MAC in messages to the owner of `public`.
pub(crate) fn mac1_key(public: &PublicKey) -> [u8; 32] {
    hash(&[b"mac1----", public.as_bytes()])
}

/// The key of cookie replies from the owner of `public`.
pub(crate) fn reply_key(public: &PublicKey) -> [u8; 32] {
    hash(&[b"cookie--", public.as_bytes()])
}

/// Writes both MACs at the end of a message. Returns the first.
pub(crate) fn sign<const N: usize>(
    message: &mut [u8; N],
    mac1_key: &[u8; 32],
    cookie: Option<&Cookie>,
) -> [u8; MAC_LENGTH] {
    let first = mac(mac1_key, &[macs(message).0]);
    message[N - 2 * MAC_LENGTH..N - MAC_LENGTH].copy_from_slice(&first);
    let second = cookie.map_or([0; MAC_LENGTH], |c| mac(c, &[&message[..N - MAC_LENGTH]]));
    message[N - MAC_LENGTH..].copy_from_slice(&second);
    first
}

/// Whether the first MAC is right.
pub(crate) fn mac1_matches<const N: usize>(message: &[u8; N], mac1_key: &[u8; 32]) -> bool {
    let (covered, first, _) = macs(message);
    mac(mac1_key, &[covered]).ct_eq(first).into()
}

/// Whether the second MAC was made with `cookie`.
pub(crate) fn mac2_matches<const N: usize>(message: &[u8; N], cookie: &Cookie) -> bool {
    let (covered, first, second) = macs(message);
    mac(cookie, &[covered, first]).ct_eq(second).into()
}

/// A cookie reply to the sender `receiver_index` of a message whose first MAC was `mac1`.
pub(crate) fn write_reply(
    key: &[u8; 32],
    nonce: [u8; 24],
    receiver_index: u32,
    cookie: Cookie,
    mac1: &[u8; MAC_LENGTH],
) -> [u8; COOKIE_REPLY_LENGTH] {
    let mut message = [0; COOKIE_REPLY_LENGTH];
    message[..4].copy_from_slice(&TYPE_COOKIE_REPLY.to_le_bytes());
    message[COOKIE_RECEIVER].copy_from_slice(&receiver_index.to_le_bytes());
    message[COOKIE_NONCE].copy_from_slice(&nonce);
    let (body, tag) = message[COOKIE_SEALED].split_at_mut(cookie.len());
    body.copy_from_slice(&cookie);
    let sealed = XChaCha20Poly1305::new(key.into())
        .encrypt_in_place_detached(XNonce::from_slice(&nonce), mac1, body)
        .expect("a cookie is far shorter than the cipher's limit");
    tag.copy_from_slice(&sealed);
    message
}

/// The cookie in a reply to the message whose first MAC was `mac1`, if it is one.
pub(crate) fn read_reply(
    key: &[u8; 32],
    message: &[u8; COOKIE_REPLY_LENGTH],
    mac1: &[u8; MAC_LENGTH],
) -> Option<Cookie> {
    let nonce: [u8; 24] = field(message, COOKIE_NONCE);
    let (body, tag) = message[COOKIE_SEALED].split_at(size_of::<Cookie>());
    let mut cookie = [0; size_of::<Cookie>()];
    cookie.copy_from_slice(body);
    XChaCha20Poly1305::new(key.into())
        .decrypt_in_place_detached(
            XNonce::from_slice(&nonce),
            mac1,
            &mut cookie,
            Tag::from_slice(tag),
        )
        .ok()
        .map(|()| cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_opens_only_for_the_message_it_answers() {
        let key = reply_key(&PublicKey::from_bytes([3; 32]));
        let reply = write_reply(&key, [4; 24], 0x0102_0304, [5; 16], &[6; 16]);
        assert_eq!(reply[..8], [3, 0, 0, 0, 4, 3, 2, 1]);
        assert_eq!(read_reply(&key, &reply, &[6; 16]), Some([5; 16]));
        assert_eq!(read_reply(&key, &reply, &[7; 16]), None);
        assert_eq!(read_reply(&[0; 32], &reply, &[6; 16]), None);
        for byte in 8..64 {
            let mut damaged = reply;
            damaged[byte] ^= 1;
            assert_eq!(read_reply(&key, &damaged, &[6; 16]), None, "byte {byte}");
        }
    }

    #[test]
    fn the_macs_cover_what_they_should() {
        let key = mac1_key(&PublicKey::from_bytes([1; 32]));
        let mut message = [9; 148];
        let first = sign(&mut message, &key, Some(&[2; 16]));
        assert_eq!(message[116..132], first);
        assert!(mac1_matches(&message, &key) && mac2_matches(&message, &[2; 16]));
        assert!(!mac2_matches(&message, &[3; 16]));
        for byte in 0..148 {
            let mut damaged = message;
            damaged[byte] ^= 1;
            assert_eq!(mac1_matches(&damaged, &key), byte >= 132, "byte {byte}");
            assert!(!mac2_matches(&damaged, &[2; 16]), "byte {byte}");
        }
        sign(&mut message, &key, None);
        assert_eq!(message[132..], [0; 16]);
    }
}
