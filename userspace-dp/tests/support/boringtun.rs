//! Starts boringtun-cli, which `scripts/setup.sh peers` builds into `target/peers`.

use crate::background::Background;
use crate::network::Namespace;
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};

/// Starts it in the foreground on a new TUN device called `interface`. Two threads: the machine's cores in CI.
pub(crate) fn start(namespace: &Namespace, interface: &str, log: &Path) -> Result<Background> {
    let program = program();
    ensure!(program.exists(), "boringtun-cli is missing: run scripts/setup.sh peers");
    let mut command = namespace.command(&program.display().to_string());
    command.args(["--foreground", "--disable-drop-privileges", "--threads", "2"]);
    // A connected socket would keep it from answering at a peer's new address, and from moving itself.
    command.arg("--disable-connected-udp");
    command.args(["--verbosity", "error", interface]);
    Background::start(&mut command, log)
}

fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/peers/bin/boringtun-cli")
}
