//! The text behind a configuration: one or more files, merged into one tree that remembers where each value
//! stands.
//!
//! Every file gets a range of one address space, its base; a value's span is its offset in its file plus that
//! base. So one tree can hold values of several files, and serde errors, which carry spans, still name theirs.

mod brackets;
mod concealed;
mod merge;

pub(crate) use concealed::{conceal, conceal_name};

use crate::diagnostic::Place;
use crate::key::{Key, Step};
use crate::text::Invalid;
use crate::values::Secret;
use std::borrow::Cow;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The name of a file and its text.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Where it was read from.
    pub(crate) path: PathBuf,
    /// What it says.
    pub(crate) text: String,
}

/// The merged tree over its files.
pub(crate) struct Document<'t> {
    files: Vec<Indexed<'t>>,
    /// The tree.
    pub(crate) root: DeTable<'t>,
}

/// A file, what of it may be shown, its base, and where its lines begin.
struct Indexed<'t> {
    file: &'t SourceFile,
    /// As long as the file's text, and all that ever leaves it.
    shown: Cow<'t, str>,
    base: usize,
    lines: Vec<usize>,
}

/// A problem found while parsing or merging.
pub(crate) struct Misfit {
    /// The key; empty for bad syntax.
    pub(crate) key: Key,
    /// Where.
    pub(crate) span: Range<usize>,
    /// What is wrong and what would be right.
    pub(crate) invalid: Invalid,
}

/// Reads `path` and, after it, the drop-ins beside it in name order.
///
/// # Errors
/// The file or directory that could not be read, and why.
pub(crate) fn read_files(path: &Path) -> Result<Vec<SourceFile>, (PathBuf, io::Error)> {
    let mut files = vec![read_file(path)?];
    let directory = path.with_extension("d");
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err((directory, error)),
    };
    let mut drop_ins = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| (directory.clone(), error))?.path();
        let hidden =
            entry.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && entry.extension().is_some_and(|extension| extension == "toml") {
            drop_ins.push(entry);
        }
    }
    drop_ins.sort();
    for drop_in in drop_ins {
        files.push(read_file(&drop_in)?);
    }
    Ok(files)
}

/// Most bytes of one configuration file; far above 100,000 peers.
const MAX_FILE: u64 = 64 << 20;

fn read_file(path: &Path) -> Result<SourceFile, (PathBuf, io::Error)> {
    let read = || {
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        if metadata.len() > MAX_FILE {
            return Err(io::Error::other("larger than 64 MiB"));
        }
        fs::read_to_string(path)
    };
    match read() {
        Ok(text) => Ok(SourceFile { path: path.to_owned(), text }),
        Err(error) => Err((path.to_owned(), error)),
    }
}

impl<'t> Document<'t> {
    /// Parses every file and merges them in order. What does not parse or fit is left out of the tree and
    /// reported beside it.
    pub(crate) fn new(files: &'t [SourceFile]) -> (Self, Vec<Misfit>) {
        let mut misfits = Vec::new();
        let mut document = Self { files: Vec::with_capacity(files.len()), root: DeTable::new() };
        let mut base = 0;
        for file in files {
            let newlines = file.text.match_indices('\n').map(|(offset, _)| offset + 1);
            let lines = std::iter::once(0).chain(newlines).collect();
            let shown = conceal(&file.text);
            document.files.push(Indexed { file, shown, base, lines });
            let (table, errors) = DeTable::parse_recoverable(&file.text);
            if Secret::from_base64(&file.text).is_ok() {
                misfits.push(key_file_misfit(base..base + file.text.trim_end().len()));
                base += file.text.len() + 1;
                continue;
            }
            let single = brackets::single(&file.text, table.get_ref(), &errors);
            let unexplained =
                errors.iter().filter(|error| !single.iter().any(|one| one.explain(error)));
            misfits.extend(unexplained.map(|error| syntax_misfit(error, base)));
            misfits.extend(single.iter().map(|one| bracket_misfit(one, base)));
            let table = merge::shift_table(table.into_inner(), base);
            let before = misfits.len();
            merge::merge(&mut document.root, table, &Key::default(), &mut misfits);
            for misfit in misfits.iter_mut().skip(before) {
                document.name_other_file(misfit);
            }
            // One more than the text, so that an error at its end is still its own.
            base += file.text.len() + 1;
        }
        (document, misfits)
    }

