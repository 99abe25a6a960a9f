//! From the merged tree to the model, all problems at once.
//!
//! Each section, and each item of an array of sections, is read on its own. When serde refuses a value, the
//! problem is reported, the value is taken out, and the section is read again: so one run finds every problem
//! and not only the first, and what could be read is still checked. A key that must be there and is missing or wrong
//! is stood in for by its example, so that the rest of its entry is checked too: such a configuration is refused in
//! any case, and of the stand-ins nothing is told.

use crate::findings::Findings;
use crate::key::{Key, Step};
use crate::model::{Config, Peer, Set, VERSION, Wireguard};
use crate::source::Document;
use crate::text::{nearest, split_expected};
use crate::values::Name;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, ValueDeserializer};

/// Reads the sections of a document.
pub(crate) struct Reader<'a, 'd> {
    document: &'a Document<'d>,
    findings: &'a mut Findings<'d>,
}

/// Most problems reported of one section or item.
const MOST_PROBLEMS: usize = 64;

impl<'a, 'd> Reader<'a, 'd> {
    /// A reader of `document` that reports to `findings`.
    pub(crate) fn new(document: &'a Document<'d>, findings: &'a mut Findings<'d>) -> Self {
        Self { document, findings }
    }

    /// The configuration without what cannot be read, and whether it holds a `wireguard` section if the
    /// document does.
    pub(crate) fn config(mut self) -> (Config, bool) {
        let mut root = self.document.root.clone();
        let top = Key::default();
        let gateway = self.section(&mut root, "gateway");
        let limits = self.section(&mut root, "limits");
        let telemetry = self.section(&mut root, "telemetry");
        let security = self.section(&mut root, "security");
        let interface = self.list(&mut root, "interface", &top);
        let zone = self.list(&mut root, "zone", &top);
        let policy = self.list(&mut root, "policy", &top);
        let set = self.sets(&mut root);
        let has_wireguard = root.contains_key("wireguard");
        let wireguard = self.wireguard(&mut root);
        let whole = wireguard.is_some() == has_wireguard;
        // What is left is the version and whatever has no place at the top.
        let rest = Spanned::new(0..0, DeValue::Table(root));
        let version = self.read::<Config>(rest, &top).map_or(VERSION, |rest| rest.version);
        let config = Config {
            version,
            gateway: gateway.unwrap_or_default(),
            interface,
            wireguard,
            zone,
            set,
            policy,
            limits: limits.unwrap_or_default(),
            telemetry: telemetry.unwrap_or_default(),
            security: security.unwrap_or_default(),
        };
        (config, whole)
    }

