//! Routes in the order the kernel would try them, and the ways a notification changes them.

use std::collections::BTreeMap;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::super::model::{Hop, Route, RouteKind};
use super::super::uapi::{RTPROT_KERNEL, RTPROT_RA, RTPROT_REDIRECT};
use super::Placement;

/// What the kernel tells routes apart by, before it looks at where they lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    table: u32,
    destination: IpNet,
    source: IpNet,
    tos: u8,
    metric: u32,
}

impl Key {
    fn of(route: &Route) -> Self {
        Self {
            table: route.table,
            destination: route.destination,
            source: route.source,
            tos: route.tos,
            metric: route.metric,
        }
    }
}

/// Routes by key; several under one key stand in the kernel's order, the first one is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Routes(BTreeMap<Key, Vec<Route>>);

impl Routes {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Route> {
        self.0.values().flatten()
    }

    pub(super) fn to(&self, table: u32, destination: IpNet) -> impl Iterator<Item = &Route> {
        let any = match destination {
            IpNet::V4(_) => IpNet::V4(Ipv4Net::default()),
            IpNet::V6(_) => IpNet::V6(Ipv6Net::default()),
        };
        let first = Key { table, destination, source: any, tos: 0, metric: 0 };
        self.0
            .range(first..)
            .take_while(move |(key, _)| (key.table, key.destination) == (table, destination))
            .flat_map(|(_, alike)| alike)
    }

    pub(super) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Adds a route; whether anything is different afterwards.
    pub(super) fn put(&mut self, route: Route, placement: Placement) -> bool {
        let alike = self.0.entry(Key::of(&route)).or_default();
        match placement {
            Placement::Replace => replace(alike, route),
            Placement::Append | Placement::Prepend => add(alike, route, placement),
        }
    }

    /// Removes a route or the named hops of an IPv6 route.
    pub(super) fn remove(&mut self, gone: &Route) -> Removal {
        let Some(alike) = self.0.get_mut(&Key::of(gone)) else {
            return Removal::Absent;
        };
        let removal = match alike.iter().position(|route| route == gone) {
            Some(at) => {
                alike.remove(at);
                Removal::Done
            }
            None if gone.destination.addr().is_ipv6() => remove_hops(alike, gone),
            None => Removal::Absent,
        };
        if alike.is_empty() {
            self.0.remove(&Key::of(gone));
        }
        removal
    }
}

/// How a removal went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    /// As told.
    Done,
    /// What is left of the route may have other attributes, which nobody told.
    Doubtful,
    /// There was no such route.
    Absent,
}

/// IPv4 replaces the first route. IPv6 replaces the first that is like it in taking part in multipath or not, and
/// the first of all when there is none like it.
fn replace(alike: &mut Vec<Route>, route: Route) -> bool {
    let at = match route.destination {
        IpNet::V4(_) => 0,
        IpNet::V6(_) => alike
            .iter()
            .position(|old| joins_multipath(old) == joins_multipath(&route))
            .unwrap_or(0),
    };
    match alike.get_mut(at) {
        Some(old) if *old == route => return false,
        Some(old) => *old = route.clone(),
        None => alike.push(route.clone()),
    }
    // After routes were read again, an older message may bring what already stands further back.
    let mut met = false;
    alike.retain(|old| *old != route || !core::mem::replace(&mut met, true));
    true
}

fn add(alike: &mut Vec<Route>, route: Route, placement: Placement) -> bool {
    if alike.contains(&route) {
        return false;
    }
    if route.destination.addr().is_ipv6()
        && joins_multipath(&route)
        && let Some(old) = alike.iter_mut().find(|old| joins_multipath(old))
    {
        join(old, &route);
        return true;
    }
    match (placement, route.destination) {
        // IPv6 knows no order of its own among equal metrics: a route goes behind the others.
        (Placement::Prepend, IpNet::V4(_)) => alike.insert(0, route),
        (Placement::Prepend | Placement::Append | Placement::Replace, _) => alike.push(route),
    }
    true
}

/// When one more hop joins an IPv6 multipath route the kernel tells all of it, with the new hop first and in the
/// terms of the new hop. It lists the route with the new hop last and in the terms of the first. A hop that was alone
/// is listed without its weight, so the weights are those told.
fn join(old: &mut Route, told: &Route) {
    old.hops.retain_mut(|hop| match told.hops.iter().find(|new| same_way(hop, new)) {
        Some(new) => {
            hop.weight = new.weight;
            true
        }
        None => false,
    });
    for hop in &told.hops {
        if !old.hops.iter().any(|known| same_way(known, hop)) {
            old.hops.push(hop.clone());
        }
    }
}

/// IPv6 names the hops that go; the route goes with its last.
fn remove_hops(alike: &mut Vec<Route>, gone: &Route) -> Removal {
    let goes = |hop: &Hop| gone.hops.iter().any(|gone| same_way(hop, gone));
    let all_of_it = |route: &Route| {
        route.kind == gone.kind
            && !gone.hops.is_empty()
            && gone.hops.iter().all(|hop| route.hops.iter().any(|old| same_way(old, hop)))
    };
    let Some(at) = alike.iter().position(all_of_it) else {
        return Removal::Absent;
    };
    let Some(route) = alike.get_mut(at) else {
        return Removal::Absent;
    };
    let first_goes = route.hops.first().is_some_and(goes);
    route.hops.retain(|hop| !goes(hop));
    if route.hops.is_empty() {
        alike.remove(at);
        return Removal::Done;
    }
    // The route is listed in the terms of its first hop.
    if first_goes { Removal::Doubtful } else { Removal::Done }
}

fn same_way(one: &Hop, other: &Hop) -> bool {
    (one.interface, one.gateway) == (other.interface, other.gateway)
}

/// The kernel merges IPv6 routes of one metric into a multipath route when each has a gateway and none was
/// learned from an advertisement or belongs to a nexthop object.
fn joins_multipath(route: &Route) -> bool {
    route.kind == RouteKind::Unicast
        && route.nexthop.is_none()
        && !matches!(route.protocol, RTPROT_RA | RTPROT_KERNEL | RTPROT_REDIRECT)
        && !route.hops.is_empty()
        && route.hops.iter().all(|hop| hop.gateway.is_some())
}
