//! The figures of tunnels: two sites, a gateway at each, everything between them encrypted.

use crate::accounting::Meter;
use crate::frame;
use crate::generator::{Sink, Source, mac_of};
use crate::ladder;
use crate::rounds::{self, Figure};
use anyhow::Result;
use lab::{GatewayKind, Implementation, RIGHT_HOST, Sites, iperf};
use ringwall_benches::report::Family;
use std::net::Ipv4Addr;
use std::path::Path;

/// Offered loads, frames per second.
const LOADS: [u64; 5] = [60_000, 120_000, 200_000, 300_000, 500_000];

/// What one kind of gateway did in one round.
struct Round {
    mbit_per_s: f64,
    cpu_seconds_per_gb: f64,
    frames_per_s: f64,
}

/// Measures and records gateway.wireguard.*.
pub fn measure(family: &mut Family, program: &Path) -> Result<()> {
    let kinds = [
        ("ringwall", GatewayKind::Ringwall(program.to_path_buf())),
        ("wireguard-go", GatewayKind::Reference(Implementation::WireguardGo)),
        ("boringtun-cli", GatewayKind::Reference(Implementation::Boringtun)),
    ];
    let (rounds, seconds, step) = if family.is_quick() { (3, 1, 0.15) } else { (7, 8, 1.0) };
    let figures = [
        Figure {
            name: "gateway.wireguard.tcp",
            unit: "Mbit/s",
            value: |round: &Round| round.mbit_per_s,
        },
        Figure {
            name: "gateway.wireguard.cpu_per_gb",
            unit: "CPU-s",
            value: |round| round.cpu_seconds_per_gb,
        },
        Figure { name: "gateway.wireguard.pps64", unit: "pps", value: |round| round.frames_per_s },
    ];
    rounds::measure(family, rounds, &kinds, |kind| run(kind, seconds, step), &figures)
}

fn run(kind: &GatewayKind, seconds: u32, step: f64) -> Result<Round> {
    let sites = Sites::up(kind)?;
    let (left, right) = (sites.lab.namespace("left"), sites.lab.namespace("right"));
    let meter = Meter::start()?;
    let tcp = iperf(&sites.lab, &left, &right, RIGHT_HOST, seconds, "")?;
    let busy = meter.busy()?;

    let gateway = sites.lab.namespace("gwleft");
    // Frames from the generator enter a veth only where the other end polls: GRO makes a kernel's end do so, as an
    // attached program does.
    if let GatewayKind::Reference(_) = kind {
        gateway.run("ethtool -K lan0 gro on")?;
    }
    let frame = frame::build(
        mac_of(&left, "eth0")?,
        mac_of(&gateway, "lan0")?,
        Ipv4Addr::new(10, 1, 0, 2),
        Ipv4Addr::new(10, 2, 0, 2),
    );
    let sink = Sink::attach(&sites.lab, &right, "eth0")?;
    let path = ladder::Path { lab: &sites.lab, source: &left, frame, sink: &sink };
    Ok(Round {
        mbit_per_s: tcp.mbit_per_s,
        cpu_seconds_per_gb: busy.as_secs_f64() / (tcp.bytes as f64 / 1e9),
        frames_per_s: path.best_of(Source::Polite, &LOADS, step)?,
    })
}
