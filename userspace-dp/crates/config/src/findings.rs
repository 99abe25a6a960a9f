//! Problems as they are found: each is given its place in the files, its value, and its original index.
//!
//! What cannot be read is left out of the model, so that everything else is still checked; indices in the model
//! are then smaller than those in the file. [`Findings`] remembers what was left out and names keys as the
//! operator wrote them.

use crate::diagnostic::{Diagnostic, Rejected, Severity};
use crate::key::{Key, Step};
use crate::source::{Document, Misfit, conceal, conceal_name};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use toml::Spanned;
use toml::de::DeValue;

/// The problems found so far in one document.
pub(crate) struct Findings<'d> {
    document: &'d Document<'d>,
    found: Vec<(usize, Diagnostic)>,
    left_out_items: HashMap<Key, Vec<usize>>,
    left_out: HashSet<Key>,
}

impl<'d> Findings<'d> {
    /// Nothing found yet.
    pub(crate) fn new(document: &'d Document<'d>) -> Self {
        let (found, left_out_items, left_out) = Default::default();
        Self { document, found, left_out_items, left_out }
    }

    /// `key`, as indexed in the model, makes the configuration impossible.
    pub(crate) fn error(
        &mut self,
        key: &Key,
        message: impl Into<String>,
        allowed: impl Into<String>,
    ) {
        self.about(Severity::Error, key, message.into(), allowed.into());
    }

    /// `key`, as indexed in the model, is probably not what was meant.
    pub(crate) fn warning(
        &mut self,
        key: &Key,
        message: impl Into<String>,
        allowed: impl Into<String>,
    ) {
        self.about(Severity::Warning, key, message.into(), allowed.into());
    }

    /// `key` holds what may be a secret: neither the value nor the rest of its line is shown.
    pub(crate) fn secret(
        &mut self,
        key: &Key,
        message: impl Into<String>,
        allowed: impl Into<String>,
    ) {
        let key = self.original(key);
        let span = self.document.find_around(&key);
        let before = span.start..span.start;
        self.push(Severity::Error, &key, &before, None, message.into(), allowed.into(), true);
    }

    /// The key that stands at `span` is not one of ours. What stands behind it may be a secret.
    pub(crate) fn unknown_key(&mut self, key: &Key, span: &Range<usize>, allowed: String) {
        let value = self.document.text(span);
        self.push(Severity::Error, key, span, value, "unknown key".into(), allowed, true);
    }

    /// The table at `span` lacks `key`, as indexed in the file.
    pub(crate) fn missing(&mut self, key: &Key, span: &Range<usize>) {
        let message = "missing".to_owned();
        let allowed = "this key has no default and must be set".to_owned();
        self.push(Severity::Error, key, span, None, message, allowed, false);
    }

    /// What stands at `span`, under `key` as indexed in the file, is wrong.
    pub(crate) fn at(&mut self, key: &Key, span: &Range<usize>, message: String, allowed: String) {
        let value = self.document.text(span);
        self.push(Severity::Error, key, span, value, message, allowed, false);
    }

    /// A problem of syntax, or of merging files.
    pub(crate) fn misfit(&mut self, misfit: Misfit) {
        self.at(&misfit.key, &misfit.span, misfit.invalid.why, misfit.invalid.allowed);
    }

    /// Remembers that `key`, as indexed in the file, is not in the model.
    pub(crate) fn leave_out(&mut self, key: Key) {
        if let Some((array, Step::Index(index))) = key.split_last() {
            let items = self.left_out_items.entry(array).or_default();
            items.push(*index);
            items.sort_unstable();
        }
        self.left_out.insert(key);
    }

    /// Whether `key`, as indexed in the file, was left out.
    pub(crate) fn is_left_out(&self, key: &Key) -> bool {
        self.left_out.contains(key)
    }

    /// Whether `key`, as indexed in the model, is not what the file says, since that was left out.
    pub(crate) fn is_unknown(&self, key: &Key) -> bool {
        !self.left_out.is_empty() && self.is_left_out(&self.original(key))
    }

    /// The key in the file that `key` in the model stands for.
    pub(crate) fn original(&self, key: &Key) -> Key {
        self.original_within(&Key::default(), key)
    }

    /// The key in the file that `inner`, as indexed in what is left of the part at `at`, stands for. `at` is as
    /// indexed in the file already.
    pub(crate) fn original_within(&self, at: &Key, inner: &Key) -> Key {
        let mut original = at.clone();
        for step in inner.steps() {
            let step = match step {
                Step::Field(name) => Step::Field(name.clone()),
                Step::Index(index) => {
                    let left_out = self.left_out_items.get(&original);
                    let shifted = left_out
                        .into_iter()
                        .flatten()
                        .fold(*index, |index, gone| if *gone <= index { index + 1 } else { index });
                    Step::Index(shifted)
                }
            };
            original = original.with(step);
        }
        original
    }

    /// Whether an error was found.
    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(|(_, one)| one.severity == Severity::Error)
    }

    /// The warnings, or everything when there is an error; both in the order of the files.
    pub(crate) fn finish(self) -> Result<Vec<Diagnostic>, Rejected> {
        if self.has_errors() { Err(self.refuse()) } else { Ok(self.in_order()) }
    }

    /// Everything found, as a refusal.
    pub(crate) fn refuse(self) -> Rejected {
        Rejected { diagnostics: self.in_order(), no_permission: false }
    }

    fn in_order(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|(offset, _)| *offset);
        self.found.into_iter().map(|(_, one)| one).collect()
    }

    fn about(&mut self, severity: Severity, key: &Key, message: String, allowed: String) {
        let key = self.original(key);
        // What was left out is told already, and what stands in for it in the model is nobody's mistake.
        if self.is_left_out(&key) {
            return;
        }
        let value = self.document.value(&key).filter(|value| !holds_tables(value.get_ref()));
        let value = value.and_then(|value| self.document.text(&value.span()));
        let span = self.document.find_around(&key);
        self.push(severity, &key, &span, value, message, allowed, false);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the one place where a diagnostic is put together"
    )]
    fn push(
        &mut self,
        severity: Severity,
        key: &Key,
        span: &Range<usize>,
        value: Option<String>,
        message: String,
        allowed: String,
        cut: bool,
    ) {
        let place = self.document.place(span, cut);
        let key = conceal_name(key.to_string());
        let message = conceal(&message).into_owned();
        let allowed = (!allowed.is_empty()).then(|| conceal(&allowed).into_owned());
        self.found.push((span.start, Diagnostic { severity, key, value, message, allowed, place }));
    }
}

/// Whether a value is a table or a list of them: not worth repeating.
fn holds_tables(value: &DeValue<'_>) -> bool {
    let is_table = |item: &Spanned<DeValue<'_>>| item.get_ref().is_table();
    value.is_table() || value.as_array().is_some_and(|items| items.iter().any(is_table))
}
