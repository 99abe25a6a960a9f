//! Next hops come, age and change; packets wait for them instead of being lost.

use crate::ringwall;
use anyhow::{Context, Result, ensure};
use lab::{
    GATEWAY_TUNNEL_V4, GATEWAY_TUNNEL_V6, Namespace, SERVER_V4, SERVER_V6, Tunnel, TunnelOptions,
    continuous_ping, ping, ping_transcript, wait_until,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::thread;
use std::time::Duration;

/// Addresses of the server that nobody has talked to.
fn fresh_addresses() -> impl Iterator<Item = IpAddr> {
    (10..15_u8).flat_map(|host| {
        let v4 = Ipv4Addr::new(198, 51, 100, host);
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, u16::from(host));
        [IpAddr::V4(v4), IpAddr::V6(v6)]
    })
}

#[test]
fn the_first_packet_to_a_new_neighbour_waits_and_arrives() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let (client, server) = (tunnel.client_side(), tunnel.server_side());
        for address in fresh_addresses() {
            let (length, option) = if address.is_ipv4() { (24, "") } else { (64, "nodad") };
            server.run(&format!("ip address add {address}/{length} dev eth0 {option}"))?;
        }
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        for address in fresh_addresses() {
            // One request; time enough for the kernels to ask for each other more than once.
            let report = ping(&client, address, 1, "-W 5")?;
            ensure!(report.complete(), "the first request to {address} is lost: {report:?}");
        }
        ensure!(tunnel.ringwall()?.drops("neighbour_timeout")? == 0, "packets waited in vain");
        Ok(())
    })
}

/// How many times the kernel has asked for a neighbour, counted from somewhere; `None` while it does not ask.
fn requests(gateway: &Namespace, address: IpAddr) -> Option<u32> {
    let shown = gateway.run(&format!("ip -s neighbour show {address} dev lan0")).ok()?;
    let entry = shown.lines().find(|line| line.contains("INCOMPLETE"))?;
    entry.split("probes ").nth(1)?.split(' ').next()?.parse().ok()
}

#[test]
fn a_packet_waits_for_a_host_that_does_not_hear_the_first_requests() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    let patient = TunnelOptions { further: "[limits]\npark_time = \"2500ms\"", ..ringwall() };
    Tunnel::with(&patient, |tunnel| {
        let (client, server) = (tunnel.client_side(), tunnel.server_side());
        let gateway = tunnel.lab.namespace("gateway");
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        for (address, rest) in fresh_addresses().zip(["/24 dev eth0", "/64 dev eth0 nodad"]) {
            let report = thread::scope(|scope| {
                let waits = scope.spawn(|| ping(&client, address, 1, "-W 10"));
                let mut first = None;
                wait_until("the kernel asks again", Duration::from_secs(10), || {
                    let requests = requests(&gateway, address);
                    first = first.or(requests);
                    requests > first
                })?;
                server.run(&format!("ip address add {address}{rest}"))?;
                waits.join().expect("ping ends")
            })?;
            ensure!(report.complete(), "{address}: two lost requests cost the packet: {report:?}");
        }
        ensure!(tunnel.ringwall()?.drops("neighbour_timeout")? == 0, "packets waited in vain");
        Ok(())
    })
}

#[test]
fn a_packet_to_nobody_is_given_up_and_counted_and_its_sender_told() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let client = tunnel.client_side();
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        for (nobody, gateway, told) in [
            ("198.51.100.99", GATEWAY_TUNNEL_V4, "Destination Host Unreachable"),
            ("2001:db8:2::99", GATEWAY_TUNNEL_V6, "Destination unreachable: Address unreachable"),
        ] {
            let before = tunnel.ringwall()?.drops("neighbour_timeout")?;
            let transcript = ping_transcript(&client, nobody.parse()?, 1, "-W 10")?;
            ensure!(transcript.contains(" 0 received"), "nobody answered:\n{transcript}");
            let line = transcript.lines().find(|line| line.ends_with(told));
            let line = line.with_context(|| format!("nobody said so:\n{transcript}"))?;
            ensure!(line.starts_with(&format!("From {gateway} ")), "somebody else said: {line}");
            wait_until("the packet is given up", Duration::from_secs(10), || {
                let count =
                    tunnel.ringwall().and_then(|gateway| gateway.drops("neighbour_timeout"));
                count.is_ok_and(|count| count > before)
            })?;
        }
        Ok(())
    })
}

#[test]
fn neighbours_that_are_flushed_under_traffic_cost_no_packet() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let (client, gateway) = (tunnel.client_side(), tunnel.lab.namespace("gateway"));
        for target in [SERVER_V4, SERVER_V6] {
            ensure!(ping(&client, target, 3, "")?.complete(), "the tunnel does not work");
        }
        let v4 = continuous_ping(&tunnel.lab, &client, SERVER_V4, 10)?;
        let v6 = continuous_ping(&tunnel.lab, &client, SERVER_V6, 10)?;
        // The server's address, and that of the client's outside. Each answers and vanishes within a second again.
        for device in ["lan0", "wan0"].into_iter().cycle().take(6) {
            thread::sleep(Duration::from_millis(400));
            gateway.run(&format!("ip neighbour flush dev {device}"))?;
        }
        thread::sleep(Duration::from_secs(2));
        for report in [v4.report()?, v6.report()?] {
            println!("across six flushes: {report:?}");
            let lost = report.sent - report.received;
            ensure!(report.sent > 200 && lost <= 3, "flushed neighbours cost packets: {report:?}");
        }
        Ok(())
    })
}

#[test]
fn a_server_that_announces_another_hardware_address_is_followed() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let (client, server) = (tunnel.client_side(), tunnel.server_side());
        server
            .run("sysctl -qw net.ipv4.conf.eth0.arp_notify=1 net.ipv6.conf.eth0.ndisc_notify=1")?;
        for target in [SERVER_V4, SERVER_V6] {
            ensure!(ping(&client, target, 3, "")?.complete(), "the tunnel does not work");
        }
        // A route over the server and one to it alone, so that its hardware address is shown with both.
        let gateway = tunnel.lab.namespace("gateway");
        gateway.run(&format!("ip route add 203.0.113.0/24 via {SERVER_V4}"))?;
        gateway.run(&format!("ip route add {SERVER_V4}/32 dev lan0"))?;
        let address = "02:00:5e:10:20:30";
        server.run(&format!("ip link set eth0 address {address}"))?;
        for target in [SERVER_V4, SERVER_V6] {
            wait_until("the new address is used", Duration::from_secs(5), || {
                ping(&client, target, 1, "").is_ok_and(|report| report.complete())
            })?;
            ensure!(ping(&client, target, 5, "")?.complete(), "{target} is not followed for good");
        }
        wait_until("the new address is shown", Duration::from_secs(5), || {
            let routes = tunnel.ringwall().and_then(|gateway| gateway.verb("show routes --json"));
            routes.is_ok_and(|routes| routes.matches(address).count() == 2)
        })
    })
}
