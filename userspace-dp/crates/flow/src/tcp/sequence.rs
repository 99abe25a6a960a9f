//! Sequence numbers: 32 bits on a circle (RFC 9293, section 3.4).
//!
//! Of two numbers the one less than half a circle ahead is the later. What is compared here lies within a quarter of
//! it: no window is larger than 2^30.

/// A sequence number, or the one behind the last of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sequence(pub(crate) u32);

impl Sequence {
    #[inline]
    pub(crate) const fn after(self, other: Self) -> bool {
        (self.0.wrapping_sub(other.0) as i32) > 0
    }

    #[inline]
    pub(crate) const fn before(self, other: Self) -> bool {
        other.after(self)
    }

    #[inline]
    pub(crate) const fn plus(self, count: u32) -> Self {
        Self(self.0.wrapping_add(count))
    }

    #[inline]
    pub(crate) const fn minus(self, count: u32) -> Self {
        Self(self.0.wrapping_sub(count))
    }

    /// The later of both.
    #[inline]
    pub(crate) const fn or_later(self, other: Self) -> Self {
        if other.after(self) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_goes_around() {
        let last = Sequence(u32::MAX);
        assert!(last.plus(1).after(last) && last.before(last.plus(1)));
        assert!(!last.after(last) && !last.before(last));
        assert_eq!(last.or_later(last.plus(7)), Sequence(6));
        assert_eq!(last.plus(7).or_later(last), Sequence(6));
        assert_eq!(Sequence(3).minus(5), Sequence(u32::MAX - 1));
    }
}
