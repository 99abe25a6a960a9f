//! A section that may be repeated, written in single brackets: `[zone]` where `[[zone]]` belongs.
//!
//! To TOML a second `[zone]` is a duplicate key, and so is every key in it: true, and no help.

use std::ops::Range;
use toml::de::{DeTable, Error};

/// The sections that are written in double brackets.
const REPEATED: [&str; 4] = ["interface", "zone", "policy", "wireguard.peer"];

/// One such section.
pub(super) struct SingleBrackets {
    /// Its name.
    pub(super) name: &'static str,
    /// Where its header stands in the file.
    pub(super) header: Range<usize>,
    /// Its header and its keys.
    section: Range<usize>,
}

impl SingleBrackets {
    /// Whether `error` only says again what these brackets cause.
    pub(super) fn explain(&self, error: &Error) -> bool {
        is_duplicate(error) && error.span().is_some_and(|span| self.section.contains(&span.start))
    }
}

/// The sections of `text`, read as `table` with `errors`, that have single brackets in place of double ones.
pub(super) fn single(text: &str, table: &DeTable<'_>, errors: &[Error]) -> Vec<SingleBrackets> {
    let mut found: Vec<SingleBrackets> = Vec::new();
    for (name, header, section) in sections(text) {
        let Some(name) = REPEATED.into_iter().find(|repeated| *repeated == name) else { continue };
        let again = |error: &Error| {
            is_duplicate(error) && error.span().is_some_and(|span| header.contains(&span.start))
        };
        // Anything else that looks like such a header is the text of a value.
        if is_one_table(table, name) || errors.iter().any(again) {
            found.push(SingleBrackets { name, header, section });
        }
    }
    found
}

/// Every line in single brackets: the name in them, where the line stands, and how far its section goes.
fn sections(text: &str) -> Vec<(String, Range<usize>, Range<usize>)> {
    let mut sections: Vec<(String, Range<usize>, Range<usize>)> = Vec::new();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let code = line.split('#').next().unwrap_or_default().trim();
        if code.starts_with('[') {
            if let Some((_, _, section)) = sections.last_mut() {
                section.end = section.end.min(offset);
            }
            let name = code.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            if let Some(name) = name {
                let name = name.chars().filter(|c| !c.is_whitespace()).collect();
                let start = offset + (line.len() - line.trim_start().len());
                sections.push((name, start..start + code.len(), offset..text.len()));
            }
        }
        offset += line.len();
    }
    sections
}

/// Whether `name` in `table` is a table of its own.
fn is_one_table(table: &DeTable<'_>, name: &str) -> bool {
    let mut names = name.split('.');
    let first = names.next().and_then(|name| table.get(name));
    let value = names.fold(first, |value, name| value?.get_ref().as_table()?.get(name));
    value.is_some_and(|value| value.get_ref().is_table())
}

fn is_duplicate(error: &Error) -> bool {
    error.message().starts_with("duplicate key")
}
