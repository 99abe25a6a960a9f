//! From names to numbers: the checks a policy must pass, and the order it is evaluated in.

#[cfg(test)]
mod tests;

use core::ops::RangeInclusive;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ipnet::IpNet;
use wire::protocol::{ICMP, ICMPV6, TCP, UDP};

use crate::policy::{ANY_ROW, AddressRanges, Rule, Zones};
use crate::ranges::Ranges;
use crate::{
    AddressItem, AddressMatch, IcmpTypeMatch, PeerMatch, Policy, PolicyError, PolicySpec,
    PortMatch, ProtocolMatch, RuleSpec, ZoneId, ZoneMatch, ZoneSpec,
};

pub(crate) fn compile(spec: &PolicySpec) -> Result<Policy, PolicyError> {
    unique("rule", spec.rules.iter().map(|rule| &rule.name))?;
    let zones = number_zones(&spec.zones)?;
    let mut names = Names::of(spec)?;

    let mut lists: Vec<Vec<Rule>> = vec![Vec::new(); zones.lists()];
    for (rank, (index, rule)) in in_order_of_evaluation(&spec.rules).enumerate() {
        let from = names.zone(&zones, rule, &rule.from)?;
        let to = names.zone(&zones, rule, &rule.to)?;
        lists[zones.list(from, to)].push(names.rule(rule, rank as u32, index as u32)?);
    }
    let mut rules = Vec::with_capacity(spec.rules.len());
    let lists = lists.into_iter().map(|mut list| {
        let start = rules.len() as u32;
        rules.append(&mut list);
        (start, rules.len() as u32)
    });
    let lists = lists.collect();
    let names = spec.rules.iter().map(|rule| rule.name.clone()).collect();
    Ok(Policy { zones, rules, lists, names })
}

/// Rules about tunnel peers first, both groups in configured order, with their place in it.
fn in_order_of_evaluation(rules: &[RuleSpec]) -> impl Iterator<Item = (usize, &RuleSpec)> {
    let of_peers = |rule: &RuleSpec| rule.peers != PeerMatch::Any;
    let numbered = || rules.iter().enumerate();
    numbered()
        .filter(move |(_, rule)| of_peers(rule))
        .chain(numbered().filter(move |(_, rule)| !of_peers(rule)))
}

fn number_zones(specs: &[ZoneSpec]) -> Result<Zones, PolicyError> {
    unique("zone", specs.iter().map(|zone| &zone.name))?;
    let mut zones = Zones { names: vec![ANY.to_owned(), LOCAL.to_owned()], rows: vec![1] };
    for ZoneSpec { name, id } in specs {
        if name == LOCAL {
            match *id {
                ZoneId::LOCAL => continue,
                ZoneId(_) => return Err(PolicyError::LocalZoneRenumbered),
            }
        }
        let place = usize::from(id.0);
        if zones.rows.len() <= place {
            zones.rows.resize(place + 1, ANY_ROW);
        }
        if zones.rows[place] != ANY_ROW {
            return Err(PolicyError::DuplicateZoneId { name: name.clone(), id: *id });
        }
        zones.rows[place] = zones.names.len() as u16;
        zones.names.push(name.clone());
    }
    match zones.names.len() - 1 {
        count if count > MAX_ZONES => Err(PolicyError::TooManyZones { count, max: MAX_ZONES }),
        _ => Ok(zones),
    }
}

/// What rules refer to by name.
struct Names<'a> {
    sets: HashMap<&'a str, &'a [IpNet]>,
    peers: HashMap<&'a str, u32>,
    /// Equal sets of addresses are kept once.
    ranges: HashSet<Arc<AddressRanges>>,
}

impl<'a> Names<'a> {
    fn of(spec: &'a PolicySpec) -> Result<Self, PolicyError> {
        unique("set", spec.sets.iter().map(|set| &set.name))?;
        unique("peer", spec.peers.iter().map(|peer| &peer.name))?;
        let sets = spec.sets.iter().map(|set| (set.name.as_str(), &*set.prefixes));
        let peers = spec.peers.iter().map(|peer| (peer.name.as_str(), peer.id));
        Ok(Self { sets: sets.collect(), peers: peers.collect(), ranges: HashSet::new() })
    }

    fn zone(&self, zones: &Zones, rule: &RuleSpec, zone: &ZoneMatch) -> Result<u16, PolicyError> {
        let name = match zone {
            ZoneMatch::Any => return Ok(ANY_ROW),
            ZoneMatch::Zone(name) => name,
        };
        let row = zones.names.iter().skip(1).position(|zone| zone == name);
        row.map(|row| row as u16 + 1)
            .ok_or_else(|| PolicyError::UnknownZone { rule: rule.name.clone(), zone: name.clone() })
    }

    fn rule(&mut self, rule: &RuleSpec, rank: u32, index: u32) -> Result<Rule, PolicyError> {
        Ok(Rule {
            rank,
            index,
            action: rule.action,
            log: rule.log,
            protocol: match rule.protocol {
                ProtocolMatch::Any => None,
                ProtocolMatch::Number(number) => Some(number),
            },
            source: self.addresses(rule, "source", &rule.source)?,
            destination: self.addresses(rule, "destination", &rule.destination)?,
            source_ports: ports(rule, "source_port", &rule.source_ports)?,
            destination_ports: ports(rule, "destination_port", &rule.destination_ports)?,
            icmp_types: icmp_types(rule)?,
            peers: self.peers(rule)?,
        })
    }

