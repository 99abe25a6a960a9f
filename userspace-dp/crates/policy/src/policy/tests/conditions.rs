//! Each condition, the order of rules, and what is decided without one.

use super::*;
use crate::{IcmpTypeMatch, PortMatch, ProtocolMatch};

#[test]
fn without_a_rule_everything_is_denied_in_both_families() {
    for policy in [policy(vec![]), Policy::deny_all()] {
        assert_eq!(
            policy.evaluate(&Query { from: ZoneId::LOCAL, to: ZoneId::LOCAL, ..web() }),
            Decision::DEFAULT
        );
        assert_eq!(policy.evaluate(&Query { to: ZoneId::LOCAL, ..echo6() }), Decision::DEFAULT);
        assert_eq!(policy.evaluate(&web()), Decision::DEFAULT);
        assert_eq!(policy.evaluate(&other(132)), Decision::DEFAULT);
    }
}

#[test]
fn a_rule_without_conditions_matches_everything_between_known_zones() {
    let policy = policy(vec![allow("all")]);
    for query in [web(), udp(1, 2), echo4(), echo6(), other(132), later_fragment(web())] {
        assert_eq!(policy.evaluate(&query), decided(Action::Allow, 0), "{query:?}");
    }
    assert_eq!(policy.evaluate(&Query { from: ZoneId(6), ..web() }), Decision::DEFAULT);
    assert_eq!(policy.evaluate(&Query { to: ZoneId(999), ..web() }), Decision::DEFAULT);
}

#[test]
fn the_first_match_decides() {
    let rules = vec![
        RuleSpec { to: zone("vpn"), ..allow("elsewhere") },
        RuleSpec { log: true, ..RuleSpec::new("first", Action::Reject) },
        allow("second"),
    ];
    let policy = policy(rules);
    let expected = Decision { action: Action::Reject, rule: RuleRef::Rule(1), log: true };
    assert_eq!(policy.evaluate(&web()), expected);
    assert_eq!(policy.evaluate(&Query { to: VPN, ..web() }), decided(Action::Allow, 0));
}

#[test]
fn the_order_holds_across_rules_for_one_zone_and_for_any() {
    // The four ways to name a pair, in every order: the first of them always decides.
    let named = [
        RuleSpec { from: zone("lan"), to: zone("wan"), ..allow("pair") },
        RuleSpec { from: zone("lan"), ..allow("from") },
        RuleSpec { to: zone("wan"), ..allow("to") },
        allow("any"),
    ];
    for start in 0..4 {
        for reversed in [false, true] {
            let mut rules: Vec<RuleSpec> = named.to_vec();
            rules.rotate_left(start);
            if reversed {
                rules.reverse();
            }
            let first = rules[0].name.clone();
            let policy = policy(rules);
            let decision = policy.evaluate(&web());
            assert_eq!(decision, decided(Action::Allow, 0));
            assert_eq!(policy.rule_name(decision.rule), first);
        }
    }
}

#[test]
fn zones_match_by_direction() {
    let rule = RuleSpec { from: zone("lan"), to: zone("wan"), ..allow("out") };
    assert!(passes(&rule, &web()));
    assert!(!passes(&rule, &Query { from: WAN, to: LAN, ..web() }));
    assert!(!passes(&rule, &Query { from: VPN, ..web() }));
    assert!(!passes(&rule, &Query { to: VPN, ..web() }));
    assert!(!passes(&rule, &Query { to: ZoneId::LOCAL, ..web() }));
    let rule = RuleSpec { to: zone("local"), ..allow("to the gateway") };
    assert!(passes(&rule, &Query { to: ZoneId::LOCAL, ..web() }));
    assert!(!passes(&rule, &web()));
}

