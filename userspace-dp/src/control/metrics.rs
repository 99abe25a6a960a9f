//! What Prometheus is told: every count of the gateway under a stable name, in base units, with bounded labels.

use std::fmt::Write;

use telemetry::{Reason, Stage};

use super::http::Health;
use super::observer::Observer;
use super::show;

impl Health for Observer {
    fn metrics(&self) -> String {
        text(self)
    }

    fn healthy(&self) -> Result<(), String> {
        let dead = self.workers.iter().enumerate().find(|(_, worker)| !self.is_alive(worker));
        dead.map_or(Ok(()), |(number, _)| Err(format!("worker {number} is silent")))
    }

    fn ready(&self) -> Result<(), String> {
        self.healthy()?;
        let view = self.view();
        if view.devices.iter().any(|device| device.link_up) || view.devices.is_empty() {
            Ok(())
        } else {
            Err("no interface has a link".into())
        }
    }
}

/// Writes families in the OpenMetrics text format.
struct Families(String);

impl Families {
    /// Begins a family: its help and type.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# TYPE {name} {kind}\n# HELP {name} {}", escaped(help));
    }

    /// A sample: full name, labels, value.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (position, (label, text)) in labels.iter().enumerate() {
            let opening = if position == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{opening}{label}=\"{}\"", escaped(text));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn text(observer: &Observer) -> String {
    let mut out = Families(String::with_capacity(64 * 1024));
    about(&mut out, observer);
    workers(&mut out, observer);
    stages(&mut out, observer);
    drops(&mut out, observer);
    devices(&mut out, observer);
    tunnel(&mut out, observer);
    out.0.push_str("# EOF\n");
    out.0
}

fn about(out: &mut Families, observer: &Observer) {
    let view = observer.view();
    out.family("ringwall_build", "info", "The running build.");
    let labels = [("version", env!("CARGO_PKG_VERSION")), ("aead", observer.aead.name())];
    out.sample("ringwall_build_info", &labels, 1);
    out.family("ringwall_config_generation", "gauge", "Generation of the snapshot in effect.");
    out.sample("ringwall_config_generation", &[], view.snapshot.generation);
    out.family("ringwall_config_last_reload_success", "gauge", "Whether the last reload was applied; 1 before the first.");
    let applied = view.reload.as_ref().is_none_or(|reload| reload.applied);
    out.sample("ringwall_config_last_reload_success", &[], u8::from(applied));
}

/// A counter of every worker: name without suffix, help, how it is read.
type WorkerCounter = (&'static str, &'static str, fn(&telemetry::WorkerCounters) -> u64);

const WORKER_COUNTERS: [WorkerCounter; 15] = [
    ("received_packets", "Frames taken from receive rings.", |c| c.received_packets.read()),
    ("received_bytes", "Bytes of those frames.", |c| c.received_bytes.read()),
    ("transmitted_packets", "Frames put on transmit rings.", |c| c.transmitted_packets.read()),
    ("transmitted_bytes", "Bytes of those frames.", |c| c.transmitted_bytes.read()),
    ("bursts", "Bursts processed.", |c| c.bursts.read()),
    ("turns", "Turns of the poll loop.", |c| c.turns.read()),
    ("handed_over_packets", "Packets handed to other workers.", |c| c.handed_over.read()),
    ("taken_over_packets", "Packets taken over from other workers.", |c| c.taken_over.read()),
    ("punted_packets", "Packets given to the kernel through the tunnel device.", |c| c.punted.read()),
    ("replies", "Replies built by the gateway.", |c| c.replies.read()),
    ("replies_limited", "Replies that were due but over the reply rate.", |c| c.replies_limited.read()),
    ("handshakes_admitted", "Handshake messages that passed the gate.", |c| c.handshakes_admitted.read()),
    ("cookie_replies", "Cookie replies sent under load.", |c| c.cookie_replies.read()),
    ("commands", "Commands carried out for other threads.", |c| c.commands.read()),
    ("events_lost", "Events that the control ring had no room for.", |c| c.events_lost.read()),
];

fn workers(out: &mut Families, observer: &Observer) {
    let numbered = || observer.workers.iter().enumerate().map(|(number, worker)| (number.to_string(), worker));
    for (name, help, read) in WORKER_COUNTERS {
        let family = format!("ringwall_worker_{name}");
        out.family(&family, "counter", help);
        for (number, worker) in numbered() {
            let labels = [("worker", number.as_str())];
            out.sample(&format!("{family}_total"), &labels, read(&worker.shared.counters));
        }
    }
    out.family("ringwall_worker_seconds", "counter", "Time of the poll loop by what it found.");
    for (number, worker) in numbered() {
        let counters = &worker.shared.counters;
        for (state, nanos) in [("busy", &counters.busy_nanos), ("idle", &counters.idle_nanos)] {
            let labels = [("worker", number.as_str()), ("state", state)];
            out.sample("ringwall_worker_seconds_total", &labels, seconds(nanos.read()));
        }
    }
    out.family("ringwall_worker_alive", "gauge", "Whether the worker's heartbeat advances.");
    for (number, worker) in numbered() {
        let alive = u8::from(observer.is_alive(worker));
        out.sample("ringwall_worker_alive", &[("worker", number.as_str())], alive);
    }
    out.family("ringwall_worker_frames", "gauge", "Frames of the worker by state.");
    for (number, worker) in numbered() {
        let counters = &worker.shared.counters;
        let states = [("free", &counters.frames_free), ("held", &counters.frames_held), ("owed", &counters.frames_owed)];
        for (state, frames) in states {
            let labels = [("worker", number.as_str()), ("state", state)];
            out.sample("ringwall_worker_frames", &labels, frames.read());
        }
    }
    latency(out, observer);
}

