//! The lab harness: network namespaces, real WireGuard peers, a gateway under test, and the traffic between them.
//!
//! Used by the root tests of the daemon and by the gateway benches. It drives `scripts/lab.sh`, so that a person
//! at a prompt, the demo, the tests and the benches all stand in the same network. Everything it starts ends
//! with the value that stands for it, also when a test panics; what a killed test leaves behind is swept up by
//! the next one. Every wait has a bound.
#![forbid(unsafe_code)]

mod background;
mod boringtun;
mod flood;
mod gateway;
mod keys;
mod network;
mod settings;
mod sites;
mod traffic;
mod tunnel;
mod wireguard;
mod wireguard_go;

pub use background::Background;
pub use flood::{FLOOD_SOURCES, Flood};
pub use gateway::RingwallGateway;
pub use keys::{KeyPair, preshared_key};
pub use network::{Lab, LabOptions, Namespace, Topology};
pub use rustix::process::Signal;
pub use settings::{GatewaySettings, PeerSettings};
pub use sites::{LEFT_HOST, RIGHT_HOST, Sites};
pub use traffic::{
    Download, Iperf, PingReport, WebServer, continuous_ping, iperf, ping, ping_transcript,
};
pub use tunnel::{
    Family, GATEWAY_OUTSIDE_V4, GATEWAY_TUNNEL_V4, GATEWAY_TUNNEL_V6, GatewayKind, RunningGateway,
    SERVER_V4, SERVER_V6, Start, Tunnel, TunnelOptions,
};
pub use wireguard::{Implementation, Interface, InterfaceSettings, RemotePeer};

use std::io::Write;
use std::time::{Duration, Instant};

/// Whether the lab can be used here. Without root it cannot: prints so and answers false, and the test that asked
/// returns. With root, anything that is missing makes the test fail instead.
#[must_use]
pub fn available() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        // Not by `eprintln!`: the test runner would swallow it. A closed stderr leaves nobody to tell.
        let _ = writeln!(std::io::stderr(), "skipped: namespaces and AF_XDP need root");
    }
    root
}

/// Polls `condition` every 20 ms until it holds.
///
/// # Errors
/// When it does not hold within `limit`; the message names `what` was awaited.
pub fn wait_until(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> bool,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + limit;
    while !condition() {
        anyhow::ensure!(Instant::now() < deadline, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
