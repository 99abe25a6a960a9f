//! The same question answered another way: by trying out every packet that the question may be
//! about.

use proptest::prelude::*;
use wire::{Family, tcp};

use super::*;
use crate::{IcmpTypeMatch, PortMatch, ProtocolMatch};

/// Ports and types that rules and packets are made of; one more than rules ever list.
const NUMBERS: u16 = 5;

/// A packet with nothing hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Whole {
    protocol: u8,
    ports: Option<(u16, u16)>,
    icmp_type: Option<u8>,
}

/// Every whole packet that the queried one may be, or be part of.
fn wholes(query: &Query) -> Vec<Whole> {
    let family = query.addresses.family();
    match query.transport {
        Transport::Absent if family == Family::V6 && query.protocol == protocol::ROUTING => {
            [1, 6, 17, 58, 132].into_iter().flat_map(|number| of_protocol(number, family)).collect()
        }
        Transport::Absent => of_protocol(query.protocol, family),
        Transport::Icmp { kind, .. } | Transport::Icmpv6 { kind, .. } => {
            vec![Whole { protocol: query.protocol, ports: None, icmp_type: Some(kind) }]
        }
        Transport::Other(number) => of_protocol(number, family),
        Transport::Tcp { .. } | Transport::Udp { .. } | Transport::Ipip { .. } => {
            let ports = query.transport.ports();
            vec![Whole { protocol: query.protocol, ports, icmp_type: None }]
        }
    }
}

/// Every packet of a protocol. The ICMP of the other family may be taken for it or not.
fn of_protocol(protocol: u8, family: Family) -> Vec<Whole> {
    let plain = Whole { protocol, ports: None, icmp_type: None };
    match (protocol, family) {
        (6 | 17, _) => (0..=NUMBERS)
            .flat_map(|source| (0..=NUMBERS).map(move |destination| (source, destination)))
            .map(|ports| Whole { ports: Some(ports), ..plain })
            .collect(),
        (1 | 58, _) => {
            let foreign = (protocol == 1) == (family == Family::V6);
            let types = (0..=NUMBERS).map(|kind| Whole { icmp_type: Some(kind as u8), ..plain });
            types.chain(foreign.then_some(Whole { protocol: 255, ..plain })).collect()
        }
        _ => vec![plain],
    }
}

/// Whether a rule is about this whole packet, condition by condition, as it reads.
fn concerns(rule: &RuleSpec, spec: &PolicySpec, query: &Query, whole: &Whole) -> bool {
    let zone_is = |wanted: &ZoneMatch, id: ZoneId| match wanted {
        ZoneMatch::Any => true,
        ZoneMatch::Zone(name) if name == "local" => id == ZoneId::LOCAL,
        ZoneMatch::Zone(name) => spec.zones.iter().any(|zone| zone.name == *name && zone.id == id),
    };
    let address_in = |wanted: &AddressMatch, address: IpAddr| match wanted {
        AddressMatch::Any => true,
        AddressMatch::In(items) => items.iter().any(|item| match item {
            AddressItem::Prefix(prefix) => prefix.contains(&address),
            AddressItem::Set(name) => spec.sets.iter().any(|set| {
                set.name == *name && set.prefixes.iter().any(|net| net.contains(&address))
            }),
        }),
    };
    let port_in = |wanted: &PortMatch, port: Option<u16>| match wanted {
        PortMatch::Any => true,
        PortMatch::In(ranges) => {
            port.is_some_and(|port| ranges.iter().any(|range| range.contains(&port)))
        }
    };
    let is_peer = |name: &String| {
        spec.peers.iter().any(|peer| peer.name == *name && Some(peer.id) == query.who)
    };
    zone_is(&rule.from, query.from)
        && zone_is(&rule.to, query.to)
        && address_in(&rule.source, query.addresses.source())
        && address_in(&rule.destination, query.addresses.destination())
        && match rule.protocol {
            ProtocolMatch::Any => true,
            ProtocolMatch::Number(number) => number == whole.protocol,
        }
        && port_in(&rule.source_ports, whole.ports.map(|ports| ports.0))
        && port_in(&rule.destination_ports, whole.ports.map(|ports| ports.1))
        && match &rule.icmp_types {
            IcmpTypeMatch::Any => true,
            IcmpTypeMatch::In(types) => whole.icmp_type.is_some_and(|kind| types.contains(&kind)),
        }
        && match &rule.peers {
            PeerMatch::Any => true,
            PeerMatch::In(names) => names.iter().any(is_peer),
        }
}