fn latency(out: &mut Families, observer: &Observer) {
    let name = "ringwall_worker_latency_seconds";
    out.family(name, "summary", "Time from receive to transmit ring.");
    for (number, worker) in observer.workers.iter().enumerate() {
        let number = number.to_string();
        let latency = show::latency(&worker.shared.counters);
        for (quantile, nanos) in [("0.5", latency.p50_ns), ("0.99", latency.p99_ns), ("0.999", latency.p999_ns)] {
            let labels = [("worker", number.as_str()), ("quantile", quantile)];
            out.sample(name, &labels, seconds(nanos));
        }
        out.sample(&format!("{name}_count"), &[("worker", number.as_str())], latency.count);
    }
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

fn stages(out: &mut Families, observer: &Observer) {
    let rows: [(&str, &str, fn(&telemetry::StageCounters) -> f64); 3] = [
        ("packets", "Packets that a stage looked at.", |s| s.packets.read() as f64),
        ("timed_packets", "Packets of the bursts whose stages were timed.", |s| s.timed_packets.read() as f64),
        ("timed_seconds", "Time of those bursts.", |s| seconds(s.timed_nanos.read())),
    ];
    for (name, help, read) in rows {
        let family = format!("ringwall_stage_{name}");
        out.family(&family, "counter", help);
        for (number, worker) in observer.workers.iter().enumerate() {
            for stage in Stage::ALL {
                let number = number.to_string();
                let labels = [("worker", number.as_str()), ("stage", stage.name())];
                let value = read(worker.shared.counters.stage(stage));
                out.sample(&format!("{family}_total"), &labels, value);
            }
        }
    }
}

fn drops(out: &mut Families, observer: &Observer) {
    out.family("ringwall_drops", "counter", "Packets dropped, by stage and reason.");
    for reason in Reason::all() {
        let labels = [("stage", reason.stage().name()), ("reason", reason.name())];
        out.sample("ringwall_drops_total", &labels, show::dropped(observer, reason));
    }
}

fn devices(out: &mut Families, observer: &Observer) {
    let view = observer.view();
    out.family("ringwall_steering", "counter", "Frames by exit of the steering program.");
    for (exit, packets) in &view.exits {
        out.sample("ringwall_steering_total", &[("exit", exit)], packets);
    }
    out.family("ringwall_interface", "info", "Interfaces, and the mode that was got.");
    for device in &view.devices {
        let zero_copy = if device.zero_copy { "true" } else { "false" };
        let labels = [
            ("interface", device.found.name.as_str()),
            ("mode", device.mode.as_str()),
            ("zero_copy", zero_copy),
        ];
        out.sample("ringwall_interface_info", &labels, 1);
    }
    out.family("ringwall_interface_up", "gauge", "Whether the link is up with carrier.");
    for device in &view.devices {
        let labels = [("interface", device.found.name.as_str())];
        out.sample("ringwall_interface_up", &labels, u8::from(device.link_up));
    }
    out.family("ringwall_interface_stepped_down", "gauge", "Whether less than the best mode was got.");
    for device in &view.devices {
        let labels = [("interface", device.found.name.as_str())];
        out.sample("ringwall_interface_stepped_down", &labels, u8::from(device.stepped_down.is_some()));
    }
}

fn tunnel(out: &mut Families, observer: &Observer) {
    if let Some(Ok(handshakes)) = observer.client.as_ref().map(|client| client.statistics()) {
        let rows = [
            ("agreements", "Shared secrets computed with X25519.", handshakes.agreements),
            ("initiations_sent", "Handshake initiations sent.", handshakes.initiations_sent),
            ("retries", "Of those, repeated ones.", handshakes.retries),
            ("accepted", "Sessions made as responder.", handshakes.accepted),
            ("completed", "Sessions made as initiator.", handshakes.completed),
            ("cookies_kept", "Cookies received from loaded peers.", handshakes.cookies_kept),
            ("given_up", "Handshakes given up.", handshakes.given_up),
        ];
        for (name, help, value) in rows {
            let family = format!("ringwall_wireguard_{name}");
            out.family(&family, "counter", help);
            out.sample(&format!("{family}_total"), &[], value);
        }
    }
    let table = show::peers(observer);
    out.family("ringwall_wireguard_peers", "gauge", "Peers configured.");
    out.sample("ringwall_wireguard_peers", &[], table.peers.len());
    if table.peers.len() > observer.view().loaded.config.telemetry.per_peer_series as usize {
        return;
    }
    let rows: [(&str, &str, fn(&crate::api::Peer) -> u64); 4] = [
        ("received_packets", "Data messages accepted from the peer.", |peer| peer.rx_packets),
        ("received_bytes", "Payload bytes accepted from the peer.", |peer| peer.rx_bytes),
        ("transmitted_packets", "Data messages sealed for the peer.", |peer| peer.tx_packets),
        ("transmitted_bytes", "Payload bytes sealed for the peer.", |peer| peer.tx_bytes),
    ];
    for (name, help, read) in rows {
        let family = format!("ringwall_wireguard_peer_{name}");
        out.family(&family, "counter", help);
        for peer in &table.peers {
            out.sample(&format!("{family}_total"), &[("peer", peer.name.as_str())], read(peer));
        }
    }
    let name = "ringwall_wireguard_peer_latest_handshake_timestamp_seconds";
    out.family(name, "gauge", "When the newest session was made; absent before the first.");
    for peer in &table.peers {
        if let Some(at) = peer.latest_handshake_unix {
            out.sample(name, &[("peer", peer.name.as_str())], at);
        }
    }
}
