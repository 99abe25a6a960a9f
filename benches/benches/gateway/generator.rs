//! The two ends of the packet benches: a paced source of small frames and a sink that counts them, each a process in a
//! host's namespace. The source is the kernel's live-frame test run, which reaches several million frames per second from
//! one core and so never bounds a gateway here; it is pinned to CPU 0.

use crate::{frame, xdp};
use anyhow::{Context, Result};
use lab::{Background, Lab, Namespace, wait_until};
use std::time::{Duration, Instant};

/// Sends at `rate` frames per second for `seconds`, in bursts a millisecond apart, and prints how many it sent in how many seconds.
pub fn run(interface: &str, frame: &str, rate: u64, seconds: f64) -> Result<()> {
    let program = xdp::source(&frame::from_hex(frame)?, index_of(interface)?)?;
    let begin = Instant::now();
    let total = Duration::from_secs_f64(seconds);
    let mut sent = 0;
    while begin.elapsed() < total {
        let due = (begin.elapsed().as_secs_f64() * rate as f64) as u64;
        let burst = due.saturating_sub(sent).min(MAXIMUM_BURST);
        if burst > 0 {
            xdp::emit(&program, burst as u32)?;
            sent += burst;
        }
        if burst < MAXIMUM_BURST {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    println!("{sent} {}", begin.elapsed().as_secs_f64());
    Ok(())
}

/// Attaches the sink, says so, and holds it until it is told to end.
pub fn sink(interface: &str) -> Result<()> {
    let program = xdp::sink()?;
    let _link = xdp::attach(&program, index_of(interface)?)?;
    println!("attached");
    std::thread::sleep(Duration::from_secs(600));
    Ok(())
}

/// Frames that a burst may have, so that a source that fell behind still looks at the clock.
const MAXIMUM_BURST: u64 = 4096;

fn index_of(interface: &str) -> Result<u32> {
    let text = std::fs::read_to_string(format!("/sys/class/net/{interface}/ifindex"))
        .with_context(|| format!("no interface {interface}"))?;
    Ok(text.trim().parse()?)
}

/// This program again, as one of its parts, inside a namespace.
pub fn part(lab: &Lab, namespace: &Namespace, arguments: &str) -> Result<Background> {
    let program = std::env::current_exe()?;
    let name = arguments.split(' ').next().unwrap_or_default();
    let log = lab.path(&format!("{namespace}-{name}.log"));
    namespace.start(&format!("{} {arguments}", program.display()), &log)
}

/// A running sink on one interface.
pub struct Sink<'a> {
    _process: Background,
    namespace: &'a Namespace,
    interface: &'static str,
}

impl<'a> Sink<'a> {
    /// Attaches it and waits until it is there.
    pub fn attach(lab: &Lab, namespace: &'a Namespace, interface: &'static str) -> Result<Self> {
        let mut process = part(lab, namespace, &format!("sink {interface}"))?;
        wait_until("the sink is attached", Duration::from_secs(5), || {
            process.log().contains("attached") || !process.is_running()
        })?;
        anyhow::ensure!(process.is_running(), "the sink ended: {}", process.log());
        Ok(Self { _process: process, namespace, interface })
    }

    /// Frames that arrived so far.
    pub fn count(&self) -> Result<u64> {
        let table = self.namespace.run(&format!("ethtool --statistics {}", self.interface))?;
        let rows = table.lines().filter_map(|line| line.trim().split_once(": "));
        let drops = rows.filter(|(name, _)| name.ends_with("xdp_drops"));
        Ok(drops.filter_map(|(_, count)| count.parse::<u64>().ok()).sum())
    }
}

/// What the generator did.
pub struct Sent {
    pub elapsed: Duration,
}

/// Sends frames from `host`'s `eth0` for `seconds` at `rate`.
pub fn send(
    lab: &Lab,
    host: &Namespace,
    frame: &frame::Frame,
    rate: u64,
    seconds: f64,
) -> Result<Sent> {
    let mut command = host.command("taskset");
    command.args(["--cpu-list", "0"]).arg(std::env::current_exe()?);
    command.args([
        "generate",
        "eth0",
        &frame::to_hex(frame),
        &rate.to_string(),
        &seconds.to_string(),
    ]);
    let mut process = Background::start(&mut command, &lab.path("generate.log"))?;
    let text = process.finish(Duration::from_secs_f64(seconds + 10.0))?;
    let seconds = text.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    let seconds = seconds.with_context(|| format!("the generator printed: {text}"))?;
    Ok(Sent { elapsed: Duration::from_secs_f64(seconds) })
}

/// The MAC address of an interface.
pub fn mac_of(namespace: &Namespace, interface: &str) -> Result<[u8; 6]> {
    frame::parse_mac(&namespace.run(&format!("cat /sys/class/net/{interface}/address"))?)
}
