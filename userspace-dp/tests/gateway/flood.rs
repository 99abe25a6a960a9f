//! A flood of initiations with right first MACs and forged sources: it costs next to nothing, and nobody notices.

use crate::ringwall;
use anyhow::{Context, Result, ensure};
use lab::{
    FLOOD_SOURCES, Flood, GATEWAY_OUTSIDE_V4, Interface, SERVER_V4, Tunnel, TunnelOptions, ping,
};
use std::time::{Duration, Instant};

/// Initiations a second.
const RATE: u32 = 30_000;
/// The flood ends by then, whatever happens.
const LIMIT: Duration = Duration::from_secs(60);
/// The standard limits of the gateway: initiations at once, and a second.
const BURST: u64 = 256;
const PER_SECOND: u64 = 100;
/// X25519 operations of an accepted initiation; one that is refused costs fewer.
const AGREEMENTS: u64 = 3;
/// The repetition of an initiation comes after 5 s and at most a third; the rest is for a busy machine.
const FIRST_RETRY: Duration = Duration::from_secs(8);

/// Waits for the first handshake of a client that sends for the first time, with a cookie that it had to fetch.
fn connects_at_its_first_retry(tunnel: &Tunnel, interface: &Interface) -> Result<()> {
    ensure!(interface.last_handshake()? == 0, "{} is connected already", interface.name());
    let began = Instant::now();
    let (log, side) = (tunnel.lab.path("late-ping.log"), tunnel.client_side());
    let line = format!("ping -n -q -i 0.1 -I {} {SERVER_V4}", interface.name());
    let _pings = side.start(&line, &log)?;
    lab::wait_until("the late client connects", FIRST_RETRY, || {
        interface.last_handshake().is_ok_and(|at| at > 0)
    })?;
    println!("the late client connected after {:?}", began.elapsed());
    let log = interface.log();
    ensure!(log.contains("cookie response"), "the late client was not asked for a cookie:\n{log}");
    Ok(())
}

#[test]
fn a_flood_of_forged_initiations_disturbs_no_tunnel_and_keeps_no_peer_out() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&TunnelOptions { clients: 2, ..ringwall() }, |tunnel| {
        let client = tunnel.client_side();
        let first = tunnel.clients[0].name().to_owned();
        client.run(&format!("ip route add {SERVER_V4}/32 dev {first}"))?;
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        // Cookie replies find a way out, and end at the client's side.
        let gateway = tunnel.lab.namespace("gateway");
        gateway.run(&format!("ip route add {FLOOD_SOURCES} via 192.0.2.2"))?;
        let running = tunnel.ringwall()?;
        let public_key = running.json("show peers", "peers")?["public_key"].clone();
        let public_key = public_key.as_str().context("the gateway's public key")?;
        let agreements = running.metric("ringwall_wireguard_agreements_total")?;
        let demanded = running.drops("wg_cookie_demanded")?;

        let flood = Flood::start(&client, public_key, GATEWAY_OUTSIDE_V4, RATE, LIMIT)?;
        let report = ping(&client, SERVER_V4, 50, "")?;
        println!("under the flood: {report:?}");
        ensure!(report.sent == 50 && report.received >= 48, "the flood cost pings: {report:?}");
        let download = tunnel.web.download(&tunnel.lab, &client, SERVER_V4, None)?;
        download.finish(Duration::from_secs(30))?;
        connects_at_its_first_retry(tunnel, &tunnel.clients[1])?;
        let (sent, lasted) = flood.finish()?;

        let running = tunnel.ringwall()?;
        let agreements = running.metric("ringwall_wireguard_agreements_total")? - agreements;
        let demanded = running.drops("wg_cookie_demanded")? - demanded;
        let replies = running.metric("ringwall_worker_cookie_replies_total")?;
        println!(
            "{sent} initiations in {lasted:?}: {demanded} cookies demanded, {replies} replies, \
             {agreements} agreements"
        );
        let admitted = BURST + PER_SECOND * (lasted.as_secs() + 1);
        ensure!(
            agreements <= AGREEMENTS * admitted,
            "{agreements} agreements, though only {admitted} initiations may pass"
        );
        // Most of what is sent arrives: a ring may run full, but then the screen has to be what is in the way.
        ensure!(demanded > sent / 4, "{demanded} of {sent} were asked for a cookie");
        ensure!(replies > sent / 4, "{replies} cookie replies for {sent} initiations");
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the flood left something behind");
        Ok(())
    })
}