#[test]
fn source_and_destination_match_by_prefix_and_family() {
    let rule = RuleSpec { source: prefixes(&["10.0.0.0/31", "2001:db8::/32"]), ..allow("from") };
    let from = |source, destination| Query { addresses: between(source, destination), ..web() };
    assert!(passes(&rule, &from("10.0.0.1", "192.0.2.1")));
    assert!(passes(&rule, &from("2001:db8:ffff::1", "::1")));
    assert!(!passes(&rule, &from("10.0.0.2", "192.0.2.1")));
    assert!(!passes(&rule, &from("192.0.2.1", "10.0.0.1")));
    assert!(!passes(&rule, &from("2001:db9::1", "2001:db8::1")));
    let rule = RuleSpec { destination: prefixes(&["192.0.2.1/32"]), ..allow("to") };
    assert!(passes(&rule, &from("10.0.0.1", "192.0.2.1")));
    assert!(!passes(&rule, &from("192.0.2.1", "192.0.2.2")));
    // A rule that names addresses of one family says nothing about the other.
    assert!(!passes(&rule, &from("::1", "::1")));
    assert!(!passes(&rule, &from("::1", "::c000:201")));
}

#[test]
fn prefixes_cover_whole_families_and_ignore_host_bits() {
    let from = |source, destination| Query { addresses: between(source, destination), ..web() };
    let rule = RuleSpec { source: prefixes(&["0.0.0.0/0"]), ..allow("all of IPv4") };
    assert!(passes(&rule, &from("255.255.255.255", "0.0.0.0")));
    assert!(!passes(&rule, &from("::", "::")));
    let rule = RuleSpec { source: prefixes(&["::/0"]), ..allow("all of IPv6") };
    assert!(passes(&rule, &from("ffff::ffff", "::")));
    assert!(!passes(&rule, &from("0.0.0.0", "0.0.0.0")));
    let rule = RuleSpec { source: prefixes(&["10.1.2.3/8"]), ..allow("ten") };
    assert!(passes(&rule, &from("10.255.0.0", "0.0.0.0")));
    assert!(!passes(&rule, &from("11.0.0.0", "0.0.0.0")));
}

#[test]
fn named_sets_match_what_they_list_beside_prefixes() {
    let to = |destination| Query { addresses: between("10.0.0.1", destination), ..web() };
    let rule = RuleSpec { destination: set("servers"), ..allow("servers") };
    assert!(passes(&rule, &to("10.0.0.15")));
    assert!(passes(&rule, &to("10.9.255.1")));
    assert!(!passes(&rule, &to("10.0.0.16")));
    assert!(!passes(&rule, &to("10.0.0.7")));
    assert!(passes(&rule, &Query { addresses: between("::1", "2001:db8::9"), ..web() }));
    let mut items = vec![AddressItem::Set("servers".to_owned())];
    items.push(AddressItem::Prefix("192.0.2.0/24".parse().unwrap()));
    let rule = RuleSpec { destination: AddressMatch::In(items), ..allow("both") };
    assert!(passes(&rule, &to("192.0.2.200")));
    assert!(passes(&rule, &to("10.0.0.8")));
    assert!(!passes(&rule, &to("192.0.3.1")));
}

#[test]
fn an_empty_set_matches_nothing_instead_of_everything() {
    let rule = RuleSpec { source: set("nobody"), ..allow("nobody") };
    assert!(!passes(&rule, &web()));
    assert!(!passes(&rule, &echo6()));
    let rules = vec![RuleSpec { source: set("nobody"), ..deny("nobody") }, allow("all")];
    assert_eq!(policy(rules).evaluate(&web()), decided(Action::Allow, 1));
}

#[test]
fn protocols_match_by_number() {
    let rule = RuleSpec { protocol: ProtocolMatch::TCP, ..allow("tcp") };
    assert!(passes(&rule, &web()));
    assert!(!passes(&rule, &udp(40_000, 443)));
    assert!(!passes(&rule, &other(132)));
    let rule = RuleSpec { protocol: ProtocolMatch::Number(132), ..allow("sctp") };
    assert!(passes(&rule, &other(132)));
    assert!(!passes(&rule, &other(133)));
    let rule = RuleSpec { protocol: ProtocolMatch::Number(protocol::IPV4), ..allow("ipip") };
    let transport = Transport::Ipip { inner: wire::Family::V4 };
    assert!(passes(&rule, &Query { transport, ..other(protocol::IPV4) }));
}

