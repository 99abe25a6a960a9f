//! What control tells the workers: one immutable value, published whole.
//!
//! Control compiles a [`Snapshot`] from configuration and the kernel's tables and publishes it; a worker reads
//! it once per burst. The parts are shared, so a new neighbour costs a small copy, not a new FIB. Nothing in
//! here changes after publication, except the owner words ([`PeerOwners`]), which say where a peer lives.

use core::sync::atomic::{AtomicU16, Ordering};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use policy::{Policy, ZoneId};
use route::{Fib, InterfaceId, Lpm, Neighbours};

/// A worker's number, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u16);

/// The number of an attached device, from 0: each worker has one port, or several queues of it, per device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub u8);

/// The number of a peer in the peer table; together with the generation in `wireguard::PeerHandle` it is a handle.
pub type PeerIndex = u32;

/// Everything a worker needs to decide about packets.
pub struct Snapshot {
    /// Grows by one with each publication.
    pub generation: u64,
    /// Grows when routes, neighbours, interfaces or local addresses change: cached outer headers carry it.
    pub path_generation: u64,
    /// By [`InterfaceId`].
    pub interfaces: Box<[Interface]>,
    /// By [`PortId`].
    pub ports: Box<[PortInterfaces]>,
    /// Addresses of the gateway itself.
    pub locals: LocalAddresses,
    /// Where destinations lead.
    pub fib: Arc<Fib>,
    /// MAC addresses of next hops.
    pub neighbours: Arc<Neighbours>,
    /// Who may talk to whom.
    pub policy: Arc<Policy>,
    /// The WireGuard tunnel.
    pub tunnel: Tunnel,
}

/// An interface: a device, a VLAN of a device, or the tunnel.
#[derive(Clone, Debug)]
pub struct Interface {
    /// The kernel's name.
    pub name: String,
    /// What stands behind it.
    pub kind: InterfaceKind,
    /// The zone that its traffic is in.
    pub zone: ZoneId,
    /// The largest IP packet that it carries.
    pub mtu: u16,
    /// The address that replies of the gateway carry, by family.
    pub address4: Option<Ipv4Addr>,
    /// See `address4`.
    pub address6: Option<Ipv6Addr>,
}

/// What stands behind an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceKind {
    /// An attached device, or a VLAN of one.
    Port {
        /// The device.
        port: PortId,
        /// The VLAN, if it is one.
        vlan: Option<u16>,
        /// Our MAC address.
        mac: [u8; 6],
    },
    /// The WireGuard tunnel, all its peers.
    Tunnel,
    /// An interface of the kernel that the gateway does not serve.
    Unattached,
}

/// Which interfaces frames of one device belong to.
#[derive(Clone, Debug, Default)]
pub struct PortInterfaces {
    /// Frames without a VLAN tag (or with a priority tag only).
    pub untagged: Option<InterfaceId>,
    /// Frames with a VLAN tag, by VLAN number, ascending.
    pub vlans: Box<[(u16, InterfaceId)]>,
}

impl PortInterfaces {
    /// The interface of a frame with these tags; `None` when there is none, double tags included.
    #[inline]
    pub fn of(&self, tags: wire::vlan::Tags) -> Option<InterfaceId> {
        match (tags.count(), tags.outer_id()) {
            (0 | 1, 0) => self.untagged,
            (1, vlan) => {
                let found = self.vlans.binary_search_by_key(&vlan, |entry| entry.0).ok()?;
                self.vlans.get(found).map(|entry| entry.1)
            }
            (_, _) => None,
        }
    }
}

/// The addresses of the gateway. Nearly every question is about another address, and one bit of a small filter
/// answers that.
#[derive(Clone, Debug, Default)]
pub struct LocalAddresses {
    v4: Filtered<u32>,
    v6: Filtered<u128>,
}

/// Sorted numbers, and for each the bit of a filter.
#[derive(Clone, Debug, Default)]
struct Filtered<N> {
    filter: u64,
    sorted: Box<[N]>,
}

impl<N: Ord + Copy> Filtered<N> {
    fn new(numbers: impl IntoIterator<Item = N>, fold: impl Fn(N) -> u64) -> Self {
        let mut sorted: Vec<N> = numbers.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        let filter = sorted.iter().fold(0, |filter, number| filter | bit_of(fold(*number)));
        Self { filter, sorted: sorted.into() }
    }

    #[inline]
    fn contains(&self, number: N, folded: u64) -> bool {
        self.filter & bit_of(folded) != 0 && self.sorted.binary_search(&number).is_ok()
    }
}

/// One of 64 bits, by a multiplication that spreads neighbouring addresses.
#[inline]
fn bit_of(folded: u64) -> u64 {
    1 << (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58)
}

#[inline]
fn fold4(number: u32) -> u64 {
    u64::from(number)
}

#[inline]
fn fold6(number: u128) -> u64 {
    (number >> 64) as u64 ^ number as u64
}

impl LocalAddresses {
    /// The set of these addresses.
    pub fn new(
        v4: impl IntoIterator<Item = Ipv4Addr>,
        v6: impl IntoIterator<Item = Ipv6Addr>,
    ) -> Self {
        Self {
            v4: Filtered::new(v4.into_iter().map(Ipv4Addr::to_bits), fold4),
            v6: Filtered::new(v6.into_iter().map(Ipv6Addr::to_bits), fold6),
        }
    }