    fn section<T>(&mut self, root: &mut DeTable<'d>, name: &str) -> Option<T>
    where
        T: DeserializeOwned + JsonSchema,
    {
        let section = root.remove(name)?;
        self.read(section, &Key::top(name))
    }

    fn wireguard(&mut self, root: &mut DeTable<'d>) -> Option<Wireguard> {
        let mut section = root.remove("wireguard")?;
        let key = Key::top("wireguard");
        let mut peers: Vec<Peer> = Vec::new();
        if let DeValue::Table(table) = section.get_mut() {
            peers = self.list(table, "peer", &key);
        }
        let wireguard = self.read::<Wireguard>(section, &key)?;
        Some(Wireguard { peer: peers, ..wireguard })
    }

    fn sets(&mut self, root: &mut DeTable<'d>) -> BTreeMap<Name, Set> {
        let mut sets = BTreeMap::new();
        let Some(DeValue::Table(table)) = root.get("set").map(Spanned::get_ref) else {
            return sets;
        };
        for (name, set) in table.clone() {
            let key = Key::top("set").field(name.get_ref());
            match name.get_ref().parse() {
                Ok(name) => {
                    sets.extend(self.read(set, &key).map(|set| (name, set)));
                }
                Err(invalid) => self.findings.at(&key, &name.span(), invalid.why, invalid.allowed),
            }
        }
        root.remove("set");
        sets
    }

    /// Takes the array of tables `name` out of `table`, which is the one at `key`, and reads each item.
    /// Anything but an array stays for the table's own reading to complain about.
    fn list<T>(&mut self, table: &mut DeTable<'d>, name: &str, key: &Key) -> Vec<T>
    where
        T: DeserializeOwned + JsonSchema,
    {
        if !table.get(name).is_some_and(|value| value.get_ref().is_array()) {
            return Vec::new();
        }
        let Some(DeValue::Array(items)) = table.remove(name).map(Spanned::into_inner) else {
            return Vec::new();
        };
        let mut list = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let key = key.field(name).item(index);
            match self.read(item, &key) {
                Some(item) => list.push(item),
                None => self.findings.leave_out(key),
            }
        }
        list
    }

    /// Reads one part of the document, which stands at `at` in the file, leaving out and reporting what is wrong in it.
    fn read<T>(&mut self, mut part: Spanned<DeValue<'d>>, at: &Key) -> Option<T>
    where
        T: DeserializeOwned + JsonSchema,
    {
        for _ in 0..MOST_PROBLEMS {
            let error = match T::deserialize(ValueDeserializer::from(part.clone())) {
                Ok(value) => return Some(value),
                Err(error) => error,
            };
            let span = error.span().unwrap_or_else(|| part.span());
            let inner = locate(part.get_ref(), &span).unwrap_or_default();
            if error.message().starts_with("missing field") {
                self.complete::<T>(&mut part, at)?;
                continue;
            }
            let key = self.findings.original_within(at, &inner);
            self.report(&key, &span, error.message());
            self.leave_out(&mut part, at, inner)?;
        }
        None
    }

    /// Reports what serde said about the value (or key) at `key`, as indexed in the file.
    fn report(&mut self, key: &Key, span: &Range<usize>, message: &str) {
        let (why, expected) = split_expected(message);
        match quoted(why, "unknown field ") {
            Some(name) => {
                let known: Vec<&str> = expected.map(listed).unwrap_or_default();
                self.findings.unknown_key(key, span, did_you_mean(name, &known, "known keys"));
            }
            None => match quoted(why, "unknown variant ") {
                Some(name) => {
                    let known: Vec<&str> = expected.map(listed).unwrap_or_default();
                    let allowed = did_you_mean(name, &known, "allowed");
                    self.findings.at(key, span, "unknown value".into(), allowed);
                }
                None => {
                    let allowed = expected.map(rephrase).unwrap_or_default();
                    self.findings.at(key, span, why.to_owned(), allowed);
                }
            },
        }
    }

    /// Takes the value at `inner` out of `part`; nothing when that is the part itself.
    fn leave_out(&mut self, part: &mut Spanned<DeValue<'d>>, at: &Key, inner: Key) -> Option<()> {
        let (outer, last) = inner.split_last()?;
        let original = self.findings.original_within(at, &inner);
        let emptied = match (descend(part.get_mut(), &outer)?, last) {
            (DeValue::Table(table), Step::Field(name)) => {
                table.remove(name.as_str())?;
                false
            }
            (DeValue::Array(array), Step::Index(index)) if *index < array.len() => {
                let items = std::mem::replace(array, DeArray::new()).into_iter().enumerate();
                *array = items.filter(|(at, _)| at != index).map(|(_, item)| item).collect();
                array.is_empty()
            }
            _ => return None,
        };
        self.findings.leave_out(original);
        // A list whose every item was wrong says nothing: not even that it is empty.
        if emptied { self.leave_out(part, at, outer) } else { Some(()) }
    }

    /// Reports every key that `T` needs and the table lacks, save those that were reported as wrong, and puts its
    /// example in its place; nothing when that cannot be done.
    fn complete<T: JsonSchema>(&mut self, part: &mut Spanned<DeValue<'d>>, at: &Key) -> Option<()> {
        let schema = schemars::schema_for!(T);
        let required = schema.get("required").and_then(|required| required.as_array());
        let span = part.span();
        let DeValue::Table(table) = part.get_mut() else { return None };
        let mut stood_in = Some(());
        for name in required.into_iter().flatten().filter_map(|name| name.as_str()) {
            if table.contains_key(name) {
                continue;
            }
            let key = at.field(name);
            if !self.findings.is_left_out(&key) {
                self.findings.missing(&key, &span);
                self.findings.leave_out(key);
            }
            let example =
                schema.get("properties").and_then(|keys| keys.get(name)?.get("x-example"));
            let name = Spanned::new(span.end..span.end, Cow::Owned(name.to_owned()));
            match example.and_then(|example| stand_in(example, span.end)) {
                Some(value) => {
                    table.insert(name, value);
                }
                None => stood_in = None,
            }
        }
        stood_in
    }
}

/// `example` as a value that stands nowhere: at the end of its table, without a length.
fn stand_in<'d>(example: &Value, end: usize) -> Option<Spanned<DeValue<'d>>> {
    let value = match example {
        Value::String(text) => DeValue::String(Cow::Owned(text.clone())),
        Value::Array(items) => {
            DeValue::Array(items.iter().map(|item| stand_in(item, end)).collect::<Option<_>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    };
    Some(Spanned::new(end..end, value))
}

/// The value at `key` inside `value`.
fn descend<'v, 'd>(value: &'v mut DeValue<'d>, key: &Key) -> Option<&'v mut DeValue<'d>> {
    key.steps().iter().try_fold(value, |value, step| match (value, step) {
        (DeValue::Table(table), Step::Field(name)) => {
            table.get_mut(name.as_str()).map(Spanned::get_mut)
        }
        (DeValue::Array(array), Step::Index(index)) => array.get_mut(*index).map(Spanned::get_mut),
        _ => None,
    })
}

/// The path to the key or value whose span is exactly `span`, innermost first.
fn locate(value: &DeValue<'_>, span: &Range<usize>) -> Option<Key> {
    let step = |step: Step, key_matches: bool, value: &Spanned<DeValue<'_>>| {
        let here = Key::default().with(step);
        match locate(value.get_ref(), span) {
            Some(inner) => Some(here.join(&inner)),
            None => (key_matches || value.span() == *span).then_some(here),
        }
    };
    match value {
        DeValue::Table(table) => table.iter().find_map(|(name, value)| {
            step(Step::Field(name.get_ref().to_string()), name.span() == *span, value)
        }),
        DeValue::Array(array) => {
            array.iter().enumerate().find_map(|(index, item)| step(Step::Index(index), false, item))
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => None,
    }
}

/// The name in backquotes after `prefix`.
fn quoted<'m>(message: &'m str, prefix: &str) -> Option<&'m str> {
    message.strip_prefix(prefix)?.strip_prefix('`')?.strip_suffix('`')
}

/// The names in backquotes of serde's ``one of `a`, `b` ``.
fn listed(expected: &str) -> Vec<&str> {
    expected.split('`').skip(1).step_by(2).collect()
}

/// The nearest known name if there is one, and all of them.
pub(crate) fn did_you_mean(given: &str, known: &[&str], label: &str) -> String {
    let all = known.join(", ");
    let all = if known.is_empty() { format!("{label}: none") } else { format!("{label}: {all}") };
    match nearest(given, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`? {all}"),
        None => all,
    }
}

/// What serde expected, in the words of an operator.
fn rephrase(expected: &str) -> String {
    match expected {
        "a sequence" => "a list, in brackets".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" | "string" | "path string" => "a text, in quotes".to_owned(),
        "u8" => whole_number(u8::MAX.into()),
        "u16" => whole_number(u16::MAX.into()),
        "u32" => whole_number(u32::MAX),
        table if table.starts_with("struct ") || table == "a map" => "a table".to_owned(),
        other => other.to_owned(),
    }
}

fn whole_number(most: u32) -> String {
    format!("a whole number from 0 to {most}")
}
