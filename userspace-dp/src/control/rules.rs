//! From the configuration's zones, sets and rules to the policy that workers ask.

use anyhow::{Context, Result};
use policy::{
    Action, AddressItem, AddressMatch, IcmpTypeMatch, PeerMatch, PeerSpec, Policy, PolicySpec,
    PortMatch, ProtocolMatch, RuleSpec, SetSpec, ZoneId, ZoneMatch, ZoneSpec,
};

/// The number of a configured zone: `local` is 0, the others follow in the order of the file.
pub fn zone_id(config: &config::Config, name: &str) -> Option<ZoneId> {
    if name == config::LOCAL_ZONE {
        return Some(ZoneId::LOCAL);
    }
    let position = config.zone.iter().position(|zone| zone.name.as_str() == name)?;
    u16::try_from(position + 1).ok().map(ZoneId)
}

/// Compiles the policy.
pub fn compile(config: &config::Config, peers: Vec<PeerSpec>) -> Result<Policy> {
    let zone = |zone: &config::Zone| {
        let name = zone.name.as_str();
        Some(ZoneSpec { name: name.to_owned(), id: zone_id(config, name)? })
    };
    let set = |(name, set): (&config::Name, &config::Set)| SetSpec {
        name: name.as_str().to_owned(),
        prefixes: set.prefixes.iter().map(|prefix| prefix.net()).collect(),
    };
    let spec = PolicySpec {
        zones: config.zone.iter().filter_map(zone).collect(),
        sets: config.set.iter().map(set).collect(),
        peers,
        rules: config.policy.iter().map(rule).collect(),
    };
    Policy::compile(&spec).context("policy")
}

fn rule(rule: &config::Policy) -> RuleSpec {
    RuleSpec {
        name: rule.name.as_str().to_owned(),
        from: zone_match(&rule.from),
        to: zone_match(&rule.to),
        source: address_match(&rule.source),
        destination: address_match(&rule.destination),
        protocol: rule.protocol.number().map_or(ProtocolMatch::Any, ProtocolMatch::Number),
        source_ports: port_match(&rule.source_port),
        destination_ports: port_match(&rule.destination_port),
        icmp_types: match rule.icmp_type.as_slice() {
            [] => IcmpTypeMatch::Any,
            types => IcmpTypeMatch::In(types.to_vec()),
        },
        peers: match rule.peer.as_slice() {
            [] => PeerMatch::Any,
            peers => PeerMatch::In(peers.iter().map(|peer| peer.as_str().to_owned()).collect()),
        },
        action: match rule.action {
            config::Action::Allow => Action::Allow,
            config::Action::Deny => Action::Deny,
            config::Action::Reject => Action::Reject,
        },
        // There is no event stream that a match could be shown in.
        log: false,
    }
}

fn zone_match(name: &config::Name) -> ZoneMatch {
    match name.as_str() {
        config::ANY_ZONE => ZoneMatch::Any,
        name => ZoneMatch::Zone(name.to_owned()),
    }
}

fn address_match(items: &[config::AddressMatch]) -> AddressMatch {
    if items.is_empty() {
        return AddressMatch::Any;
    }
    let item = |item: &config::AddressMatch| match item {
        config::AddressMatch::Prefix(prefix) => AddressItem::Prefix(prefix.net()),
        config::AddressMatch::Set(name) => AddressItem::Set(name.as_str().to_owned()),
    };
    AddressMatch::In(items.iter().map(item).collect())
}

fn port_match(ranges: &[config::PortRange]) -> PortMatch {
    match ranges {
        [] => PortMatch::Any,
        ranges => PortMatch::In(ranges.iter().map(|range| range.ports()).collect()),
    }
}

#[cfg(test)]
mod tests;