#[test]
fn destination_ports_match_by_range() {
    let ports = PortMatch::In(vec![8000..=8100, 443..=443]);
    let rule = RuleSpec { destination_ports: ports, ..allow("web") };
    for (port, expected) in [
        (442, false),
        (443, true),
        (444, false),
        (7999, false),
        (8000, true),
        (8100, true),
        (8101, false),
    ] {
        assert_eq!(passes(&rule, &udp(1, port)), expected, "{port}");
    }
    assert!(passes(&rule, &web()));
    assert!(!passes(&rule, &udp(443, 1)), "the source port is another matter");
    let rule = RuleSpec { protocol: ProtocolMatch::TCP, ..rule };
    assert!(passes(&rule, &web()));
    assert!(!passes(&rule, &udp(1, 443)));
}

#[test]
fn source_ports_match_by_range() {
    let rule = RuleSpec { source_ports: PortMatch::In(vec![0..=53]), ..allow("dns answers") };
    assert!(passes(&rule, &udp(0, 9)));
    assert!(passes(&rule, &udp(53, 9)));
    assert!(!passes(&rule, &udp(54, 9)));
    assert!(!passes(&rule, &udp(54, 53)));
    let both = RuleSpec { destination_ports: PortMatch::In(vec![123..=123]), ..rule };
    assert!(passes(&both, &udp(53, 123)));
    assert!(!passes(&both, &udp(53, 124)));
    assert!(!passes(&both, &udp(54, 123)));
}

#[test]
fn ports_match_no_protocol_that_has_none() {
    let rule = RuleSpec { destination_ports: PortMatch::In(vec![0..=65_535]), ..allow("ports") };
    assert!(passes(&rule, &web()));
    assert!(passes(&rule, &udp(1, 2)));
    for query in [echo4(), echo6(), other(132), other(50)] {
        assert!(!passes(&rule, &query), "{query:?}");
    }
}

#[test]
fn icmp_types_match_within_their_protocol() {
    let kinds = |protocol, kinds: &[u8]| RuleSpec {
        protocol,
        icmp_types: IcmpTypeMatch::In(kinds.to_vec()),
        ..allow("types")
    };
    let rule = kinds(ProtocolMatch::ICMP, &[0, 8]);
    assert!(passes(&rule, &echo4()));
    let redirect = Transport::Icmp { kind: 5, code: 0, identifier: 0 };
    assert!(!passes(&rule, &Query { transport: redirect, ..echo4() }));
    assert!(!passes(&rule, &echo6()));
    assert!(!passes(&rule, &web()));
    let rule = kinds(ProtocolMatch::ICMPV6, &[128]);
    assert!(passes(&rule, &echo6()));
    let too_big = Transport::Icmpv6 { kind: 2, code: 0, identifier: 0 };
    assert!(!passes(&rule, &Query { transport: too_big, ..echo6() }));
    assert!(!passes(&rule, &echo4()));
}

#[test]
fn the_icmp_of_the_other_family_is_denied_by_a_rule_either_way() {
    let foreign = [
        Query { addresses: echo6().addresses, ..other(protocol::ICMP) },
        Query { addresses: web().addresses, ..other(protocol::ICMPV6) },
    ];
    for query in foreign {
        let protocol = ProtocolMatch::Number(query.protocol);
        let rule = RuleSpec { protocol, ..allow("icmp") };
        assert!(!passes(&rule, &query));
        let rules = vec![RuleSpec { action: Action::Reject, ..rule }, allow("all")];
        assert_eq!(policy(rules).evaluate(&query), decided(Action::Deny, 0));
        assert!(passes(&allow("all"), &query));
    }
}

