//! `status`: one screen.

use crate::api::{Health, Status};
use crate::cli::colour::{Paint, Tone};
use crate::cli::format::{bytes, seconds};
use std::fmt::Write;

pub(super) fn render(status: &Status, paint: Paint) -> String {
    let health = match status.health {
        Health::Ok => paint.paint(Tone::Good, "ok"),
        Health::Degraded => paint.paint(Tone::Warn, "degraded"),
        Health::Down => paint.paint(Tone::Bad, "down"),
    };
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<11} {value}");
    };
    line("gateway", format!("{}, ringwall {}, pid {}", status.name, status.version, status.pid));
    line("health", health);
    for problem in &status.problems {
        line("", paint.paint(Tone::Warn, problem));
    }
    line("uptime", seconds(status.uptime_seconds));
    line("workers", format!("{} of {} alive", status.workers_alive, status.workers));
    line("interfaces", format!("{} of {} up", status.interfaces_up, status.interfaces));
    line("peers", format!("{} of {} up", status.peers_up, status.peers));
    line("received", format!("{} packets, {}", status.rx_packets, bytes(status.rx_bytes)));
    line("sent", format!("{} packets, {}", status.tx_packets, bytes(status.tx_bytes)));
    line("dropped", format!("{} packets (`ringwall show drops` says why)", status.drops));
    line("cipher", cipher(&status.aead_backend));
    line("generation", status.generation.to_string());
    let reload = status.reload.as_ref().map(|reload| {
        let ago = seconds(status.taken_at_unix.saturating_sub(reload.at_unix));
        let outcome = if reload.applied { "applied" } else { "refused" };
        format!("{outcome} {ago} ago: {}", reload.message)
    });
    line("reload", reload.unwrap_or_else(|| "none since start".to_owned()));
    text
}

/// Who computes the cipher. The library's name alone reads like a ring of packets.
fn cipher(backend: &str) -> String {
    if backend == "ring" { "ring (library)".to_owned() } else { backend.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reload;

    fn sample() -> Status {
        Status {
            name: "edge-1".into(),
            version: "0.1.0".into(),
            pid: 4711,
            taken_at_unix: 1_700_000_100,
            uptime_seconds: 90_061,
            generation: 12,
            health: Health::Degraded,
            problems: vec!["eth1: link is down".into()],
            workers_alive: 2,
            workers: 2,
            interfaces_up: 1,
            interfaces: 2,
            peers_up: 3,
            peers: 10,
            rx_packets: 1000,
            tx_packets: 900,
            rx_bytes: 64_000,
            tx_bytes: 57_600,
            drops: 100,
            aead_backend: "avx512".into(),
            reload: Some(Reload {
                at_unix: 1_700_000_040,
                applied: false,
                message: "restart needed: wireguard.listen_port".into(),
            }),
        }
    }

    #[test]
    fn the_screen_says_what_is_wrong_and_what_the_last_reload_did() {
        let expected = "\
gateway     edge-1, ringwall 0.1.0, pid 4711
health      degraded
            eth1: link is down
uptime      1d01h
workers     2 of 2 alive
interfaces  1 of 2 up
peers       3 of 10 up
received    1000 packets, 62.50 KiB
sent        900 packets, 56.25 KiB
dropped     100 packets (`ringwall show drops` says why)
cipher      avx512
generation  12
reload      refused 1m00s ago: restart needed: wireguard.listen_port
";
        assert_eq!(render(&sample(), Paint::Plain), expected);
    }

    #[test]
    fn the_cipher_library_does_not_read_like_a_ring_of_packets() {
        let status = Status { aead_backend: "ring".into(), ..sample() };
        assert!(render(&status, Paint::Plain).contains("\ncipher      ring (library)\n"));
    }

    #[test]
    fn health_has_its_colour_on_a_terminal() {
        assert!(render(&sample(), Paint::Colour).contains("\x1b[33mdegraded\x1b[0m"));
        let down = Status { health: Health::Down, reload: None, ..sample() };
        assert!(render(&down, Paint::Colour).contains("\x1b[31mdown\x1b[0m"));
        assert!(render(&down, Paint::Plain).ends_with("reload      none since start\n"));
    }
}
