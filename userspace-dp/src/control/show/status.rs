//! `status` and `show interfaces`.

use super::taken_at;
use crate::api::{Body, Health, Interface, Interfaces, Reply, Status, SteeringExit};
use crate::control::observer::{DeviceView, Observer, View, unix_at};

/// The one-screen summary.
pub(crate) fn status(observer: &Observer) -> Reply {
    let view = observer.view();
    let config = &view.loaded.config;
    let alive = observer.workers.iter().filter(|worker| observer.is_alive(worker)).count();
    let links_up = view.devices.iter().filter(|device| device.link_up).count();
    let problems = problems(observer, &view);
    let sum = |read: fn(&telemetry::WorkerCounters) -> u64| -> u64 {
        observer.workers.iter().map(|worker| read(&worker.shared.counters)).sum()
    };
    Reply::new(Body::Status(Box::new(Status {
        name: config.gateway.name.as_str().into(),
        version: env!("CARGO_PKG_VERSION").into(),
        pid: std::process::id(),
        taken_at_unix: taken_at(),
        uptime_seconds: taken_at().saturating_sub(unix_at(observer.started)),
        generation: view.snapshot.generation,
        health: match (alive, problems.is_empty()) {
            (0, _) => Health::Down,
            (_, true) => Health::Ok,
            (_, false) => Health::Degraded,
        },
        problems,
        workers_alive: alive as u32,
        workers: observer.workers.len() as u32,
        interfaces_up: links_up as u32,
        interfaces: view.devices.len() as u32,
        peers_up: super::peers::up(observer) as u32,
        peers: view.peers.len() as u32,
        rx_packets: sum(|counters| counters.received_packets.read()),
        tx_packets: sum(|counters| counters.transmitted_packets.read()),
        rx_bytes: sum(|counters| counters.received_bytes.read()),
        tx_bytes: sum(|counters| counters.transmitted_bytes.read()),
        drops: sum(telemetry::WorkerCounters::dropped_total)
            + observer.slow_path.dropped_total()
            + observer.handshakes.dropped_total(),
        aead_backend: observer.aead.name().into(),
        reload: view.reload.clone(),
    })))
}

/// What does not work, one line each.
pub(crate) fn problems(observer: &Observer, view: &View) -> Vec<String> {
    let mut problems = view.problems.clone();
    for (number, worker) in observer.workers.iter().enumerate() {
        if !observer.is_alive(worker) {
            problems.push(format!("worker {number} is silent"));
        }
    }
    for device in view.devices.iter().filter(|device| !device.link_up) {
        problems.push(format!("interface {} has no link", device.found.name));
    }
    if let Some(reload) = view.reload.as_ref().filter(|reload| !reload.applied) {
        problems.push(format!("the last reload was refused: {}", reload.message));
    }
    problems
}

pub(super) fn interfaces(observer: &Observer) -> Interfaces {
    let view = observer.view();
    let mut interfaces: Vec<_> = view.devices.iter().map(|device| row(device, &view)).collect();
    interfaces.extend(tunnel(&view));
    let exit = |&(exit, packets): &(&str, u64)| SteeringExit { exit: exit.into(), packets };
    Interfaces {
        taken_at_unix: taken_at(),
        interfaces,
        steering: view.exits.iter().map(exit).collect(),
    }
}

fn row(device: &DeviceView, view: &View) -> Interface {
    let found = &device.found;
    let configured = view.loaded.config.interface.iter();
    let zone = configured
        .filter(|interface| interface.name.as_str() == found.name)
        .map(|i| i.zone.as_str());
    Interface {
        name: found.name.clone(),
        ifindex: found.ifindex,
        zone: zone.collect(),
        mode: device.mode.clone(),
        zero_copy: device.zero_copy,
        stepped_down: device.stepped_down.clone(),
        queues: found.queues,
        mtu: found.mtu,
        mac: Some(wire::Mac(found.mac).to_string()),
        program_id: device.program_id,
        link_up: device.link_up,
        link: device.link,
    }
}

/// The tunnel's device stands last.
fn tunnel(view: &View) -> Option<Interface> {
    let wireguard = view.loaded.config.wireguard.as_ref()?;
    let interface = view.snapshot.interface(view.snapshot.tunnel.interface)?;
    Some(Interface {
        name: interface.name.clone(),
        ifindex: view.tunnel.ifindex,
        zone: wireguard.zone.as_str().into(),
        mode: "tun".into(),
        zero_copy: false,
        stepped_down: None,
        queues: 0,
        mtu: u32::from(interface.mtu),
        mac: None,
        program_id: None,
        link_up: view.tunnel.link_up,
        link: view.tunnel.link,
    })
}
