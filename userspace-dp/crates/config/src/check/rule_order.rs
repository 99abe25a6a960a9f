//! Which rules decide otherwise than their place in the file suggests: those that an earlier rule hides, and rules
//! about peers that are tried before a denial above them.
//!
//! Rules with `peer` are tried first, then those without, each group in the order of the file. So a rule hides only
//! rules of its own group. A reload asks too, on the control thread: the work is bounded, and where it ends is told.

use crate::model::{ANY_ZONE, Action, Config, Policy};
use crate::values::{AddressMatch, Name, PortRange, Prefix};
use std::collections::HashMap;

/// Items that may be compared, some tens of milliseconds.
const STEPS_MAX: usize = 2_000_000;

/// What remains to be spent on comparing.
pub(super) struct Steps(usize);

impl Steps {
    /// As many as one question may take.
    pub(super) const fn new() -> Self {
        Self(STEPS_MAX)
    }

    /// Whether there are none left: answers since then mean nothing.
    pub(super) const fn are_spent(&self) -> bool {
        self.0 == 0
    }

    const fn take(&mut self, steps: usize) {
        self.0 = self.0.saturating_sub(steps);
    }
}

/// An item that a rule shares with each rule that it hides. Only rules with a common mark are compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Mark<'a> {
    Peer(&'a Name),
    Destination(&'a AddressMatch),
    Source(&'a AddressMatch),
    DestinationPort(PortRange),
    SourcePort(PortRange),
    IcmpType(u8),
    /// The rule has no list.
    Nothing,
}

/// The marks of a rule, list by list.
fn marks<'a>(rule: &'a Policy) -> [Vec<Mark<'a>>; 6] {
    [
        rule.peer.iter().map(Mark::Peer).collect(),
        rule.destination.iter().map(Mark::Destination).collect(),
        rule.source.iter().map(Mark::Source).collect(),
        rule.destination_port.iter().copied().map(Mark::DestinationPort).collect(),
        rule.source_port.iter().copied().map(Mark::SourcePort).collect(),
        rule.icmp_type.iter().copied().map(Mark::IcmpType).collect(),
    ]
}

/// For each rule the first rule that hides it.
pub(super) struct Shadows<'a> {
    rules: &'a [Policy],
    /// The rules so far, by zones and by what they would have in common with a rule that they hide.
    seen: HashMap<(&'a str, &'a str, Mark<'a>), Vec<usize>>,
}

impl<'a> Shadows<'a> {
    /// No rule has been seen.
    pub(super) fn new(rules: &'a [Policy]) -> Self {
        Self { rules, seen: HashMap::new() }
    }

    /// The first rule that matches every packet that the rule at `index` matches and is tried before it. To be asked
    /// of one rule after the other, in the order of the file.
    pub(super) fn of(&mut self, index: usize, steps: &mut Steps) -> Option<usize> {
        let rule = self.rules.get(index)?;
        let lists = marks(rule);
        let shadow = self.find(rule, &lists, steps);
        // All that a rule hides has each of its lists, with at least one item in common.
        let filed = lists.into_iter().find(|list| !list.is_empty());
        for mark in filed.unwrap_or_else(|| vec![Mark::Nothing]) {
            self.seen.entry((rule.from.as_str(), rule.to.as_str(), mark)).or_default().push(index);
        }
        shadow
    }

    fn find(&self, rule: &'a Policy, lists: &[Vec<Mark<'a>>], steps: &mut Steps) -> Option<usize> {
        let firsts = lists.iter().filter_map(|list| list.first().copied());
        let mut shadow: Option<usize> = None;
        for mark in firsts.chain([Mark::Nothing]) {
            for from in either(&rule.from) {
                for to in either(&rule.to) {
                    let candidates = self.seen.get(&(from, to, mark)).into_iter().flatten();
                    let mut earlier = candidates.take_while(|at| shadow.is_none_or(|it| **at < it));
                    let hiding = earlier.find(|at| hides(&self.rules[**at], rule, steps));
                    shadow = hiding.copied().or(shadow);
                }
            }
        }
        shadow.filter(|_| !steps.are_spent())
    }
}

/// The zones of rules that match packets of `zone`.
fn either(zone: &Name) -> impl Iterator<Item = &str> {
    let any = (zone.as_str() != ANY_ZONE).then_some(ANY_ZONE);
    [zone.as_str()].into_iter().chain(any)
}

/// Whether `earlier`, for the same zones or any, matches every packet that `later` matches and is tried before it, seen
/// without comparing networks: each of its conditions is absent or the same.
fn hides(earlier: &Policy, later: &Policy, steps: &mut Steps) -> bool {
    steps.take(1);
    let protocol = earlier.protocol.number();
    !steps.are_spent()
        && earlier.peer.is_empty() == later.peer.is_empty()
        && (protocol.is_none() || protocol == later.protocol.number())
        && has_all(&earlier.source, &later.source, steps)
        && has_all(&earlier.destination, &later.destination, steps)
        && has_all(&earlier.destination_port, &later.destination_port, steps)
        && has_all(&earlier.source_port, &later.source_port, steps)
        && has_all(&earlier.icmp_type, &later.icmp_type, steps)
        && has_all(&earlier.peer, &later.peer, steps)
}

