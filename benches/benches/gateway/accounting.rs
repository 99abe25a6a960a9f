//! CPU time of the whole machine.

use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// Measures from its making to [`Meter::busy`].
pub struct Meter {
    begin: Instant,
    idle: Duration,
}

impl Meter {
    /// Starts measuring.
    pub fn start() -> Result<Self> {
        Ok(Self { begin: Instant::now(), idle: machine_idle()? })
    }

    /// CPU time spent since by the whole machine on anything, interrupts included: what was not idle. Idle time is kept
    /// exactly, where busy time is sampled at ticks; it is shown in hundredths of a second, so runs should last a second.
    pub fn busy(&self) -> Result<Duration> {
        let cpus = std::thread::available_parallelism()?.get() as u32;
        let idle = machine_idle()?.saturating_sub(self.idle);
        Ok((self.begin.elapsed() * cpus).saturating_sub(idle))
    }
}

fn machine_idle() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().context("/proc/stat is empty")?;
    // cpu user nice system idle iowait ...
    let columns = line.split_whitespace().skip(4).take(2);
    let ticks: u64 = columns.filter_map(|word| word.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * MILLISECONDS_PER_TICK))
}

/// USER_HZ is 100 on every Linux that Rust runs on.
const MILLISECONDS_PER_TICK: u64 = 10;
