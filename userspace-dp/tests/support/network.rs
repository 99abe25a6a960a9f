//! A lab as a value: up when made, down when dropped. All of it is built by `scripts/lab.sh`.

use crate::background::Background;
use anyhow::{Context, Result, ensure};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Which hosts and gateways there are; drawn in `scripts/lab.sh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// client, gateway, server.
    Client,
    /// left, gwleft, gwright, right.
    Sites,
}

/// How a lab is built.
#[derive(Debug, Clone, Copy)]
pub struct LabOptions {
    /// Hosts and gateways.
    pub topology: Topology,
    /// Queues per link end.
    pub queues: u32,
    /// MTU of every link.
    pub mtu: u32,
    /// Whether the gateways' kernels forward; only for reference gateways.
    pub kernel_forwarding: bool,
}

impl LabOptions {
    /// Two queues, MTU 1500, and no kernel forwarding.
    #[must_use]
    pub fn new(topology: Topology) -> Self {
        Self { topology, queues: 2, mtu: 1500, kernel_forwarding: false }
    }
}

/// A built lab, with a private folder for keys, configurations and logs.
#[derive(Debug)]
pub struct Lab {
    name: String,
    directory: tempfile::TempDir,
}

impl Lab {
    /// Builds a lab under a name of its own, so that tests run side by side.
    ///
    /// # Errors
    /// When the script fails; its message is part of the error.
    pub fn up(options: LabOptions) -> Result<Self> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let process = std::process::id();
        if SERIAL.load(Ordering::Relaxed) == 0 {
            script(&["sweep"])?;
        }
        let name = format!("t{process}n{}", SERIAL.fetch_add(1, Ordering::Relaxed));
        let topology = match options.topology {
            Topology::Client => "client",
            Topology::Sites => "sites",
        };
        let (queues, mtu) = (options.queues.to_string(), options.mtu.to_string());
        let owner = process.to_string();
        let mut arguments =
            vec!["up", "--name", &name, "--topology", topology, "--queues", &queues];
        arguments.extend(["--mtu", &mtu, "--owner", &owner]);
        if options.kernel_forwarding {
            arguments.push("--kernel-forwarding");
        }
        script(&arguments)?;
        let directory = tempfile::Builder::new().prefix("ringwall-lab-").tempdir()?;
        Ok(Self { name, directory })
    }

    /// The namespace of one host or gateway.
    #[must_use]
    pub fn namespace(&self, role: &str) -> Namespace {
        Namespace { name: format!("{}-{role}", self.name) }
    }

    /// An interface name that is unique on this machine: WireGuard control sockets share one folder.
    #[must_use]
    pub fn interface_name(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.name)
    }

    /// A private folder that lives as long as the lab.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A path in the private folder.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Err(error) = script(&["down", "--name", &self.name]) {
            eprintln!("lab {}: {error:#}", self.name);
        }
    }
}

/// One network namespace of a lab.
#[derive(Debug, Clone)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// A command that will run inside. `ip netns exec` replaces itself, so the child's process id is the program's.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs a command line (words split at blanks) for at most 60 seconds and returns its output.
    ///
    /// # Errors
    /// When it fails or runs out of time; what it printed is part of the error.
    pub fn run(&self, line: &str) -> Result<String> {
        let mut command = Command::new("timeout");
        command.args(["-k", "1", "60", "ip", "netns", "exec", &self.name]);
        output_of(command.args(line.split_whitespace()), line)
    }

    /// Starts a command line (words split at blanks) and keeps its output in `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, line: &str, log: &Path) -> Result<Background> {
        let mut words = line.split_whitespace();
        let program = words.next().context("an empty command line")?;
        Background::start(self.command(program).args(words), log)
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Runs a command to its end and returns its standard output.
pub(crate) fn output_of(command: &mut Command, name: &str) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{name}: cannot be started (scripts/setup.sh lab installs it)"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let message = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name}: {}\n{text}{message}", output.status);
    Ok(text)
}

fn script(arguments: &[&str]) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../scripts/lab.sh");
    let mut command = Command::new("timeout");
    command.args(["-k", "5", "60"]).arg(path).args(arguments);
    output_of(&mut command, "scripts/lab.sh")
}
