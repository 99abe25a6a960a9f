//! What moves through a lab: pings, downloads, iperf3.

use crate::background::Background;
use crate::network::{Lab, Namespace};
use crate::wait_until;
use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What a ping counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PingReport {
    /// Requests sent.
    pub sent: u32,
    /// Replies received.
    pub received: u32,
}

impl PingReport {
    /// Every request was answered, and there was one.
    #[must_use]
    pub fn complete(self) -> bool {
        self.sent > 0 && self.sent == self.received
    }

    fn parse(text: &str) -> Result<Self> {
        let line = text
            .lines()
            .find(|line| line.contains("packets transmitted"))
            .with_context(|| format!("ping printed no summary:\n{text}"))?;
        let mut numbers = line.split(' ').filter_map(|word| word.parse().ok());
        let mut next = || numbers.next().context("ping printed an unknown summary");
        Ok(Self { sent: next()?, received: next()? })
    }
}

/// Pings `target` `count` times, 50 ms apart, and waits a second for the last reply. `options` go to `ping(8)`.
///
/// # Errors
/// When ping cannot run at all; silence is a report, not an error.
pub fn ping(
    namespace: &Namespace,
    target: IpAddr,
    count: u32,
    options: &str,
) -> Result<PingReport> {
    let line = format!("ping -n -q -c {count} -i 0.05 -W 1 {options} {target}");
    let mut command = namespace.command("timeout");
    let output = command.arg("60").args(line.split_whitespace()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    PingReport::parse(&text)
        .with_context(|| format!("{line}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Pings `target` `count` times as [`ping`] does and returns all that `ping(8)` printed: who answered, and what.
///
/// # Errors
/// When ping cannot run at all.
pub fn ping_transcript(
    namespace: &Namespace,
    target: IpAddr,
    count: u32,
    options: &str,
) -> Result<String> {
    let line = format!("ping -n -c {count} -i 0.05 -W 1 {options} {target}");
    let mut command = namespace.command("timeout");
    let output = command.arg("60").args(line.split_whitespace()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(!text.is_empty(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(text + &String::from_utf8_lossy(&output.stderr))
}

/// A ping that runs until it is asked for its report.
#[derive(Debug)]
pub struct ContinuousPing(Background);

/// Pings `target` every `interval_ms` until its report is asked for.
///
/// # Errors
/// When ping cannot be started.
pub fn continuous_ping(
    lab: &Lab,
    namespace: &Namespace,
    target: IpAddr,
    interval_ms: u32,
) -> Result<ContinuousPing> {
    let log = lab.path(&format!("ping-{namespace}-{}.log", target.to_string().replace(':', "_")));
    let seconds = f64::from(interval_ms) / 1000.0;
    namespace.start(&format!("ping -n -q -i {seconds} {target}"), &log).map(ContinuousPing)
}

impl ContinuousPing {
    /// Ends the ping and reads its summary. The request in flight, if any, counts as sent: let the caller allow for one.
    ///
    /// # Errors
    /// When it printed none.
    pub fn report(mut self) -> Result<PingReport> {
        self.0.signal(Signal::INT);
        self.0.wait(Duration::from_secs(5))?;
        PingReport::parse(&self.0.log())
    }
}

/// A web server with one file of known content.
#[derive(Debug)]
pub struct WebServer {
    _process: Background,
    payload: PathBuf,
}

impl WebServer {
    /// Serves `bytes` of incompressible content on port 80, IPv4 and IPv6.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn start(lab: &Lab, namespace: &Namespace, bytes: usize) -> Result<Self> {
        let root = lab.path("www");
        std::fs::create_dir_all(&root)?;
        let payload = root.join("payload");
        std::fs::write(&payload, noise(bytes))?;
        let line = format!("busybox httpd -f -p [::]:80 -h {}", root.display());
        let process = namespace.start(&line, &lab.path("httpd.log"))?;
        wait_until("the web server answers", Duration::from_secs(5), || {
            namespace.run("curl -fsS -I --max-time 1 http://127.0.0.1/payload").is_ok()
        })?;
        Ok(Self { _process: process, payload })
    }

    /// Starts fetching the file from `address` inside `namespace`; `rate` in bytes per second paces it.
    ///
    /// # Errors
    /// When curl cannot be started.
    pub fn download(
        &self,
        lab: &Lab,
        namespace: &Namespace,
        address: IpAddr,
        rate: Option<u32>,
    ) -> Result<Download> {
        let host = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
        let target = lab.path(&format!("download-{}", address.to_string().replace(':', "_")));
        let pace = rate.map_or(String::new(), |rate| format!("--limit-rate {rate}"));
        let line = format!(
            "curl -g -fsS --max-time 120 {pace} -o {} http://{host}/payload",
            target.display()
        );
        let process = namespace.start(&line, &target.with_extension("log"))?;
        Ok(Download { process, target, payload: self.payload.clone() })
    }
}

/// A download under way.
#[derive(Debug)]
pub struct Download {
    process: Background,
    target: PathBuf,
    payload: PathBuf,
}

impl Download {
    /// Bytes on disk so far.
    #[must_use]
    pub fn progress(&self) -> u64 {
        std::fs::metadata(&self.target).map_or(0, |file| file.len())
    }

    /// Whether it is under way.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Waits for the end and compares every byte.
    ///
    /// # Errors
    /// When the transfer failed, took longer than `limit`, or differs.
    pub fn finish(mut self, limit: Duration) -> Result<()> {
        self.process.finish(limit)?;
        ensure!(
            std::fs::read(&self.target)? == std::fs::read(&self.payload)?,
            "the downloaded file differs from the served one"
        );
        Ok(())
    }
}

/// What an iperf3 run measured at the receiver.
#[derive(Debug, Clone, Copy)]
pub struct Iperf {
    /// Goodput.
    pub mbit_per_s: f64,
    /// Bytes delivered.
    pub bytes: u64,
}

/// Runs iperf3 from `client` to a server in `server` at `target` for `seconds`; `options` go to the client.
///
/// # Errors
/// When either end fails.
pub fn iperf(
    lab: &Lab,
    client: &Namespace,
    server: &Namespace,
    target: IpAddr,
    seconds: u32,
    options: &str,
) -> Result<Iperf> {
    let log = lab.path(&format!("iperf-{server}.log"));
    let listening = server.start("iperf3 --server --one-off --forceflush", &log)?;
    wait_until("iperf3 listens", Duration::from_secs(5), || {
        listening.log().contains("Server listening")
    })?;
    let line = format!(
        "iperf3 --client {target} --time {seconds} --json --connect-timeout 5000 {options}"
    );
    let report: Value = serde_json::from_str(&client.run(&line)?)?;
    let sum = &report["end"]["sum_received"];
    let number = |key: &str| sum[key].as_f64().with_context(|| format!("iperf3: no {key}"));
    let bytes = sum["bytes"].as_u64().context("iperf3: no bytes")?;
    Ok(Iperf { mbit_per_s: number("bits_per_second")? / 1e6, bytes })
}

/// Incompressible, repeatable bytes (xorshift).
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut content = Vec::with_capacity(bytes + 8);
    while content.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend_from_slice(&state.to_le_bytes());
    }
    content.truncate(bytes);
    content
}
