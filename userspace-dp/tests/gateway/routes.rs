//! The kernel's routing table is followed while packets flow, and refusals reach the sender through the tunnel.

use crate::ringwall;
use anyhow::{Context, Result, ensure};
use lab::{SERVER_V4, Tunnel, ping, ping_transcript, wait_until};
use std::net::IpAddr;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

/// A network behind the server: prefix, an address of the server in it, the server's address on the link.
const BEHIND: [(&str, &str, &str); 2] = [
    ("203.0.113.0/24", "203.0.113.5", "198.51.100.2"),
    ("2001:db8:3::/64", "2001:db8:3::5", "2001:db8:2::2"),
];

/// The scene, in which the client sends everything for these networks into its tunnel.
fn with_networks_behind_the_server(body: impl FnOnce(&mut Tunnel) -> Result<()>) -> Result<()> {
    Tunnel::with(&ringwall(), |tunnel| {
        let (client, server) = (tunnel.client_side(), tunnel.server_side());
        tunnel.allow_every_destination(0)?;
        for (prefix, address, _) in BEHIND {
            client.run(&format!("ip route add {prefix} dev {}", tunnel.clients[0].name()))?;
            server.run(&format!("ip address add {address} dev lo"))?;
        }
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        body(tunnel)
    })
}

#[test]
fn a_route_that_comes_and_goes_is_followed() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    with_networks_behind_the_server(|tunnel| {
        let (client, gateway) = (tunnel.client_side(), tunnel.lab.namespace("gateway"));
        for (prefix, address, next_hop) in BEHIND {
            let target: IpAddr = address.parse()?;
            let received = || ping(&client, target, 1, "").map_or(0, |report| report.received);
            for _ in 0..2 {
                ensure!(received() == 0, "{address} answers without a route");
                gateway.run(&format!("ip route add {prefix} via {next_hop}"))?;
                wait_until("the new route is used", LIMIT, || received() == 1)?;
                ensure!(ping(&client, target, 5, "")?.complete(), "{prefix} is not followed");
                gateway.run(&format!("ip route del {prefix} via {next_hop}"))?;
                wait_until("the removed route is left", LIMIT, || received() == 0)?;
            }
        }
        Ok(())
    })
}

/// What the client reads for each kind of route, IPv4 then IPv6, and the reason that counts it.
const KINDS: [(&str, [&str; 2], &str); 3] = [
    ("unreachable", ["Destination Host Unreachable", "Address unreachable"], "route_unreachable"),
    ("prohibit", ["Packet filtered", "Administratively prohibited"], "route_prohibit"),
    ("blackhole", ["", ""], "route_blackhole"),
];

#[test]
fn routes_that_refuse_say_so_through_the_tunnel_and_blackholes_stay_silent() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    with_networks_behind_the_server(|tunnel| {
        let (client, gateway) = (tunnel.client_side(), tunnel.lab.namespace("gateway"));
        for (kind, answers, reason) in KINDS {
            for ((prefix, address, _), answer) in BEHIND.into_iter().zip(answers) {
                let target: IpAddr = address.parse()?;
                let before = tunnel.ringwall()?.drops(reason)?;
                gateway.run(&format!("ip route add {kind} {prefix}"))?;
                let mut transcript = String::new();
                wait_until(&format!("the {kind} route is used"), LIMIT, || {
                    transcript = ping_transcript(&client, target, 1, "").unwrap_or_default();
                    tunnel.ringwall().and_then(|gateway| gateway.drops(reason)).unwrap_or(0)
                        > before
                })?;
                ensure!(transcript.contains(" 0 received"), "{kind} {prefix}:\n{transcript}");
                if answer.is_empty() {
                    ensure!(!transcript.contains("From "), "{kind} {prefix}:\n{transcript}");
                } else {
                    ensure!(transcript.contains(answer), "{kind} {prefix}:\n{transcript}");
                }
                gateway.run(&format!("ip route del {kind} {prefix}"))?;
            }
        }
        Ok(())
    })
}

#[test]
fn a_destination_without_a_route_is_answered_with_unreachable() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    with_networks_behind_the_server(|tunnel| {
        let client = tunnel.client_side();
        let before = tunnel.ringwall()?.drops("no_route")?;
        for ((_, address, _), answer) in
            BEHIND.into_iter().zip(["Destination Net Unreachable", "No route"])
        {
            let transcript = ping_transcript(&client, address.parse()?, 1, "")?;
            ensure!(transcript.contains(answer), "{address}:\n{transcript}");
        }
        ensure!(tunnel.ringwall()?.drops("no_route")? >= before + 2, "not counted as no_route");
        Ok(())
    })
}

#[test]
fn the_gateway_is_a_hop_in_both_directions_of_a_traced_path() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let (client, server) = (tunnel.client_side(), tunnel.server_side());
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        let [inner_v4, inner_v6] = Tunnel::client_addresses(0);
        // Each traced from a namespace: the target, the gateway's address on that side, what a hop says.
        let v4 = "Time to live exceeded";
        let v6 = "Time exceeded: Hop limit";
        let traces = [
            (&client, SERVER_V4, lab::GATEWAY_TUNNEL_V4.to_string(), v4),
            (&client, lab::SERVER_V6, lab::GATEWAY_TUNNEL_V6.to_string(), v6),
            (&server, inner_v4, "198.51.100.1".to_owned(), v4),
            (&server, inner_v6, "2001:db8:2::1".to_owned(), v6),
        ];
        for (namespace, target, hop, says) in traces {
            let transcript = ping_transcript(namespace, target, 1, "-t 1")?;
            let line = transcript.lines().find(|line| line.contains(says));
            let line = line.with_context(|| format!("{target}: no hop answers\n{transcript}"))?;
            ensure!(line.contains(&format!("From {hop} ")), "{target}: not {hop}\n{transcript}");
            ensure!(ping(namespace, target, 2, "-t 2")?.complete(), "{target} is more hops away");
        }
        Ok(())
    })
}