/// Rules by order of evaluation, with their place in the configuration.
fn ordered(spec: &PolicySpec) -> Vec<(u32, &RuleSpec)> {
    let mut rules: Vec<(u32, &RuleSpec)> = (0..).zip(&spec.rules).collect();
    rules.sort_by_key(|(_, rule)| rule.peers == PeerMatch::Any);
    rules
}

/// The decision by the documented rules: certain, impossible or in doubt, rule by rule.
fn reference(spec: &PolicySpec, query: &Query) -> Decision {
    let wholes = wholes(query);
    for (index, rule) in ordered(spec) {
        let concerned = wholes.iter().filter(|whole| concerns(rule, spec, query, whole)).count();
        let decide = |action| Decision { action, rule: RuleRef::Rule(index), log: rule.log };
        if concerned == wholes.len() {
            return decide(rule.action);
        }
        if concerned > 0 && rule.action != Action::Allow {
            return decide(Action::Deny);
        }
    }
    Decision::DEFAULT
}

/// What would become of a whole packet.
fn fate(spec: &PolicySpec, query: &Query, whole: &Whole) -> Action {
    let rules = ordered(spec);
    let first = rules.iter().find(|(_, rule)| concerns(rule, spec, query, whole));
    first.map_or(Action::Deny, |(_, rule)| rule.action)
}

fn any_zone() -> impl Strategy<Value = ZoneMatch> {
    prop_oneof![
        Just(ZoneMatch::Any),
        prop_oneof![Just("lan"), Just("wan"), Just("vpn"), Just("local")].prop_map(zone),
    ]
}

fn any_addresses() -> impl Strategy<Value = AddressMatch> {
    let item = prop_oneof![
        prop_oneof![
            Just("10.0.0.0/30"),
            Just("10.0.0.2/31"),
            Just("0.0.0.0/0"),
            Just("2001:db8::/127"),
            Just("2001:db8::2/128"),
            Just("::/0"),
        ]
        .prop_map(|text| AddressItem::Prefix(text.parse().unwrap())),
        prop_oneof![Just("servers"), Just("nobody")]
            .prop_map(|name| AddressItem::Set(name.to_owned())),
    ];
    prop_oneof![
        2 => Just(AddressMatch::Any),
        1 => proptest::collection::vec(item, 1..3).prop_map(AddressMatch::In),
    ]
}

fn any_ports() -> impl Strategy<Value = PortMatch> {
    let range = (0..NUMBERS, 0..NUMBERS).prop_map(|(a, b)| a.min(b)..=a.max(b));
    prop_oneof![
        2 => Just(PortMatch::Any),
        1 => proptest::collection::vec(range, 1..3).prop_map(PortMatch::In),
    ]
}

/// Protocol, ports and types that may stand together in one rule.
fn any_upper() -> impl Strategy<Value = (ProtocolMatch, PortMatch, PortMatch, IcmpTypeMatch)> {
    let with_ports =
        prop_oneof![Just(ProtocolMatch::Any), Just(ProtocolMatch::TCP), Just(ProtocolMatch::UDP),];
    let icmp = prop_oneof![Just(ProtocolMatch::ICMP), Just(ProtocolMatch::ICMPV6)];
    let types = prop_oneof![
        Just(IcmpTypeMatch::Any),
        proptest::collection::vec(0..NUMBERS as u8, 1..3).prop_map(IcmpTypeMatch::In),
    ];
    let nothing = || (PortMatch::Any, PortMatch::Any);
    prop_oneof![
        3 => (with_ports, any_ports(), any_ports())
            .prop_map(|(protocol, source, destination)| (protocol, source, destination, IcmpTypeMatch::Any)),
        2 => (icmp, types).prop_map(move |(protocol, types)| (protocol, nothing().0, nothing().1, types)),
        1 => Just((ProtocolMatch::Number(132), PortMatch::Any, PortMatch::Any, IcmpTypeMatch::Any)),
    ]
}

