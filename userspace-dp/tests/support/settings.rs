//! The configuration of a gateway under test, as a value that renders to the file an operator would write.

use anyhow::Result;
use std::fmt::Write;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// One `[[wireguard.peer]]`.
#[derive(Debug, Clone)]
pub struct PeerSettings {
    /// Its name in the configuration.
    pub name: String,
    /// Public key, base64.
    pub public_key: String,
    /// Preshared key, base64.
    pub preshared_key: Option<String>,
    /// Where the gateway calls it; none for a peer that must call first.
    pub endpoint: Option<SocketAddr>,
    /// Prefixes behind it.
    pub allowed_ips: Vec<String>,
}

/// A whole configuration.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// Workers.
    pub workers: u32,
    /// The CPUs that workers are pinned to; empty for the gateway's own choice.
    pub cpus: Vec<u32>,
    /// `adaptive`, `busy` or `interrupt`.
    pub poll_mode: &'static str,
    /// Attached interfaces, each with its zone.
    pub interfaces: Vec<(&'static str, &'static str)>,
    /// Name of the tunnel device; empty for a gateway without tunnels.
    pub tunnel_interface: String,
    /// Private key, base64.
    pub private_key: String,
    /// UDP port of the tunnels.
    pub listen_port: u16,
    /// Tunnel addresses with prefix length.
    pub addresses: Vec<String>,
    /// Peers.
    pub peers: Vec<PeerSettings>,
    /// `[[policy]]` tables, as text.
    pub policy: String,
}

/// Tunnels reach the gateway and the network behind it, and are reached from there; nothing else passes.
pub(crate) const TUNNEL_POLICY: &str = r#"
[[policy]]
name = "tunnel-to-lan"
from = "vpn"
to = "lan"
action = "allow"

[[policy]]
name = "lan-to-tunnel"
from = "lan"
to = "vpn"
action = "allow"

[[policy]]
name = "tunnel-to-gateway"
from = "vpn"
to = "local"
action = "allow"

[[policy]]
name = "gateway-to-tunnel"
from = "local"
to = "vpn"
action = "allow"
"#;

impl GatewaySettings {
    /// Writes the key files and `gateway.toml` into `directory`, and returns the latter's path.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, directory: &Path) -> Result<PathBuf> {
        let mut text = self.gateway_tables(directory);
        if !self.tunnel_interface.is_empty() {
            write_secret(&directory.join("gateway.key"), &self.private_key)?;
            text += &self.wireguard_table(directory);
            for peer in &self.peers {
                text += &peer_table(peer, directory)?;
            }
        }
        let path = directory.join("gateway.toml");
        fs::write(&path, text + &self.policy)?;
        Ok(path)
    }

    fn gateway_tables(&self, directory: &Path) -> String {
        let mut text = format!(
            "version = 1\n\n[gateway]\nname = \"lab\"\nworkers = {}\ncpus = {:?}\npoll_mode = \"{}\"\n",
            self.workers, self.cpus, self.poll_mode
        );
        let mut zones: Vec<&str> = self.interfaces.iter().map(|(_, zone)| *zone).collect();
        if !self.tunnel_interface.is_empty() {
            zones.push("vpn");
        }
        zones.dedup();
        // Writing to a String cannot fail.
        for (name, zone) in &self.interfaces {
            let _ = write!(text, "\n[[interface]]\nname = \"{name}\"\nzone = \"{zone}\"\n");
        }
        for zone in zones {
            let _ = write!(text, "\n[[zone]]\nname = \"{zone}\"\n");
        }
        let _ = write!(
            text,
            "\n[telemetry]\nlisten = \"127.0.0.1:9586\"\ncontrol_socket = \"{}\"\n",
            control_socket(directory).display()
        );
        text
    }

    fn wireguard_table(&self, directory: &Path) -> String {
        format!(
            "\n[wireguard]\ninterface = \"{}\"\nprivate_key_file = \"{}\"\nlisten_port = {}\n\
             addresses = {:?}\nzone = \"vpn\"\n",
            self.tunnel_interface,
            directory.join("gateway.key").display(),
            self.listen_port,
            self.addresses
        )
    }
}

fn peer_table(peer: &PeerSettings, directory: &Path) -> Result<String> {
    let mut text = format!(
        "\n[[wireguard.peer]]\nname = \"{}\"\npublic_key = \"{}\"\nallowed_ips = {:?}\n",
        peer.name, peer.public_key, peer.allowed_ips
    );
    if let Some(endpoint) = peer.endpoint {
        let _ = writeln!(text, "endpoint = \"{endpoint}\"");
    }
    if let Some(key) = &peer.preshared_key {
        let path = directory.join(format!("{}.psk", peer.name));
        write_secret(&path, key)?;
        let _ = writeln!(text, "preshared_key_file = \"{}\"", path.display());
    }
    Ok(text)
}

/// Where the gateway configured in `directory` serves its control socket.
pub(crate) fn control_socket(directory: &Path) -> PathBuf {
    directory.join("control.sock")
}

fn write_secret(path: &Path, secret: &str) -> Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{secret}")?;
    Ok(())
}
