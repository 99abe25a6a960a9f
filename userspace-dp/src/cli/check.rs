//! `check`: is this configuration good? Also how a refused configuration is told, for `run`.

use super::colour::{Paint, Tone};
use super::exit::Exit;
use super::{complain, print};
use config::{Checked, Config, Diagnostic, Rejected, Severity};
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// The result as `--json` prints it.
#[derive(Serialize)]
struct Report<'a> {
    schema_version: u32,
    check: Outcome<'a>,
}

#[derive(Serialize)]
struct Outcome<'a> {
    ok: bool,
    file: &'a Path,
    interfaces: usize,
    peers: usize,
    rules: usize,
    diagnostics: &'a [Diagnostic],
}

/// Checks the file at `path`.
pub(super) fn check(path: &Path, json: bool) -> Exit {
    let result = Config::check(path);
    if json {
        return report(path, &result);
    }
    match result {
        Ok(checked) => {
            tell(&checked.warnings);
            print(&format!("ok: {}\n", Counts::of(&checked)))
        }
        Err(rejected) => refuse(path, &rejected),
    }
}

/// Tells why the configuration at `path` is refused, and what to do.
pub(super) fn refuse(path: &Path, rejected: &Rejected) -> Exit {
    tell(&rejected.diagnostics);
    let of = |severity: Severity| {
        rejected.diagnostics.iter().filter(|one| one.severity == severity).count()
    };
    let errors = plural(of(Severity::Error), "error");
    let warnings = match of(Severity::Warning) {
        0 => String::new(),
        count => format!(" and {}", plural(count, "warning")),
    };
    complain(&format!(
        "{errors}{warnings}; the configuration is refused. Next: mend it, then `ringwall check {}`",
        path.display()
    ));
    exit_of(rejected)
}

/// Tells each diagnostic on stderr.
pub(super) fn tell(diagnostics: &[Diagnostic]) {
    let mut stderr = std::io::stderr().lock();
    let paint = Paint::of(&stderr);
    for one in diagnostics {
        // Nobody is left to tell when stderr is gone.
        let _ = writeln!(stderr, "{}\n", shown(one, paint));
    }
}

fn report(path: &Path, result: &Result<Checked, Rejected>) -> Exit {
    let (counts, diagnostics, exit) = match result {
        Ok(checked) => (Counts::of(checked), &checked.warnings, Exit::Ok),
        Err(rejected) => (Counts::default(), &rejected.diagnostics, exit_of(rejected)),
    };
    let Counts { interfaces, peers, rules } = counts;
    let ok = result.is_ok();
    let check = Outcome { ok, file: path, interfaces, peers, rules, diagnostics };
    match serde_json::to_string(&Report { schema_version: 1, check }) {
        Ok(text) => print(&(text + "\n")).and(exit),
        Err(error) => {
            complain(&format!("the result cannot be written as JSON: {error}"));
            Exit::Failed
        }
    }
}

fn exit_of(rejected: &Rejected) -> Exit {
    if rejected.no_permission { Exit::NoPermission } else { Exit::BadConfiguration }
}

fn shown(diagnostic: &Diagnostic, paint: Paint) -> String {
    let text = diagnostic.to_string();
    let (tone, word) = match diagnostic.severity {
        Severity::Error => (Tone::Bad, "error:"),
        Severity::Warning => (Tone::Warn, "warning:"),
    };
    match text.strip_prefix(word) {
        Some(rest) => paint.paint(tone, word) + rest,
        None => text,
    }
}

/// What a configuration holds.
#[derive(Default)]
struct Counts {
    interfaces: usize,
    peers: usize,
    rules: usize,
}

impl Counts {
    fn of(checked: &Checked) -> Self {
        let Checked { interfaces, peers, rules, .. } = *checked;
        Self { interfaces, peers, rules }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let interfaces = plural(self.interfaces, "interface");
        write!(f, "{interfaces}, {}, {}", plural(self.peers, "peer"), plural(self.rules, "rule"))
    }
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
