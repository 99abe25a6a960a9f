//! From files to a checked [`Config`], or to every problem in them.
//!
//! Files are merged into one tree (`source`), the tree is read into the model (`read`), and the model is
//! checked (`check`); each step adds to the same findings, so one run finds all problems.

use crate::check::{self, KeyFiles};
use crate::diagnostic::{Diagnostic, Rejected, Severity};
use crate::findings::Findings;
use crate::key::Key;
use crate::model::{Config, VERSION};
use crate::read::Reader;
use crate::source::{self, Document, SourceFile};
use std::io;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::DeValue;

/// What was found of a configuration that nobody runs: all but the keys in files that this user may not read.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// How many interfaces it has.
    pub interfaces: usize,
    /// How many peers.
    pub peers: usize,
    /// How many rules.
    pub rules: usize,
    /// What works but is probably not as meant, and what was not checked.
    pub warnings: Vec<Diagnostic>,
}

/// A configuration that passed its checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration, defaults filled in, keys read.
    pub config: Config,
    /// What works but is probably not as meant.
    pub warnings: Vec<Diagnostic>,
    /// The files it was read from, in order.
    pub files: Vec<PathBuf>,
}

impl Config {
    /// Checks the file at `path` as [`load`](Self::load) does, for somebody who need not be the daemon's user: a key
    /// file that this user may not read is a warning. What comes back cannot be run.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn check(path: &Path) -> Result<Checked, Rejected> {
        let Loaded { config, warnings, .. } = load(path, ForbiddenKeys::AreLeft)?;
        let peers = config.wireguard.as_ref().map_or(0, |wireguard| wireguard.peer.len());
        let (interfaces, rules) = (config.interface.len(), config.policy.len());
        Ok(Checked { interfaces, peers, rules, warnings })
    }

    /// Reads the file at `path`, merges the drop-ins from the directory beside it (`ringwall.toml` and
    /// `ringwall.d/*.toml`), and checks the whole. Key files are read; nothing else is touched.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn load(path: &Path) -> Result<Loaded, Rejected> {
        load(path, ForbiddenKeys::AreRefused)
    }

    /// Reads a configuration from `text`. Relative paths in it start at `base_dir`.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn parse(text: &str, base_dir: &Path) -> Result<Loaded, Rejected> {
        let file = SourceFile { path: PathBuf::from("<text>"), text: text.to_owned() };
        build(&[file], base_dir, ForbiddenKeys::AreRefused)
    }
}

/// What becomes of key files that this user may not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForbiddenKeys {
    /// Without them nothing can run.
    AreRefused,
    /// They are not checked, which is said.
    AreLeft,
}

fn load(path: &Path, forbidden: ForbiddenKeys) -> Result<Loaded, Rejected> {
    let files = source::read_files(path).map_err(|(path, error)| unreadable(&path, &error))?;
    build(&files, path.parent().unwrap_or(Path::new("")), forbidden)
}

fn unreadable(path: &Path, error: &io::Error) -> Rejected {
    let message = format!("{} cannot be read: {error}", path.display());
    let (key, value, allowed, place) = (String::new(), None, None, None);
    let diagnostic = Diagnostic { severity: Severity::Error, key, value, message, allowed, place };
    let no_permission = error.kind() == io::ErrorKind::PermissionDenied;
    Rejected { diagnostics: vec![diagnostic], no_permission }
}

fn build(
    files: &[SourceFile],
    base_dir: &Path,
    forbidden: ForbiddenKeys,
) -> Result<Loaded, Rejected> {
    let (document, misfits) = Document::new(files);
    let mut findings = Findings::new(&document);
    let broken = misfits.iter().any(|misfit| misfit.key == Key::default());
    for misfit in misfits {
        findings.misfit(misfit);
    }
    if broken || !version_is_ours(&document, &mut findings) {
        return Err(findings.refuse());
    }
    let (mut config, whole) = Reader::new(&document, &mut findings).config();
    let keys = KeyFiles { base_dir, forbidden };
    check::check(&mut config, &document, &keys, whole, &mut findings);
    let warnings = findings.finish()?;
    let files = files.iter().map(|file| file.path.clone()).collect();
    Ok(Loaded { config, warnings, files })
}

/// Another version may mean other things by the same keys, so nothing else is looked at.
fn version_is_ours(document: &Document<'_>, findings: &mut Findings<'_>) -> bool {
    let key = Key::top("version");
    match document.value(&key).map(Spanned::get_ref) {
        Some(DeValue::Integer(version)) if version.as_str() != VERSION.to_string() => {
            findings.error(&key, "unknown version of the file format", VERSION.to_string());
            false
        }
        _ => true,
    }
}
