//! One packet of a batch, and the set of those that failed.

use crate::{KEY_LENGTH, TAG_LENGTH};

/// The most packets in one call; the width of [`Failures`].
pub const MAX_BATCH: usize = 128;
/// The longest buffer, payload and tag: what a 16-bit length on the wire can name.
pub const MAX_BUFFER: usize = 65_535;

/// A buffer with no room for the tag, or longer than [`MAX_BUFFER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a packet is {TAG_LENGTH} to {MAX_BUFFER} bytes with its tag, not {0}")]
pub struct BadLength(pub usize);

/// A packet to seal or to open: its key, its counter, and the bytes of payload and tag.
///
/// The buffer is borrowed exclusively, so no two packets of a batch alias, and it is never shorter than a tag.
pub struct Packet<'a> {
    pub(crate) key: &'a [u8; KEY_LENGTH],
    pub(crate) counter: u64,
    pub(crate) buffer: &'a mut [u8],
}

impl<'a> Packet<'a> {
    /// `buffer` is the payload followed by [`TAG_LENGTH`] bytes for the tag.
    ///
    /// # Errors
    /// [`BadLength`] when the buffer cannot hold a tag or is longer than [`MAX_BUFFER`].
    #[inline]
    pub fn new(
        key: &'a [u8; KEY_LENGTH],
        counter: u64,
        buffer: &'a mut [u8],
    ) -> Result<Self, BadLength> {
        if (TAG_LENGTH..=MAX_BUFFER).contains(&buffer.len()) {
            Ok(Self { key, counter, buffer })
        } else {
            Err(BadLength(buffer.len()))
        }
    }

    /// The payload without the tag.
    pub fn payload(&self) -> &[u8] {
        &self.buffer[..self.buffer.len() - TAG_LENGTH]
    }

    /// The nonce: four zero bytes, then the counter, little endian.
    #[inline]
    pub(crate) fn nonce(&self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.counter.to_le_bytes());
        nonce
    }
}

/// Which packets of a batch were rejected, by their position.
#[must_use = "a rejected packet must not be used"]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures(u128);

impl Failures {
    /// No packet was rejected.
    pub const NONE: Self = Self(0);

    /// Whether the packet at `position` was rejected.
    #[inline]
    pub const fn contains(self, position: usize) -> bool {
        position < MAX_BATCH && self.0 & (1 << position) != 0
    }

    /// Whether every packet passed.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many packets were rejected.
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// Marks the packet at `position`, which is below [`MAX_BATCH`].
    #[inline]
    pub(crate) const fn insert(&mut self, position: usize) {
        self.0 |= 1 << position;
    }
}
