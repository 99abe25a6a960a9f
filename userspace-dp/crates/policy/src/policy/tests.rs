//! One test per condition: what it lets through and what it stops. The same conditions together,
//! against an evaluator written another way, are in `reference`.

mod conditions;
mod fragments;
mod reference;

use core::net::IpAddr;

use wire::{Addresses, Transport, protocol, tcp};

use crate::{
    Action, AddressItem, AddressMatch, Decision, PeerMatch, PeerSpec, Policy, PolicySpec, Query,
    RuleRef, RuleSpec, SetSpec, ZoneId, ZoneMatch, ZoneSpec,
};

const LAN: ZoneId = ZoneId(7);
const WAN: ZoneId = ZoneId(3);
const VPN: ZoneId = ZoneId(4);

const ALICE: u32 = 100;
const BOB: u32 = 7;

/// A policy of these rules over three zones, two sets and two peers.
fn spec(rules: Vec<RuleSpec>) -> PolicySpec {
    let zone = |name: &str, id| ZoneSpec { name: name.to_owned(), id };
    let set = |name: &str, prefixes: &[&str]| SetSpec {
        name: name.to_owned(),
        prefixes: prefixes.iter().map(|text| text.parse().unwrap()).collect(),
    };
    let peer = |name: &str, id| PeerSpec { name: name.to_owned(), id };
    PolicySpec {
        zones: vec![zone("lan", LAN), zone("wan", WAN), zone("vpn", VPN)],
        sets: vec![
            set("servers", &["10.0.0.8/29", "10.9.0.0/16", "2001:db8::/64"]),
            set("nobody", &[]),
        ],
        peers: vec![peer("alice", ALICE), peer("bob", BOB)],
        rules,
    }
}

fn policy(rules: Vec<RuleSpec>) -> Policy {
    Policy::compile(&spec(rules)).unwrap()
}

fn allow(name: &str) -> RuleSpec {
    RuleSpec::new(name, Action::Allow)
}

fn deny(name: &str) -> RuleSpec {
    RuleSpec::new(name, Action::Deny)
}

fn zone(name: &str) -> ZoneMatch {
    ZoneMatch::Zone(name.to_owned())
}

fn prefixes(texts: &[&str]) -> AddressMatch {
    let item = |text: &&str| AddressItem::Prefix(text.parse().unwrap());
    AddressMatch::In(texts.iter().map(item).collect())
}

fn set(name: &str) -> AddressMatch {
    AddressMatch::In(vec![AddressItem::Set(name.to_owned())])
}

fn peers(names: &[&str]) -> PeerMatch {
    PeerMatch::In(names.iter().map(|name| (*name).to_owned()).collect())
}

fn between(source: &str, destination: &str) -> Addresses {
    let parse = |text: &str| text.parse::<IpAddr>().unwrap();
    Addresses::new(parse(source), parse(destination)).unwrap()
}

/// TCP from 10.0.0.1:40000 in the LAN to 192.0.2.1:443 in the WAN, from no tunnel.
fn web() -> Query {
    Query {
        from: LAN,
        to: WAN,
        addresses: between("10.0.0.1", "192.0.2.1"),
        protocol: protocol::TCP,
        transport: Transport::Tcp {
            source_port: 40_000,
            destination_port: 443,
            flags: tcp::Flags::SYN,
        },
        who: None,
    }
}

fn udp(source_port: u16, destination_port: u16) -> Query {
    let transport = Transport::Udp { source_port, destination_port };
    Query { protocol: protocol::UDP, transport, ..web() }
}

fn echo4() -> Query {
    let transport = Transport::Icmp { kind: 8, code: 0, identifier: 1 };
    Query { protocol: protocol::ICMP, transport, ..web() }
}

fn echo6() -> Query {
    Query {
        addresses: between("2001:db8::1", "2001:db8:1::1"),
        protocol: protocol::ICMPV6,
        transport: Transport::Icmpv6 { kind: 128, code: 0, identifier: 1 },
        ..web()
    }
}

fn other(number: u8) -> Query {
    Query { protocol: number, transport: Transport::Other(number), ..web() }
}

/// A later fragment of the same packet.
fn later_fragment(query: Query) -> Query {
    Query { transport: Transport::Absent, ..query }
}

fn decided(action: Action, index: u32) -> Decision {
    Decision { action, rule: RuleRef::Rule(index), log: false }
}

/// Whether a policy of nothing but this allow rule lets the packet through.
fn passes(rule: &RuleSpec, query: &Query) -> bool {
    policy(vec![rule.clone()]).evaluate(query).allows()
}
