//! The gateway family: whole gateways between network namespaces, on one machine that runs everything at once.
//!
//! | figure | what is measured |
//! |---|---|
//! | gateway.wireguard.tcp | goodput of one iperf3 TCP stream between two hosts behind two gateways of the same kind |
//! | gateway.wireguard.cpu_per_gb | CPU time of the *whole machine* during that run (processes, kernel threads, interrupts; hosts and iperf3 included) per gigabyte (1e9 bytes) delivered |
//! | gateway.wireguard.pps64 | 64-byte frames (60 without the checksum) through one tunnel: the best rate at the far host over a ladder of offered loads |
//! | gateway.forward.pps64 | the same through one gateway without a tunnel, one queue, one core |
//! | gateway.cpu_per_mpacket | CPU time of the whole machine per million packets forwarded at 200,000 packets/s, generator and sink included |
//! | gateway.latency.p50, .p99, .p999 | round trip of a small UDP packet between two hosts through one gateway, otherwise idle: both hosts' stacks included |
//!
//! The whole machine is charged because gateways differ in where their work lands: AF_XDP sends in the worker's system
//! calls, wireguard-go in its own threads, kernel forwarding in softirqs that no process is billed for. Hosts, links and
//! offloads (all off) are the same for everybody; a veth shows the kernel's copying path, never zero-copy, so figures of
//! different gateways may be compared with each other but not with hardware. Not measured here: many peers, many
//! flows, latency under load.
//!
//! Peers: wireguard-go and boringtun-cli with kernel forwarding for the tunnels; kernel forwarding (threaded NAPI on
//! the same core) and DPDK testpmd (af_xdp driver, `mac` mode) for plain packets. Every round builds the scene anew and
//! runs everybody once, each time in another order; figures are medians. Ringwall must be built (`scripts/bench.sh` does).
#![allow(missing_docs)]

mod accounting;
mod forward;
mod frame;
mod generator;
mod ladder;
mod latency;
mod packet_socket;
mod rounds;
mod testpmd;
mod tunnel;
mod xdp;

use anyhow::{Context, Result, bail, ensure};
use ringwall_benches::report::Family;
use std::path::{Path, PathBuf};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // The parts that must run inside a namespace are this program again, started there.
    match words.as_slice() {
        ["send-fast", interface, frame, rate] => {
            generator::run_fast(interface, frame, rate.parse()?)
        }
        ["send-politely", interface, frame, rate] => {
            generator::run_polite(interface, frame, rate.parse()?)
        }
        ["sink", interface] => generator::sink(interface),
        ["echo"] => latency::echo(),
        ["ask", address, count] => latency::ask(address, count.parse()?),
        _ => measure(),
    }
}

fn measure() -> Result<()> {
    ensure!(lab::available(), "the gateway benches need root");
    let program = ringwall()?;
    let mut family = Family::from_arguments("gateway");
    tunnel::measure(&mut family, &program)?;
    forward::measure(&mut family, &program)?;
    family.finish();
    Ok(())
}

fn ringwall() -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    let program = target.join("release/ringwall");
    if !program.exists() {
        bail!("{} is missing: run scripts/bench.sh gateway", program.display());
    }
    program.canonicalize().context("target/release/ringwall")
}
