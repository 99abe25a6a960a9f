//! Checks of `[gateway]`, `[telemetry]` and `[security]`.

use super::{lasting, unique, within};
use crate::findings::Findings;
use crate::key::Key;
use crate::model::{Config, Gateway, Telemetry};
use crate::values::{Duration, Listen};
use std::path::Path;

/// A path longer than this does not fit a unix socket address.
const LONGEST_SOCKET_PATH: usize = 107;

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    check_gateway(&config.gateway, findings);
    check_telemetry(&config.telemetry, findings);
}

fn check_gateway(gateway: &Gateway, findings: &mut Findings<'_>) {
    let key = Key::top("gateway");
    let cpus = key.field("cpus");
    unique(gateway.cpus.iter().enumerate().map(|(i, cpu)| (cpus.item(i), *cpu)), "a CPU", findings);
    let workers = gateway.workers.exactly().unwrap_or(0);
    if !gateway.cpus.is_empty() && u64::from(workers) > gateway.cpus.len() as u64 {
        let allowed =
            format!("at least as many CPUs as workers ({workers}), or none for a choice at start");
        findings.error(&cpus, "fewer CPUs than workers", allowed);
    }
    within(&key.field("workers"), workers, 0..=1024, findings);
    within(&key.field("busy_poll_budget"), gateway.busy_poll_budget, 1..=65535, findings);
    let heartbeat = Duration::from_millis(100)..=Duration::from_secs(60);
    lasting(&key.field("heartbeat_timeout"), gateway.heartbeat_timeout, heartbeat, findings);
    if ![2048, 4096].contains(&gateway.frame_size.bytes()) {
        findings.error(&key.field("frame_size"), "not a frame size", "\"2KiB\" or \"4KiB\"");
    }
}

fn check_telemetry(telemetry: &Telemetry, findings: &mut Findings<'_>) {
    let key = Key::top("telemetry");
    let listen = key.field("listen");
    if !telemetry.listen.is_local() && !telemetry.allow_remote {
        let allowed =
            "a loopback address, \"unix:/path\", \"off\", or `allow_remote = true` beside it";
        findings.error(&listen, "other machines could read the metrics", allowed);
    }
    let control = key.field("control_socket");
    socket_path(&control, &telemetry.control_socket, findings);
    if let Listen::Unix(path) = &telemetry.listen {
        socket_path(&listen, path, findings);
        if *path == telemetry.control_socket {
            findings.error(&listen, "the path of the control socket", "a path of its own");
        }
    }
    within(&key.field("per_peer_series"), telemetry.per_peer_series, 0..=1 << 20, findings);
}

fn socket_path(key: &Key, path: &Path, findings: &mut Findings<'_>) {
    let length = path.as_os_str().len();
    if !path.is_absolute() || path.file_name().is_none() {
        findings.error(
            key,
            "not an absolute path",
            "a path such as \"/run/ringwall/ringwall.sock\"",
        );
    } else if length > LONGEST_SOCKET_PATH {
        let allowed = format!("at most {LONGEST_SOCKET_PATH} bytes");
        findings.error(key, format!("a socket path of {length} bytes"), allowed);
    }
}
