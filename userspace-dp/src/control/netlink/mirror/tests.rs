//! The mirror against the kernel: whatever `ip` does, the mirror equals what `ip` shows.

use core::time::Duration;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::super::model::{NeighbourState, OperationalState, RouteKind};
use super::*;
use crate::control::namespaces::{Lab, inside};

mod shown;

use shown::assert_equals_ip;

fn open() -> Mirror {
    Mirror::open(&Options { tables: vec![100], ..Options::default() }).expect("netlink works")
}

/// Waits for reports for at most `limit`; whether there are any.
fn readable(mirror: &Mirror, limit: Duration) -> bool {
    let fd = mirror.as_fd();
    let limit = Timespec::try_from(limit).expect("a short time");
    poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&limit)).expect("poll works") == 1
}

/// Processes until nothing is left.
fn settle(mirror: &mut Mirror) -> Changes {
    let mut all = Changes::NONE;
    loop {
        let changes = mirror.process().expect("netlink works");
        all |= changes;
        if !changes.contains(Changes::MORE) {
            return all;
        }
    }
}

/// A mirror that is opened at this moment says the same. The kernel finishes IPv6 addresses in its own time, so a
/// difference must last to count.
fn assert_equals_fresh_dump(mirror: &mut Mirror) {
    for _ in 0..100 {
        settle(mirror);
        if open().tables() == mirror.tables() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    settle(mirror);
    assert_eq!(open().tables(), mirror.tables());
}

/// Draws numbers; the seed is printed so that a failure can be repeated with `RINGWALL_SEED`.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let seed = std::env::var("RINGWALL_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(0));
        println!("RINGWALL_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

/// Two cables, each with both ends here, and a bridge.
fn furnish(lab: &Lab) {
    lab.ip("link set lo up");
    for (one, other, net) in [("a0", "a1", 1), ("b0", "b1", 2)] {
        lab.ip(&format!("link add {one} type veth peer name {other}"));
        lab.ip(&format!("addr add 10.0.{net}.1/24 dev {one}"));
        lab.ip(&format!("addr add fd00:{net}::1/64 dev {one} nodad"));
        lab.ip(&format!("link set {one} up"));
        lab.ip(&format!("link set {other} up"));
    }
    lab.ip("link add br0 type bridge");
}

/// A command that may or may not be possible as things stand.
fn random_command(dice: &mut Dice) -> String {
    let device = dice.pick(&["a0", "b0"]);
    let net = if device == "a0" { 1 } else { 2 };
    let host = dice.below(4) + 2;
    let verb = dice.pick(&["add", "add", "append", "prepend", "replace", "replace", "del", "del"]);
    let metric = dice.pick(&["", "", "metric 5", "metric 500"]);
    let table = dice.pick(&["", "", "", "table 100"]);
    let prefix4 = dice.pick(&["10.9.0.0/16", "10.9.1.0/24", "198.51.100.7", "default"]);
    let prefix6 = dice.pick(&["2001:db8::/32", "2001:db8:1::/48", "default"]);
    match dice.below(14) {
        0..=2 => {
            let extra = dice.pick(&["", "", "onlink", "mtu 1300", "src 10.0.1.1", "proto bgp"]);
            let via = format!("via 10.0.{net}.{host} dev {device}");
            format!("route {verb} {prefix4} {via} {extra} {metric} {table}")
        }
        3..=4 => {
            let extra = dice.pick(&["", "", "onlink", "mtu 1300", "proto bgp"]);
            let via = format!("via fd00:{net}::{host} dev {device}");
            format!("-6 route {verb} {prefix6} {via} {extra} {metric} {table}")
        }
        5 => format!(
            "route {verb} {prefix4} {metric} {table} nexthop via 10.0.1.{host} dev a0 weight 3 \
             nexthop via 10.0.2.{host} dev b0"
        ),
        6 => format!(
            "-6 route {verb} {prefix6} {metric} {table} nexthop via fd00:1::{host} dev a0 \
             nexthop via fd00:2::{host} dev b0 weight 2"
        ),
        7 => {
            let kind = dice.pick(&["blackhole", "unreachable", "prohibit", "throw"]);
            format!("route {verb} {kind} {prefix4} {metric} {table}")
        }
        8 => {
            // With a metric of their own: when such a route stands between the hops of a multipath route, the
            // kernel leaves it out of its lists.
            let (kind, metric) = (dice.pick(&["blackhole", "prohibit"]), dice.pick(&["6", "600"]));
            format!("-6 route {verb} {kind} {prefix6} metric {metric}")
        }
        9 => format!("route {verb} {prefix4} via inet6 fe80::{host} dev {device} {metric}"),
        10 => {
            let verb = dice.pick(&["add", "del", "replace"]);
            let address = dice.pick(&["10.7.0.1/24", "10.7.0.2/24", "fd00:7::1/64"]);
            format!("addr {verb} {address} dev {device}")
        }
        11 => {
            let verb = dice.pick(&["add", "replace", "del"]);
            let mac = if verb == "del" { "" } else { "lladdr 02:00:00:00:00:07 nud permanent" };
            let address = if dice.below(2) == 0 { "10.0.1.9" } else { "fd00:1::9" };
            format!("neigh {verb} {address} dev a0 {mac}")
        }
        12 => format!(
            "link set {device} {}",
            dice.pick(&["down", "up", "up", "mtu 1400", "mtu 1500"])
        ),
        _ => format!("link set a1 {}", dice.pick(&["down", "up", "up", "master br0", "nomaster"])),
    }
}

#[test]
fn the_mirror_equals_what_ip_shows_after_random_changes() {
    inside(|lab| {
        furnish(lab);
        let mut dice = Dice::new();
        let mut mirror = open();
        assert_equals_ip(lab, &mut mirror, "at first");
        let (mut done, mut log) = (0, Vec::new());
        for round in 0..240 {
            let command = random_command(&mut dice);
            if lab.try_ip(&command) {
                done += 1;
                log.push(command);
            }
            if round % 3 == 0 {
                settle(&mut mirror);
                assert_equals_ip(lab, &mut mirror, &format!("{log:#?}"));
            }
        }
        assert!(done > 60, "only {done} commands were possible");
        assert_eq!(mirror.statistics().undecodable, 0);
        assert_eq!(mirror.statistics().overruns, 0);
    });
}

#[test]
fn two_thousand_routes_are_mirrored_by_report_and_by_dump() {
    inside(|lab| {
        furnish(lab);
        let mut mirror = open();
        let lines = (0..2000)
            .map(|i| format!("route add 10.{}.{}.0/24 via 10.0.1.2\n", 100 + i / 250, i % 250));
        lab.ip_batch(&lines.collect::<String>());
        let changes = settle(&mut mirror);
        assert!(changes.contains(Changes::ROUTES) && !changes.contains(Changes::OVERRUN));
        assert!(mirror.tables().route_count() > 2000);
        assert_eq!(mirror.statistics().rereads, 0);
        assert_equals_ip(lab, &mut mirror, "after 2000 routes");
        assert_equals_fresh_dump(&mut mirror);
    });
}

#[test]
fn reports_that_were_lost_are_made_good_by_reading_again() {
    inside(|lab| {
        // Loopback alone: nothing there changes by itself later.
        lab.ip("link set lo up");
        // The kernel's least buffer holds a handful of reports.
        let options = Options { tables: vec![], receive_buffer: 1 };
        let mut mirror = Mirror::open(&options).expect("netlink works");
        let lines =
            (0..3000).map(|i| format!("route add 10.{}.{}.0/24 dev lo\n", 100 + i / 250, i % 250));
        lab.ip_batch(&lines.collect::<String>());
        lab.ip("link set lo mtu 1400");
        let before = mirror.tables().moment();
        let changes = settle(&mut mirror);
        assert!(changes.contains(Changes::OVERRUN), "{changes:?}");
        let told = mirror.tables().routes_changed_since(before).map(Iterator::count);
        assert_eq!(told, None, "nobody may rely on single changes");
        assert!(changes.contains(Changes::ROUTES) && changes.contains(Changes::LINKS));
        assert!(mirror.statistics().overruns > 0 && mirror.statistics().rereads > 0);
        assert_equals_ip(lab, &mut mirror, "after the overrun");
        assert!(settle(&mut mirror).is_empty(), "a second read has nothing to tell");
        lab.ip("route add 10.250.0.0/16 dev lo");
        assert_eq!(settle(&mut mirror), Changes::ROUTES, "and later changes are reported singly");
    });
}

#[test]
fn a_change_makes_the_descriptor_readable_once_and_not_before() {
    inside(|lab| {
        lab.ip("link set lo up");
        let mut mirror = open();
        settle(&mut mirror);
        assert!(!readable(&mirror, Duration::ZERO));
        lab.ip("route add 10.9.0.0/16 dev lo");
        assert!(readable(&mirror, Duration::from_secs(5)));
        assert_eq!(mirror.process().expect("netlink works"), Changes::ROUTES);
        assert!(!readable(&mirror, Duration::ZERO), "nothing is left, so the loop may sleep");
        assert!(mirror.process().expect("netlink works").is_empty());
    });
}

#[test]
fn ipv4_routes_that_go_silently_with_their_link_or_address_go_here_too() {
    inside(|lab| {
        furnish(lab);
        lab.ip("addr add 10.7.0.1/24 dev b0");
        lab.ip("route add 10.9.0.0/16 via 10.0.1.2");
        lab.ip("route add 10.8.0.0/16 via 10.0.2.2 src 10.7.0.1");
        let mut mirror = open();
        let has = |mirror: &Mirror, prefix: &str| {
            mirror.routes().any(|route| route.destination.to_string() == prefix)
        };
        assert!(has(&mirror, "10.9.0.0/16") && has(&mirror, "10.8.0.0/16"));
        lab.ip("link set a0 down");
        assert!(settle(&mut mirror).contains(Changes::LINKS | Changes::ROUTES));
        assert!(!has(&mirror, "10.9.0.0/16") && has(&mirror, "10.8.0.0/16"));
        lab.ip("addr del 10.7.0.1/24 dev b0");
        assert!(settle(&mut mirror).contains(Changes::ADDRESSES | Changes::ROUTES));
        assert!(!has(&mirror, "10.8.0.0/16"));
        assert_equals_ip(lab, &mut mirror, "at the end");
    });
}

#[test]
fn routes_by_nexthop_object_follow_the_object_in_both_modes_of_the_kernel() {
    inside(|lab| {
        furnish(lab);
        for compatible in ["1", "0"] {
            std::fs::write("/proc/sys/net/ipv4/nexthop_compat_mode", compatible).expect("root");
            lab.ip("nexthop add id 1 via 10.0.1.2 dev a0");
            lab.ip("nexthop add id 2 via 10.0.2.2 dev b0");
            lab.ip("nexthop add id 9 group 1,3/2,2");
            lab.ip("nexthop add id 4 blackhole");
            lab.ip("route add 10.9.0.0/16 nhid 9");
            lab.ip("route add 10.8.0.0/16 nhid 4");
            let mut mirror = open();
            let ways = |mirror: &Mirror, prefix: &str| {
                let route = mirror.routes().find(|route| route.destination.to_string() == prefix);
                let (kind, hops) = mirror.tables().ways(route?);
                Some((
                    kind,
                    hops.iter()
                        .map(|hop| (hop.gateway.map(|g| g.to_string()), hop.weight))
                        .collect::<Vec<_>>(),
                ))
            };
            let hop = |gateway: &str, weight| (Some(gateway.to_owned()), weight);
            let both = vec![hop("10.0.1.2", 3), hop("10.0.2.2", 2)];
            assert_eq!(ways(&mirror, "10.9.0.0/16"), Some((RouteKind::Unicast, both)));
            assert_eq!(ways(&mirror, "10.8.0.0/16"), Some((RouteKind::Blackhole, vec![])));
            lab.ip("nexthop replace id 1 via 10.0.1.77 dev a0");
            assert!(settle(&mut mirror).contains(Changes::ROUTES));
            let both = vec![hop("10.0.1.77", 3), hop("10.0.2.2", 2)];
            assert_eq!(ways(&mirror, "10.9.0.0/16"), Some((RouteKind::Unicast, both)));
            lab.ip("nexthop flush");
            settle(&mut mirror);
            assert_eq!(ways(&mirror, "10.9.0.0/16"), None);
            assert_equals_fresh_dump(&mut mirror);
        }
    });
}

#[test]
fn a_port_that_leaves_a_bridge_stays_a_link_and_a_removed_link_goes() {
    inside(|lab| {
        furnish(lab);
        lab.ip("link set a1 master br0");
        let mut mirror = open();
        let bridge = lab.index("br0");
        assert_eq!(mirror.tables().link_named("a1").and_then(|link| link.master), Some(bridge));
        lab.ip("link set a1 nomaster");
        assert!(settle(&mut mirror).contains(Changes::LINKS));
        let link = mirror.tables().link_named("a1").expect("the device is still there");
        assert_eq!((link.master, link.operational), (None, OperationalState::Up));
        lab.ip("link del a0");
        settle(&mut mirror);
        assert!(mirror.tables().link_named("a0").is_none());
        assert_equals_ip(lab, &mut mirror, "after the removal");
    });
}

#[test]
fn tables_that_were_not_asked_for_are_not_mirrored() {
    inside(|lab| {
        furnish(lab);
        lab.ip("route add 10.9.0.0/16 via 10.0.1.2 table 100");
        lab.ip("route add 10.8.0.0/16 via 10.0.1.2 table 200");
        let mut mirror = open();
        lab.ip("route add 10.7.0.0/16 via 10.0.1.2 table 100");
        lab.ip("route add 10.6.0.0/16 via 10.0.1.2 table 200");
        settle(&mut mirror);
        let tables: BTreeSet<u32> = mirror.routes().map(|route| route.table).collect();
        assert_eq!(tables, BTreeSet::from([100, 254, 255]));
        assert_eq!(mirror.routes().filter(|route| route.table == 100).count(), 2);
    });
}

#[test]
fn routing_rules_that_workers_do_not_follow_are_counted() {
    inside(|lab| {
        let mut mirror = open();
        assert_eq!(mirror.routing_rules().expect("netlink works"), 0);
        lab.ip("rule add from 10.0.0.0/8 lookup 100");
        lab.ip("-6 rule add fwmark 7 lookup 100");
        lab.ip("rule add priority 32766 iif lo lookup main");
        assert_eq!(mirror.routing_rules().expect("netlink works"), 3);
    });
}

#[test]
fn a_neighbour_that_is_resolved_shows_with_its_address() {
    inside(|lab| {
        let index = lab.cable();
        let mut mirror = open();
        let address = "192.0.2.2".parse().expect("an address");
        assert!(mirror.tables().neighbour(index, address).is_none());
        lab.ip("neigh add 192.0.2.2 dev a0 lladdr 02:00:00:00:00:01 nud stale");
        assert!(settle(&mut mirror).contains(Changes::NEIGHBOURS));
        let neighbour = mirror.tables().neighbour(index, address).expect("it was added");
        assert_eq!(neighbour.state, NeighbourState::Stale);
        assert_eq!(neighbour.mac, Some([2, 0, 0, 0, 0, 1]));
        assert_eq!(mirror.answered(), [(index, address)]);
        lab.ip("neigh replace 192.0.2.2 dev a0 lladdr 02:00:00:00:00:01 nud reachable");
        settle(&mut mirror);
        assert_eq!(mirror.answered(), [], "it could be sent to before");
        lab.ip("neigh del 192.0.2.2 dev a0");
        settle(&mut mirror);
        assert!(mirror.tables().neighbour(index, address).is_none_or(|gone| gone.mac.is_none()));
        lab.ip("neigh add 192.0.2.2 dev a0 lladdr 02:00:00:00:00:01 nud stale");
        lab.ip("neigh del 192.0.2.2 dev a0");
        mirror.process().expect("netlink works");
        assert_eq!(mirror.answered(), [(index, address)], "also one that is gone again");
    });
}
