//! The view that readers have of the gateway, as control renews it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::link_statistics;
use super::super::netlink::Tables;
use super::super::observer::{DeviceView, TunnelView, View};
use super::super::running::Running;
use super::Gateway;
use crate::api::LinkStatistics;

impl Gateway {
    pub(super) fn renew(&mut self) {
        self.running.publisher.collect();
        let links = link_statistics::read();
        let (devices, tunnel) = (devices(&self.running, &links), tunnel(&self.running, &links));
        let exits = exits(&self.running);
        let problems = self.problem_lines();
        self.observer.renew(|view| {
            view.devices = devices;
            view.tunnel = tunnel;
            view.exits = exits;
            view.problems = problems;
        });
    }
}

/// The first view.
pub(super) fn first(running: &Running, loaded: &Arc<config::Loaded>) -> View {
    let links = link_statistics::read();
    View {
        loaded: Arc::clone(loaded),
        snapshot: running.publisher.current(),
        devices: devices(running, &links),
        exits: exits(running),
        peers: running.registry.iter().cloned().collect(),
        tunnel: tunnel(running, &links),
        public_key: running.public_key,
        reload: None,
        problems: Vec::new(),
    }
}

/// The kernel's counters by name of the link.
type Links = BTreeMap<String, LinkStatistics>;

fn tunnel(running: &Running, links: &Links) -> TunnelView {
    let device = running.tunnel.as_ref();
    device.map_or_else(TunnelView::default, |device| {
        tunnel_of(device.ifindex, running.mirror.tables(), links)
    })
}

fn tunnel_of(ifindex: u32, tables: &Tables, links: &Links) -> TunnelView {
    let Some(link) = tables.link(ifindex) else {
        return TunnelView { ifindex, ..TunnelView::default() };
    };
    TunnelView {
        ifindex,
        link_up: link.up && link.carrier,
        link: links.get(&link.name).copied().unwrap_or_default(),
    }
}

fn devices(running: &Running, links: &Links) -> Vec<DeviceView> {
    let held = running.held.iter().zip(&running.zero_copy);
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

#[cfg(test)]
mod tests {
    use super::super::super::netlink::testing::link;
    use super::super::super::netlink::{Link, Update};
    use super::*;

    #[test]
    fn the_tunnel_shows_the_counters_of_its_device_and_whether_it_is_up() {
        let counted = LinkStatistics { rx_packets: 7, tx_bytes: 8, ..LinkStatistics::default() };
        let links = BTreeMap::from([("ringwall0".to_owned(), counted)]);
        for up in [true, false] {
            let mut tables = Tables::new();
            let _ = tables.apply(Update::Link(Link { up, ..link(9, "ringwall0") }));
            let shown = tunnel_of(9, &tables, &links);
            assert_eq!((shown.ifindex, shown.link_up), (9, up));
            assert_eq!((shown.link.rx_packets, shown.link.tx_bytes), (7, 8));
        }
        assert!(!tunnel_of(9, &Tables::new(), &links).link_up, "a device that is gone");
    }
}
