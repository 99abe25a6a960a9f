//! `[telemetry]` and `[security]`.

use crate::values::Listen;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Metrics, control socket, logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Telemetry {
    /// Where `/metrics`, `/healthz` and `/readyz` are served: `"address:port"`, `"unix:/path"`, or `"off"`. A unix
    /// socket may be opened by the gateway's user and the group of its file, which a directory with the setgid bit
    /// gives it.
    #[schemars(extend("x-failure" = "An address other than loopback is refused unless `allow_remote` is set: there is no authentication."))]
    pub listen: Listen,

    /// Whether `listen` may be an address that other machines reach.
    #[schemars(extend("x-failure" = "When on, whoever reaches the address reads the metrics."))]
    pub allow_remote: bool,

    /// The unix socket on which `ringwall status` and `ringwall show` reach the daemon.
    #[schemars(extend("x-failure" = "A directory that cannot be made fails the start. Other paths need `--socket` on the command line."))]
    pub control_socket: PathBuf,

    /// The least important messages that are logged.
    #[schemars(extend("x-reload" = true, "x-failure" = "`debug` and `trace` describe control's work, never single packets."))]
    pub log_level: LogLevel,

    /// The form of log lines. `auto` is text, without time stamps under systemd, whose journal has its own.
    #[schemars(extend("x-failure" = "None: it is only the form."))]
    pub log_format: LogFormat,

    /// Up to this many peers, metrics have series per peer.
    #[schemars(range(min = 0, max = 1048576), extend("x-unit" = "peers", "x-failure" = "Many series burden the monitoring system; above the limit only totals are exported."))]
    pub per_peer_series: u32,
}

/// The least important messages that are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum LogLevel {
    /// What does not work.
    Error,
    /// What may page somebody.
    Warn,
    /// What an operator cares about.
    Info,
    /// What a developer cares about.
    Debug,
    /// Everything.
    Trace,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum LogFormat {
    /// Text, without time stamps under systemd.
    Auto,
    /// Text.
    Text,
    /// JSON lines.
    Json,
}

/// What the process may do and who may ask it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Security {
    /// Whether capabilities that are not needed after start are given up. The control thread keeps CAP_NET_ADMIN and
    /// CAP_BPF, to follow changes of peers, routes and addresses; all other threads keep none, and no program that
    /// the process might start regains any.
    #[schemars(extend("x-failure" = "When off, a flaw in the process is worth more to an attacker. When on, a reload reads only files that the daemon's user may read, root's bypass of permissions being gone."))]
    pub drop_capabilities: bool,

    /// Users that may read through the control socket, besides root and the daemon's own user.
    #[schemars(extend("x-unit" = "user ids", "x-failure" = "Others are refused (exit code 77)."))]
    pub control_read_uids: Vec<u32>,

    /// Users that may change things through the control socket, besides root and the daemon's own user. This version
    /// has nothing to change there: a reload is a SIGHUP.
    #[schemars(extend("x-unit" = "user ids", "x-failure" = "Others are refused (exit code 77)."))]
    pub control_change_uids: Vec<u32>,
}

/// Where the daemon's control socket is by default; the command line looks there too.
pub(crate) const CONTROL_SOCKET: &str = "/run/ringwall/ringwall.sock";

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            listen: Listen::Tcp(std::net::SocketAddr::from(([127, 0, 0, 1], 9586))),
            allow_remote: false,
            control_socket: PathBuf::from(CONTROL_SOCKET),
            log_level: LogLevel::Info,
            log_format: LogFormat::Auto,
            per_peer_series: 1000,
        }
    }
}

impl Default for Security {
    fn default() -> Self {
        Self {
            drop_capabilities: true,
            control_read_uids: Vec::new(),
            control_change_uids: Vec::new(),
        }
    }
}