#[test]
fn a_tunnel_device_that_went_down_gets_everything_back_when_it_is_up() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let (server, gateway) = (tunnel.server_side(), tunnel.lab.namespace("gateway"));
        let device = tunnel.settings.tunnel_interface.clone();
        ensure!(
            ping(&tunnel.client_side(), SERVER_V4, 3, "")?.complete(),
            "the tunnel does not work"
        );
        let has = || -> Result<[String; 3]> {
            let show = |what: &str| gateway.run(&format!("ip {what} dev {device}"));
            // The kernel's own link-local address and its routes come and go as they like.
            let global = "address show scope global";
            Ok([show("-4 route show proto 82")?, show("-6 route show proto 82")?, show(global)?])
        };
        let before = has()?;
        let shown = |tunnel: &mut Tunnel| -> Result<serde_json::Value> {
            let all = tunnel.ringwall()?.json("show interfaces", "interfaces")?;
            let rows = all["interfaces"].as_array().context("no rows")?.clone();
            rows.into_iter().find(|row| row["mode"] == "tun").context("no tunnel")
        };
        ping(&server, Tunnel::client_addresses(0)[0], 1, "")?;
        gateway.run(&format!("ping -c 2 -W 1 {}", Tunnel::client_addresses(0)[0]))?;
        wait_until("its packets are counted", LIMIT, || {
            shown(tunnel).is_ok_and(|row| row["link"]["tx_packets"].as_u64() > Some(0))
        })?;
        gateway.run(&format!("ip link set {device} down"))?;
        wait_until("the status says so", LIMIT, || {
            let down = shown(tunnel).is_ok_and(|row| row["link_up"] == false);
            let status = tunnel.ringwall().and_then(|gateway| gateway.verb("status"));
            down && status.is_ok_and(|text| text.contains("the device is down"))
        })?;
        gateway.run(&format!("ip link set {device} up"))?;
        wait_until("addresses and routes are back", LIMIT, || {
            has().is_ok_and(|now| now[..2] == before[..2] && now[2].contains("inet6 fd00:8::1/64"))
        })?;
        for target in Tunnel::client_addresses(0) {
            ensure!(ping(&server, target, 3, "")?.complete(), "{target} is not reached again");
        }
        Ok(())
    })
}

#[test]
fn a_peer_for_every_address_takes_neither_the_default_route_nor_the_way_to_itself() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let (client, gateway) = (tunnel.client_side(), tunnel.lab.namespace("gateway"));
        let mut settings = tunnel.settings.clone();
        let peer = settings.peers.first_mut().context("no peer")?;
        peer.endpoint = Some("192.0.2.2:51000".parse()?);
        peer.allowed_ips.extend(["0.0.0.0/0", "::/0", "192.0.2.0/25"].map(str::to_owned));
        ensure!(tunnel.ringwall()?.reload(&settings)?, "the reload was refused");
        let device = tunnel.settings.tunnel_interface.clone();
        let routes = gateway.run(&format!("ip route show dev {device}"))?
            + &gateway.run(&format!("ip -6 route show dev {device}"))?;
        ensure!(!routes.contains("default") && !routes.contains("192.0.2.0"), "{routes}");
        let says = |tunnel: &mut Tunnel| {
            tunnel
                .ringwall()
                .and_then(|gateway| gateway.verb("status"))
                .is_ok_and(|text| text.contains("192.0.2.0/25") && !text.contains("0.0.0.0/0"))
        };
        wait_until("the status names the network", LIMIT, || says(tunnel))?;
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        // Beside a more specific route to the endpoint it does no harm, and is no problem any more.
        gateway.run("ip route add 192.0.2.2/32 dev wan0")?;
        gateway.run(&format!("ip route add 192.0.2.0/25 dev {device}"))?;
        wait_until("the problem is over", Duration::from_secs(20), || !says(tunnel))?;
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work any more");
        Ok(())
    })
}

#[test]
fn a_link_without_a_global_address_hears_of_errors_from_another_address_of_the_gateway()
-> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let (server, gateway) = (tunnel.server_side(), tunnel.lab.namespace("gateway"));
        ensure!(ping(&tunnel.client_side(), SERVER_V4, 3, "")?.complete(), "no tunnel");
        let inner = Tunnel::client_addresses(0)[1];
        gateway.run("ip -6 address del 2001:db8:2::1/64 dev lan0")?;
        gateway.run("ip -6 address replace fe80::1/64 dev lan0 nodad")?;
        gateway.run("ip -6 route replace 2001:db8:2::/64 dev lan0")?;
        server.run(&format!("ip -6 route replace {inner}/128 via fe80::1 dev eth0"))?;
        let mut transcript = String::new();
        wait_until("a hop answers", LIMIT, || {
            transcript = ping_transcript(&server, inner, 1, "-t 1").unwrap_or_default();
            transcript.contains("Time exceeded: Hop limit")
        })
        .with_context(|| transcript.clone())?;
        ensure!(!transcript.contains("From fe80"), "{transcript}");
        ensure!(ping(&server, inner, 3, "")?.complete(), "{inner} is not reached");
        Ok(())
    })
}
