//! A compiled policy and its evaluation.
//!
//! Rules are kept by zone pair: those for exactly (from, to), those for `from` and any zone, for
//! any zone and `to`, and for any two. Each of the four lists is in order, so the first match is
//! the earliest of the four first matches, and only rules that can apply are looked at. Within a
//! list the scan is linear.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use wire::{Addresses, Family, Transport, protocol};

use crate::compile;
use crate::ranges::Ranges;
use crate::{Action, Decision, PolicyError, PolicySpec, Query, RuleRef, ZoneId};

/// An immutable policy. Cloning copies; share it behind an `Arc`.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) zones: Zones,
    /// The rules, list by list, in order of evaluation within each.
    pub(crate) rules: Vec<Rule>,
    /// Where each list lies in `rules`; by [`Zones::list`].
    pub(crate) lists: Vec<(u32, u32)>,
    /// Rule names in configured order.
    pub(crate) names: Vec<String>,
}

/// Zone numbers as rows and columns of the table of lists.
#[derive(Clone, Debug)]
pub(crate) struct Zones {
    /// Names, by row; row 0 is no zone but "any".
    pub(crate) names: Vec<String>,
    /// Row by zone number; 0 for numbers that no zone has.
    pub(crate) rows: Vec<u16>,
}

/// One compiled rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// Position in the order of evaluation.
    pub(crate) rank: u32,
    /// Position in the configuration.
    pub(crate) index: u32,
    pub(crate) action: Action,
    pub(crate) log: bool,
    pub(crate) protocol: Option<u8>,
    pub(crate) source: Option<Arc<AddressRanges>>,
    pub(crate) destination: Option<Arc<AddressRanges>>,
    pub(crate) source_ports: Option<Ranges<u16>>,
    pub(crate) destination_ports: Option<Ranges<u16>>,
    pub(crate) icmp_types: Option<Ranges<u8>>,
    pub(crate) peers: Option<Ranges<u32>>,
}

/// Addresses of both families.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AddressRanges {
    pub(crate) v4: Ranges<u32>,
    pub(crate) v6: Ranges<u128>,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    Yes,
    No,
    /// The packet does not show it.
    Doubt,
}

impl Policy {
    /// Checks a policy and makes it fit for evaluation.
    pub fn compile(spec: &PolicySpec) -> Result<Self, PolicyError> {
        compile::compile(spec)
    }

    /// A policy without rules: everything is denied.
    pub fn deny_all() -> Self {
        let names = vec![compile::ANY.to_owned(), compile::LOCAL.to_owned()];
        let zones = Zones { names, rows: vec![1] };
        Self { lists: vec![(0, 0); zones.lists()], zones, rules: vec![], names: vec![] }
    }

    /// What is to be done with a packet. The first matching rule decides, see the
    /// [crate documentation](crate) for what a match is.
    pub fn evaluate(&self, query: &Query) -> Decision {
        let (Some(from), Some(to)) = (self.zones.row(query.from), self.zones.row(query.to)) else {
            return Decision::DEFAULT;
        };
        let mut rank = u32::MAX;
        let mut decision = Decision::DEFAULT;
        for (from, to) in [(from, to), (from, ANY_ROW), (ANY_ROW, to), (ANY_ROW, ANY_ROW)] {
            for rule in self.list(from, to).iter().take_while(|rule| rule.rank < rank) {
                if let Some(action) = rule.decide(query) {
                    rank = rule.rank;
                    decision = Decision { action, rule: RuleRef::Rule(rule.index), log: rule.log };
                    break;
                }
            }
        }
        decision
    }

    /// Number of rules, the default not among them.
    pub fn rule_count(&self) -> usize {
        self.names.len()
    }

    /// The name of a rule; `default` for the default.
    pub fn rule_name(&self, rule: RuleRef) -> &str {
        match rule {
            RuleRef::Rule(index) => self.names.get(index as usize).map_or("?", String::as_str),
            RuleRef::Default => "default",
        }
    }

    /// The place of a rule in an array of [`Policy::rule_count`]` + 1` counters: rules in
    /// configured order, then the default.
    pub fn counter_index(&self, rule: RuleRef) -> usize {
        match rule {
            RuleRef::Rule(index) => index as usize,
            RuleRef::Default => self.rule_count(),
        }
    }

    /// The number of the zone with this name.
    pub fn zone(&self, name: &str) -> Option<ZoneId> {
        let row = self.zones.names.iter().skip(1).position(|zone| zone == name)? + 1;
        let id = self.zones.rows.iter().position(|candidate| usize::from(*candidate) == row)?;
        u16::try_from(id).ok().map(ZoneId)
    }

    /// The name of a zone.
    pub fn zone_name(&self, zone: ZoneId) -> Option<&str> {
        self.zones.names.get(usize::from(self.zones.row(zone)?)).map(String::as_str)
    }

    fn list(&self, from: u16, to: u16) -> &[Rule] {
        let list = self.lists.get(self.zones.list(from, to));
        let (start, end) = list.copied().unwrap_or((0, 0));
        self.rules.get(start as usize..end as usize).unwrap_or(&[])
    }
}

impl Zones {
    /// The row of a zone, if there is such a zone.
    fn row(&self, zone: ZoneId) -> Option<u16> {
        self.rows.get(usize::from(zone.0)).copied().filter(|row| *row != ANY_ROW)
    }

