//! Starting, dying and ending: what an operator relies on when things go wrong.

use crate::ringwall;
use anyhow::{Result, ensure};
use lab::{Namespace, SERVER_V4, Signal, Tunnel, continuous_ping, ping};
use std::net::IpAddr;
use std::time::Duration;

const GATEWAY_OUTSIDE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn attached_programs(gateway: &Namespace) -> Result<usize> {
    let links = gateway.run("ip -details link show")?;
    Ok(links.matches("prog/xdp").count())
}

/// The kernel's own view: the interface answers as if no program had ever been attached, and nothing is forwarded.
fn kernel_is_back_and_nothing_is_forwarded(tunnel: &Tunnel) -> Result<()> {
    let (client, gateway) = (tunnel.client_side(), tunnel.lab.namespace("gateway"));
    ensure!(attached_programs(&gateway)? == 0, "an XDP program is left behind");
    let report = ping(&client, GATEWAY_OUTSIDE, 5, "")?;
    ensure!(report.complete(), "the kernel does not answer: {report:?}");
    let report = ping(&client, SERVER_V4, 5, "")?;
    ensure!(report.received == 0, "packets pass without a gateway: {report:?}");
    Ok(())
}

#[test]
fn sigterm_ends_it_within_two_seconds_and_leaves_nothing_behind() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let (client, gateway) = (tunnel.client_side(), tunnel.lab.namespace("gateway"));
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        ensure!(attached_programs(&gateway)? == 2, "both interfaces should have a program");
        let running = tunnel.ringwall()?;
        lab::wait_until("the log names the peer", Duration::from_secs(10), || {
            running.log().contains("connected")
        })?;
        let pings = continuous_ping(&tunnel.lab, &client, SERVER_V4, 20)?;
        let running = tunnel.ringwall()?;
        running.signal(Signal::TERM);
        let status = running.wait(Duration::from_secs(2))?;
        ensure!(status.success(), "it ended with {status}");
        let log = tunnel.ringwall()?.log();
        let connected = log.lines().filter(|line| line.contains("connected")).count();
        ensure!(connected == 1, "one line for the peer that connected:\n{log}");
        ensure!(log.trim_end().ends_with("ended"), "the log does not say that it ended:\n{log}");
        pings.report()?;
        let devices = gateway.run("ip -brief link show")?;
        let tunnel_device = &tunnel.settings.tunnel_interface;
        ensure!(!devices.contains(tunnel_device.as_str()), "the tunnel device is left:\n{devices}");
        kernel_is_back_and_nothing_is_forwarded(tunnel)
    })
}

/// Receive queues in use, as the interface has them in sysfs.
fn queues(gateway: &Namespace, interface: &str) -> Result<usize> {
    let shown = gateway.run(&format!("ls /sys/class/net/{interface}/queues"))?;
    Ok(shown.split_whitespace().filter(|name| name.starts_with("rx-")).count())
}

#[test]
fn one_worker_runs_native_on_two_queues_and_a_queue_that_was_added_goes_again() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let (client, gateway) = (tunnel.client_side(), tunnel.lab.namespace("gateway"));
        let (outside, _) = tunnel.settings.interfaces[0];
        ensure!(queues(&gateway, outside)? == 2, "the lab's links have two queues");
        let end = |tunnel: &mut Tunnel| -> Result<()> {
            tunnel.ringwall()?.signal(Signal::TERM);
            tunnel.ringwall()?.wait(Duration::from_secs(5)).map(drop)
        };
        end(tunnel)?;
        tunnel.settings.workers = 1;
        tunnel.restart_gateway()?;
        let shown = tunnel.ringwall()?.json("show interfaces", "interfaces")?;
        for row in shown["interfaces"].as_array().into_iter().flatten() {
            ensure!(row["mode"] == "native" || row["mode"] == "tun", "{row}");
        }
        lab::wait_until("the tunnel works", Duration::from_secs(30), || {
            ping(&client, SERVER_V4, 3, "").is_ok_and(|report| report.received > 0)
        })?;
        end(tunnel)?;
        ensure!(queues(&gateway, outside)? == 2, "a queue is gone");

        gateway.run(&format!("ethtool -L {outside} rx 1 tx 1"))?;
        tunnel.settings.workers = 2;
        tunnel.restart_gateway()?;
        ensure!(queues(&gateway, outside)? == 2, "two workers want two queues");
        end(tunnel)?;
        ensure!(queues(&gateway, outside)? == 1, "the device did not get back what it had");
        Ok(())
    })
}

#[test]
fn a_second_gateway_on_the_same_devices_says_so_and_changes_nothing() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let (client, gateway) = (tunnel.client_side(), tunnel.lab.namespace("gateway"));
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        let directory = tunnel.lab.path("second");
        std::fs::create_dir_all(&directory)?;
        let file = tunnel.settings.write(&directory)?;
        // It would change the devices' queues.
        let text = std::fs::read_to_string(&file)?;
        std::fs::write(&file, text.replace("[[interface]]\n", "[[interface]]\nqueues = 1\n"))?;
        let queues = || -> Result<String> {
            let names = tunnel.settings.interfaces.iter().map(|(name, _)| name);
            names.map(|name| gateway.run(&format!("ethtool -l {name}"))).collect()
        };
        let before = queues()?;
        let program = env!("CARGO_BIN_EXE_ringwall");
        let mut command = gateway.command(program);
        let ended = command.arg("run").arg("--config").arg(&file).output()?;
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        ensure!(!ended.status.success(), "the second gateway ran");
        ensure!(said.contains("a ringwall runs here already"), "it said:\n{said}");
        let after = queues()?;
        ensure!(after == before, "the queues were\n{before}and are\n{after}");
        ensure!(ping(&client, SERVER_V4, 5, "")?.complete(), "the tunnel was disturbed");
        Ok(())
    })
}

