//! The two directions of a flow.

/// Which way a packet of a flow goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// As the packet that opened the flow.
    Opening,
    /// Back.
    Answers,
}

impl Direction {
    /// Both, by number.
    pub const ALL: [Self; 2] = [Self::Opening, Self::Answers];

    /// The place of what belongs to this direction in a pair.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The other one.
    #[inline]
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Opening => Self::Answers,
            Self::Answers => Self::Opening,
        }
    }
}
