//! What one value alone cannot show: whether the configuration makes sense as a whole.
//!
//! Every check reports and goes on. None needs a privilege, an interface or the network; key files are read.

mod gateway;
mod interfaces;
mod keys;
mod limits;
mod policy;
mod rule_order;
mod wireguard;

pub(crate) use keys::KeyFiles;

use crate::findings::Findings;
use crate::key::Key;
use crate::model::{ANY_ZONE, Config, LOCAL_ZONE};
use crate::read::did_you_mean;
use crate::source::Document;
use crate::values::{Duration, Name};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use toml::Spanned;
use toml::de::DeValue;

/// Checks `config`, reads its keys, and reports to `findings`.
///
/// `whole` says that no section is missing because it could not be read: only then is it known that nothing is
/// in a zone.
pub(crate) fn check(
    config: &mut Config,
    document: &Document<'_>,
    keys: &KeyFiles<'_>,
    whole: bool,
    findings: &mut Findings<'_>,
) {
    let names = Names::of(document);
    gateway::check(config, findings);
    interfaces::check(config, &names, findings);
    keys.read(config, findings);
    wireguard::check(config, &names, findings);
    limits::check(config, findings);
    policy::check(config, &names, findings);
    if whole && !findings.has_errors() {
        policy::warn(config, findings);
    }
}

/// The names that the files declare, even where the thing that has the name could not be read: a reference to
/// it is not a second mistake.
struct Names {
    zones: BTreeSet<String>,
    sets: BTreeSet<String>,
    peers: BTreeSet<String>,
}

impl Names {
    fn of(document: &Document<'_>) -> Self {
        let sets = match document.root.get("set").map(Spanned::get_ref) {
            Some(DeValue::Table(sets)) => {
                sets.keys().map(|name| name.get_ref().to_string()).collect()
            }
            _ => BTreeSet::new(),
        };
        Self {
            zones: names_in(document, &Key::top("zone")),
            sets,
            peers: names_in(document, &Key::top("wireguard").field("peer")),
        }
    }

    /// Reports `zone` unless it is declared, or is one of `also`.
    fn zone(&self, zone: &Name, also: &[&str], key: &Key, findings: &mut Findings<'_>) {
        if self.zones.contains(zone.as_str()) || also.contains(&zone.as_str()) {
            return;
        }
        if [LOCAL_ZONE, ANY_ZONE].contains(&zone.as_str()) {
            let allowed = "a zone declared in [[zone]]: this one is not for interfaces and tunnels";
            return findings.error(key, "a reserved zone", allowed);
        }
        let known: Vec<&str> =
            self.zones.iter().map(String::as_str).chain(also.iter().copied()).collect();
        findings.error(key, "unknown zone", did_you_mean(zone.as_str(), &known, "known zones"));
    }
}

/// The `name` of each table in the array at `key`.
fn names_in(document: &Document<'_>, key: &Key) -> BTreeSet<String> {
    let array = document.value(key).and_then(|value| value.get_ref().as_array());
    let tables = array.into_iter().flatten().filter_map(|item| item.get_ref().as_table());
    let names = tables.filter_map(|table| table.get("name")?.get_ref().as_str().map(str::to_owned));
    names.collect()
}

/// Reports each item whose `what` an earlier item has.
fn unique<T: Ord + Copy>(
    items: impl IntoIterator<Item = (Key, T)>,
    what: &str,
    findings: &mut Findings<'_>,
) {
    let mut seen = BTreeMap::new();
    for (key, item) in items {
        if findings.is_unknown(&key) {
            continue;
        }
        match seen.get(&item) {
            None => {
                seen.insert(item, key);
            }
            Some(first) => {
                let first = findings.original(first);
                findings.error(&key, format!("{what} is used twice: first by {first}"), "one use");
            }
        }
    }
}

/// Reports a number outside `range`.
fn within(key: &Key, number: u32, range: RangeInclusive<u32>, findings: &mut Findings<'_>) {
    if !range.contains(&number) {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        findings.error(key, "out of range", allowed);
    }
}

/// Reports a number of descriptors that a ring cannot have.
fn ring_size(key: &Key, size: u32, findings: &mut Findings<'_>) {
    if (64..=65536).contains(&size) && size.is_power_of_two() {
        return;
    }
    let nearest = size.clamp(64, 65536).next_power_of_two();
    let allowed = format!("a power of two from 64 to 65536, such as {nearest}");
    findings.error(key, "not a ring size", allowed);
}

/// Reports a duration outside `range`.
fn lasting(
    key: &Key,
    span: Duration,
    range: RangeInclusive<Duration>,
    findings: &mut Findings<'_>,
) {
    if !range.contains(&span) {
        let allowed = format!("from {} to {}", range.start(), range.end());
        findings.error(key, "out of range", allowed);
    }
}
