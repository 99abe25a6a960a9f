//! What `ip -j` shows, in the mirror's terms.

use std::collections::BTreeSet;
use std::fmt::Debug;

use serde_json::Value;

use super::super::super::model::{Hop, RouteKind};
use super::super::Mirror;
use super::settle;
use crate::control::namespaces::Lab;

/// Compares all tables with the output of `ip`; `context` says what was done before.
///
/// The kernel works off some things later (carrier changes, IPv6 address states), between a report and a look at
/// `ip`, so a difference must last to count.
pub(super) fn assert_equals_ip(lab: &Lab, mirror: &mut Mirror, context: &str) {
    let mut differences = String::new();
    for _ in 0..100 {
        settle(mirror);
        differences = difference("link", &links(mirror), &shown_links(lab))
            + &difference("address", &addresses(mirror), &shown_addresses(lab))
            + &difference("route", &routes(mirror), &shown_routes(lab))
            + &difference("neighbour", &neighbours(mirror), &shown_neighbours(lab));
        if differences.is_empty() {
            return;
        }
        std::thread::sleep(core::time::Duration::from_millis(50));
    }
    panic!("{differences}after {context}");
}

fn difference<T: Ord + Debug>(what: &str, ours: &BTreeSet<T>, theirs: &BTreeSet<T>) -> String {
    let missing = theirs.difference(ours).map(|one| format!("missing {what}: {one:?}\n"));
    let wrong = ours.difference(theirs).map(|one| format!("wrong {what}: {one:?}\n"));
    missing.chain(wrong).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// Numbers come as numbers or, with `-N`, as text.
fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
}

fn flag(value: &Value, name: &str) -> bool {
    list(&value["flags"]).iter().any(|flag| flag == name)
}

/// Index, name, MTU, up, carrier, MAC, kind, receive queues, master.
type ShownLink =
    (u64, String, u64, bool, bool, Option<String>, Option<String>, u64, Option<String>);

fn links(mirror: &Mirror) -> BTreeSet<ShownLink> {
    let name = |index| mirror.tables().link(index).map(|link| link.name.clone());
    let mac = |mac: Option<[u8; 6]>| mac.map(|mac| mac.map(|byte| format!("{byte:02x}")).join(":"));
    mirror
        .links()
        .map(|link| {
            (
                link.index.into(),
                link.name.clone(),
                link.mtu.into(),
                link.up,
                link.carrier,
                mac(link.mac),
                link.kind.clone(),
                link.rx_queues.into(),
                link.master.and_then(name),
            )
        })
        .collect()
}

fn shown_links(lab: &Lab) -> BTreeSet<ShownLink> {
    list(&lab.json("link show"))
        .iter()
        .map(|link| {
            (
                number(&link["ifindex"]),
                text(&link["ifname"]).unwrap_or_default(),
                number(&link["mtu"]),
                flag(link, "UP"),
                flag(link, "LOWER_UP"),
                text(&link["address"]),
                text(&link["linkinfo"]["info_kind"]),
                number(&link["num_rx_queues"]),
                text(&link["master"]),
            )
        })
        .collect()
}

/// Device, address, prefix length, other end, broadcast address, tentative.
type ShownAddress = (String, String, u64, Option<String>, Option<String>, bool);

fn device(mirror: &Mirror, index: u32) -> String {
    mirror.tables().link(index).map_or_else(|| format!("?{index}"), |link| link.name.clone())
}

fn addresses(mirror: &Mirror) -> BTreeSet<ShownAddress> {
    mirror
        .addresses()
        .map(|own| {
            (
                device(mirror, own.interface),
                own.address.to_string(),
                own.prefix_length.into(),
                own.peer.map(|peer| peer.to_string()),
                own.broadcast.map(|broadcast| broadcast.to_string()),
                own.tentative,
            )
        })
        .collect()
}

fn shown_addresses(lab: &Lab) -> BTreeSet<ShownAddress> {
    let mut all = BTreeSet::new();
    for link in list(&lab.json("addr show")) {
        for own in list(&link["addr_info"]) {
            all.insert((
                text(&link["ifname"]).unwrap_or_default(),
                text(&own["local"]).unwrap_or_default(),
                number(&own["prefixlen"]),
                text(&own["address"]),
                text(&own["broadcast"]),
                own["tentative"] == true || own["dadfailed"] == true,
            ));
        }
    }
    all
}

/// Device, gateway, weight, onlink.
type ShownHop = (String, Option<String>, u64, bool);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ShownRoute {
    destination: String,
    table: u64,
    kind: u64,
    metric: u64,
    protocol: u64,
    scope: u64,
    source: Option<String>,
    mtu: u64,
    hops: Vec<ShownHop>,
}

