//! Which route of a prefix is used, and what it becomes for workers.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use route::{GatewaySlot, InterfaceId, NextHop, NextHopKind, WeightedHop};

use super::super::netlink::{Hop, Route, RouteKind, Tables};
use super::flatten::{Entry, Ways};
use super::{InterfaceNumbers, Report};

/// Chooses among the routes of a prefix.
pub(super) struct Selection<'tables> {
    pub(super) tables: &'tables Tables,
    pub(super) interfaces: &'tables InterfaceNumbers,
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
    /// The choice among the routes of one table to one destination, lowest metric first, and what was met on the
    /// way.
    pub(super) fn choose<'route>(
        &self,
        routes: impl IntoIterator<Item = &'route Route>,
    ) -> (Option<Entry>, Report) {
        let (mut down, mut report) = (false, Report::default());
        for route in routes {
            match self.offer(route, &mut report) {
                Offer::Entry(entry) => return (Some(entry), report),
                Offer::Down => down = true,
                Offer::Nothing => {}
            }
        }
        report.down = usize::from(down);
        (down.then(|| Entry::Ways(refuse(NextHopKind::Unreachable))), report)
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

pub(super) fn refuse(kind: NextHopKind) -> Ways {
    Ways::One(NextHop::discard(kind).into())
}

/// Destinations that are never forwarded. They go into the first table, where only the gateway's own addresses
/// are longer.
pub(super) fn guards() -> [IpNet; 6] {
    let v4 = |a, length| Ipv4Net::new_assert(Ipv4Addr::new(a, 0, 0, 0), length);
    let v6 = |a, length| Ipv6Net::new_assert(Ipv6Addr::new(a, 0, 0, 0, 0, 0, 0, 0), length);
    [
        v4(127, 8).into(),
        v4(224, 4).into(),
        Ipv4Net::from(Ipv4Addr::BROADCAST).into(),
        Ipv6Net::from(Ipv6Addr::LOCALHOST).into(),
        v6(0xfe80, 10).into(),
        v6(0xff00, 8).into(),
    ]
}

/// Loopback and multicast ranges have no exceptions; link-local ones have the gateway's own addresses.
pub(super) fn guarded_whole(prefix: IpNet) -> bool {
    let address = prefix.addr();
    address.is_loopback() || address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST)
}
