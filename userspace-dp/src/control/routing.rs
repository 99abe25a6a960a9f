//! From the mirrored tables to what workers look up: forwarding table, neighbours, the gateway's own addresses.
//!
//! Called by the control thread after the mirror changed; works on plain values and knows no socket. Selection
//! follows the kernel: tables in order, in each the longest prefix, of equal prefixes the lowest metric. It differs
//! on purpose in three points, each on the safe side:
//!
//! * A route whose link is down gives way to the next one of the same prefix. Without one the destination is
//!   unreachable; it never falls to a shorter prefix, which could be the way to the internet.
//! * Loopback, link-local and multicast destinations lead nowhere but to the gateway's own addresses (RFC 1122
//!   section 3.2.1.3, RFC 4291 section 2.5), whatever default route there is.
//! * Workers send only through interfaces they serve. A route to another one stays in the table as a next hop
//!   without interface, so that its packets are dropped and counted instead of taking another way.

mod flatten;

use core::net::{IpAddr, Ipv4Addr};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use route::{
    Fib, FibBuilder, GatewaySlot, InterfaceId, Neighbour, NeighbourState, Neighbours,
    NeighboursBuilder, NextHop, NextHopKind, WeightedHop,
};

use super::netlink::{self, Hop, Route, RouteKind, TABLE_LOCAL, Tables};
use flatten::{Entry, Ways, layer};

/// The number of each interface that workers serve, and of the TUN, by the kernel's index.
pub type InterfaceNumbers = BTreeMap<u32, InterfaceId>;

/// Addresses that the gateway answers to; those of the loopback device are left out, since nobody outside may use
/// them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locals {
    /// Unicast and anycast addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// Broadcast addresses of its links.
    pub broadcasts: BTreeSet<Ipv4Addr>,
    /// Whole prefixes that an operator declared local.
    pub prefixes: BTreeSet<IpNet>,
}

/// What the last compilation met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Prefixes in the forwarding table.
    pub prefixes: usize,
    /// Routes that lead to interfaces which workers do not serve.
    pub unattached: usize,
    /// Prefixes that are unreachable because all their links are down.
    pub down: usize,
    /// Routes that workers cannot follow, left out: by source prefix or type of service, or of an unknown kind.
    pub unsupported: usize,
}

/// Compiles the tables, again and again, reusing what did not change.
#[derive(Debug)]
pub struct Compiler {
    /// Tables in the order they are consulted; `local` is the first.
    order: Vec<u32>,
    /// Keys the hash of the neighbour table.
    seed: u64,
    builder: FibBuilder,
}

impl Compiler {
    /// `tables` in the order they are consulted, after `local`, which always comes first. `seed` keys a hash table:
    /// draw it at random once per boot.
    pub fn new(tables: &[u32], seed: u64) -> Self {
        let mut order = vec![TABLE_LOCAL];
        for &table in tables {
            if !order.contains(&table) {
                order.push(table);
            }
        }
        Self { order, seed, builder: FibBuilder::new() }
    }

    /// The forwarding table. To be called when links, addresses or routes changed, or the numbers did.
    pub fn fib(&mut self, tables: &Tables, interfaces: &InterfaceNumbers) -> (Fib, Report) {
        let mut report = Report::default();
        let selection = Selection { tables, interfaces };
        let mut wanted: Vec<(IpNet, Ways)> = Vec::new();
        let mut layers = selection.layers(&self.order, &mut report);
        while let Some(upper) = layers.pop() {
            wanted = layer(upper, wanted);
        }
        self.take(&wanted);
        report.prefixes = self.builder.len();
        (self.builder.snapshot(), report)
    }

    /// The routes of the last forwarding table with their next hops, in order of prefix.
    pub fn routes(&self) -> impl Iterator<Item = (IpNet, &[WeightedHop])> {
        self.builder.iter()
    }

    /// The neighbours that go with `fib`. To be called when neighbours changed or the forwarding table did.
    pub fn neighbours(
        &self,
        tables: &Tables,
        interfaces: &InterfaceNumbers,
        fib: &Fib,
    ) -> Neighbours {
        let mut builder = NeighboursBuilder::new(self.seed);
        for neighbour in tables.neighbours() {
            if let Some(&interface) = interfaces.get(&neighbour.interface)
                && let Some(entry) = known(neighbour, interface)
            {
                builder.insert(entry);
            }
        }
        builder.snapshot(fib)
    }

    /// Brings the builder to these routes; both sides ascend by prefix.
    fn take(&mut self, wanted: &[(IpNet, Ways)]) {
        let mut gone: Vec<IpNet> = Vec::new();
        let mut different: Vec<&(IpNet, Ways)> = Vec::new();
        let mut wanted = wanted.iter().peekable();
        for (prefix, hops) in self.builder.iter() {
            while let Some(new) = wanted.next_if(|new| new.0 < prefix) {
                different.push(new);
            }
            match wanted.peek().map(|new| new.0.cmp(&prefix)) {
                Some(Ordering::Equal) => {
                    if let Some(new) = wanted.next()
                        && new.1.hops() != hops
                    {
                        different.push(new);
                    }
                }
                Some(Ordering::Less | Ordering::Greater) | None => gone.push(prefix),
            }
        }
        different.extend(wanted);
        for prefix in gone {
            self.builder.remove(prefix);
        }
        for (prefix, ways) in different {
            self.builder.insert(*prefix, ways.hops());
        }
    }
}

