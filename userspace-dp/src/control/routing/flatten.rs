//! Several routing tables, consulted in order, as one.
//!
//! The kernel looks a destination up in one table and goes on to the next only when the first has no match at all,
//! or its match is a `throw` route. So of a lower table only those prefixes count that no prefix of an upper table
//! covers, and under a `throw` route the lower table shows through.

use std::sync::Arc;

use ipnet::IpNet;
use route::{NextHop, NextHopKind, WeightedHop};

/// Where a prefix leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ways {
    One(WeightedHop),
    Several(Arc<[WeightedHop]>),
}

impl Ways {
    pub(super) fn hops(&self) -> &[WeightedHop] {
        match self {
            Self::One(hop) => core::slice::from_ref(hop),
            Self::Several(hops) => hops,
        }
    }
}

/// What a table says about a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Ways(Ways),
    /// Ask the next table.
    Throw,
}

/// Lays `upper` over `lower`. Both ascend by prefix, an address's shorter prefixes first, and so does the result.
pub(super) fn layer(upper: Vec<(IpNet, Entry)>, lower: Vec<(IpNet, Ways)>) -> Vec<(IpNet, Ways)> {
    let mut result = Vec::with_capacity(upper.len() + lower.len());
    let (mut upper, mut lower) = (upper.into_iter().peekable(), lower.into_iter().peekable());
    // Prefixes that hold the present one, shortest first: of the upper table and whether they throw, of the lower.
    let mut above: Vec<(IpNet, bool)> = Vec::new();
    let mut below: Vec<(IpNet, Ways)> = Vec::new();
    loop {
        let from_upper = match (upper.peek(), lower.peek()) {
            (Some(one), Some(other)) => one.0 <= other.0,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => return result,
        };
        if from_upper && let Some((prefix, entry)) = upper.next() {
            leave(&mut above, prefix);
            leave(&mut below, prefix);
            let same = lower.next_if(|(other, _)| *other == prefix);
            let throws = entry == Entry::Throw;
            let shown = match entry {
                Entry::Ways(ways) => Some(ways),
                Entry::Throw => {
                    let through = same.as_ref().or(below.last()).map(|(_, ways)| ways.clone());
                    through.or_else(|| {
                        above.iter().any(|(_, throws)| !throws).then(nothing_shows_through)
                    })
                }
            };
            result.extend(shown.map(|ways| (prefix, ways)));
            above.push((prefix, throws));
            below.extend(same);
        } else if let Some((prefix, ways)) = lower.next() {
            leave(&mut above, prefix);
            leave(&mut below, prefix);
            if above.last().is_none_or(|(_, throws)| *throws) {
                result.push((prefix, ways.clone()));
            }
            below.push((prefix, ways));
        }
    }
}

/// Forgets the prefixes that do not hold `prefix`.
fn leave<T>(stack: &mut Vec<(IpNet, T)>, prefix: IpNet) {
    while stack.pop_if(|(top, _)| !top.contains(&prefix)).is_some() {}
}

/// No table knows the destination, but a shorter prefix must not be found for it.
fn nothing_shows_through() -> Ways {
    Ways::One(NextHop::discard(NextHopKind::Unreachable).into())
}
