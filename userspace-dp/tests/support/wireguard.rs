//! A WireGuard interface of another implementation, set up with `wg` and `ip` as an operator would.

use crate::background::Background;
use crate::network::{Lab, Namespace};
use crate::{boringtun, wait_until, wireguard_go};
use anyhow::{Result, ensure};
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// Whose WireGuard it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Implementation {
    /// wireguard-go, the reference in Go.
    WireguardGo,
    /// boringtun-cli, the daemon around the boringtun crate.
    Boringtun,
}

/// One remote peer of an interface.
#[derive(Debug, Clone)]
pub struct RemotePeer {
    /// Its public key, base64.
    pub public_key: String,
    /// Preshared key, base64.
    pub preshared_key: Option<String>,
    /// Where it is; none for a peer that must call first.
    pub endpoint: Option<SocketAddr>,
    /// Prefixes that belong to it.
    pub allowed_ips: Vec<String>,
}

/// What an interface needs to come up.
#[derive(Debug, Clone)]
pub struct InterfaceSettings {
    /// Whose WireGuard.
    pub implementation: Implementation,
    /// Name; unique on the machine (see [`Lab::interface_name`]).
    pub name: String,
    /// Private key, base64.
    pub private_key: String,
    /// UDP port.
    pub listen_port: u16,
    /// Addresses with prefix length.
    pub addresses: Vec<String>,
    /// MTU of the tunnel.
    pub mtu: u32,
    /// Remote peers; each one's allowed prefixes are routed into the tunnel.
    pub peers: Vec<RemotePeer>,
}

/// A running interface; it goes away when dropped.
#[derive(Debug)]
pub struct Interface {
    process: Background,
    namespace: Namespace,
    name: String,
}

impl Interface {
    /// Starts the implementation in `namespace`, configures it and brings it up.
    ///
    /// # Errors
    /// When any step fails; the implementation's log is part of the error where it did not come up.
    pub fn start(lab: &Lab, namespace: &Namespace, settings: &InterfaceSettings) -> Result<Self> {
        let name = &settings.name;
        let log = lab.path(&format!("{name}.log"));
        let process = match settings.implementation {
            Implementation::WireguardGo => wireguard_go::start(namespace, name, &log)?,
            Implementation::Boringtun => boringtun::start(namespace, name, &log)?,
        };
        let mut interface = Self { process, namespace: namespace.clone(), name: name.clone() };
        interface.await_control_socket()?;
        let file = lab.path(&format!("{name}.conf"));
        std::fs::write(&file, configuration(settings))?;
        interface.apply("setconf", &file)?;
        for address in &settings.addresses {
            namespace.run(&format!("ip address add {address} dev {name}"))?;
        }
        namespace.run(&format!("ip link set {name} mtu {} up", settings.mtu))?;
        // Each interface has a metric of its own: several may lead to the same network, and `ping -I` picks one.
        let metric = settings.listen_port;
        for prefix in settings.peers.iter().flat_map(|peer| &peer.allowed_ips) {
            namespace.run(&format!("ip route add {prefix} dev {name} metric {metric}"))?;
        }
        Ok(interface)
    }

    fn await_control_socket(&mut self) -> Result<()> {
        let socket = Path::new("/run/wireguard").join(format!("{}.sock", self.name));
        let (process, namespace) = (&mut self.process, &self.namespace);
        let show = format!("wg show {}", self.name);
        wait_until(&format!("{} comes up", self.name), Duration::from_secs(10), || {
            !process.is_running() || (socket.exists() && namespace.run(&show).is_ok())
        })?;
        ensure!(process.is_running(), "{} ended:\n{}", self.name, process.log());
        Ok(())
    }

    fn apply(&self, verb: &str, file: &Path) -> Result<()> {
        self.wg(verb, &file.display().to_string()).map(drop)
    }

    /// Runs `wg VERB INTERFACE ARGUMENTS`.
    ///
    /// # Errors
    /// When `wg` fails.
    pub fn wg(&self, verb: &str, arguments: &str) -> Result<String> {
        self.namespace.run(&format!("wg {verb} {} {arguments}", self.name))
    }

    /// Bytes received through the tunnel, all peers.
    ///
    /// # Errors
    /// When `wg` fails.
    pub fn received_bytes(&self) -> Result<u64> {
        let table = self.wg("show", "transfer")?;
        Ok(table.lines().filter_map(|line| line.split('\t').nth(1)?.parse::<u64>().ok()).sum())
    }

    /// When the last handshake with any peer was, seconds since the Unix epoch; 0 for never. Not for boringtun, which
    /// reports an age instead.
    ///
    /// # Errors
    /// When `wg` fails.
    pub fn last_handshake(&self) -> Result<u64> {
        let table = self.wg("show", "latest-handshakes")?;
        let times = table.lines().filter_map(|line| line.split('\t').nth(1)?.parse().ok());
        Ok(times.max().unwrap_or(0))
    }

    /// Process id of the implementation.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What the implementation logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Name of the interface.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn configuration(settings: &InterfaceSettings) -> String {
    let mut text = format!(
        "[Interface]\nPrivateKey = {}\nListenPort = {}\n",
        settings.private_key, settings.listen_port
    );
    for peer in &settings.peers {
        // Writing to a String cannot fail.
        let _ = write!(text, "[Peer]\nPublicKey = {}\n", peer.public_key);
        let _ = writeln!(text, "AllowedIPs = {}", peer.allowed_ips.join(", "));
        if let Some(key) = &peer.preshared_key {
            let _ = writeln!(text, "PresharedKey = {key}");
        }
        if let Some(endpoint) = peer.endpoint {
            let _ = writeln!(text, "Endpoint = {endpoint}");
        }
    }
    text
}
