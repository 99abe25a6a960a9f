//! The compiler against a scan of the tables, and compiling changes against compiling everything.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use proptest::prelude::*;

use super::*;

/// What a scan of the tables says, the way the kernel does it.
fn scan(routes: &[Route], destination: IpAddr) -> Option<Vec<Option<IpAddr>>> {
    for table in [100, TABLE_MAIN] {
        let matching = routes
            .iter()
            .enumerate()
            .filter(|(_, route)| route.table == table && route.destination.contains(&destination));
        let best = matching.min_by_key(|(order, route)| {
            (u8::MAX - route.destination.prefix_len(), route.metric, *order)
        });
        match best {
            Some((_, route)) if route.kind == RouteKind::Throw => {}
            Some((_, route)) => return Some(route.hops.iter().map(|hop| hop.gateway).collect()),
            None => {}
        }
    }
    None
}

/// Prefixes of a small space, so that they often hold each other.
fn any_route(interfaces: u32) -> impl Strategy<Value = Route> {
    let destination = (any::<bool>(), 0..8u32, 29..=32u8).prop_map(|(v4, host, length)| {
        let net = if v4 {
            Ipv4Net::new(Ipv4Addr::from(0x0a00_0000 + host), length).map(IpNet::from)
        } else {
            Ipv6Net::new(Ipv6Addr::from(0x2001_0db8 << 96 | u128::from(host)), length + 96)
                .map(IpNet::from)
        };
        net.expect("a length within reach").trunc()
    });
    let kind = prop_oneof![4 => Just(RouteKind::Unicast), 2 => Just(RouteKind::Throw), 1 => Just(RouteKind::Blackhole)];
    let hops = prop::collection::vec((1..=interfaces, 0..250u8), 1..3);
    (prop_oneof![Just(100u32), Just(TABLE_MAIN)], destination, kind, 0..3u32, hops).prop_map(
        |(table, destination, kind, metric, hops)| {
            let hops: Vec<Hop> = hops
                .into_iter()
                .map(|(interface, last)| hop(interface, &format!("192.0.2.{last}")))
                .collect();
            let hops = if kind == RouteKind::Unicast { hops } else { vec![] };
            let text = destination.to_string();
            Route { table, kind, metric, ..route(&text, &hops) }
        },
    )
}

proptest! {
    #[test]
    fn the_forwarding_table_finds_what_a_scan_of_the_tables_finds(
        routes in prop::collection::vec(any_route(2), 0..24),
    ) {
        // Only the first of equal table, prefix and metric exists in a kernel's table when it was added plainly.
        let tables = tables(&routes);
        let routes: Vec<Route> = tables.routes().cloned().collect();
        let (fib, _) = Compiler::new(&[100, TABLE_MAIN], 0).fib(&tables, &numbers());
        for host in 0..8u32 {
            let v4 = IpAddr::from(Ipv4Addr::from(0x0a00_0000 + host));
            let v6 = IpAddr::from(Ipv6Addr::from(0x2001_0db8 << 96 | u128::from(host)));
            for destination in [v4, v6] {
                for flow_hash in [0, 1 << 30, u32::MAX] {
                    let found = fib.lookup(destination, flow_hash);
                    match scan(&routes, destination) {
                        Some(hops) if !hops.is_empty() => {
                            let found = found.expect("there is a route");
                            prop_assert_eq!(found.kind, NextHopKind::Unicast);
                            prop_assert!(hops.contains(&found.gateway));
                        }
                        Some(_) => prop_assert_eq!(found.map(|hop| hop.kind), Some(NextHopKind::Blackhole)),
                        // Under a throw route that nothing shows through, a shorter prefix must not be found.
                        None => prop_assert!(found.is_none_or(|hop| hop.kind == NextHopKind::Unreachable)),
                    }
                }
            }
        }
    }

    #[test]
    fn compiling_again_after_changes_equals_compiling_afresh(
        before in prop::collection::vec(any_route(2), 0..24),
        after in prop::collection::vec(any_route(2), 0..24),
    ) {
        let mut compiler = Compiler::new(&[100, TABLE_MAIN], 0);
        let _ = compiler.fib(&tables(&before), &numbers());
        let (again, report) = compiler.fib(&tables(&after), &numbers());
        let mut fresh = Compiler::new(&[100, TABLE_MAIN], 0);
        let (afresh, wanted) = fresh.fib(&tables(&after), &numbers());
        prop_assert_eq!(report, wanted);
        prop_assert!(compiler.builder.iter().eq(fresh.builder.iter()));
        for host in 0..8u32 {
            let destination = Ipv4Addr::from(0x0a00_0000 + host);
            let find = |fib: &Fib| fib.lookup4(destination, 77).map(|hop| (hop.kind, hop.interface, hop.gateway));
            prop_assert_eq!(find(&again), find(&afresh));
        }
    }

    #[test]
    fn compiling_only_what_changed_equals_compiling_everything(
        steps in prop::collection::vec((any_route(4), 0..5u8, any::<prop::sample::Index>()), 1..40),
    ) {
        let mut tables = tables(&[]);
        let mut compiler = Compiler::new(&[100, TABLE_MAIN], 0);
        for (route, step, which) in steps {
            let present: Vec<Route> = tables.routes().cloned().collect();
            let update = match step {
                0 | 1 => Update::Route(route, Placement::Prepend),
                2 => Update::Route(route, Placement::Replace),
                _ if present.is_empty() => continue,
                _ => Update::RouteGone(which.get(&present).clone()),
            };
            let _ = tables.apply(update);
            let (fib, report) = compiler.fib(&tables, &numbers());
            let mut fresh = Compiler::new(&[100, TABLE_MAIN], 0);
            let (afresh, wanted) = fresh.fib(&tables, &numbers());
            prop_assert_eq!(report, wanted);
            prop_assert!(compiler.builder.iter().eq(fresh.builder.iter()));
            prop_assert_eq!(fib.gateways().len(), afresh.gateways().len());
        }
    }
}
