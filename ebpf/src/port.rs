//! Names of interfaces, queues and VLANs as the program's maps know them.
use crate::layout;

/// Index of a socket in the XSKMAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// Index of a worker: of its heartbeat line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerIndex(pub u32);

/// An interface the gateway serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The kernel's interface index, not zero.
    pub ifindex: u32,
    /// Slot of queue 0; queue `q` has slot `first_slot + q`. Ranges of ports may not overlap.
    pub first_slot: Slot,
    /// Receive queues. Frames from a queue beyond find no socket.
    pub queues: u32,
    /// Whether untagged (and priority-tagged) frames belong to the gateway. If not, only what is
    /// meant for the kernel passes from them, as from an unregistered VLAN.
    pub untagged: bool,
    /// The VLANs that belong to the gateway. With receive VLAN offload the tag is not in the
    /// frame and everything counts as untagged, so ports with VLANs need that offload off.
    pub vlans: Vec<Vlan>,
}

/// One or two VLAN tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vlan {
    /// The tag nearest to the Ethernet header.
    pub outer: Tag,
    /// The tag behind it.
    pub inner: Option<Tag>,
}

/// A VLAN tag. The two kinds never stand for each other, even with equal ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tag {
    /// IEEE 802.1Q, EtherType 0x8100; id 1 to 4094.
    Customer(u16),
    /// IEEE 802.1ad, EtherType 0x88a8; id 1 to 4094.
    Service(u16),
}

impl Vlan {
    /// The common case: one 802.1Q tag.
    pub const fn customer(id: u16) -> Self {
        Self { outer: Tag::Customer(id), inner: None }
    }

    /// A customer's VLAN inside a provider's (802.1ad, "QinQ").
    pub const fn stacked(service: u16, customer: u16) -> Self {
        Self { outer: Tag::Service(service), inner: Some(Tag::Customer(customer)) }
    }

    pub(crate) fn key(self, ifindex: u32) -> layout::VlanKey {
        let inner = self.inner.map_or(0, Tag::encode);
        layout::VlanKey { ifindex, outer: self.outer.encode(), inner }
    }
}

impl Tag {
    /// The VLAN id.
    pub const fn id(self) -> u16 {
        match self {
            Self::Customer(id) | Self::Service(id) => id,
        }
    }

    pub(crate) const fn is_valid(self) -> bool {
        matches!(self.id(), 1..=4094)
    }

    const fn encode(self) -> u16 {
        match self {
            Self::Customer(id) => layout::TAG_PRESENT | id,
            Self::Service(id) => layout::TAG_PRESENT | layout::TAG_SERVICE | id,
        }
    }
}
