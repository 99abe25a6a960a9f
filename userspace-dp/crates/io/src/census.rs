//! How many frames are where: the audit that no frame is lost or counted twice.
//!
//! Pools, ports and the region each report their part; the caller adds the frames it holds itself
//! (bursts, hand-off rings). Tests check the sum after every run, and a metric shows it.

use core::ops::Add;

use crate::umem::Umem;

/// Frames by place. All counts are frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    /// In a pool.
    pub free: u64,
    /// In a fill ring, not yet taken by the kernel.
    pub fill: u64,
    /// Taken for receiving by the kernel or driver, not yet in the receive ring.
    pub receive_driver: u64,
    /// In a receive ring, not yet taken by us.
    pub receive: u64,
    /// In bursts, hand-off rings and other hands of the caller.
    pub held: u64,
    /// In a transmit ring, not yet taken by the kernel.
    pub transmit: u64,
    /// Taken for transmission by the kernel or driver, not yet in the completion ring.
    pub transmit_driver: u64,
    /// In a completion ring, not yet reaped.
    pub completion: u64,
    /// Inside a port, waiting for its next refill or reap: refused and injected frames.
    pub recycle: u64,
    /// Retired together with the pool or port that owned them.
    pub retired: u64,
    /// Dropped instead of handed back: a bug.
    pub lost: u64,
}

impl Census {
    /// No frames anywhere.
    pub const EMPTY: Self = Self {
        free: 0,
        fill: 0,
        receive_driver: 0,
        receive: 0,
        held: 0,
        transmit: 0,
        transmit_driver: 0,
        completion: 0,
        recycle: 0,
        retired: 0,
        lost: 0,
    };

    /// `count` frames in the caller's hands.
    pub const fn held(count: u64) -> Self {
        Self { held: count, ..Self::EMPTY }
    }

    /// The sum over all places.
    pub const fn total(&self) -> u64 {
        self.free
            + self.fill
            + self.receive_driver
            + self.receive
            + self.held
            + self.transmit
            + self.transmit_driver
            + self.completion
            + self.recycle
            + self.retired
            + self.lost
    }

    /// Compares the sum with the size of `umem`, whose own part must be included.
    ///
    /// # Errors
    /// [`Imbalance`] when frames are missing or counted twice.
    pub fn audit(&self, umem: &Umem) -> Result<(), Imbalance> {
        let frames = u64::from(umem.frames());
        if self.total() == frames { Ok(()) } else { Err(Imbalance { frames, census: *self }) }
    }
}

impl Add for Census {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            free: self.free + other.free,
            fill: self.fill + other.fill,
            receive_driver: self.receive_driver + other.receive_driver,
            receive: self.receive + other.receive,
            held: self.held + other.held,
            transmit: self.transmit + other.transmit,
            transmit_driver: self.transmit_driver + other.transmit_driver,
            completion: self.completion + other.completion,
            recycle: self.recycle + other.recycle,
            retired: self.retired + other.retired,
            lost: self.lost + other.lost,
        }
    }
}

impl core::iter::Sum for Census {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::EMPTY, Add::add)
    }
}

/// The frames in all places do not sum to the total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} of {frames} frames accounted for: {census:?}", census.total())]
pub struct Imbalance {
    /// Frames there are.
    pub frames: u64,
    /// Where they were seen.
    pub census: Census,
}
