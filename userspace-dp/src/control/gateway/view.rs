//! The view that readers have of the gateway, as control renews it.

use std::sync::Arc;

use super::super::link_statistics;
use super::super::observer::{DeviceView, View};
use super::super::running::Running;
use super::Gateway;

impl Gateway {
    pub(super) fn renew(&mut self) {
        self.running.publisher.collect();
        let (devices, exits) = (devices(&self.running), exits(&self.running));
        let problems = self.problem_lines();
        self.observer.renew(|view| {
            view.devices = devices;
            view.exits = exits;
            view.problems = problems;
        });
    }
}

/// The first view.
pub(super) fn first(running: &Running, loaded: &Arc<config::Loaded>) -> View {
    View {
        loaded: Arc::clone(loaded),
        snapshot: running.publisher.current(),
        devices: devices(running),
        exits: exits(running),
        peers: running.registry.iter().cloned().collect(),
        tunnel_ifindex: running.tunnel.as_ref().map_or(0, |tunnel| tunnel.ifindex),
        public_key: running.public_key,
        reload: None,
        problems: Vec::new(),
    }
}

fn devices(running: &Running) -> Vec<DeviceView> {
    let held = running.held.iter().zip(&running.zero_copy);
    let links = link_statistics::read();
    held.map(|(held, &zero_copy)| DeviceView {
        found: held.found.clone(),
        mode: held.attachment.mode().to_string(),
        zero_copy,
        stepped_down: held.stepped_down.clone(),
        program_id: ebpf::attached(held.found.ifindex)
            .ok()
            .flatten()
            .map(|attached| attached.program),
        link: links.get(&held.found.name).copied().unwrap_or_default(),
        link_up: running
            .mirror
            .tables()
            .link(held.found.ifindex)
            .is_some_and(|link| link.up && link.carrier),
    })
    .collect()
}

fn exits(running: &Running) -> Vec<(&'static str, u64)> {
    let counters = running.steering.counters();
    counters.map_or_else(
        |_| Vec::new(),
        |counters| counters.iter().map(|(exit, count)| (exit.name(), count)).collect(),
    )
}