/// The gateway's own addresses.
pub fn locals(tables: &Tables) -> Locals {
    let mut locals = Locals::default();
    for route in tables.routes().filter(|route| route.table == TABLE_LOCAL) {
        let address = route.destination.addr();
        let host = route.destination.prefix_len() == route.destination.max_prefix_len();
        match (route.kind, address) {
            _ if address.is_loopback() => {}
            (RouteKind::Local | RouteKind::Anycast, _) if host => {
                locals.addresses.insert(address);
            }
            (RouteKind::Local | RouteKind::Anycast, _) => {
                locals.prefixes.insert(route.destination);
            }
            (RouteKind::Broadcast, IpAddr::V4(broadcast)) => {
                locals.broadcasts.insert(broadcast);
            }
            (
                RouteKind::Broadcast
                | RouteKind::Unicast
                | RouteKind::Multicast
                | RouteKind::Blackhole
                | RouteKind::Unreachable
                | RouteKind::Prohibit
                | RouteKind::Throw
                | RouteKind::Other(_),
                _,
            ) => {}
        }
    }
    let own = tables.addresses().filter(|own| !own.tentative && !own.address.is_loopback());
    locals.addresses.extend(own.map(|own| own.address));
    locals
}

/// The addresses that replies of the gateway carry on an interface: the first global one of each family, else the
/// first of the link.
pub fn reply_addresses(
    tables: &Tables,
    interface: u32,
) -> (Option<Ipv4Addr>, Option<core::net::Ipv6Addr>) {
    let (mut v4, mut v6) = (None, None);
    let mut ranks = (u8::MAX, u8::MAX);
    let own = tables.addresses().filter(|own| own.interface == interface && !own.tentative);
    for own in own {
        let rank = u8::from(own.secondary);
        match own.address {
            IpAddr::V4(address) if rank < ranks.0 => (v4, ranks.0) = (Some(address), rank),
            IpAddr::V6(address) => {
                let rank = rank + if address.is_unicast_link_local() { 2 } else { 0 };
                if rank < ranks.1 {
                    (v6, ranks.1) = (Some(address), rank);
                }
            }
            IpAddr::V4(_) => {}
        }
    }
    (v4, v6)
}

/// Destinations that are never forwarded. They go into the first table, where only the gateway's own addresses
/// are longer.
fn guards() -> [IpNet; 6] {
    let v4 = |a, length| Ipv4Net::new_assert(Ipv4Addr::new(a, 0, 0, 0), length);
    let v6 =
        |a, length| Ipv6Net::new_assert(core::net::Ipv6Addr::new(a, 0, 0, 0, 0, 0, 0, 0), length);
    [
        v4(127, 8).into(),
        v4(224, 4).into(),
        Ipv4Net::from(Ipv4Addr::BROADCAST).into(),
        Ipv6Net::from(core::net::Ipv6Addr::LOCALHOST).into(),
        v6(0xfe80, 10).into(),
        v6(0xff00, 8).into(),
    ]
}

/// Chooses among the routes of each prefix.
struct Selection<'tables> {
    tables: &'tables Tables,
    interfaces: &'tables InterfaceNumbers,
}

/// What one route offers for its prefix.
enum Offer {
    Entry(Entry),
    /// All its links are down.
    Down,
    /// Not for forwarding.
    Nothing,
}