    /// The place of the list of rules for these two rows.
    pub(crate) fn list(&self, from: u16, to: u16) -> usize {
        usize::from(from) * self.names.len() + usize::from(to)
    }

    /// Number of lists.
    pub(crate) fn lists(&self) -> usize {
        self.names.len() * self.names.len()
    }
}

impl Rule {
    /// What this rule does with the packet; `None` if it leaves it to the next.
    fn decide(&self, query: &Query) -> Option<Action> {
        match (self.matches(query), self.action) {
            (Match::No, Action::Allow | Action::Deny | Action::Reject) => None,
            (Match::Yes, action) => Some(action),
            (Match::Doubt, Action::Allow) => None,
            (Match::Doubt, Action::Deny | Action::Reject) => Some(Action::Deny),
        }
    }

    /// Certain conditions first: a doubt about one counts only if all others hold.
    fn matches(&self, query: &Query) -> Match {
        if !self.matches_who(query.who) || !self.matches_addresses(&query.addresses) {
            return Match::No;
        }
        let protocol = self.matches_protocol(query);
        if protocol == Match::No {
            return Match::No;
        }
        let (ports, types) = (self.matches_ports(query), self.matches_icmp_type(query));
        if ports == Match::No || types == Match::No {
            Match::No
        } else if [protocol, ports, types].contains(&Match::Doubt) {
            Match::Doubt
        } else {
            Match::Yes
        }
    }

    fn matches_who(&self, who: Option<u32>) -> bool {
        let Some(peers) = &self.peers else { return true };
        who.is_some_and(|who| peers.contains(who))
    }

    fn matches_addresses(&self, addresses: &Addresses) -> bool {
        let sides = [&self.source, &self.destination];
        let [source, destination] = sides.map(Option::as_deref);
        match *addresses {
            Addresses::V4 { source: from, destination: to } => {
                source.is_none_or(|ranges| ranges.v4.contains(from.to_bits()))
                    && destination.is_none_or(|ranges| ranges.v4.contains(to.to_bits()))
            }
            Addresses::V6 { source: from, destination: to } => {
                source.is_none_or(|ranges| ranges.v6.contains(from.to_bits()))
                    && destination.is_none_or(|ranges| ranges.v6.contains(to.to_bits()))
            }
        }
    }

    fn matches_protocol(&self, query: &Query) -> Match {
        let Some(wanted) = self.protocol else { return Match::Yes };
        if hides_protocol(query) {
            Match::Doubt
        } else if wanted != query.protocol {
            Match::No
        } else if is_foreign_icmp(query) {
            Match::Doubt
        } else {
            Match::Yes
        }
    }

    /// Ports are those of TCP and UDP; the rule's protocol is checked elsewhere.
    fn matches_ports(&self, query: &Query) -> Match {
        let (source, destination) = (&self.source_ports, &self.destination_ports);
        if source.is_none() && destination.is_none() {
            return Match::Yes;
        }
        if let Some((from, to)) = query.transport.ports() {
            return Match::certain(
                source.as_ref().is_none_or(|ports| ports.contains(from))
                    && destination.as_ref().is_none_or(|ports| ports.contains(to)),
            );
        }
        let has_ports = matches!(query.protocol, protocol::TCP | protocol::UDP);
        if has_ports || hides_protocol(query) { Match::Doubt } else { Match::No }
    }

    /// Only rules about one of the two ICMPs ask for types; which of them is checked elsewhere.
    fn matches_icmp_type(&self, query: &Query) -> Match {
        let Some(types) = &self.icmp_types else { return Match::Yes };
        match query.transport {
            Transport::Icmp { kind, .. } | Transport::Icmpv6 { kind, .. } => {
                Match::certain(types.contains(kind))
            }
            Transport::Tcp { .. }
            | Transport::Udp { .. }
            | Transport::Ipip { .. }
            | Transport::Other(_)
            | Transport::Absent => Match::Doubt,
        }
    }
}

impl Match {
    const fn certain(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// A later IPv6 fragment whose fragment header names an extension header: what follows that one
/// stands in the first fragment only (RFC 8200, section 4.5).
fn hides_protocol(query: &Query) -> bool {
    match query.transport {
        Transport::Absent => {
            query.addresses.family() == Family::V6 && is_extension_header(query.protocol)
        }
        Transport::Tcp { .. }
        | Transport::Udp { .. }
        | Transport::Icmp { .. }
        | Transport::Icmpv6 { .. }
        | Transport::Ipip { .. }
        | Transport::Other(_) => false,
    }
}

/// The numbers that IANA lists as IPv6 extension headers, without ESP, which hides what follows in
/// every packet and is matched as a protocol.
const fn is_extension_header(number: u8) -> bool {
    matches!(
        number,
        protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::FRAGMENT
            | protocol::AUTHENTICATION
            | protocol::DESTINATION_OPTIONS
            | protocol::MOBILITY
            | protocol::HOST_IDENTITY
            | protocol::SHIM6
            | protocol::EXPERIMENT_1
            | protocol::EXPERIMENT_2
    )
}

/// The ICMP of the other family: hosts may take it for theirs or not.
fn is_foreign_icmp(query: &Query) -> bool {
    match query.addresses.family() {
        Family::V4 => query.protocol == protocol::ICMPV6,
        Family::V6 => query.protocol == protocol::ICMP,
    }
}

/// The row and column of rules for any zone.
pub(crate) const ANY_ROW: u16 = 0;