    /// Completes a report of a key that is set twice with the place where it was set before.
    fn name_other_file(&self, misfit: &mut Misfit) {
        let first = self.find(&misfit.key).and_then(|span| self.place(&span, false));
        if let Some(first) = first {
            misfit.invalid.why = format!("set before, in {}:{}", first.file.display(), first.line);
        }
    }

    /// The value at `key`.
    pub(crate) fn value(&self, key: &Key) -> Option<&Spanned<DeValue<'t>>> {
        let (first, rest) = key.steps().split_first()?;
        let Step::Field(name) = first else { return None };
        rest.iter().try_fold(self.root.get(name.as_str())?, |value, step| match step {
            Step::Field(name) => value.get_ref().as_table()?.get(name.as_str()),
            Step::Index(index) => value.get_ref().as_array()?.get(*index),
        })
    }

    /// Where the value at `key` stands.
    pub(crate) fn find(&self, key: &Key) -> Option<Range<usize>> {
        self.value(key).map(Spanned::span)
    }

    /// Where `key` stands, or the nearest table or array around it.
    pub(crate) fn find_around(&self, key: &Key) -> Range<usize> {
        let mut key = key.clone();
        loop {
            if let Some(span) = self.find(&key) {
                return span;
            }
            match key.split_last() {
                Some((outer, _)) => key = outer,
                None => return 0..0,
            }
        }
    }

    /// The text at `span`, if it is a short value on one line.
    pub(crate) fn text(&self, span: &Range<usize>) -> Option<String> {
        let Indexed { file, shown, base, .. } = self.file_of(span.start)?;
        let within = span.start - base..span.end.checked_sub(*base)?;
        let text = shown.get(within.clone())?;
        let concealed = file.text.get(within) != Some(text);
        (!concealed && !text.is_empty() && !text.contains('\n') && text.len() <= 200)
            .then(|| text.to_owned())
    }

    /// Line, column and excerpt of `span`. With `cut`, the excerpt ends where the span does: what follows may
    /// be a secret.
    pub(crate) fn place(&self, span: &Range<usize>, cut: bool) -> Option<Place> {
        let Indexed { file, shown, base, lines } = self.file_of(span.start)?;
        let start = floor(shown, span.start - base);
        let end = floor(shown, span.end.saturating_sub(*base)).max(start);
        let line = lines.partition_point(|begin| *begin <= start);
        let line_start = lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let line_end = lines.get(line).map_or(shown.len(), |next| next - 1);
        let end = end.min(line_end);
        let shown_end = if cut { end } else { line_end };
        let column = shown[line_start..start].chars().count() + 1;
        let width = shown[start..end].chars().count();
        let excerpt = shown[line_start..shown_end].trim_end_matches('\r').to_owned();
        Some(Place { file: file.path.clone(), line, column, excerpt, width })
    }

    /// The file that holds `offset`.
    fn file_of(&self, offset: usize) -> Option<&Indexed<'t>> {
        let after = self.files.partition_point(|file| file.base <= offset);
        self.files.get(after.checked_sub(1)?)
    }
}

/// The nearest character boundary at or before `offset`.
fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

fn key_file_misfit(span: Range<usize>) -> Misfit {
    let why = "the file holds a key and no configuration";
    let allowed = "a configuration, which names the file of its key by `private_key_file`";
    Misfit { key: Key::default(), span, invalid: Invalid::new(why, allowed) }
}

fn bracket_misfit(single: &brackets::SingleBrackets, base: usize) -> Misfit {
    let why = "one section in single brackets, where each of several has double ones";
    let allowed = format!("did you mean `[[{}]]`?", single.name);
    Misfit {
        key: Key::default(),
        span: single.header.start + base..single.header.end + base,
        invalid: Invalid::new(why, allowed),
    }
}

fn syntax_misfit(error: &toml::de::Error, base: usize) -> Misfit {
    let span = error.span().unwrap_or(0..0);
    let (why, allowed) = crate::text::split_expected(error.message());
    let allowed = allowed.unwrap_or("TOML 1.0").to_owned();
    Misfit {
        key: Key::default(),
        span: span.start + base..span.end + base,
        invalid: Invalid::new(why, allowed),
    }
}