impl Selection<'_> {
    /// One sorted list per table, in order.
    fn layers(&self, order: &[u32], report: &mut Report) -> Vec<Vec<(IpNet, Entry)>> {
        let mut layers = vec![Vec::new(); order.len()];
        let mut routes = self.tables.routes().peekable();
        while let Some(first) = routes.next() {
            let Some(position) = order.iter().position(|&table| table == first.table) else {
                continue;
            };
            let (mut chosen, mut down) = (None, false);
            let mut next = Some(first);
            while let Some(route) = next {
                if chosen.is_none() {
                    match self.offer(route, report) {
                        Offer::Entry(entry) => chosen = Some(entry),
                        Offer::Down => down = true,
                        Offer::Nothing => {}
                    }
                }
                next = routes.next_if(|route| {
                    (route.table, route.destination) == (first.table, first.destination)
                });
            }
            if chosen.is_none() && down {
                report.down += 1;
                chosen = Some(Entry::Ways(refuse(NextHopKind::Unreachable)));
            }
            if let (Some(entry), Some(layer)) = (chosen, layers.get_mut(position)) {
                layer.push((first.destination, entry));
            }
        }
        if let Some(local) = layers.first_mut() {
            local.retain(|(prefix, _)| !guarded_whole(*prefix));
            local
                .extend(guards().map(|guard| (guard, Entry::Ways(refuse(NextHopKind::Blackhole)))));
            local.sort_unstable_by_key(|(prefix, _)| *prefix);
            local.dedup_by_key(|(prefix, _)| *prefix);
        }
        layers
    }

    fn offer(&self, route: &Route, report: &mut Report) -> Offer {
        if route.tos != 0 || route.source.prefix_len() != 0 {
            report.unsupported += 1;
            return Offer::Nothing;
        }
        let (kind, hops) = self.tables.ways(route);
        match kind {
            RouteKind::Unicast => self.unicast(route, &hops, report),
            RouteKind::Local | RouteKind::Broadcast | RouteKind::Anycast => {
                let interface = hops.first().and_then(|hop| self.interfaces.get(&hop.interface));
                let hop = NextHop::local(interface.copied().unwrap_or(InterfaceId::NONE));
                Offer::Entry(Entry::Ways(Ways::One(hop.into())))
            }
            RouteKind::Blackhole => Offer::Entry(Entry::Ways(refuse(NextHopKind::Blackhole))),
            RouteKind::Unreachable => Offer::Entry(Entry::Ways(refuse(NextHopKind::Unreachable))),
            RouteKind::Prohibit => Offer::Entry(Entry::Ways(refuse(NextHopKind::Prohibit))),
            RouteKind::Throw => Offer::Entry(Entry::Throw),
            RouteKind::Multicast => Offer::Nothing,
            // What it would do is not known, so nothing may pass.
            RouteKind::Other(_) => {
                report.unsupported += 1;
                Offer::Entry(Entry::Ways(refuse(NextHopKind::Blackhole)))
            }
        }
    }

    fn unicast(&self, route: &Route, hops: &[Hop], report: &mut Report) -> Offer {
        let works = |hop: &&Hop| {
            self.tables.link(hop.interface).is_some_and(|link| link.up && link.carrier)
        };
        let mut live = hops.iter().filter(works).peekable();
        if live.peek().is_none() {
            return Offer::Down;
        }
        let mut usable = live.filter_map(|hop| Some((hop, self.number(hop)?)));
        let Some((first, number)) = usable.next() else {
            report.unattached += 1;
            return Offer::Entry(Entry::Ways(Ways::One(
                NextHop::on_link(InterfaceId::NONE).into(),
            )));
        };
        let first = next_hop(route, first, number);
        let mut all: Vec<WeightedHop> =
            usable.map(|(hop, number)| next_hop(route, hop, number)).collect();
        if all.is_empty() {
            return Offer::Entry(Entry::Ways(Ways::One(WeightedHop { weight: 1, ..first })));
        }
        all.insert(0, first);
        Offer::Entry(Entry::Ways(Ways::Several(all.into())))
    }

    /// The interface's number, if workers can send along this hop.
    fn number(&self, hop: &Hop) -> Option<InterfaceId> {
        self.interfaces.get(&hop.interface).copied().filter(|_| !hop.encapsulated)
    }
}

fn next_hop(route: &Route, hop: &Hop, interface: InterfaceId) -> WeightedHop {
    let hop_on = NextHop {
        kind: NextHopKind::Unicast,
        interface,
        gateway: hop.gateway,
        mtu: route.mtu.map(|mtu| u16::try_from(mtu).unwrap_or(u16::MAX)),
        preferred_source: route.preferred_source,
        gateway_slot: GatewaySlot::NONE,
    };
    WeightedHop { hop: hop_on, weight: hop.weight }
}

fn refuse(kind: NextHopKind) -> Ways {
    Ways::One(NextHop::discard(kind).into())
}

/// Loopback and multicast ranges have no exceptions; link-local ones have the gateway's own addresses.
fn guarded_whole(prefix: IpNet) -> bool {
    let address = prefix.addr();
    address.is_loopback() || address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST)
}

fn known(neighbour: &netlink::Neighbour, interface: InterfaceId) -> Option<Neighbour> {
    use netlink::NeighbourState as Kernel;
    let state = match neighbour.state {
        Kernel::Reachable | Kernel::NoArp | Kernel::Permanent => NeighbourState::Reachable,
        Kernel::Stale | Kernel::Delay | Kernel::Probe => NeighbourState::Stale,
        Kernel::None | Kernel::Incomplete => NeighbourState::Incomplete,
        Kernel::Failed => NeighbourState::Failed,
    };
    // A neighbour that is valid but has no Ethernet address is on a link of another kind.
    let mac = match neighbour.mac {
        Some(mac) => mac,
        None if neighbour.state.is_valid() => return None,
        None => [0; 6],
    };
    Some(Neighbour { interface, address: neighbour.address, mac: wire::Mac(mac), state })
}

#[cfg(test)]
mod tests;
