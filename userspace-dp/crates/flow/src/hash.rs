//! Keyed hashes over what senders choose.
//!
//! Whoever knows which tuples share a place can fill it, so every hash here depends on words drawn at start. The
//! first round is NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: UMAC, 1999): sums of products of 64-bit words, each
//! with a secret word added, modulo 2^128. Two different keys meet in it with a probability of at most 2^-64 over the
//! secrets, whatever the keys are. The second round folds the 128 bits into 64 by another product with secrets, which
//! spreads what differs over all bits. Hashes are never shown to anybody: this is no cipher, and who sees outputs can
//! learn about the secrets.
//!
//! Rates of this: three products next to each other and one after them, so about as long as one missed L1 line.

use core::fmt;

use crate::key::Words;
use crate::{FragmentKey, Key, Tuple};

/// Secrets of one start. All workers share one, so that each can name the owner of a flow.
#[derive(Clone)]
pub struct HashKey([u64; HashKey::WORDS]);

/// What a table uses of a key: the lower half picks a bucket, the upper one is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hash(pub(crate) u64);

impl Hash {
    #[inline]
    pub(crate) const fn lower(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    pub(crate) const fn upper(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl HashKey {
    /// How many random words a key takes.
    pub const WORDS: usize = 16;

    /// A key of words that were drawn at random for this start, and that nobody else knows.
    pub const fn new(secrets: [u64; Self::WORDS]) -> Self {
        Self(secrets)
    }

    /// The hash by which tables find a key.
    #[inline]
    pub(crate) fn of(&self, words: &Words) -> Hash {
        let [a, b, c, d, rest] = words.0;
        let [k0, k1, k2, k3, k4, k5, k6, k7, ..] = self.0;
        let sum = product(a.wrapping_add(k0), b.wrapping_add(k1))
            .wrapping_add(product(c.wrapping_add(k2), d.wrapping_add(k3)))
            .wrapping_add(product(rest.wrapping_add(k4), k5));
        Hash(finish(sum, k6, k7))
    }

    /// A hash that is the same for a tuple and its answers: whichever of them arrives, and wherever, it names one
    /// owner. Zones are left out, as the two directions come from two.
    pub fn symmetric(&self, tuple: &Tuple) -> u64 {
        let [.., k8, k9, k10, k11, k12, k13, k14, k15] = self.0;
        // An echo's identifier belongs to both ends; what kind it is would tell the directions apart.
        let (ports, shared) = match tuple.is_echo() {
            true => ((0, 0), tuple.ports.0),
            false => (tuple.ports, 0),
        };
        let end = |upper: u64, lower: u64, port: u16| {
            let address = product(upper.wrapping_add(k8), lower.wrapping_add(k9));
            let port = product(u64::from(port).wrapping_add(k10), k11);
            finish(address.wrapping_add(port), k12, k13)
        };
        let (source, destination) = ends(tuple);
        let both = end(source.0, source.1, ports.0).wrapping_add(end(
            destination.0,
            destination.1,
            ports.1,
        ));
        let rest = u64::from(shared) << 8 | u64::from(tuple.protocol);
        fold(both.wrapping_add(k14), rest.wrapping_add(k15))
    }

    /// A hash of a datagram's fragments: whichever of them arrives, and wherever, it names one owner. Zones are left out
    /// here too.
    pub fn fragments(&self, key: &FragmentKey) -> u64 {
        let [.., k14, k15] = self.0;
        let Hash(hash) = self.of(&FragmentKey { zone: 0, ..*key }.words());
        fold(hash.wrapping_add(k15), k14)
    }

    /// One of `choices` by a hash of this key: the owner among so many workers. Zero for no choice.
    pub const fn choose(hash: u64, choices: usize) -> usize {
        ((hash as u128 * choices as u128) >> 64) as usize
    }
}

/// Both ends' addresses as two words each.
fn ends(tuple: &Tuple) -> ((u64, u64), (u64, u64)) {
    let Words([a, b, c, d, _]) = Words::of(&Key { zone: 0, tuple: *tuple });
    match tuple.addresses {
        wire::Addresses::V4 { .. } => ((0, a >> 32), (0, a & u64::from(u32::MAX))),
        wire::Addresses::V6 { .. } => ((a, b), (c, d)),
    }
}

#[inline]
const fn product(left: u64, right: u64) -> u128 {
    left as u128 * right as u128
}

#[inline]
const fn fold(left: u64, right: u64) -> u64 {
    let product = product(left, right);
    product as u64 ^ (product >> 64) as u64
}

#[inline]
const fn finish(sum: u128, left: u64, right: u64) -> u64 {
    fold(sum as u64 ^ left, (sum >> 64) as u64 ^ right)
}

impl fmt::Debug for HashKey {
    /// Nothing of the secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HashKey(..)")
    }
}

#[cfg(test)]
pub(crate) mod tests;
