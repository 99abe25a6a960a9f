//! VLAN tags (IEEE 802.1Q): customer tags (0x8100) and service tags (0x88a8), at most two.

use core::fmt;

use crate::Malformed;

/// Bytes a tag adds to the link header.
pub const TAG_LEN: usize = 4;
/// TPID of a customer tag (802.1Q).
pub const CUSTOMER: u16 = 0x8100;
/// TPID of a service tag (802.1ad).
pub const SERVICE: u16 = 0x88a8;

/// True if a tag follows this EtherType.
#[inline(always)]
pub const fn is_tpid(ethertype: u16) -> bool {
    ethertype == CUSTOMER || ethertype == SERVICE
}

/// Tag control information: priority (3 bits), drop eligibility (1), VLAN id (12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag(pub u16);

impl Tag {
    /// The VLAN id; zero means "no VLAN, only a priority".
    pub const fn id(self) -> u16 {
        self.0 & 0x0fff
    }

    /// The priority code point, 0 to 7.
    pub const fn priority(self) -> u8 {
        (self.0 >> 13) as u8
    }
}

/// The tags of one frame, outermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tags {
    tags: [Tag; 2],
    count: u8,
}

impl Tags {
    /// An untagged frame.
    pub const NONE: Self = Self { tags: [Tag(0); 2], count: 0 };

    /// A single tag.
    pub const fn one(tag: Tag) -> Self {
        Self { tags: [tag, Tag(0)], count: 1 }
    }

    /// These tags with one more inside; `None` if there are two.
    #[must_use]
    pub const fn with(mut self, inner: Tag) -> Option<Self> {
        if self.push(inner) { Some(self) } else { None }
    }

    /// Puts a tag inside the others; false if there are two.
    #[inline(always)]
    pub const fn push(&mut self, inner: Tag) -> bool {
        match self.count {
            0 => self.tags[0] = inner,
            1 => self.tags[1] = inner,
            _ => return false,
        }
        self.count += 1;
        true
    }

    /// How many tags there are: 0, 1 or 2.
    pub const fn count(&self) -> usize {
        self.count as usize
    }

    /// The outermost tag.
    pub const fn outer(&self) -> Option<Tag> {
        if self.count > 0 { Some(self.tags[0]) } else { None }
    }

    /// The tag within the outermost.
    pub const fn inner(&self) -> Option<Tag> {
        if self.count > 1 { Some(self.tags[1]) } else { None }
    }

    /// The VLAN that, with the port, names the interface of a frame with at most one tag: zero for
    /// untagged and for priority-tagged frames.
    pub const fn outer_id(&self) -> u16 {
        self.tags[0].id()
    }

    /// Each tag with the TPID it is emitted under.
    pub(crate) fn to_emit(self) -> impl Iterator<Item = (u16, Tag)> {
        let outer = if self.count == 2 { SERVICE } else { CUSTOMER };
        [(outer, self.tags[0]), (CUSTOMER, self.tags[1])].into_iter().take(self.count())
    }
}

impl fmt::Display for Tags {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for tag in [self.outer(), self.inner()].into_iter().flatten() {
            write!(formatter, " vlan {}", tag.id())?;
        }
        Ok(())
    }
}

/// A tag in a buffer: its control information and the EtherType behind it.
#[derive(Clone, Copy)]
pub struct View<'a>(&'a [u8; TAG_LEN]);

impl<'a> View<'a> {
    /// The tag at the front of `bytes`, its TPID already read.
    #[inline(always)]
    pub const fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        match bytes.first_chunk() {
            Some(tag) => Ok(Self(tag)),
            None => Err(Malformed::VlanTruncated),
        }
    }

    /// The control information.
    pub const fn tag(&self) -> Tag {
        Tag(u16::from_be_bytes([self.0[0], self.0[1]]))
    }

    /// What follows the tag: another TPID or an EtherType.
    pub const fn ethertype(&self) -> u16 {
        u16::from_be_bytes([self.0[2], self.0[3]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_splits_into_priority_and_id() {
        let view = View::new(&[0xa0, 0x64, 0x08, 0x00]).unwrap();
        assert_eq!((view.tag().priority(), view.tag().id()), (5, 100));
        assert_eq!(view.ethertype(), 0x0800);
        assert_eq!(View::new(&[0, 1, 8]).err(), Some(Malformed::VlanTruncated));
    }

    #[test]
    fn two_tags_are_a_service_tag_around_a_customer_tag() {
        let tags = Tags::one(Tag(7)).with(Tag(8)).unwrap();
        assert_eq!(tags.to_emit().collect::<Vec<_>>(), [(SERVICE, Tag(7)), (CUSTOMER, Tag(8))]);
        assert_eq!(Tags::one(Tag(7)).to_emit().collect::<Vec<_>>(), [(CUSTOMER, Tag(7))]);
        assert_eq!(tags.with(Tag(9)), None);
        assert_eq!(tags.to_string(), " vlan 7 vlan 8");
    }

    #[test]
    fn a_priority_tag_names_the_untagged_interface() {
        assert_eq!(Tags::one(Tag(0xe000)).outer_id(), 0);
        assert_eq!(Tags::NONE.outer_id(), 0);
        assert_eq!(Tags::one(Tag(0xe005)).outer_id(), 5);
    }
}