#[test]
fn peers_match_what_came_out_of_their_tunnel() {
    let rule = RuleSpec { peers: peers(&["alice"]), ..allow("alice") };
    let from = |who| Query { who, ..web() };
    assert!(passes(&rule, &from(Some(ALICE))));
    assert!(!passes(&rule, &from(Some(BOB))));
    assert!(!passes(&rule, &from(Some(ALICE + 1))));
    assert!(!passes(&rule, &from(None)));
    let rule = RuleSpec { peers: peers(&["alice", "bob"]), ..rule };
    assert!(passes(&rule, &from(Some(ALICE))));
    assert!(passes(&rule, &from(Some(BOB))));
    assert!(!passes(&rule, &from(Some(50))));
}

#[test]
fn what_is_said_about_a_peer_wins_over_what_is_said_about_everybody() {
    let rules = vec![
        deny("everybody"),
        RuleSpec { peers: peers(&["alice"]), ..allow("alice") },
        RuleSpec { peers: peers(&["alice", "bob"]), ..deny("both") },
    ];
    let policy = policy(rules);
    assert_eq!(policy.evaluate(&Query { who: Some(ALICE), ..web() }), decided(Action::Allow, 1));
    assert_eq!(policy.evaluate(&Query { who: Some(BOB), ..web() }), decided(Action::Deny, 2));
    assert_eq!(policy.evaluate(&web()), decided(Action::Deny, 0));
}

#[test]
fn all_conditions_of_a_rule_must_hold() {
    let rule = RuleSpec {
        from: zone("lan"),
        to: zone("wan"),
        source: prefixes(&["10.0.0.0/8"]),
        destination: prefixes(&["192.0.2.0/24"]),
        protocol: ProtocolMatch::TCP,
        source_ports: PortMatch::In(vec![1024..=65_535]),
        destination_ports: PortMatch::In(vec![443..=443]),
        peers: peers(&["bob"]),
        ..allow("narrow")
    };
    let matching = Query { who: Some(BOB), ..web() };
    assert!(passes(&rule, &matching));
    let syn = |source_port, destination_port| Transport::Tcp {
        source_port,
        destination_port,
        flags: tcp::Flags::SYN,
    };
    for differing in [
        Query { from: VPN, ..matching },
        Query { to: LAN, ..matching },
        Query { addresses: between("11.0.0.1", "192.0.2.1"), ..matching },
        Query { addresses: between("10.0.0.1", "192.0.3.1"), ..matching },
        Query { who: Some(BOB), ..udp(40_000, 443) },
        Query { transport: syn(1023, 443), ..matching },
        Query { transport: syn(40_000, 444), ..matching },
        Query { who: Some(ALICE), ..matching },
    ] {
        assert!(!passes(&rule, &differing), "{differing:?}");
    }
}

#[test]
fn rules_and_zones_have_their_names_and_counters_their_places() {
    let rules = vec![allow("one"), RuleSpec { peers: peers(&["bob"]), ..deny("two") }];
    let policy = policy(rules);
    assert_eq!(policy.rule_count(), 2);
    assert_eq!(policy.rule_name(RuleRef::Rule(0)), "one");
    assert_eq!(policy.rule_name(RuleRef::Rule(1)), "two");
    assert_eq!(policy.rule_name(RuleRef::Default), "default");
    let places = [RuleRef::Rule(0), RuleRef::Rule(1), RuleRef::Default];
    assert_eq!(places.map(|rule| policy.counter_index(rule)), [0, 1, 2]);
    assert_eq!(policy.zone("lan"), Some(LAN));
    assert_eq!(policy.zone("local"), Some(ZoneId::LOCAL));
    assert_eq!(policy.zone("any"), None);
    assert_eq!(policy.zone_name(VPN), Some("vpn"));
    assert_eq!(policy.zone_name(ZoneId(6)), None);
}
