//! The configuration that ships with the lab is one that the gateway takes.

use anyhow::{Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn the_lab_configuration_passes_the_check() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/lab/gateway.toml");
    let configuration = folder.path().join("gateway.toml");
    fs::copy(shipped, &configuration)?;
    let ringwall = || Command::new(env!("CARGO_BIN_EXE_ringwall"));
    let key = ringwall().arg("genkey").output()?;
    let path = folder.path().join("gateway.key");
    fs::write(&path, key.stdout)?;
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let check = ringwall().arg("check").arg(&configuration).output()?;
    ensure!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    Ok(())
}