fn has_all<T: PartialEq>(earlier: &[T], later: &[T], steps: &mut Steps) -> bool {
    let mut has = |item: &T| {
        steps.take(earlier.len());
        !steps.are_spent() && earlier.contains(item)
    };
    earlier.is_empty() || (!later.is_empty() && later.iter().all(&mut has))
}

/// For each rule about peers that allows, the first denial above it that it is tried before.
pub(super) struct Overtaken<'a> {
    config: &'a Config,
    sets: HashMap<&'a str, &'a [Prefix]>,
    /// Rules so far that deny or reject packets of peers without naming them.
    denials: Vec<&'a Policy>,
    places: Vec<usize>,
}

impl<'a> Overtaken<'a> {
    /// No rule has been seen.
    pub(super) fn new(config: &'a Config) -> Self {
        let sets = config.set.iter().map(|(name, set)| (name.as_str(), &*set.prefixes));
        Self { config, sets: sets.collect(), denials: Vec::new(), places: Vec::new() }
    }

    /// The first rule above the one at `index` that would deny some of the packets that this one allows, and is not
    /// asked. To be asked of one rule after the other, in the order of the file.
    pub(super) fn by(&mut self, index: usize, steps: &mut Steps) -> Option<usize> {
        let rule = self.config.policy.get(index)?;
        let tunnels = self.config.wireguard.as_ref()?.zone.as_str();
        let from_tunnels = [ANY_ZONE, tunnels].contains(&rule.from.as_str());
        match rule.action {
            Action::Allow if !rule.peer.is_empty() && from_tunnels => {
                let mut denials = self.denials.iter().zip(&self.places);
                denials.find(|(denial, _)| self.overlap(denial, rule, steps)).map(|(_, at)| *at)
            }
            Action::Deny | Action::Reject if rule.peer.is_empty() && from_tunnels => {
                self.denials.push(rule);
                self.places.push(index);
                None
            }
            Action::Allow | Action::Deny | Action::Reject => None,
        }
    }

    /// Whether there are packets that both match.
    fn overlap(&self, one: &Policy, other: &Policy, steps: &mut Steps) -> bool {
        steps.take(1);
        let equal = |one: &u8, other: &u8| one == other;
        let zones = one.to == other.to || [&one.to, &other.to].iter().any(|to| is_any(to));
        let protocols = (one.protocol.number(), other.protocol.number());
        !steps.are_spent()
            && zones
            && !matches!(protocols, (Some(one), Some(other)) if one != other)
            && meet(&one.destination_port, &other.destination_port, ports_meet, steps)
            && meet(&one.source_port, &other.source_port, ports_meet, steps)
            && meet(&one.icmp_type, &other.icmp_type, equal, steps)
            && self.networks_meet(&one.destination, &other.destination, steps)
            && self.networks_meet(&one.source, &other.source, steps)
    }

    fn networks_meet(
        &self,
        one: &[AddressMatch],
        other: &[AddressMatch],
        steps: &mut Steps,
    ) -> bool {
        if one.is_empty() || other.is_empty() {
            return true;
        }
        let others: Vec<Prefix> = self.networks(other).collect();
        self.networks(one).any(|one| {
            steps.take(others.len());
            !steps.are_spent() && others.iter().any(|other| networks_overlap(one, *other))
        })
    }

    fn networks<'b>(&'b self, items: &'b [AddressMatch]) -> impl Iterator<Item = Prefix> + 'b {
        items
            .iter()
            .flat_map(|item| match item {
                AddressMatch::Prefix(prefix) => std::slice::from_ref(prefix),
                AddressMatch::Set(name) => {
                    self.sets.get(name.as_str()).copied().unwrap_or_default()
                }
            })
            .copied()
    }
}

fn is_any(zone: &Name) -> bool {
    zone.as_str() == ANY_ZONE
}

/// Whether an item of one list and one of the other satisfy `both`. A list that is empty stands for everything.
fn meet<T>(one: &[T], other: &[T], both: fn(&T, &T) -> bool, steps: &mut Steps) -> bool {
    let mut meets = |item: &T| {
        steps.take(other.len());
        !steps.are_spent() && other.iter().any(|other| both(item, other))
    };
    one.is_empty() || other.is_empty() || one.iter().any(&mut meets)
}

fn ports_meet(one: &PortRange, other: &PortRange) -> bool {
    let (one, other) = (one.ports(), other.ports());
    one.start() <= other.end() && other.start() <= one.end()
}

fn networks_overlap(one: Prefix, other: Prefix) -> bool {
    one.net().contains(&other.net()) || other.net().contains(&one.net())
}
