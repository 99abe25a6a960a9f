//! Key changes in real time: the first comes 120 seconds into a session.

use crate::ringwall;
use anyhow::{Result, ensure};
use lab::{SERVER_V4, Start, Tunnel, TunnelOptions, continuous_ping, wait_until};
use std::time::Duration;

/// Past the rekey after 120 s, with the retry time on top.
const LIMIT: Duration = Duration::from_secs(140);

/// Pings through a session until the client reports a newer handshake, then a little longer, and none may be lost.
fn rekeys_without_loss(options: &TunnelOptions) -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(options, |tunnel| {
        let (client, server) = (tunnel.client_side(), tunnel.server_side());
        let inner = Tunnel::client_addresses(0)[0];
        let (near, target) = match options.start {
            Start::ClientsCall => (&client, SERVER_V4),
            Start::GatewayCalls => (&server, inner),
        };
        let pings = continuous_ping(&tunnel.lab, near, target, 20)?;
        let interface = &tunnel.clients[0];
        let handshake = || interface.last_handshake().unwrap_or(0);
        wait_until("the first handshake", Duration::from_secs(10), || handshake() > 0)?;
        let first = handshake();
        wait_until("the second handshake", LIMIT, || handshake() > first + 60)?;
        std::thread::sleep(Duration::from_secs(5));
        let report = pings.report()?;
        let lost = report.sent - report.received;
        // One request may be in flight when the ping is ended.
        ensure!(report.sent > 5000 && lost <= 1, "{report:?}");
        Ok(())
    })
}

#[test]
fn a_client_changes_keys_without_losing_a_packet() -> Result<()> {
    rekeys_without_loss(&ringwall())
}

#[test]
fn ringwall_changes_keys_without_losing_a_packet() -> Result<()> {
    rekeys_without_loss(&TunnelOptions { start: Start::GatewayCalls, ..ringwall() })
}
