//! Starts wireguard-go, as Debian packages it.

use crate::background::Background;
use crate::network::Namespace;
use anyhow::Result;
use std::path::Path;

/// Starts it in the foreground on a new TUN device called `interface`. Its log tells of handshakes, not of packets.
pub(crate) fn start(namespace: &Namespace, interface: &str, log: &Path) -> Result<Background> {
    let mut command = namespace.command("wireguard-go");
    Background::start(command.args(["-f", interface]).env("LOG_LEVEL", "verbose"), log)
}