fn routes(mirror: &Mirror) -> BTreeSet<ShownRoute> {
    let hop = |hop: &Hop| {
        let gateway = hop.gateway.map(|gateway| gateway.to_string());
        (device(mirror, hop.interface), gateway, hop.weight.into(), hop.onlink)
    };
    let all: Vec<ShownRoute> = mirror
        .routes()
        .map(|route| ShownRoute {
            destination: route.destination.to_string(),
            table: route.table.into(),
            kind: kind_number(route.kind),
            metric: route.metric.into(),
            protocol: route.protocol.into(),
            scope: route.scope.into(),
            source: route.preferred_source.map(|source| source.to_string()),
            mtu: route.mtu.unwrap_or(0).into(),
            hops: route.hops.iter().map(hop).collect(),
        })
        .collect();
    let count = all.len();
    let all: BTreeSet<ShownRoute> = all.into_iter().collect();
    assert_eq!(all.len(), count, "no route is there twice");
    all
}

fn shown_routes(lab: &Lab) -> BTreeSet<ShownRoute> {
    let mut all = BTreeSet::new();
    for (family, any, length) in [("-4", "0.0.0.0/0", "/32"), ("-6", "::/0", "/128")] {
        for route in list(&lab.json(&format!("{family} route show table all"))) {
            let table = number(&route["table"]);
            // Without `table`, ip means the main one.
            let table = if route["table"].is_null() { 254 } else { table };
            if ![100, 254, 255].contains(&table) {
                continue;
            }
            let mut destination = text(&route["dst"]).unwrap_or_default();
            if destination == "default" {
                destination = any.into();
            } else if !destination.contains('/') {
                destination += length;
            }
            all.insert(ShownRoute {
                destination,
                table,
                kind: kind_of(&route["type"]),
                metric: number(&route["metric"]),
                protocol: number(&route["protocol"]),
                scope: number(&route["scope"]),
                source: text(&route["prefsrc"]),
                mtu: list(&route["metrics"]).first().map_or(0, |metrics| number(&metrics["mtu"])),
                hops: shown_hops(route),
            });
        }
    }
    all
}

fn shown_hops(route: &Value) -> Vec<ShownHop> {
    let hops = list(&route["nexthops"]);
    if hops.is_empty() {
        return shown_hop(route).into_iter().collect();
    }
    hops.iter().filter_map(shown_hop).collect()
}

fn shown_hop(hop: &Value) -> Option<ShownHop> {
    let gateway = text(&hop["gateway"]).or_else(|| text(&hop["via"]["host"]));
    Some((text(&hop["dev"])?, gateway, number(&hop["weight"]).max(1), flag(hop, "onlink")))
}

const KINDS: [(&str, RouteKind, u64); 9] = [
    ("unicast", RouteKind::Unicast, 1),
    ("local", RouteKind::Local, 2),
    ("broadcast", RouteKind::Broadcast, 3),
    ("anycast", RouteKind::Anycast, 4),
    ("multicast", RouteKind::Multicast, 5),
    ("blackhole", RouteKind::Blackhole, 6),
    ("unreachable", RouteKind::Unreachable, 7),
    ("prohibit", RouteKind::Prohibit, 8),
    ("throw", RouteKind::Throw, 9),
];

fn kind_number(kind: RouteKind) -> u64 {
    KINDS.iter().find(|known| known.1 == kind).map_or(0, |known| known.2)
}

/// By name, or by number with `-N`.
fn kind_of(value: &Value) -> u64 {
    let name = value.as_str().unwrap_or_default();
    KINDS.iter().find(|known| known.0 == name).map_or_else(|| number(value), |known| known.2)
}

/// Device, address, MAC.
fn neighbours(mirror: &Mirror) -> BTreeSet<(String, String, Option<String>)> {
    mirror
        .neighbours()
        .filter(|neighbour| neighbour.mac.is_some())
        .map(|neighbour| {
            let mac = neighbour.mac.map(|mac| mac.map(|byte| format!("{byte:02x}")).join(":"));
            (device(mirror, neighbour.interface), neighbour.address.to_string(), mac)
        })
        .collect()
}

fn shown_neighbours(lab: &Lab) -> BTreeSet<(String, String, Option<String>)> {
    list(&lab.json("neigh show nud all"))
        .iter()
        .filter(|neighbour| {
            // Multicast and broadcast destinations are no neighbours.
            let mac = neighbour["lladdr"].as_str().unwrap_or("ff");
            !mac.starts_with("33:33") && !mac.starts_with("ff") && neighbour["dev"] != "lo"
        })
        .map(|neighbour| {
            (
                text(&neighbour["dev"]).unwrap_or_default(),
                text(&neighbour["dst"]).unwrap_or_default(),
                text(&neighbour["lladdr"]),
            )
        })
        .collect()
}
