//! VLAN tags stay in the frames of the gateway's devices, whatever somebody does to the devices.

use crate::ringwall;
use anyhow::{Result, ensure};
use lab::{SERVER_V4, Signal, Tunnel, ping, wait_until};
use std::time::Duration;

#[test]
fn devices_leave_tags_in_frames_while_the_gateway_runs_and_get_back_what_they_had() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let gateway = tunnel.lab.namespace("gateway");
        let takes_tags_off = |device: &str| -> Result<bool> {
            let features = gateway.run(&format!("ethtool -k {device}"))?;
            Ok(features.contains("rx-vlan-offload: on"))
        };
        let end = |tunnel: &mut Tunnel| -> Result<()> {
            tunnel.ringwall()?.signal(Signal::TERM);
            let status = tunnel.ringwall()?.wait(Duration::from_secs(5))?;
            ensure!(status.success(), "it ended with {status}");
            Ok(())
        };
        end(tunnel)?;
        gateway.run("ethtool -K wan0 rxvlan on")?;
        tunnel.restart_gateway()?;
        ensure!(!takes_tags_off("wan0")?, "tags are taken off while the gateway runs");

        // Somebody switches it on behind the gateway's back.
        gateway.run("ethtool -K lan0 rxvlan on")?;
        wait_until("it is off again", Duration::from_secs(30), || {
            takes_tags_off("lan0").is_ok_and(|on| !on)
        })?;
        let client = tunnel.client_side();
        wait_until("the tunnel works", Duration::from_secs(30), || {
            ping(&client, SERVER_V4, 3, "").is_ok_and(|report| report.received > 0)
        })?;

        end(tunnel)?;
        ensure!(takes_tags_off("wan0")?, "wan0 did not get back what it had");
        ensure!(!takes_tags_off("lan0")?, "lan0 has what it did not have");
        Ok(())
    })
}
