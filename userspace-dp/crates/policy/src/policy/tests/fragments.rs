//! Packets that do not show everything: only what is proven passes.

use wire::build::Packet;
use wire::parse_ip;

use super::*;
use crate::{IcmpTypeMatch, PortMatch, ProtocolMatch};

fn ports(range: core::ops::RangeInclusive<u16>) -> PortMatch {
    PortMatch::In(vec![range])
}

#[test]
fn a_later_fragment_passes_a_rule_that_asks_for_nothing_it_hides() {
    let rule = RuleSpec {
        protocol: ProtocolMatch::TCP,
        source: prefixes(&["10.0.0.0/8"]),
        ..allow("tcp from ten")
    };
    assert!(passes(&rule, &later_fragment(web())));
    assert!(!passes(&rule, &later_fragment(udp(1, 2))));
    let elsewhere = Query { addresses: between("11.0.0.1", "192.0.2.1"), ..web() };
    assert!(!passes(&rule, &later_fragment(elsewhere)));
}

#[test]
fn a_later_fragment_passes_no_rule_that_asks_for_ports_or_types() {
    let web_only = RuleSpec { destination_ports: ports(443..=443), ..allow("web") };
    assert!(passes(&web_only, &web()));
    assert!(!passes(&web_only, &later_fragment(web())));
    let all_ports = RuleSpec { source_ports: ports(0..=65_535), ..allow("ports") };
    assert!(!passes(&all_ports, &later_fragment(udp(1, 2))));
    let types = IcmpTypeMatch::In(vec![8]);
    let pings = RuleSpec { protocol: ProtocolMatch::ICMP, icmp_types: types, ..allow("ping") };
    assert!(passes(&pings, &echo4()));
    assert!(!passes(&pings, &later_fragment(echo4())));
}

#[test]
fn a_later_fragment_does_not_slip_past_a_deny_rule_that_may_concern_it() {
    let rules = |action| {
        vec![
            RuleSpec {
                protocol: ProtocolMatch::TCP,
                destination_ports: ports(25..=25),
                ..RuleSpec::new("no mail", action)
            },
            allow("all"),
        ]
    };
    for action in [Action::Deny, Action::Reject] {
        let policy = policy(rules(action));
        assert_eq!(policy.evaluate(&web()), decided(Action::Allow, 1));
        // It may be mail, so it is dropped; it may not be, so nobody is told.
        assert_eq!(policy.evaluate(&later_fragment(web())), decided(Action::Deny, 0));
        // What cannot be TCP cannot be mail.
        assert_eq!(policy.evaluate(&later_fragment(udp(1, 25))), decided(Action::Allow, 1));
        assert_eq!(policy.evaluate(&later_fragment(echo4())), decided(Action::Allow, 1));
    }
}

#[test]
fn a_rule_that_cannot_concern_a_fragment_leaves_it_alone() {
    let mail_from_eleven = RuleSpec {
        source: prefixes(&["11.0.0.0/8"]),
        destination_ports: ports(25..=25),
        ..deny("no mail from eleven")
    };
    let of_alice = RuleSpec {
        peers: peers(&["alice"]),
        destination_ports: ports(25..=25),
        ..deny("no mail of alice")
    };
    let policy = policy(vec![mail_from_eleven, of_alice, allow("all")]);
    assert_eq!(policy.evaluate(&later_fragment(web())), decided(Action::Allow, 2));
    let query = Query { who: Some(ALICE), ..later_fragment(web()) };
    assert_eq!(policy.evaluate(&query), decided(Action::Deny, 1));
}

#[test]
fn a_later_ipv6_fragment_before_an_extension_header_hides_its_protocol() {
    let hidden = Query { protocol: protocol::DESTINATION_OPTIONS, ..later_fragment(echo6()) };
    let rule = RuleSpec { protocol: ProtocolMatch::TCP, ..allow("tcp") };
    assert!(!passes(&rule, &hidden));
    assert!(passes(&allow("all"), &hidden));
    let rules = vec![RuleSpec { action: Action::Deny, ..rule }, allow("all")];
    assert_eq!(policy(rules).evaluate(&hidden), decided(Action::Deny, 0));
    let rules = vec![RuleSpec { destination_ports: ports(25..=25), ..deny("mail") }, allow("all")];
    assert_eq!(policy(rules).evaluate(&hidden), decided(Action::Deny, 0));
    // In IPv4 the number is the protocol's own.
    let shown = Query { addresses: web().addresses, ..hidden };
    let rules = vec![RuleSpec { protocol: ProtocolMatch::TCP, ..deny("tcp") }, allow("all")];
    assert_eq!(policy(rules).evaluate(&shown), decided(Action::Allow, 1));
}

#[test]
fn fragments_as_parsed_are_matched_by_what_they_show() {
    let rule = RuleSpec { destination_ports: ports(53..=53), ..allow("dns") };
    let families = [("10.0.0.1:9", "192.0.2.1:53"), ("[fd00::1]:9", "[fd00::2]:53")];
    for (source, destination) in families {
        let datagram = || Packet::udp(source, destination).payload_len(64);
        let query = |bytes: &[u8]| Query::new(LAN, WAN, &parse_ip(bytes, 0).unwrap(), None);
        assert!(passes(&rule, &query(&datagram().ip())));
        assert!(passes(&rule, &query(&datagram().fragment(0, true).ip())), "the first shows ports");
        let later = query(&datagram().fragment(64, false).ip());
        assert!(!passes(&rule, &later));
        let all_udp = RuleSpec { protocol: ProtocolMatch::UDP, ..allow("udp") };
        assert!(passes(&all_udp, &later));
        assert_eq!(later.who, None);
    }
}
