//! `show routes`: what workers look up, with the neighbour that each next hop needs.

use route::{NeighbourState, NextHop, NextHopKind};

use super::taken_at;
use crate::api::{Route, Routes};
use crate::control::observer::Observer;
use pipeline::{InterfaceKind, Snapshot};

pub(super) fn routes(observer: &Observer) -> Routes {
    let view = observer.view();
    let snapshot = &view.snapshot;
    let mut routes = Vec::new();
    for (prefix, hops) in observer.routes() {
        routes.extend(hops.iter().map(|weighted| row(prefix.to_string(), &weighted.hop, snapshot)));
    }
    Routes { taken_at_unix: taken_at(), routes }
}

fn row(prefix: String, hop: &NextHop, snapshot: &Snapshot) -> Route {
    let interface = snapshot.interface(hop.interface);
    let tunnel = interface.is_some_and(|interface| interface.kind == InterfaceKind::Tunnel);
    let kind = match hop.kind {
        NextHopKind::Unicast if tunnel => "tunnel",
        NextHopKind::Unicast => "unicast",
        NextHopKind::Local => "local",
        NextHopKind::Blackhole => "blackhole",
        NextHopKind::Unreachable => "unreachable",
        NextHopKind::Prohibit => "prohibit",
    };
    let neighbour = hop.gateway.and_then(|gateway| snapshot.neighbours.get(hop.interface, gateway));
    Route {
        prefix,
        kind: kind.into(),
        via: hop.gateway.map(|gateway| gateway.to_string()),
        interface: interface.map(|interface| interface.name.clone()),
        neighbour: hop.gateway.map(|gateway| gateway.to_string()),
        mac: neighbour.map(|neighbour| neighbour.mac.to_string()),
        state: neighbour.map(|neighbour| {
            match neighbour.state {
                NeighbourState::Reachable => "reachable",
                NeighbourState::Stale => "stale",
                NeighbourState::Incomplete => "incomplete",
                NeighbourState::Failed => "failed",
            }
            .into()
        }),
    }
}
