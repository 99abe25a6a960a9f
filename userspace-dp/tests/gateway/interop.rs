//! Ringwall with other implementations, as responder and as initiator, over and inside both families.

use crate::{check_both_families, ringwall};
use anyhow::{Result, ensure};
use lab::{
    Implementation, KeyPair, SERVER_V4, SERVER_V6, Start, Tunnel, TunnelOptions, iperf, ping,
    preshared_key,
};

#[test]
fn wireguard_go_calls_ringwall() -> Result<()> {
    check_both_families(&ringwall())
}

#[test]
fn boringtun_calls_ringwall() -> Result<()> {
    check_both_families(&TunnelOptions { client: Implementation::Boringtun, ..ringwall() })
}

#[test]
fn ringwall_calls_wireguard_go() -> Result<()> {
    check_both_families(&TunnelOptions { start: Start::GatewayCalls, ..ringwall() })
}

#[test]
fn ringwall_calls_boringtun() -> Result<()> {
    check_both_families(&TunnelOptions {
        client: Implementation::Boringtun,
        start: Start::GatewayCalls,
        ..ringwall()
    })
}

#[test]
fn a_preshared_key_is_honoured_whoever_calls() -> Result<()> {
    check_both_families(&TunnelOptions { preshared: true, ..ringwall() })?;
    check_both_families(&TunnelOptions {
        preshared: true,
        start: Start::GatewayCalls,
        ..ringwall()
    })
}

#[test]
fn a_wrong_preshared_key_gets_no_session() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&TunnelOptions { preshared: true, ..ringwall() }, |tunnel| {
        let client = tunnel.client_side();
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the right key does not work");
        let wrong = tunnel.lab.path("wrong.psk");
        std::fs::write(&wrong, preshared_key()?)?;
        let interface = &tunnel.clients[0];
        let peer = interface.wg("show", "peers")?.trim().to_owned();
        // Taken away and added again: the client forgets its session and must shake hands with the wrong key.
        let allowed = "allowed-ips 198.51.100.0/24 endpoint 192.0.2.1:51820";
        interface.wg("set", &format!("peer {peer} remove"))?;
        interface.wg("set", &format!("peer {peer} {allowed} preshared-key {}", wrong.display()))?;
        let report = ping(&client, SERVER_V4, 5, "")?;
        ensure!(report.received == 0, "a wrong preshared key got through: {report:?}");
        Ok(())
    })
}

#[test]
fn an_unknown_key_gets_no_session() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let client = tunnel.client_side();
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the known key does not work");
        let stranger = tunnel.lab.path("stranger.key");
        std::fs::write(&stranger, KeyPair::generate()?.private)?;
        tunnel.clients[0].wg("set", &format!("private-key {}", stranger.display()))?;
        let report = ping(&client, SERVER_V4, 5, "")?;
        ensure!(report.received == 0, "a stranger got through: {report:?}");
        Ok(())
    })
}

#[test]
fn iperf3_runs_both_ways_over_both_families() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let (client, server) = (tunnel.client_side(), tunnel.server_side());
        for target in [SERVER_V4, SERVER_V6] {
            for options in ["", "--reverse", "--parallel 4"] {
                let run = iperf(&tunnel.lab, &client, &server, target, 2, options)?;
                println!("{target} {options}: {:.0} Mbit/s", run.mbit_per_s);
                ensure!(run.bytes > 0, "{target} {options}: nothing arrived");
            }
        }
        Ok(())
    })
}
