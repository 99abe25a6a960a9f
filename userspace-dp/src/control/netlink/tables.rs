//! The mirrored tables and how an update changes them. Knows no socket: tests feed it by hand.
//!
//! Updates carry the kernel's own meaning: a route that is added goes before or behind the ones with the same
//! key, or takes the place of one; an IPv6 multipath route loses single hops. The kernel leaves some things
//! unsaid: when a link goes down or an IPv4 address goes away it removes the routes that hang on it without a
//! word. [`Applied::routes_in_doubt`] says when that may have happened; the mirror then reads the routes again.

mod journal;
mod routes;

use core::net::IpAddr;
use std::borrow::Cow;
use std::collections::BTreeMap;

use ipnet::IpNet;

use super::model::{
    Address, Changes, Hop, Link, Neighbour, Nexthop, NexthopTarget, Route, RouteKind,
};
use super::uapi::{NLM_F_APPEND, NLM_F_REPLACE};
use journal::Journal;
pub use journal::Moment;
use routes::{Removal, Routes};

/// Where a new route goes among those with the same table, prefix and metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// In the place of the first.
    Replace,
    /// Behind the others; what a dump yields comes in order as well.
    Append,
    /// Before the others.
    Prepend,
}

impl Placement {
    /// By the flags of the notification's header.
    pub(super) const fn from_flags(flags: u16) -> Self {
        if flags & NLM_F_REPLACE != 0 {
            Self::Replace
        } else if flags & NLM_F_APPEND != 0 {
            Self::Append
        } else {
            Self::Prepend
        }
    }
}

/// One thing that the kernel says happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// A link is new or different.
    Link(Link),
    /// The link with this index is gone.
    LinkGone(u32),
    /// An address is new or different.
    Address(Address),
    /// An address is gone.
    AddressGone(Address),
    /// A route is new or different.
    Route(Route, Placement),
    /// A route, or some hops of an IPv6 route, are gone.
    RouteGone(Route),
    /// A neighbour is new or different.
    Neighbour(Neighbour),
    /// The neighbour entry on this interface for this address is gone.
    NeighbourGone(u32, IpAddr),
    /// A nexthop object is new or different.
    Nexthop(Nexthop),
    /// The nexthop object with this number is gone.
    NexthopGone(u32),
}

/// What an update did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Applied {
    /// Kinds of things that are different.
    pub changes: Changes,
    /// The kernel may have removed routes without saying so.
    pub routes_in_doubt: bool,
    /// The interface and address of a neighbour that can be sent to and could not before.
    pub answered: Option<(u32, IpAddr)>,
}

impl Applied {
    pub(super) const NOTHING: Self =
        Self { changes: Changes::NONE, routes_in_doubt: false, answered: None };

    const fn changed(changes: Changes, different: bool) -> Self {
        Self { changes: if different { changes } else { Changes::NONE }, ..Self::NOTHING }
    }
}

/// Interface, address, prefix length and peer tell one address from another.
type AddressKey = (u32, IpAddr, u8, Option<IpAddr>);

/// Links, addresses, routes, neighbours and nexthop objects of one network namespace, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    links: BTreeMap<u32, Link>,
    addresses: BTreeMap<AddressKey, Address>,
    routes: Routes,
    neighbours: BTreeMap<(u32, IpAddr), Neighbour>,
    nexthops: BTreeMap<u32, Nexthop>,
    journal: Journal,
}

impl Tables {
    /// Tables that hold nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over one update.
    pub fn apply(&mut self, update: Update) -> Applied {
        match update {
            Update::Link(link) => self.put_link(link),
            Update::LinkGone(index) => {
                let gone = self.links.remove(&index).is_some();
                self.journal.everything();
                Applied { routes_in_doubt: gone, ..Applied::changed(Changes::LINKS, gone) }
            }
            Update::Address(address) => Applied::changed(
                Changes::ADDRESSES,
                self.addresses.insert(key(&address), address.clone()) != Some(address),
            ),
            Update::AddressGone(address) => match self.addresses.remove(&key(&address)) {
                Some(gone) => Applied {
                    routes_in_doubt: gone.address.is_ipv4(),
                    ..Applied::changed(Changes::ADDRESSES, true)
                },
                None => Applied::NOTHING,
            },
            Update::Route(route, placement) => {
                self.journal.route(route.table, route.destination);
                Applied::changed(Changes::ROUTES, self.routes.put(route, placement))
            }
            Update::RouteGone(route) => {
                self.journal.route(route.table, route.destination);
                let removal = self.routes.remove(&route);
                let found = removal != Removal::Absent;
                let routes_in_doubt = removal != Removal::Done;
                Applied { routes_in_doubt, ..Applied::changed(Changes::ROUTES, found) }
            }
            Update::Neighbour(neighbour) => self.put_neighbour(neighbour),
            Update::NeighbourGone(interface, address) => Applied::changed(
                Changes::NEIGHBOURS,
                self.neighbours.remove(&(interface, address)).is_some(),
            ),
            Update::Nexthop(nexthop) => {
                self.journal.everything();
                let before = self.nexthops.insert(nexthop.id, nexthop.clone());
                Applied::changed(Changes::ROUTES, before != Some(nexthop))
            }
            Update::NexthopGone(id) => {
                self.journal.everything();
                let gone = self.nexthops.remove(&id).is_some();
                Applied { routes_in_doubt: gone, ..Applied::changed(Changes::ROUTES, gone) }
            }
        }
    }