fn any_rule() -> impl Strategy<Value = RuleSpec> {
    let action =
        prop_oneof![3 => Just(Action::Allow), 2 => Just(Action::Deny), 1 => Just(Action::Reject)];
    let who = prop_oneof![
        3 => Just(PeerMatch::Any),
        1 => Just(peers(&["alice"])),
        1 => Just(peers(&["bob", "alice"])),
    ];
    let places = (any_zone(), any_zone(), any_addresses(), any_addresses());
    (places, any_upper(), who, action, any::<bool>()).prop_map(
        |(places, upper, peers, action, log)| {
            let (from, to, source, destination) = places;
            let (protocol, source_ports, destination_ports, icmp_types) = upper;
            RuleSpec {
                name: String::new(),
                from,
                to,
                source,
                destination,
                protocol,
                source_ports,
                destination_ports,
                icmp_types,
                peers,
                action,
                log,
            }
        },
    )
}

fn any_spec() -> impl Strategy<Value = PolicySpec> {
    proptest::collection::vec(any_rule(), 0..12).prop_map(|mut rules| {
        for (number, rule) in rules.iter_mut().enumerate() {
            rule.name = number.to_string();
        }
        spec(rules)
    })
}

fn any_query() -> impl Strategy<Value = Query> {
    let zone = || prop_oneof![Just(LAN), Just(WAN), Just(VPN), Just(ZoneId::LOCAL)];
    let addresses = (any::<bool>(), 0..12_u8, 0..12_u8).prop_map(|(v6, source, destination)| {
        let text = |host| if v6 { format!("2001:db8::{host:x}") } else { format!("10.0.0.{host}") };
        between(&text(source), &text(destination))
    });
    let number = prop_oneof![
        Just(protocol::TCP),
        Just(protocol::UDP),
        Just(protocol::ICMP),
        Just(protocol::ICMPV6),
        Just(protocol::ROUTING),
        Just(132),
    ];
    let who = prop_oneof![Just(None), Just(Some(ALICE)), Just(Some(BOB)), Just(Some(50))];
    let upper = (number, 0..=NUMBERS, 0..=NUMBERS, any::<bool>());
    (zone(), zone(), addresses, upper, who).prop_map(|(from, to, addresses, upper, who)| {
        let (protocol, first, second, later) = upper;
        let kind = first as u8;
        let transport = match (protocol, addresses.family()) {
            _ if later => Transport::Absent,
            (protocol::TCP, _) => Transport::Tcp {
                source_port: first,
                destination_port: second,
                flags: tcp::Flags::SYN,
            },
            (protocol::UDP, _) => Transport::Udp { source_port: first, destination_port: second },
            (protocol::ICMP, Family::V4) => Transport::Icmp { kind, code: 0, identifier: 0 },
            (protocol::ICMPV6, Family::V6) => Transport::Icmpv6 { kind, code: 0, identifier: 0 },
            (number, _) => Transport::Other(number),
        };
        Query { from, to, addresses, protocol, transport, who }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn decisions_equal_those_of_trying_every_packet_rule_by_rule(
        spec in any_spec(),
        queries in proptest::collection::vec(any_query(), 40),
    ) {
        let policy = Policy::compile(&spec).unwrap();
        for query in &queries {
            prop_assert_eq!(policy.evaluate(query), reference(&spec, query), "{:?}", query);
        }
    }

    #[test]
    fn a_packet_passes_only_if_every_packet_it_could_be_part_of_would_pass(
        spec in any_spec(),
        queries in proptest::collection::vec(any_query(), 40),
    ) {
        let policy = Policy::compile(&spec).unwrap();
        for query in &queries {
            let decision = policy.evaluate(query);
            let wholes = wholes(query);
            if decision.allows() {
                for whole in &wholes {
                    prop_assert_eq!(fate(&spec, query, whole), Action::Allow, "{:?}", query);
                }
            } else if let [only] = wholes.as_slice() {
                prop_assert_ne!(fate(&spec, query, only), Action::Allow, "{:?}", query);
            }
        }
    }
}
