use crate::{
    Action, AddressItem, AddressMatch, IcmpTypeMatch, PeerMatch, PeerSpec, Policy, PolicyError,
    PolicySpec, PortMatch, ProtocolMatch, RuleSpec, SetSpec, ZoneId, ZoneMatch, ZoneSpec,
};

fn empty() -> PolicySpec {
    PolicySpec { zones: vec![], sets: vec![], peers: vec![], rules: vec![] }
}

fn zone(name: &str, id: u16) -> ZoneSpec {
    ZoneSpec { name: name.to_owned(), id: ZoneId(id) }
}

fn rule() -> RuleSpec {
    RuleSpec::new("web", Action::Allow)
}

fn refusal(spec: PolicySpec) -> PolicyError {
    Policy::compile(&spec).unwrap_err()
}

/// The message about a policy of this one rule.
fn refusal_of(rule: RuleSpec) -> String {
    refusal(PolicySpec { rules: vec![rule], ..empty() }).to_string()
}

#[test]
fn names_that_nothing_has_are_errors_that_name_the_rule() {
    let wan = || ZoneMatch::Zone("wan".to_owned());
    let expected = "rule `web`: unknown zone `wan`";
    assert_eq!(refusal_of(RuleSpec { from: wan(), ..rule() }), expected);
    assert_eq!(refusal_of(RuleSpec { to: wan(), ..rule() }), expected);
    let any = ZoneMatch::Zone("any".to_owned());
    assert_eq!(refusal_of(RuleSpec { to: any, ..rule() }), "rule `web`: unknown zone `any`");
    let servers = || AddressMatch::In(vec![AddressItem::Set("servers".to_owned())]);
    let expected = "rule `web`: unknown set `@servers`";
    assert_eq!(refusal_of(RuleSpec { source: servers(), ..rule() }), expected);
    assert_eq!(refusal_of(RuleSpec { destination: servers(), ..rule() }), expected);
    let peers = PeerMatch::In(vec!["alice".to_owned()]);
    assert_eq!(refusal_of(RuleSpec { peers, ..rule() }), "rule `web`: unknown peer `alice`");
}

#[test]
fn conditions_that_list_nothing_are_errors_instead_of_matching_all_or_none() {
    let list =
        |field| format!("rule `web`: {field} lists nothing; leave it out to match everything");
    let addresses = || AddressMatch::In(vec![]);
    assert_eq!(refusal_of(RuleSpec { source: addresses(), ..rule() }), list("source"));
    assert_eq!(refusal_of(RuleSpec { destination: addresses(), ..rule() }), list("destination"));
    let ports = || PortMatch::In(vec![]);
    assert_eq!(refusal_of(RuleSpec { source_ports: ports(), ..rule() }), list("source_port"));
    let refused = refusal_of(RuleSpec { destination_ports: ports(), ..rule() });
    assert_eq!(refused, list("destination_port"));
    let icmp_types = IcmpTypeMatch::In(vec![]);
    assert_eq!(refusal_of(RuleSpec { icmp_types, ..rule() }), list("icmp_type"));
    assert_eq!(refusal_of(RuleSpec { peers: PeerMatch::In(vec![]), ..rule() }), list("peer"));
}

#[test]
#[allow(clippy::reversed_empty_ranges)]
fn conditions_that_no_packet_can_meet_are_errors() {
    let ports = |range| PortMatch::In(vec![1..=1, range]);
    assert_eq!(
        refusal_of(RuleSpec { destination_ports: ports(90..=80), ..rule() }),
        "rule `web`: destination_port 90-80 ends before it starts"
    );
    let protocol = ProtocolMatch::ICMP;
    assert_eq!(
        refusal_of(RuleSpec { protocol, source_ports: ports(80..=90), ..rule() }),
        "rule `web`: source_port needs protocol tcp, udp or any, not 1"
    );
    for protocol in [ProtocolMatch::TCP, ProtocolMatch::Any] {
        assert_eq!(
            refusal_of(RuleSpec { protocol, icmp_types: IcmpTypeMatch::In(vec![8]), ..rule() }),
            "rule `web`: icmp_type needs protocol icmp or icmpv6"
        );
    }
}

#[test]
fn ports_and_types_are_accepted_where_they_mean_something() {
    for protocol in [ProtocolMatch::TCP, ProtocolMatch::UDP, ProtocolMatch::Any] {
        let destination_ports = PortMatch::In(vec![0..=65_535]);
        let rules = vec![RuleSpec { protocol, destination_ports, ..rule() }];
        assert!(Policy::compile(&PolicySpec { rules, ..empty() }).is_ok());
    }
    for protocol in [ProtocolMatch::ICMP, ProtocolMatch::ICMPV6] {
        let rules = vec![RuleSpec { protocol, icmp_types: IcmpTypeMatch::In(vec![8]), ..rule() }];
        assert!(Policy::compile(&PolicySpec { rules, ..empty() }).is_ok());
    }
}

#[test]
fn nothing_is_defined_twice() {
    let twice = |kind, name: &str| PolicyError::DuplicateName { kind, name: name.to_owned() };
    let zones = vec![zone("lan", 1), zone("lan", 2)];
    assert_eq!(refusal(PolicySpec { zones, ..empty() }), twice("zone", "lan"));
    let set = || SetSpec { name: "servers".to_owned(), prefixes: vec![] };
    let sets = vec![set(), set()];
    assert_eq!(refusal(PolicySpec { sets, ..empty() }), twice("set", "servers"));
    let peer = |id| PeerSpec { name: "alice".to_owned(), id };
    let peers = vec![peer(1), peer(2)];
    assert_eq!(refusal(PolicySpec { peers, ..empty() }), twice("peer", "alice"));
    let rules = vec![rule(), rule()];
    assert_eq!(refusal(PolicySpec { rules, ..empty() }), twice("rule", "web"));
}

#[test]
fn the_number_of_local_is_its_own() {
    let zones = vec![zone("lan", 0)];
    let expected = PolicyError::DuplicateZoneId { name: "lan".to_owned(), id: ZoneId::LOCAL };
    assert_eq!(refusal(PolicySpec { zones, ..empty() }), expected);
    let zones = vec![zone("lan", 5), zone("wan", 5)];
    let expected = PolicyError::DuplicateZoneId { name: "wan".to_owned(), id: ZoneId(5) };
    assert_eq!(refusal(PolicySpec { zones, ..empty() }), expected);
    let zones = vec![zone("local", 3)];
    assert_eq!(refusal(PolicySpec { zones, ..empty() }), PolicyError::LocalZoneRenumbered);
    let zones = vec![zone("local", 0), zone("lan", 1)];
    assert!(Policy::compile(&PolicySpec { zones, ..empty() }).is_ok());
}

#[test]
fn there_is_a_limit_to_zones() {
    let zones = |count: u16| (1..count).map(|id| zone(&id.to_string(), id)).collect();
    assert!(Policy::compile(&PolicySpec { zones: zones(255), ..empty() }).is_ok());
    let expected = PolicyError::TooManyZones { count: 256, max: 255 };
    assert_eq!(refusal(PolicySpec { zones: zones(256), ..empty() }), expected);
}