    fn addresses(
        &mut self,
        rule: &RuleSpec,
        field: &'static str,
        addresses: &AddressMatch,
    ) -> Result<Option<Arc<AddressRanges>>, PolicyError> {
        let items = match addresses {
            AddressMatch::Any => return Ok(None),
            AddressMatch::In(items) => not_empty(rule, field, items)?,
        };
        let mut prefixes = Vec::new();
        for item in items {
            match item {
                AddressItem::Prefix(prefix) => prefixes.push(*prefix),
                AddressItem::Set(set) => {
                    let unknown =
                        || PolicyError::UnknownSet { rule: rule.name.clone(), set: set.clone() };
                    prefixes.extend_from_slice(self.sets.get(set.as_str()).ok_or_else(unknown)?);
                }
            }
        }
        let ranges = Arc::new(AddressRanges::union_of(&prefixes));
        if let Some(known) = self.ranges.get(&ranges) {
            return Ok(Some(Arc::clone(known)));
        }
        self.ranges.insert(Arc::clone(&ranges));
        Ok(Some(ranges))
    }

    fn peers(&self, rule: &RuleSpec) -> Result<Option<Ranges<u32>>, PolicyError> {
        let names = match &rule.peers {
            PeerMatch::Any => return Ok(None),
            PeerMatch::In(names) => not_empty(rule, "peer", names)?,
        };
        let id = |name: &String| {
            let id = self.peers.get(name.as_str()).map(|id| (*id, *id));
            id.ok_or_else(|| PolicyError::UnknownPeer {
                rule: rule.name.clone(),
                peer: name.clone(),
            })
        };
        let ids: Vec<(u32, u32)> = names.iter().map(id).collect::<Result<_, _>>()?;
        Ok(Some(Ranges::union_of(ids)))
    }
}

impl AddressRanges {
    fn union_of(prefixes: &[IpNet]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for prefix in prefixes {
            match prefix {
                IpNet::V4(prefix) => {
                    v4.push((prefix.network().to_bits(), prefix.broadcast().to_bits()));
                }
                IpNet::V6(prefix) => {
                    v6.push((prefix.network().to_bits(), prefix.broadcast().to_bits()));
                }
            }
        }
        Self { v4: Ranges::union_of(v4), v6: Ranges::union_of(v6) }
    }
}

fn ports(
    rule: &RuleSpec,
    field: &'static str,
    ports: &PortMatch,
) -> Result<Option<Ranges<u16>>, PolicyError> {
    let ranges = match ports {
        PortMatch::Any => return Ok(None),
        PortMatch::In(ranges) => not_empty(rule, field, ranges)?,
    };
    if let ProtocolMatch::Number(protocol) = rule.protocol
        && !matches!(protocol, TCP | UDP)
    {
        return Err(PolicyError::PortsWithoutPorts { rule: rule.name.clone(), field, protocol });
    }
    let bounds = |range: &RangeInclusive<u16>| {
        let (start, end) = (*range.start(), *range.end());
        if start > end {
            return Err(PolicyError::ReversedPorts { rule: rule.name.clone(), field, start, end });
        }
        Ok((start, end))
    };
    let bounds = ranges.iter().map(bounds).collect::<Result<_, _>>()?;
    Ok(Some(Ranges::union_of(bounds)))
}

fn icmp_types(rule: &RuleSpec) -> Result<Option<Ranges<u8>>, PolicyError> {
    let types = match &rule.icmp_types {
        IcmpTypeMatch::Any => return Ok(None),
        IcmpTypeMatch::In(types) => not_empty(rule, "icmp_type", types)?,
    };
    match rule.protocol {
        ProtocolMatch::Number(ICMP | ICMPV6) => {
            Ok(Some(Ranges::union_of(types.iter().map(|kind| (*kind, *kind)).collect())))
        }
        ProtocolMatch::Any | ProtocolMatch::Number(_) => {
            Err(PolicyError::TypesWithoutIcmp { rule: rule.name.clone() })
        }
    }
}

fn not_empty<'a, T>(
    rule: &RuleSpec,
    field: &'static str,
    list: &'a [T],
) -> Result<&'a [T], PolicyError> {
    if list.is_empty() {
        return Err(PolicyError::EmptyList { rule: rule.name.clone(), field });
    }
    Ok(list)
}

fn unique<'a>(
    kind: &'static str,
    names: impl Iterator<Item = &'a String>,
) -> Result<(), PolicyError> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(PolicyError::DuplicateName { kind, name: name.clone() });
        }
    }
    Ok(())
}

/// The name of the zone that the gateway itself is.
pub(crate) const LOCAL: &str = "local";
/// Stands in row 0, where no zone is.
pub(crate) const ANY: &str = "any";
/// The table of lists has a place for each pair of zones: half a megabyte at this many.
const MAX_ZONES: usize = 255;
