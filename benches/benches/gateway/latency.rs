//! Round trips of small UDP packets between two hosts, one at a time.

use crate::generator::part;
use anyhow::{Context, Result, ensure};
use lab::{Lab, Namespace};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// Port of the echo.
const PORT: u16 = 7007;
/// Between two questions: an idle gateway has time to fall asleep, as gateways do.
const PAUSE: Duration = Duration::from_micros(300);

/// Quantiles of the round trip, microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Quantiles {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
}

/// Sends every datagram back, until it is told to end.
pub fn echo() -> Result<()> {
    let socket = UdpSocket::bind(("0.0.0.0", PORT))?;
    let mut buffer = [0; 64];
    loop {
        let (length, sender) = socket.recv_from(&mut buffer)?;
        socket.send_to(&buffer[..length], sender)?;
    }
}

/// Asks `count` times and prints the quantiles. A lost answer is an error: it would have no place in them.
pub fn ask(address: &str, count: usize) -> Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect((address, PORT))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut times = Vec::with_capacity(count);
    let mut buffer = [0; 64];
    for serial in 0..count as u64 {
        let begin = Instant::now();
        socket.send(&serial.to_le_bytes())?;
        let length = socket.recv(&mut buffer).context("an answer is missing")?;
        times.push(begin.elapsed());
        ensure!(buffer[..length] == serial.to_le_bytes(), "an answer out of turn");
        std::thread::sleep(PAUSE);
    }
    times.sort();
    let quantile = |share: f64| {
        let index = ((times.len() as f64 * share) as usize).min(times.len() - 1);
        times[index].as_secs_f64() * 1e6
    };
    println!("{} {} {}", quantile(0.5), quantile(0.99), quantile(0.999));
    Ok(())
}

/// Measures from `client` to `server` at `address`.
pub fn measure(
    lab: &Lab,
    client: &Namespace,
    server: &Namespace,
    address: &str,
    count: usize,
) -> Result<Quantiles> {
    let _echo = part(lab, server, "echo")?;
    // The first questions find neighbours, caches and the echo itself not ready.
    lab::wait_until("the echo answers", Duration::from_secs(5), || {
        part(lab, client, &format!("ask {address} 100"))
            .and_then(|mut asking| asking.finish(Duration::from_secs(10)))
            .is_ok()
    })?;
    let mut asking = part(lab, client, &format!("ask {address} {count}"))?;
    let text = asking.finish(Duration::from_secs(120))?;
    let values: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match values.as_slice() {
        &[p50, p99, p999] => Ok(Quantiles { p50, p99, p999 }),
        _ => anyhow::bail!("the questioner printed: {text}"),
    }
}
