//! After its start the gateway has few capabilities left, and still does all of its work.

use crate::{carries_everything, ringwall};
use anyhow::{Context, Result, ensure};
use lab::{PeerSettings, SERVER_V4, Start, Tunnel, ping, wait_until};
use std::collections::BTreeMap;
use std::time::Duration;

const CAP_NET_ADMIN: u64 = 1 << 12;
const CAP_BPF: u64 = 1 << 39;

/// Name and effective capabilities of each thread of a process.
fn threads(process: u32) -> Result<BTreeMap<String, u64>> {
    let mut threads = BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let status = std::fs::read_to_string(task?.path().join("status"))?;
        let value = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            line.map(|value| value.trim().to_owned()).context("a status line")
        };
        let effective = u64::from_str_radix(&value("CapEff:")?, 16)?;
        let permitted = u64::from_str_radix(&value("CapPrm:")?, 16)?;
        ensure!(effective == permitted, "{}: more permitted than effective", value("Name:")?);
        threads.insert(value("Name:")?, effective);
    }
    Ok(threads)
}

#[test]
fn only_the_control_thread_keeps_capabilities_and_everything_still_works() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let process = tunnel.ringwall()?.id();
        let dropped = || {
            threads(process)
                .is_ok_and(|all| all.get("ringwall") == Some(&(CAP_NET_ADMIN | CAP_BPF)))
        };
        wait_until("control drops its capabilities", Duration::from_secs(5), dropped)?;
        let all = threads(process)?;
        for expected in [
            "rw-worker-0",
            "rw-worker-1",
            "rw-handshake",
            "rw-slow-path",
            "rw-metrics",
            "rw-control",
        ] {
            ensure!(all.get(expected) == Some(&0), "{expected} among {all:x?}");
        }
        let helpers = all.iter().filter(|(name, _)| name.as_str() != "ringwall");
        ensure!(helpers.map(|(_, mask)| mask).all(|mask| *mask == 0), "{all:x?}");

        // Handshakes, data, the kernel's side of the tunnel.
        carries_everything(tunnel, Start::ClientsCall)?;
        // The kernel is asked for neighbours.
        let (client, gateway) = (tunnel.client_side(), tunnel.lab.namespace("gateway"));
        gateway.run("ip neighbour flush all")?;
        wait_until("flushed neighbours are found again", Duration::from_secs(10), || {
            ping(&client, SERVER_V4, 3, "").is_ok_and(|report| report.complete())
        })?;
        // A new address reaches the steering program: it is the kernel's to answer for, not transit.
        let (outside, _) = tunnel.settings.interfaces[0];
        gateway.run(&format!("ip address add 192.0.2.77/24 dev {outside}"))?;
        let added = std::net::IpAddr::from([192, 0, 2, 77]);
        wait_until("the new address answers", Duration::from_secs(5), || {
            ping(&client, added, 2, "").is_ok_and(|report| report.complete())
        })?;
        // A reload reads secrets and sets routes.
        let mut settings = tunnel.settings.clone();
        settings.peers.push(PeerSettings {
            name: "added".to_owned(),
            public_key: lab::KeyPair::generate()?.public,
            preshared_key: Some(lab::preshared_key()?),
            endpoint: None,
            allowed_ips: vec!["10.8.0.99/32".to_owned()],
        });
        ensure!(tunnel.ringwall()?.reload(&settings)?, "the reload was refused");
        let routes = gateway.run("ip route show")?;
        ensure!(routes.contains("10.8.0.99"), "no route to the new peer:\n{routes}");
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the reload cut the tunnel");
        Ok(())
    })
}