#[test]
fn a_kernel_that_forwards_beside_it_is_named_in_status_until_it_stops() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let gateway = tunnel.lab.namespace("gateway");
        let running = tunnel.ringwall()?;
        let named = || {
            let status = running.json("status", "status");
            status.is_ok_and(|it| it["problems"].to_string().contains("net/ipv4/ip_forward=0"))
        };
        ensure!(!named(), "it is named without reason");
        gateway.run("sysctl -qw net.ipv4.ip_forward=1")?;
        lab::wait_until("status names it", Duration::from_secs(30), named)?;
        gateway.run("sysctl -qw net.ipv4.ip_forward=0")?;
        lab::wait_until("status is silent again", Duration::from_secs(30), || !named())
    })
}

#[test]
fn sigkill_leaves_no_program_and_a_new_start_works_at_once() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let client = tunnel.client_side();
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        let running = tunnel.ringwall()?;
        running.signal(Signal::KILL);
        running.wait(Duration::from_secs(2))?;
        lab::wait_until("the programs are gone", Duration::from_secs(5), || {
            attached_programs(&tunnel.lab.namespace("gateway")).is_ok_and(|count| count == 0)
        })?;
        kernel_is_back_and_nothing_is_forwarded(tunnel)?;
        tunnel.restart_gateway()?;
        lab::wait_until("the tunnel works again", Duration::from_secs(30), || {
            ping(&client, SERVER_V4, 3, "").is_ok_and(|report| report.received > 0)
        })
    })
}

#[test]
fn a_dead_worker_ends_the_gateway_with_a_failure_and_nothing_passes() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    for worker in 0..2 {
        Tunnel::with(&ringwall(), |tunnel| {
            let client = tunnel.client_side();
            ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
            let running = tunnel.ringwall()?;
            running.verb(&format!("fault kill-worker {worker}"))?;
            // A second to notice it, and the time that an orderly end may take.
            let status = running.wait(Duration::from_secs(3))?;
            ensure!(!status.success(), "a gateway that lost a worker ended with {status}");
            let log = running.log();
            ensure!(log.contains("worker"), "the log does not name the worker:\n{log}");
            kernel_is_back_and_nothing_is_forwarded(tunnel)
        })?;
    }
    Ok(())
}

#[test]
fn a_stopped_gateway_fails_closed_while_the_kernel_still_answers() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    Tunnel::with(&ringwall(), |tunnel| {
        let (client, gateway) = (tunnel.client_side(), tunnel.lab.namespace("gateway"));
        ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
        // With kernel forwarding on, a steering program that fails open would be seen at once.
        gateway.run("sysctl -qw net.ipv4.ip_forward=1")?;
        client.run("ip route add 198.51.100.0/24 via 192.0.2.1 metric 1")?;
        tunnel.ringwall()?.signal(Signal::STOP);
        std::thread::sleep(Duration::from_secs(2));
        let transit = ping(&client, SERVER_V4, 5, "")?;
        let local = ping(&client, GATEWAY_OUTSIDE, 5, "")?;
        tunnel.ringwall()?.signal(Signal::CONT);
        ensure!(transit.received == 0, "transit passed a gateway that stood still: {transit:?}");
        ensure!(local.complete(), "the kernel's own traffic was held up: {local:?}");
        Ok(())
    })
}

#[test]
fn a_worker_that_stands_still_ends_the_gateway_and_nothing_passes_meanwhile() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    for worker in 0..2 {
        Tunnel::with(&ringwall(), |tunnel| {
            let (client, gateway) = (tunnel.client_side(), tunnel.lab.namespace("gateway"));
            ensure!(ping(&client, SERVER_V4, 3, "")?.complete(), "the tunnel does not work");
            // Plain packets to the server: only a kernel that is asked too early would forward them.
            client.run("ip route add 198.51.100.0/24 via 192.0.2.1 metric 1")?;
            gateway.run("sysctl -qw net.ipv4.ip_forward=1")?;
            let running = tunnel.ringwall()?;
            running.verb(&format!("fault stop-worker {worker}"))?;
            let transit = ping(&client, SERVER_V4, 5, "-W 0.3")?;
            // The gateway may have given up while a slow machine pinged: then the kernel was free to forward.
            let steered = attached_programs(&gateway)? == 2;
            gateway.run("sysctl -qw net.ipv4.ip_forward=0")?;
            ensure!(
                transit.received == 0 || !steered,
                "transit passed a worker that stood still: {transit:?}"
            );
            // Three quarters of a second to notice it; the one that stands still is not waited for.
            let status = running.wait(Duration::from_secs(2))?;
            ensure!(!status.success(), "a gateway that lost a worker ended with {status}");
            let (log, named) = (running.log(), format!("worker {worker}"));
            ensure!(log.contains(&named), "the log does not name {named}:\n{log}");
            kernel_is_back_and_nothing_is_forwarded(tunnel)
        })?;
    }
    Ok(())
}