    /// Whether `address` is ours.
    #[inline]
    pub fn contains4(&self, address: Ipv4Addr) -> bool {
        self.v4.contains(address.to_bits(), fold4(address.to_bits()))
    }

    /// Whether `address` is ours.
    #[inline]
    pub fn contains6(&self, address: Ipv6Addr) -> bool {
        self.v6.contains(address.to_bits(), fold6(address.to_bits()))
    }
}

/// The WireGuard tunnel, as far as it is the same for all workers.
#[derive(Clone)]
pub struct Tunnel {
    /// Its interface.
    pub interface: InterfaceId,
    /// The UDP port it listens on; zero when there is no tunnel.
    pub listen_port: u16,
    /// Which peer an inner address belongs to.
    pub allowed_ips: Lpm<PeerIndex>,
    /// By [`PeerIndex`].
    pub peers: Arc<[Option<TunnelPeer>]>,
    /// Which worker a peer lives on.
    pub owners: PeerOwners,
    /// What handshake messages have to pass; `None` when there is no tunnel.
    pub gate: Option<Arc<wireguard::Gate>>,
}

/// What workers know of a peer before it has a session.
#[derive(Clone, Copy, Debug)]
pub struct TunnelPeer {
    /// The handle, generation included.
    pub id: wireguard::PeerHandle,
    /// Whether framed application messages of this peer reach the control mailbox.
    pub application_messages: bool,
}

/// Which worker owns each peer: one shared word a peer, written by the handshake thread alone.
///
/// A peer belongs to the worker where its first handshake arrived, or that first had a packet for it, and
/// stays there as long as it has sessions. Every worker can name the owner from a packet: by the receiver
/// index on the way in, by this table on the way out.
#[derive(Clone, Debug)]
pub struct PeerOwners(Arc<[AtomicU16]>);

const UNOWNED: u16 = u16::MAX;

impl PeerOwners {
    /// A table for `capacity` peers, all without owner.
    pub fn new(capacity: usize) -> Self {
        Self((0..capacity).map(|_| AtomicU16::new(UNOWNED)).collect())
    }

    /// The owner of `peer`, if it has one.
    #[inline]
    pub fn owner(&self, peer: PeerIndex) -> Option<WorkerId> {
        let word = self.0.get(peer as usize)?.load(Ordering::Relaxed);
        (word != UNOWNED).then_some(WorkerId(word))
    }

    /// Gives `peer` to `worker` unless it has an owner; the owner after the call. The handshake thread alone
    /// calls this.
    pub fn claim(&self, peer: PeerIndex, worker: WorkerId) -> Option<WorkerId> {
        let word = self.0.get(peer as usize)?;
        match word.load(Ordering::Relaxed) {
            UNOWNED => {
                word.store(worker.0, Ordering::Relaxed);
                Some(worker)
            }
            owner => Some(WorkerId(owner)),
        }
    }

    /// Takes `peer` from its owner, once it has no sessions any more. The handshake thread alone calls this.
    pub fn release(&self, peer: PeerIndex) {
        if let Some(word) = self.0.get(peer as usize) {
            word.store(UNOWNED, Ordering::Relaxed);
        }
    }
}

impl Snapshot {
    /// The interface numbered `id`.
    #[inline]
    pub fn interface(&self, id: InterfaceId) -> Option<&Interface> {
        self.interfaces.get(usize::from(id.0))
    }

    /// What is known of the peer numbered `index`.
    #[inline]
    pub fn peer(&self, index: PeerIndex) -> Option<&TunnelPeer> {
        self.tunnel.peers.get(index as usize)?.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_stays_with_its_first_owner_until_it_is_released() {
        let owners = PeerOwners::new(2);
        assert_eq!(owners.owner(1), None);
        assert_eq!(owners.claim(1, WorkerId(3)), Some(WorkerId(3)));
        assert_eq!(owners.claim(1, WorkerId(0)), Some(WorkerId(3)));
        assert_eq!(owners.owner(1), Some(WorkerId(3)));
        owners.release(1);
        assert_eq!(owners.claim(1, WorkerId(0)), Some(WorkerId(0)));
    }

    #[test]
    fn a_peer_beyond_the_table_has_no_owner_and_cannot_get_one() {
        let owners = PeerOwners::new(2);
        assert_eq!(owners.claim(2, WorkerId(0)), None);
        assert_eq!(owners.owner(2), None);
    }

    #[test]
    fn local_addresses_are_found_and_others_are_not() {
        let locals = LocalAddresses::new(
            [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(10, 0, 0, 1)],
            [Ipv6Addr::LOCALHOST],
        );
        assert!(locals.contains4(Ipv4Addr::new(10, 0, 0, 1)));
        assert!(!locals.contains4(Ipv4Addr::new(10, 0, 0, 2)));
        assert!(locals.contains6(Ipv6Addr::LOCALHOST));
        assert!(!locals.contains6(Ipv6Addr::UNSPECIFIED));
    }
}
