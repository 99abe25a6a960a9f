//! Checks of `[[policy]]`, and warnings about zones and rules that do nothing.

use super::rule_order::{Overtaken, Shadows, Steps};
use super::{Names, unique};
use crate::findings::Findings;
use crate::key::Key;
use crate::model::{ANY_ZONE, Config, LOCAL_ZONE, Policy};
use crate::read::did_you_mean;
use crate::values::{AddressMatch, Name};

pub(super) fn check(config: &Config, names: &Names, findings: &mut Findings<'_>) {
    let list = Key::top("policy");
    let named = config.policy.iter().enumerate();
    unique(
        named.map(|(i, rule)| (list.item(i).field("name"), rule.name.as_str())),
        "a name",
        findings,
    );
    for (index, rule) in config.policy.iter().enumerate() {
        let key = list.item(index);
        let also = [LOCAL_ZONE, ANY_ZONE];
        names.zone(&rule.from, &also, &key.field("from"), findings);
        names.zone(&rule.to, &also, &key.field("to"), findings);
        check_sets(&key.field("source"), &rule.source, names, findings);
        check_sets(&key.field("destination"), &rule.destination, names, findings);
        check_protocol(&key, rule, findings);
        for (position, peer) in rule.peer.iter().enumerate() {
            check_peer(&key.field("peer").item(position), peer, names, findings);
        }
    }
}

fn check_sets(key: &Key, list: &[AddressMatch], names: &Names, findings: &mut Findings<'_>) {
    for (index, item) in list.iter().enumerate() {
        if let AddressMatch::Set(set) = item
            && !names.sets.contains(set)
        {
            let known: Vec<&str> = names.sets.iter().map(String::as_str).collect();
            findings.error(
                &key.item(index),
                "unknown set",
                did_you_mean(set, &known, "known sets"),
            );
        }
    }
}

fn check_peer(key: &Key, peer: &Name, names: &Names, findings: &mut Findings<'_>) {
    if !names.peers.contains(peer.as_str()) {
        let known: Vec<&str> = names.peers.iter().map(String::as_str).take(20).collect();
        findings.error(key, "unknown peer", did_you_mean(peer.as_str(), &known, "known peers"));
    }
}

fn check_protocol(key: &Key, rule: &Policy, findings: &mut Findings<'_>) {
    if findings.is_unknown(&key.field("protocol")) {
        return;
    }
    let protocol = rule.protocol;
    for (name, ports) in
        [("destination_port", &rule.destination_port), ("source_port", &rule.source_port)]
    {
        if !ports.is_empty() && !protocol.has_ports() {
            let message = format!("protocol `{protocol}` has no ports to match");
            let allowed = "`protocol = \"tcp\"` or `\"udp\"` in this rule, or no ports";
            findings.error(&key.field(name), message, allowed);
        }
    }
    if !rule.icmp_type.is_empty() && !protocol.has_icmp_type() {
        let message = format!("protocol `{protocol}` has no ICMP type to match");
        let allowed = "`protocol = \"icmp\"` or `\"icmpv6\"` in this rule, or no ICMP type";
        findings.error(&key.field("icmp_type"), message, allowed);
    }
}

/// What works but does nothing, or not what it seems to. Only asked of a configuration without errors.
pub(super) fn warn(config: &Config, findings: &mut Findings<'_>) {
    warn_of_empty_zones(config, findings);
    warn_of_hidden_rules(config, findings);
    warn_of_overtaken_denials(config, findings);
    let tunnels = config.wireguard.as_ref().map(|wireguard| &wireguard.zone);
    for (index, rule) in config.policy.iter().enumerate() {
        let key = Key::top("policy").item(index);
        let from_tunnel = rule.from.as_str() == ANY_ZONE || Some(&rule.from) == tunnels;
        warn_of_rules_for_the_kernel(&key, rule, tunnels, findings);
        if !rule.peer.is_empty() && !from_tunnel {
            let message = "never matches: packets of peers come from the zone of the tunnels";
            let allowed = tunnels.map_or_else(String::new, |zone| format!("\"{zone}\" or \"any\""));
            findings.warning(&key.field("from"), message, allowed);
        }
    }
    for (name, set) in &config.set {
        if set.prefixes.is_empty() {
            let key = Key::top("set").field(name.as_str()).field("prefixes");
            findings.warning(&key, "an empty set matches nothing", "the networks of the set");
        }
    }
}

/// A rule about what the gateway's own kernel takes, and asks nobody about: all that is for the gateway itself and
/// comes out of no tunnel. An operator may take it for protection.
fn warn_of_rules_for_the_kernel(
    key: &Key,
    rule: &Policy,
    tunnels: Option<&Name>,
    findings: &mut Findings<'_>,
) {
    let from_tunnel =
        tunnels.is_some_and(|zone| *zone == rule.from || rule.from.as_str() == ANY_ZONE);
    if rule.to.as_str() != LOCAL_ZONE || rule.from.as_str() == LOCAL_ZONE || from_tunnel {
        return;
    }
    let message = "no effect: what is for the gateway itself and comes out of no tunnel goes to its own kernel";
    let host = "rules of the host's firewall for such traffic";
    let allowed = match tunnels {
        Some(zone) => format!("\"{zone}\" or \"any\", for traffic out of tunnels; {host}"),
        None => host.to_owned(),
    };
    findings.warning(&key.field("to"), message, allowed);
}

fn warn_of_hidden_rules(config: &Config, findings: &mut Findings<'_>) {
    let (mut shadows, mut steps) = (Shadows::new(&config.policy), Steps::new());
    for index in 0..config.policy.len() {
        let shadow = shadows.of(index, &mut steps);
        let key = Key::top("policy").item(index).field("name");
        if steps.are_spent() {
            let message = "from here on it is not looked for rules that are never reached: the \
                           rules are too many and too much alike";
            return findings.warning(&key, message, "");
        }
        if let Some(earlier) = shadow {
            let message =
                format!("never reached: policy[{earlier}] matches the same packets first");
            findings.warning(&key, message, "a rule of its own, or none");
        }
    }
}

fn warn_of_overtaken_denials(config: &Config, findings: &mut Findings<'_>) {
    let (mut overtaken, mut steps) = (Overtaken::new(config), Steps::new());
    for index in 0..config.policy.len() {
        let denial = overtaken.by(index, &mut steps);
        let key = Key::top("policy").item(index).field("peer");
        if steps.are_spent() {
            let message = "from here on it is not looked for denials that rules with `peer` are \
                           tried before: the rules are too many";
            return findings.warning(&key, message, "");
        }
        if let Some(denial) = denial {
            let message = format!(
                "tried before policy[{denial}], which denies some of these packets: rules with \
                 `peer` come first"
            );
            let allowed = format!(
                "this rule above policy[{denial}] if it is to allow them, or \
                 `peer` in policy[{denial}] too if not"
            );
            findings.warning(&key, message, allowed);
        }
    }
}

fn warn_of_empty_zones(config: &Config, findings: &mut Findings<'_>) {
    for (index, zone) in config.zone.iter().enumerate() {
        let has_interface = config.interface.iter().any(|one| one.zone == zone.name);
        let has_tunnel = config.wireguard.as_ref().is_some_and(|one| one.zone == zone.name);
        if !has_interface && !has_tunnel {
            let key = Key::top("zone").item(index).field("name");
            let message = "a zone without members: no interface and no tunnel is in it";
            findings.warning(&key, message, "the zone of an interface or of the tunnels");
        }
    }
}
