//! A client that moves to another address and port keeps its transfers.

use crate::ringwall;
use anyhow::{Result, ensure};
use lab::{Family, Implementation, SERVER_V4, Start, Tunnel, TunnelOptions, ping, wait_until};
use std::time::Duration;

/// Four megabytes take about eight seconds: time to move in the middle.
const PACE: u32 = 500_000;

fn roams(client: Implementation) -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&TunnelOptions { client, ..ringwall() }, |tunnel| {
        let outside = tunnel.client_side();
        ensure!(ping(&outside, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        let mut download = tunnel.web.download(&tunnel.lab, &outside, SERVER_V4, Some(PACE))?;
        wait_until("the download begins", Duration::from_secs(5), || download.progress() > 0)?;
        outside.run("ip address add 192.0.2.77/24 dev eth0")?;
        outside.run("ip address del 192.0.2.2/24 dev eth0")?;
        tunnel.clients[0].wg("set", "listen-port 40777")?;
        ensure!(download.is_running(), "the download was over before the client moved");
        download.finish(Duration::from_secs(60))?;
        let peers = tunnel.ringwall()?.verb("show peers --json")?;
        ensure!(peers.contains("192.0.2.77:40777"), "the new endpoint is not shown:\n{peers}");
        Ok(())
    })
}

#[test]
fn a_download_survives_a_wireguard_go_client_that_moves() -> Result<()> {
    roams(Implementation::WireguardGo)
}

#[test]
fn a_download_survives_a_boringtun_client_that_moves() -> Result<()> {
    roams(Implementation::Boringtun)
}

#[test]
fn the_gateway_moves_back_to_a_client_that_it_called() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&TunnelOptions { start: Start::GatewayCalls, ..ringwall() }, |tunnel| {
        let (outside, server) = (tunnel.client_side(), tunnel.server_side());
        let inner = Tunnel::client_addresses(0)[0];
        ensure!(ping(&server, inner, 3, "")?.complete(), "the tunnel does not work");
        tunnel.clients[0].wg("set", "listen-port 40778")?;
        // The client's next packet carries its new port; from then on the server reaches it there.
        ensure!(ping(&outside, SERVER_V4, 3, "")?.complete(), "the moved client is not heard");
        ensure!(ping(&server, inner, 3, "")?.complete(), "the moved client is not reached");
        Ok(())
    })
}

/// A stack on the same machine leaves the outer UDP checksum to hardware that a virtual device does not have.
fn moves_with_half_done_checksums(outer: Family) -> Result<()> {
    Tunnel::with(&TunnelOptions { outer, ..ringwall() }, |tunnel| {
        let outside = tunnel.client_side();
        outside.run("ethtool -K eth0 tx on")?;
        let offloads = outside.run("ethtool -k eth0")?;
        ensure!(offloads.contains("tx-checksumming: on"), "no such offload:\n{offloads}");
        ensure!(ping(&outside, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        tunnel.clients[0].wg("set", "listen-port 40779")?;
        ensure!(ping(&outside, SERVER_V4, 3, "")?.complete(), "the moved client is not heard");
        let gateway = tunnel.ringwall()?;
        let peers = gateway.verb("show peers --json")?;
        ensure!(peers.contains(":40779"), "the new endpoint is not shown:\n{peers}");
        ensure!(gateway.drops("wg_outer_checksum")? == 0, "packets were refused");
        Ok(())
    })
}

#[test]
fn a_client_on_the_same_machine_moves_with_checksums_half_done() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    [Family::V4, Family::V6].into_iter().try_for_each(moves_with_half_done_checksums)
}
