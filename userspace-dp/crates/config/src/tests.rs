//! Whole files, good and bad, and what is said of them.

mod drop_ins;
mod files;
mod noise;
mod problems;
mod rule_order;

use crate::{Config, Diagnostic, Loaded, Rejected, Severity};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A directory with a good private key in it.
pub(crate) struct Scratch(tempfile::TempDir);

pub(crate) fn scratch() -> Scratch {
    let scratch = Scratch(tempfile::tempdir().expect("a scratch directory"));
    scratch.key_file("private.key", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n", 0o600);
    scratch
}

impl Scratch {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(&path, text).expect("a file");
        path
    }

    pub(crate) fn key_file(&self, name: &str, text: &str, mode: u32) {
        let path = self.file(name, text);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    }

    /// A good configuration that holds one of everything.
    pub(crate) fn sample(&self) -> String {
        include_str!("tests/sample.toml").to_owned()
    }

    pub(crate) fn load(&self, text: &str) -> Result<Loaded, Rejected> {
        Config::load(&self.file("ringwall.toml", text))
    }

    /// What is said of the sample with `from` replaced by `to`.
    fn told(&self, from: &str, to: &str) -> Vec<Diagnostic> {
        let text = self.sample();
        assert!(text.contains(from), "the sample has no `{from}`");
        match self.load(&text.replacen(from, to, 1)) {
            Ok(loaded) => loaded.warnings,
            Err(rejected) => rejected.diagnostics,
        }
    }
}

/// Severity, key, value and message of each diagnostic, for comparison.
fn rows(diagnostics: &[Diagnostic]) -> Vec<(Severity, &str, &str, &str)> {
    diagnostics
        .iter()
        .map(|one| {
            let value = one.value.as_deref().unwrap_or_default();
            (one.severity, one.key.as_str(), value, one.message.as_str())
        })
        .collect()
}
