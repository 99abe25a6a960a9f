//! The figures of plain forwarding: one gateway between two hosts, one queue, one core (CPU 1) for the gateway.

use crate::frame;
use crate::generator::{Sink, Source, mac_of};
use crate::latency::{self, Quantiles};
use crate::rounds::{self, Figure};
use crate::{ladder, testpmd};
use anyhow::{Context, Result};
use lab::{
    Background, GatewaySettings, Lab, LabOptions, Namespace, RingwallGateway, Topology, wait_until,
};
use ringwall_benches::report::Family;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Offered loads of the best rate, frames per second.
const LOADS: [u64; 5] = [500_000, 700_000, 900_000, 1_200_000, 2_000_000];
/// The load at which CPU time is compared: everybody carries it.
const CPU_LOAD: u64 = 200_000;
const SERVER: &str = "198.51.100.2";

const POLICY: &str = r#"
[[policy]]
name = "out"
from = "wan"
to = "lan"
action = "allow"

[[policy]]
name = "back"
from = "lan"
to = "wan"
action = "allow"
"#;

enum Kind {
    Ringwall(PathBuf),
    Kernel,
    Testpmd,
}

/// Who forwards; ends when dropped.
enum Forwarder {
    Ringwall(#[allow(dead_code, reason = "held for its end")] RingwallGateway),
    Kernel,
    Testpmd(#[allow(dead_code, reason = "held for its end")] Background),
}

struct Round {
    frames_per_s: f64,
    cpu_seconds_per_million: f64,
    latency: Quantiles,
}

/// Measures and records gateway.forward.pps64, gateway.cpu_per_mpacket and gateway.latency.*.
pub fn measure(family: &mut Family, program: &Path) -> Result<()> {
    let kinds = [
        ("ringwall", Kind::Ringwall(program.to_path_buf())),
        ("kernel-forward", Kind::Kernel),
        ("testpmd", Kind::Testpmd),
    ];
    let quick = family.is_quick();
    let figures = [
        Figure {
            name: "gateway.forward.pps64",
            unit: "pps",
            value: |round: &Round| round.frames_per_s,
        },
        Figure {
            name: "gateway.cpu_per_mpacket",
            unit: "CPU-s",
            value: |round| round.cpu_seconds_per_million,
        },
        Figure { name: "gateway.latency.p50", unit: "us", value: |round| round.latency.p50 },
        Figure { name: "gateway.latency.p99", unit: "us", value: |round| round.latency.p99 },
        Figure { name: "gateway.latency.p999", unit: "us", value: |round| round.latency.p999 },
    ];
    rounds::measure(family, if quick { 3 } else { 7 }, &kinds, |kind| run(kind, quick), &figures)
}

fn run(kind: &Kind, quick: bool) -> Result<Round> {
    let (step, cpu_seconds, questions) = if quick { (0.15, 0.5, 1000) } else { (1.0, 4.0, 20_000) };
    let lab = Lab::up(LabOptions {
        queues: 1,
        kernel_forwarding: matches!(kind, Kind::Kernel),
        ..LabOptions::new(Topology::Client)
    })?;
    let (client, server) = (lab.namespace("client"), lab.namespace("server"));
    client.run("ip route add 198.51.100.0/24 via 192.0.2.1")?;
    let macs = introduce(&lab)?;
    let _forwarder = start(kind, &lab, &macs)?;
    let latency = latency::measure(&lab, &client, &server, SERVER, questions)?;

    let sink = Sink::attach(&lab, &server, "eth0")?;
    let frame = frame::build(
        macs.client,
        macs.outside,
        Ipv4Addr::new(192, 0, 2, 2),
        Ipv4Addr::new(198, 51, 100, 2),
    );
    let path = ladder::Path { lab: &lab, source: &client, frame, sink: &sink };
    Ok(Round {
        latency,
        cpu_seconds_per_million: path
            .offer(Source::Polite, CPU_LOAD, cpu_seconds)?
            .cpu_per_frame
            .as_secs_f64()
            * 1e6,
        frames_per_s: path.best_of(Source::Fast, &LOADS, step)?,
    })
}

struct Macs {
    client: [u8; 6],
    outside: [u8; 6],
    inside: [u8; 6],
    server: [u8; 6],
}

/// Tells both hosts the gateway's link addresses for good: testpmd answers no ARP.
fn introduce(lab: &Lab) -> Result<Macs> {
    let (client, gateway, server) =
        (lab.namespace("client"), lab.namespace("gateway"), lab.namespace("server"));
    let macs = Macs {
        client: mac_of(&client, "eth0")?,
        outside: mac_of(&gateway, "wan0")?,
        inside: mac_of(&gateway, "lan0")?,
        server: mac_of(&server, "eth0")?,
    };
    let text = |mac: [u8; 6]| mac.map(|byte| format!("{byte:02x}")).join(":");
    client
        .run(&format!("ip neighbour replace 192.0.2.1 lladdr {} dev eth0", text(macs.outside)))?;
    server
        .run(&format!("ip neighbour replace 198.51.100.1 lladdr {} dev eth0", text(macs.inside)))?;
    Ok(macs)
}

fn start(kind: &Kind, lab: &Lab, macs: &Macs) -> Result<Forwarder> {
    let gateway = lab.namespace("gateway");
    Ok(match kind {
        Kind::Ringwall(program) => {
            Forwarder::Ringwall(RingwallGateway::start(program, lab, &gateway, &settings())?)
        }
        Kind::Kernel => {
            for interface in ["wan0", "lan0"] {
                poll_on_cpu_1(&gateway, interface)?;
            }
            Forwarder::Kernel
        }
        Kind::Testpmd => {
            Forwarder::Testpmd(testpmd::start(lab, &gateway, macs.client, macs.server)?)
        }
    })
}

/// Kernel forwarding on the gateway's core: threaded NAPI, its thread pinned. GRO turns NAPI on for a veth.
fn poll_on_cpu_1(gateway: &Namespace, interface: &str) -> Result<()> {
    gateway.run(&format!("ethtool -K {interface} gro on"))?;
    let command = format!("/sys/class/net/{interface}/threaded");
    let mut set = gateway.command("sh");
    let status = set.args(["-c", &format!("echo 1 > {command}")]).status()?;
    anyhow::ensure!(status.success(), "{interface} has no threaded NAPI");
    let mut threads = Vec::new();
    wait_until("the NAPI thread runs", Duration::from_secs(2), || {
        threads = napi_threads(interface);
        !threads.is_empty()
    })?;
    // Names do not tell namespaces apart; the newest is the one just made.
    let newest = threads.into_iter().max().context("no NAPI thread")?;
    gateway.run(&format!("taskset --cpu-list --pid 1 {newest}"))?;
    Ok(())
}

fn napi_threads(interface: &str) -> Vec<u32> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let prefix = format!("napi/{interface}-");
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|id| {
            let name = std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
            name.starts_with(&prefix)
        })
        .collect()
}

fn settings() -> GatewaySettings {
    GatewaySettings {
        workers: 1,
        cpus: vec![1],
        poll_mode: "adaptive",
        interfaces: vec![("wan0", "wan"), ("lan0", "lan")],
        tunnel_interface: String::new(),
        private_key: String::new(),
        listen_port: 0,
        addresses: Vec::new(),
        peers: Vec::new(),
        policy: POLICY.to_owned(),
    }
}
