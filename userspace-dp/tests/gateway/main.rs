//! Root tests of the whole gateway between network namespaces, against real WireGuard implementations.
//!
//! Each test builds its own lab, so that they run side by side; without root each prints that it is skipped.

mod accounting;
mod configuration;
mod flood;
mod interop;
mod lifecycle;
mod neighbours;
mod path_mtu;
mod policy;
mod privileges;
mod reference;
mod rekey;
mod reload;
mod roaming;
mod routes;
mod vlan;

use anyhow::{Result, ensure};
use lab::{
    Family, GATEWAY_TUNNEL_V4, GATEWAY_TUNNEL_V6, GatewayKind, SERVER_V4, SERVER_V6, Start, Tunnel,
    TunnelOptions, ping,
};
use std::time::Duration;

/// The usual scene around the binary under test.
fn ringwall() -> TunnelOptions {
    TunnelOptions::new(GatewayKind::Ringwall(env!("CARGO_BIN_EXE_ringwall").into()))
}

/// What every tunnel must carry: pings from whoever calls first, then both ways over both families, to the gateway's
/// own tunnel address too, and downloads without a wrong byte.
fn carries_everything(tunnel: &mut Tunnel, start: Start) -> Result<()> {
    let (client, server) = (tunnel.client_side(), tunnel.server_side());
    let inner = Tunnel::client_addresses(0);
    let from_client = [SERVER_V4, SERVER_V6, GATEWAY_TUNNEL_V4, GATEWAY_TUNNEL_V6];
    let mut turns = Vec::from(from_client.map(|target| (&client, target)));
    turns.extend(inner.map(|target| (&server, target)));
    if start == Start::GatewayCalls {
        turns.rotate_right(inner.len());
    }
    for (namespace, target) in turns {
        let report = ping(namespace, target, 5, "")?;
        ensure!(report.complete(), "{namespace} to {target}: {report:?}");
    }
    for address in [SERVER_V4, SERVER_V6] {
        let download = tunnel.web.download(&tunnel.lab, &client, address, None)?;
        download.finish(Duration::from_secs(30))?;
    }
    Ok(())
}

/// Builds the scene and checks that it carries everything.
fn check_tunnel(options: &TunnelOptions) -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(options, |tunnel| carries_everything(tunnel, options.start))
}

/// Both outer families in turn.
fn check_both_families(options: &TunnelOptions) -> Result<()> {
    for outer in [Family::V4, Family::V6] {
        check_tunnel(&TunnelOptions { outer, ..options.clone() })?;
    }
    Ok(())
}
