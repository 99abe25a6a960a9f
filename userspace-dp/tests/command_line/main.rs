//! The binary as an operator meets it: exit codes, what goes to stdout, what goes to stderr, what it says.

mod check;
mod daemon;
mod keys;
mod usage;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What a run of the binary did.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs the binary in `directory`, with `input` on stdin.
fn ringwall_in(directory: &Path, arguments: &[&str], input: &str) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringwall"));
    command.args(arguments).current_dir(directory).env_remove("NO_COLOR");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    // A verb that does not read its input may be gone before it is written.
    let _ = child.stdin.take().expect("stdin is piped").write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().expect("the binary ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Run { code: status.code().expect("no signal"), stdout: text(stdout), stderr: text(stderr) }
}

fn ringwall(arguments: &[&str]) -> Run {
    ringwall_in(Path::new("/"), arguments, "")
}

/// A directory with a configuration that is good, and its key.
struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        let scratch = Self(tempfile::tempdir().expect("a scratch directory"));
        let key = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n";
        scratch.key_file("private.key", key, 0o600);
        scratch
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    }

    fn key_file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.file(name, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        path
    }
}
