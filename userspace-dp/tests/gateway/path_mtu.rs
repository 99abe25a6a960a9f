//! Packets that are too large: the sender is told on either side, and TCP never makes any.

use crate::ringwall;
use anyhow::{Result, ensure};
use lab::{
    Family, Namespace, PingReport, SERVER_V4, SERVER_V6, Start, Tunnel, TunnelOptions, ping,
    ping_transcript, wait_until,
};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Smaller than the links, larger than IPv6 demands.
const LAN_MTU: u32 = 1400;
/// What the gateway's tunnels add at most; by default they take what this leaves of the links to the peers, and of all
/// links where it is not known where the peers are.
const OVERHEAD: u32 = 80;
const TUNNEL_MTU: u32 = 1500 - OVERHEAD;

const GATEWAY_BEHIND: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));

/// Bytes of IP and ICMP headers around the data of a ping.
fn headers(target: IpAddr) -> u32 {
    if target.is_ipv4() { 28 } else { 48 }
}

fn ping_with_size(namespace: &Namespace, target: IpAddr, bytes: u32) -> Result<PingReport> {
    ping(namespace, target, 3, &format!("-M do -s {}", bytes - headers(target)))
}

/// A packet one byte larger than `mtu` is refused with that MTU.
fn is_refused(namespace: &Namespace, target: IpAddr, mtu: u32) -> Result<()> {
    let size = mtu + 1 - headers(target);
    let transcript = ping_transcript(namespace, target, 2, &format!("-M do -s {size}"))?;
    let refused = if target.is_ipv4() {
        format!("Frag needed and DF set (mtu = {mtu})")
    } else {
        format!("Packet too big: mtu={mtu}")
    };
    ensure!(transcript.contains(&refused), "{target}: not refused for {mtu}\n{transcript}");
    ensure!(transcript.contains(" 0 received"), "{target}: too large and answered\n{transcript}");
    Ok(())
}

/// Has the kernel of `namespace` forget the path MTUs that it has learned.
fn forget_path_mtus(namespace: &Namespace) -> bool {
    let lines = ["ip -4 route flush cache", "ip -6 route flush cache"];
    lines.iter().all(|line| namespace.run(line).is_ok())
}

#[test]
fn a_packet_larger_than_the_tunnel_is_refused_on_the_side_of_the_server() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let (client, server) = (tunnel.client_side(), tunnel.server_side());
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        for target in Tunnel::client_addresses(0) {
            let report = ping_with_size(&server, target, TUNNEL_MTU)?;
            ensure!(report.complete(), "{target}: what fits does not pass: {report:?}");
            is_refused(&server, target, TUNNEL_MTU)?;
            // Left to itself the sender's kernel has learnt from that and makes fragments that fit.
            let report = ping(&server, target, 3, &format!("-M want -s {TUNNEL_MTU}"))?;
            ensure!(report.complete(), "{target}: fragments do not pass: {report:?}");
        }
        ensure!(tunnel.ringwall()?.drops("packet_too_big")? > 0, "nothing is counted");
        Ok(())
    })
}

#[test]
fn a_packet_larger_than_the_network_behind_is_refused_through_the_tunnel() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&TunnelOptions { lan_mtu: Some(LAN_MTU), ..ringwall() }, |tunnel| {
        let client = tunnel.client_side();
        for target in [SERVER_V4, SERVER_V6] {
            // The answers are as large and have to fit the tunnel.
            let report = ping_with_size(&client, target, LAN_MTU - OVERHEAD)?;
            ensure!(report.complete(), "{target}: what fits does not pass: {report:?}");
            is_refused(&client, target, LAN_MTU)?;
        }
        Ok(())
    })
}

