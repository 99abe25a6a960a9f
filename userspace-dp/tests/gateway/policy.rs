//! What must not pass does not, and is counted.

use crate::ringwall;
use anyhow::{Result, ensure};
use lab::{GATEWAY_TUNNEL_V4, SERVER_V4, SERVER_V6, Tunnel, TunnelOptions, ping};

#[test]
fn traffic_around_the_tunnel_is_denied_and_counted() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let client = tunnel.client_side();
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        // A smaller metric than the tunnel's route: plain packets to the server, straight at the gateway.
        client.run("ip route add 198.51.100.0/24 via 192.0.2.1 metric 1")?;
        client.run("ip route add 2001:db8:2::/64 via 2001:db8:1::1 metric 1")?;
        let before = tunnel.ringwall()?.drops("policy_deny")?;
        for target in [SERVER_V4, SERVER_V6] {
            let report = ping(&client, target, 5, "")?;
            ensure!(report.received == 0, "{target} answered outside the tunnel: {report:?}");
        }
        let denied = tunnel.ringwall()?.drops("policy_deny")? - before;
        ensure!(denied >= 10, "10 packets were denied, {denied} were counted");
        Ok(())
    })
}

#[test]
fn a_client_cannot_borrow_the_address_of_another() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&TunnelOptions { clients: 2, ..ringwall() }, |tunnel| {
        let client = tunnel.client_side();
        let [first, second] = [0, 1].map(|index: usize| tunnel.clients[index].name().to_owned());
        for interface in [&first, &second] {
            let report = ping(&client, SERVER_V4, 3, &format!("-I {interface}"))?;
            ensure!(report.complete(), "{interface} does not work: {report:?}");
        }
        // The second client's address as source, into the first client's tunnel.
        let borrowed = Tunnel::client_addresses(1)[0];
        client.run(&format!("ip address add {borrowed}/32 dev {first}"))?;
        client.run(&format!("ip address del {borrowed}/32 dev {second}"))?;
        client.run(&format!("ip route add {SERVER_V4}/32 dev {first} src {borrowed}"))?;
        let gateway = tunnel.ringwall()?;
        let before = gateway.drops("wg_source_not_allowed")?;
        let report = ping(&client, SERVER_V4, 5, &format!("-I {borrowed}"))?;
        ensure!(report.received == 0, "a borrowed address got an answer: {report:?}");
        let dropped = tunnel.ringwall()?.drops("wg_source_not_allowed")? - before;
        ensure!(dropped >= 5, "5 packets were dropped, {dropped} were counted");
        Ok(())
    })
}

#[test]
fn a_gateway_without_a_rule_for_itself_answers_no_ping_but_forwards() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let client = tunnel.client_side();
        ensure!(ping(&client, GATEWAY_TUNNEL_V4, 3, "")?.complete(), "the rule lets nothing in");
        let settings = tunnel.settings.clone();
        let policy = settings
            .policy
            .replace("to = \"local\"\naction = \"allow\"", "to = \"local\"\naction = \"deny\"");
        ensure!(policy != settings.policy, "the rule to change is not there");
        let applied = tunnel.ringwall()?.reload(&lab::GatewaySettings { policy, ..settings })?;
        ensure!(applied, "the changed policy was refused");
        let report = ping(&client, GATEWAY_TUNNEL_V4, 5, "")?;
        ensure!(report.received == 0, "the gateway answered against its policy: {report:?}");
        ensure!(ping(&client, SERVER_V4, 5, "")?.complete(), "forwarding stopped too");
        Ok(())
    })
}
