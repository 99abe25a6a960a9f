//! WireGuard keys, made by `wg`.

use crate::network::output_of;
use anyhow::{Context, Result};
use std::io::Write;
use std::process::{Command, Stdio};

/// A private key and its public key, base64.
#[derive(Clone)]
pub struct KeyPair {
    /// The secret half.
    pub private: String,
    /// The half that peers know.
    pub public: String,
}

impl KeyPair {
    /// A new pair.
    ///
    /// # Errors
    /// When `wg` is missing.
    pub fn generate() -> Result<Self> {
        let private = output_of(Command::new("wg").arg("genkey"), "wg genkey")?.trim().to_owned();
        let mut child = Command::new("wg")
            .arg("pubkey")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("wg pubkey")?;
        child.stdin.take().context("wg pubkey")?.write_all(private.as_bytes())?;
        let public = String::from_utf8(child.wait_with_output()?.stdout)?.trim().to_owned();
        Ok(Self { private, public })
    }
}

/// A new preshared key, base64.
///
/// # Errors
/// When `wg` is missing.
pub fn preshared_key() -> Result<String> {
    Ok(output_of(Command::new("wg").arg("genpsk"), "wg genpsk")?.trim().to_owned())
}
