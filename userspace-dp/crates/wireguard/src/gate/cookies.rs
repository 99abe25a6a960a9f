//! The cookies we hand out: derived, not stored.
//!
//! A cookie is a MAC over the sender's address and port, under a secret that belongs to a period of 120 s. The
//! secret of a period is itself derived from a boot secret and the period's number, so there is nothing to rotate,
//! nothing to lock, and the previous period's cookies still verify.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use clock::Time;
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::cookie::{Cookie, reply_key, write_reply};
use crate::message::MAC_LENGTH;
use crate::noise::hash::{hash, mac};
use crate::protocol::{COOKIE_REPLY_LENGTH, COOKIE_SECRET_LIFETIME};
use crate::{Endpoint, PublicKey};

/// Makes and recognises cookies.
pub(super) struct Cookies {
    reply_key: [u8; 32],
    secrets: Arc<Secrets>,
}

/// Of the boot, whatever our identity.
struct Secrets {
    secret: Zeroizing<[u8; 32]>,
    nonce_secret: Zeroizing<[u8; 32]>,
    replies: AtomicU64,
}

impl Cookies {
    pub(super) fn new(public_key: &PublicKey, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let (mut secret, mut nonce_secret) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        rng.fill_bytes(secret.as_mut_slice());
        rng.fill_bytes(nonce_secret.as_mut_slice());
        let secrets = Secrets { secret, nonce_secret, replies: AtomicU64::new(0) };
        Self { reply_key: reply_key(public_key), secrets: Arc::new(secrets) }
    }

    /// The same cookies, in replies from somebody else.
    pub(super) fn with_identity(&self, public_key: &PublicKey) -> Self {
        Self { reply_key: reply_key(public_key), secrets: Arc::clone(&self.secrets) }
    }

    /// The cookies that the sender at `endpoint` may show: of the current period and of the one before.
    pub(super) fn valid_for(&self, endpoint: &Endpoint, now: Time) -> [Cookie; 2] {
        let period = now.as_nanos() / COOKIE_SECRET_LIFETIME.as_nanos() as u64;
        [period, period.wrapping_sub(1)].map(|period| self.cookie(endpoint, period))
    }

    /// The message that brings `cookie` to the sender of a message with this index and first MAC.
    pub(super) fn reply(
        &self,
        receiver_index: u32,
        cookie: Cookie,
        mac1: &[u8; MAC_LENGTH],
    ) -> [u8; COOKIE_REPLY_LENGTH] {
        // The nonce must not repeat under the one key of all replies: a secret hash of a counter is random enough.
        let count = self.secrets.replies.fetch_add(1, Ordering::Relaxed);
        let [head @ .., _, _, _, _, _, _, _, _] =
            hash(&[self.secrets.nonce_secret.as_slice(), &count.to_le_bytes()]);
        write_reply(&self.reply_key, head, receiver_index, cookie, mac1)
    }

    fn cookie(&self, endpoint: &Endpoint, period: u64) -> Cookie {
        let secret = mac(self.secrets.secret.as_slice(), &[&period.to_le_bytes()]);
        let remote = endpoint.remote();
        let address = match remote.ip() {
            core::net::IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            core::net::IpAddr::V6(v6) => v6,
        };
        mac(&secret, &[&address.octets(), &remote.port().to_le_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn cookies() -> Cookies {
        Cookies::new(&PublicKey::from_bytes([1; 32]), &mut StdRng::seed_from_u64(1))
    }

    fn endpoint(remote: &str) -> Endpoint {
        Endpoint::configured(remote.parse().unwrap())
    }

    #[test]
    fn a_cookie_lives_through_the_next_period_and_no_longer() {
        let (cookies, peer) = (cookies(), endpoint("192.0.2.1:1000"));
        let issued = Time::ZERO + Duration::from_secs(10 * 120 + 7);
        let [cookie, _] = cookies.valid_for(&peer, issued);
        let valid = |later: u64| {
            cookies.valid_for(&peer, issued + Duration::from_secs(later)).contains(&cookie)
        };
        assert!(valid(0) && valid(112) && valid(113) && valid(120) && valid(232));
        assert!(!valid(233) && !valid(10_000));
    }

    #[test]
    fn a_cookie_belongs_to_one_address_and_port() {
        let (cookies, now) = (cookies(), Time::ZERO + Duration::from_secs(500));
        let of = |remote: &str| cookies.valid_for(&endpoint(remote), now)[0];
        let cookie = of("192.0.2.1:1000");
        assert_eq!(cookie, of("[::ffff:192.0.2.1]:1000"));
        assert_ne!(cookie, of("192.0.2.1:1001"));
        assert_ne!(cookie, of("192.0.2.2:1000"));
        assert_ne!(of("[2001:db8::1]:1000"), of("[2001:db8::2]:1000"));
    }

    #[test]
    fn no_two_replies_share_a_nonce() {
        let cookies = cookies();
        let replies: std::collections::HashSet<_> =
            (0..100).map(|_| cookies.reply(1, [2; 16], &[3; 16])).collect();
        assert_eq!(replies.len(), 100);
    }
}
