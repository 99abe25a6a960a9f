//! The two ends of the packet benches: a paced source of small frames and a sink that counts them, each a process in a
//! host's namespace. The source is pinned to CPU 0 and comes in two kinds. The *polite* one writes to a packet socket every
//! 200 microseconds and sleeps in between; it reaches about a million frames per second. The *fast* one is the kernel's
//! live-frame test run, which keeps its CPU to itself and reaches several million, so that it never bounds a gateway here.

use crate::frame::{self, Frame, SOURCE_PORT_AT};
use crate::packet_socket::{BATCH, PacketSocket};
use crate::xdp;
use anyhow::{Context, Result, ensure};
use lab::{Background, Lab, Namespace, wait_until};
use std::time::{Duration, Instant};

/// How a source sends.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// Through a packet socket; leaves its CPU to others in between.
    Polite,
    /// By live frames; takes its whole CPU.
    Fast,
}

/// Sends live frames at `rate` per second until it is told to end.
pub fn run_fast(interface: &str, frame: &str, rate: u32) -> Result<()> {
    let program = xdp::source(&frame::from_hex(frame)?, index_of(interface)?, rate)?;
    xdp::emit(&program)
}

/// Sends at `rate` frames per second, 200 microseconds' worth at a time, until it is told to end.
pub fn run_polite(interface: &str, frame: &str, rate: u64) -> Result<()> {
    let socket = PacketSocket::open(index_of(interface)?)?;
    let mut frames = [frame::from_hex(frame)?; BATCH];
    let begin = Instant::now();
    let mut sent = 0;
    loop {
        let due = (begin.elapsed().as_secs_f64() * rate as f64) as u64;
        // Who fell behind does not catch up with a flood.
        sent = sent.max(due.saturating_sub(rate / 100));
        while sent < due {
            let count = (due - sent).min(BATCH as u64) as usize;
            for (index, frame) in frames[..count].iter_mut().enumerate() {
                let port = 4000 + (sent + index as u64) as u16 % 1024;
                frame[SOURCE_PORT_AT as usize..][..2].copy_from_slice(&port.to_be_bytes());
            }
            sent += socket.send(&mut frames[..count])? as u64;
        }
        // More at once would overrun the 256 frames that a veth queues.
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Attaches the sink, says so, and holds it until it is told to end.
pub fn sink(interface: &str) -> Result<()> {
    let program = xdp::sink()?;
    let _link = xdp::attach(&program, index_of(interface)?)?;
    println!("attached");
    std::thread::sleep(Duration::from_secs(600));
    Ok(())
}

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
        ensure!(process.is_running(), "the sink ended: {}", process.log());
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

/// Starts sending from `host`'s `eth0` at `rate`, until the returned process is dropped.
pub fn start(
    lab: &Lab,
    host: &Namespace,
    source: Source,
    frame: &Frame,
    rate: u64,
) -> Result<Background> {
    let kind = match source {
        Source::Polite => "send-politely",
        Source::Fast => "send-fast",
    };
    let mut command = host.command("taskset");
    command.args(["--cpu-list", "0"]).arg(std::env::current_exe()?);
    command.args([kind, "eth0", &frame::to_hex(frame), &rate.to_string()]);
    let mut process = Background::start(&mut command, &lab.path("source.log"))?;
    // Loading, and the first frames on their way.
    std::thread::sleep(Duration::from_millis(100));
    ensure!(process.is_running(), "the source ended: {}", process.log());
    Ok(process)
}

/// The MAC address of an interface.
pub fn mac_of(namespace: &Namespace, interface: &str) -> Result<[u8; 6]> {
    frame::parse_mac(&namespace.run(&format!("cat /sys/class/net/{interface}/address"))?)
}