#[test]
fn a_narrow_network_behind_does_not_narrow_the_tunnel_to_a_known_peer() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    let narrow = TunnelOptions { lan_mtu: Some(LAN_MTU), start: Start::GatewayCalls, ..ringwall() };
    Tunnel::with(&narrow, |tunnel| {
        let (client, server) = (tunnel.client_side(), tunnel.server_side());
        for target in Tunnel::client_addresses(0) {
            ensure!(ping(&server, target, 3, "")?.complete(), "the tunnel does not work");
        }
        for target in [SERVER_V4, SERVER_V6] {
            // The answers are as large and fit the tunnel as well.
            let report = ping_with_size(&client, target, LAN_MTU)?;
            ensure!(report.complete(), "{target}: what fits the network does not pass: {report:?}");
        }
        Ok(())
    })
}

#[test]
fn a_link_that_shrinks_and_grows_while_the_gateway_runs_is_followed() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let (client, gateway) = (tunnel.client_side(), tunnel.lab.namespace("gateway"));
        let passes = |target| ping_with_size(&client, target, TUNNEL_MTU).map(PingReport::complete);
        let targets = [SERVER_V4, SERVER_V6];
        for target in targets {
            ensure!(passes(target)?, "{target}: what fits does not pass");
        }
        gateway.run(&format!("ip link set lan0 mtu {LAN_MTU}"))?;
        for target in targets {
            wait_until("the smaller MTU is obeyed", Duration::from_secs(10), || {
                // What the client's kernel remembers it refuses itself, without asking the gateway.
                forget_path_mtus(&client) && is_refused(&client, target, LAN_MTU).is_ok()
            })?;
        }
        gateway.run("ip link set lan0 mtu 1500")?;
        for target in targets {
            wait_until("the larger MTU is used again", Duration::from_secs(10), || {
                // The client's kernel remembers the smaller one for minutes.
                forget_path_mtus(&client) && passes(target).unwrap_or(false)
            })?;
        }
        Ok(())
    })
}

#[test]
fn tcp_never_sends_what_a_smaller_network_behind_would_swallow() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    // The server believes in 1500 bytes and gets no error when the link swallows them: only the clamped MSS helps.
    Tunnel::with(&TunnelOptions { lan_mtu: Some(LAN_MTU), ..ringwall() }, |tunnel| {
        let (client, server) = (tunnel.client_side(), tunnel.server_side());
        // The gateway's kernel answers here: what is lost is lost on the link.
        let near = ping_with_size(&server, GATEWAY_BEHIND, LAN_MTU)?;
        ensure!(near.complete(), "the link does not carry its MTU: {near:?}");
        // What both ends would agree on: the client's interface has the tunnel MTU of larger links.
        let near = ping_with_size(&server, GATEWAY_BEHIND, TUNNEL_MTU)?;
        ensure!(near.received == 0, "the link carries more than its MTU: {near:?}");
        for target in [SERVER_V4, SERVER_V6] {
            let download = tunnel.web.download(&tunnel.lab, &client, target, None)?;
            download.finish(Duration::from_secs(30))?;
        }
        Ok(())
    })
}

/// A client whose link carries less than it believes, so that its kernel sends each tunnel packet in two pieces.
fn fragments_are_counted(outer: Family) -> Result<()> {
    const PINGS: u64 = 3;
    Tunnel::with(&TunnelOptions { outer, ..ringwall() }, |tunnel| {
        let client = tunnel.client_side();
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        client.run("ip link set eth0 mtu 1280")?;
        let report = ping_with_size(&client, SERVER_V4, TUNNEL_MTU)?;
        ensure!(report.received == 0, "fragments got through: {report:?}");
        let gateway = tunnel.ringwall()?;
        wait_until("both pieces are counted", Duration::from_secs(5), || {
            gateway.drops("wg_outer_fragment").is_ok_and(|count| count == 2 * PINGS)
        })?;
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "what fits does not pass any more");
        Ok(())
    })
}

#[test]
fn every_fragment_of_a_tunnel_packet_is_dropped_and_counted() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    [Family::V4, Family::V6].into_iter().try_for_each(fragments_are_counted)
}
