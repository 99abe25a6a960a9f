//! SIGHUP: what is new takes effect, what stays is not disturbed, what is wrong changes nothing.

use crate::ringwall;
use anyhow::{Result, ensure};
use lab::{
    GatewaySettings, KeyPair, PeerSettings, PingReport, SERVER_V4, Tunnel, TunnelOptions,
    continuous_ping, ping, wait_until,
};
use std::time::Duration;

/// Four megabytes take about four seconds.
const PACE: u32 = 1_000_000;

fn another_peer() -> Result<PeerSettings> {
    Ok(PeerSettings {
        name: "added".to_owned(),
        public_key: KeyPair::generate()?.public,
        preshared_key: None,
        endpoint: None,
        allowed_ips: vec!["10.8.0.99/32".to_owned()],
    })
}

#[test]
fn a_download_survives_a_reload_that_adds_and_removes_peers() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&TunnelOptions { clients: 2, ..ringwall() }, |tunnel| {
        let client = tunnel.client_side();
        let interface = tunnel.clients[0].name().to_owned();
        client.run(&format!("ip route add {SERVER_V4}/32 dev {interface}"))?;
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        let pings = continuous_ping(&tunnel.lab, &client, SERVER_V4, 20)?;
        let mut download = tunnel.web.download(&tunnel.lab, &client, SERVER_V4, Some(PACE))?;
        wait_until("the download begins", Duration::from_secs(5), || download.progress() > 0)?;
        let mut settings = tunnel.settings.clone();
        settings.peers.truncate(1);
        settings.peers.push(another_peer()?);
        ensure!(tunnel.ringwall()?.reload(&settings)?, "the reload was refused");
        ensure!(download.is_running(), "the download was over before the reload");
        download.finish(Duration::from_secs(30))?;
        let report = pings.report()?;
        ensure!(report.sent - report.received <= 1, "the reload lost packets: {report:?}");
        let peers = tunnel.ringwall()?.verb("show peers --json")?;
        ensure!(peers.contains("added") && !peers.contains("client1"), "shown peers:\n{peers}");
        Ok(())
    })
}

#[test]
fn a_removed_peer_is_cut_within_a_second_and_the_others_stay() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&TunnelOptions { clients: 2, ..ringwall() }, |tunnel| {
        let client = tunnel.client_side();
        let stays = format!("-I {}", tunnel.clients[0].name());
        let goes = format!("-I {}", tunnel.clients[1].name());
        for options in [&stays, &goes] {
            ensure!(ping(&client, SERVER_V4, 3, options)?.complete(), "{options} does not work");
        }
        let settings = tunnel.settings.clone();
        let peers = settings.peers[..1].to_vec();
        let reduced = GatewaySettings { peers, ..settings.clone() };
        ensure!(tunnel.ringwall()?.reload(&reduced)?, "the reload was refused");
        std::thread::sleep(Duration::from_secs(1));
        let report = ping(&client, SERVER_V4, 10, &goes)?;
        ensure!(report.received == 0, "the removed peer still passes: {report:?}");
        ensure!(ping(&client, SERVER_V4, 10, &stays)?.complete(), "the other peer was cut too");

        ensure!(tunnel.ringwall()?.reload(&settings)?, "the second reload was refused");
        // Its client may wait out a handshake retry of five seconds before it calls again.
        wait_until("the peer that came back passes", Duration::from_secs(20), || {
            ping(&client, SERVER_V4, 3, &goes).is_ok_and(|report| report.received > 0)
        })
    })
}

#[test]
fn a_wrong_configuration_is_refused_and_the_running_one_stays() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let client = tunnel.client_side();
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        let pings = continuous_ping(&tunnel.lab, &client, SERVER_V4, 20)?;
        let gateway = tunnel.ringwall()?;
        let before = gateway.json("status", "status")?["generation"].clone();
        for text in ["", "version = 1\n[gateway]\nworkrs = 2\n", "version = 1\n[wireguard\n"] {
            ensure!(!gateway.reload_text(text)?, "applied: {text:?}");
            ensure!(gateway.is_running(), "the gateway ended over {text:?}");
        }
        let after = gateway.json("status", "status")?["generation"].clone();
        ensure!(before == after, "a refused configuration left traces: {before} became {after}");
        let report = pings.report()?;
        ensure!(report.sent - report.received <= 1, "refused reloads lost packets: {report:?}");
        Ok(())
    })
}

#[test]
fn a_new_private_key_is_taken_over_while_sessions_stay() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&TunnelOptions { clients: 2, ..ringwall() }, |tunnel| {
        let client = tunnel.client_side();
        let learns = format!("-I {}", tunnel.clients[0].name());
        let does_not = format!("-I {}", tunnel.clients[1].name());
        for options in [&learns, &does_not] {
            ensure!(ping(&client, SERVER_V4, 3, options)?.complete(), "{options} does not work");
        }
        let keys = KeyPair::generate()?;
        let settings =
            GatewaySettings { private_key: keys.private.clone(), ..tunnel.settings.clone() };
        ensure!(tunnel.ringwall()?.reload(&settings)?, "the reload was refused");
        let shown = tunnel.ringwall()?.json("show peers", "peers")?["public_key"].clone();
        ensure!(shown == keys.public.as_str(), "shown public key: {shown}");
        for options in [&learns, &does_not] {
            let report = ping(&client, SERVER_V4, 10, options)?;
            ensure!(report.complete(), "{options}: the session did not stay: {report:?}");
        }

        let allowed = "allowed-ips 198.51.100.0/24 endpoint 192.0.2.1:51820";
        let forget = |interface: &lab::Interface| -> Result<String> {
            let old = interface.wg("show", "peers")?.trim().to_owned();
            interface.wg("set", &format!("peer {old} remove"))?;
            Ok(old)
        };
        forget(&tunnel.clients[0])?;
        tunnel.clients[0].wg("set", &format!("peer {} {allowed}", keys.public))?;
        wait_until("the client that has the new key passes", Duration::from_secs(20), || {
            ping(&client, SERVER_V4, 3, &learns).is_ok_and(PingReport::complete)
        })?;
        let old = forget(&tunnel.clients[1])?;
        tunnel.clients[1].wg("set", &format!("peer {old} {allowed}"))?;
        let report = ping(&client, SERVER_V4, 5, &does_not)?;
        ensure!(report.received == 0, "the old key got a session: {report:?}");
        ensure!(tunnel.ringwall()?.drops("wg_mac1_invalid")? > 0, "nothing is counted");
        Ok(())
    })
}