    fn put_link(&mut self, link: Link) -> Applied {
        let (up, master) = (link.up, link.master);
        let before = self.links.insert(link.index, link.clone());
        if before.as_ref().is_none_or(|before| (before.up, before.carrier) != (up, link.carrier)) {
            self.journal.everything();
        }
        let in_doubt =
            before.as_ref().is_some_and(|before| before.up && (!up || before.master != master));
        Applied {
            routes_in_doubt: in_doubt,
            ..Applied::changed(Changes::LINKS, before != Some(link))
        }
    }

    fn put_neighbour(&mut self, neighbour: Neighbour) -> Applied {
        let (key, valid) = ((neighbour.interface, neighbour.address), neighbour.state.is_valid());
        let before = self.neighbours.insert(key, neighbour.clone());
        let was_valid = before.as_ref().is_some_and(|before| before.state.is_valid());
        Applied {
            answered: Some(key).filter(|_| valid && !was_valid),
            ..Applied::changed(Changes::NEIGHBOURS, before != Some(neighbour))
        }
    }

    /// Every link, by index.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// The link with this index.
    pub fn link(&self, index: u32) -> Option<&Link> {
        self.links.get(&index)
    }

    /// The link with this name.
    pub fn link_named(&self, name: &str) -> Option<&Link> {
        self.links.values().find(|link| link.name == name)
    }

    /// Every address, by interface.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.addresses.values()
    }

    /// Every route, by table, destination and metric; equal keys in the kernel's order of preference.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }

    /// The routes of one table to one destination, in the order they are used.
    pub fn routes_to(&self, table: u32, destination: IpNet) -> impl Iterator<Item = &Route> {
        self.routes.to(table, destination)
    }

    /// This state, for [`Tables::routes_changed_since`].
    pub const fn moment(&self) -> Moment {
        self.journal.moment()
    }

    /// Table and destination of the routes that changed since `then`, perhaps more than once. `None` when more than
    /// routes changed: whether links work, nexthop objects, or everything was read again.
    pub fn routes_changed_since(&self, then: Moment) -> Option<impl Iterator<Item = (u32, IpNet)>> {
        self.journal.since(then)
    }

    /// How many routes there are.
    pub fn route_count(&self) -> usize {
        self.routes.len()
    }

    /// Every neighbour, by interface and address.
    pub fn neighbours(&self) -> impl Iterator<Item = &Neighbour> {
        self.neighbours.values()
    }

    /// The neighbour entry on this interface for this address.
    pub fn neighbour(&self, interface: u32, address: IpAddr) -> Option<&Neighbour> {
        self.neighbours.get(&(interface, address))
    }

    /// Every nexthop object, by number.
    pub fn nexthops(&self) -> impl Iterator<Item = &Nexthop> {
        self.nexthops.values()
    }

    /// What the route does and its ways out as of this moment: for a route by nexthop object, what the object says.
    pub fn ways<'route>(&self, route: &'route Route) -> (RouteKind, Cow<'route, [Hop]>) {
        let Some(nexthop) = route.nexthop.and_then(|id| self.nexthops.get(&id)) else {
            return (route.kind, Cow::Borrowed(&route.hops));
        };
        match &nexthop.target {
            NexthopTarget::Blackhole => (RouteKind::Blackhole, Cow::Borrowed(&[])),
            NexthopTarget::Hop(hop) => (route.kind, Cow::Owned(vec![hop.clone()])),
            NexthopTarget::Group(members) => self.group(route.kind, members),
        }
    }

    /// A group holds no groups (the kernel sees to it); a blackhole in it is its only member.
    fn group(&self, kind: RouteKind, members: &[(u32, u16)]) -> (RouteKind, Cow<'static, [Hop]>) {
        let mut hops = Vec::with_capacity(members.len());
        let mut blackhole = false;
        for (id, weight) in members {
            match self.nexthops.get(id).map(|member| &member.target) {
                Some(NexthopTarget::Hop(hop)) => {
                    hops.push(Hop { weight: *weight, ..hop.clone() });
                }
                Some(NexthopTarget::Blackhole) => blackhole = true,
                Some(NexthopTarget::Group(_)) | None => {}
            }
        }
        let kind = if blackhole && hops.is_empty() { RouteKind::Blackhole } else { kind };
        (kind, Cow::Owned(hops))
    }

    /// Takes the routes and nexthop objects of `fresh`; what is different.
    pub(super) fn take_routes(&mut self, fresh: Self) -> Changes {
        let different = self.routes != fresh.routes || self.nexthops != fresh.nexthops;
        if different {
            self.routes = fresh.routes;
            self.nexthops = fresh.nexthops;
            self.journal.everything();
        }
        Applied::changed(Changes::ROUTES, different).changes
    }

    /// Takes everything from `fresh`; what is different.
    pub(super) fn take_everything(&mut self, fresh: Self) -> Changes {
        let changes = self.differences(&fresh);
        if !changes.is_empty() {
            let mut journal = core::mem::take(&mut self.journal);
            journal.everything();
            *self = Self { journal, ..fresh };
        }
        changes
    }

    /// Which kinds of things differ from `other`.
    fn differences(&self, other: &Self) -> Changes {
        let mut changes = Changes::NONE;
        for (differs, kind) in [
            (self.links != other.links, Changes::LINKS),
            (self.addresses != other.addresses, Changes::ADDRESSES),
            (self.routes != other.routes || self.nexthops != other.nexthops, Changes::ROUTES),
            (self.neighbours != other.neighbours, Changes::NEIGHBOURS),
        ] {
            if differs {
                changes |= kind;
            }
        }
        changes
    }
}

fn key(address: &Address) -> AddressKey {
    (address.interface, address.address, address.prefix_length, address.peer)
}

#[cfg(test)]
mod tests;
