//! The first snapshot: peers, rules and the kernel's tables, before any worker looks.

use anyhow::{Context, Result};

use super::super::netlink::Changes;
use super::super::peers::PeerRegistry;
use super::super::rules;
use super::super::snapshots::{Fixed, SnapshotMaker};
use super::crew::Crew;
use super::handshakes::HandshakeService;
use super::machine::Machine;
use crate::runtime::publish::Publisher;

/// The snapshot, published, and what later ones are made from.
pub(super) struct FirstSnapshot {
    /// Compiles snapshots.
    pub maker: SnapshotMaker,
    /// Publishes them.
    pub publisher: Publisher,
    /// The peers.
    pub registry: PeerRegistry,
}

impl FirstSnapshot {
    /// Makes and publishes it; `seed` keys its tables.
    pub(super) fn publish(
        crew: &Crew<'_>,
        machine: &mut Machine,
        service: Option<&HandshakeService>,
        seed: u64,
    ) -> Result<Self> {
        let config = crew.config;
        let mut maker = maker(crew, machine, service, seed);
        let mut registry = PeerRegistry::new(config.limits.peers as usize);
        if let (Some(service), Some(wireguard)) = (service, &config.wireguard) {
            registry.change(&wireguard.peer, &service.client)?.finish(&service.client)?;
        }
        machine.route_to_tunnel(config)?;
        machine.mirror.process().context("cannot read the kernel's tables")?;
        maker.take_peers(&registry);
        maker.take_policy(rules::compile(config, registry.specs())?);
        let everything =
            Changes::LINKS | Changes::ADDRESSES | Changes::ROUTES | Changes::NEIGHBOURS;
        maker.take_kernel(machine.mirror.tables(), everything, config)?;
        let publisher = Publisher::new(maker.make(), crew.workers);
        Ok(Self { maker, publisher, registry })
    }
}

fn maker(
    crew: &Crew<'_>,
    machine: &Machine,
    service: Option<&HandshakeService>,
    seed: u64,
) -> SnapshotMaker {
    let found: Vec<_> = machine.held.iter().map(|held| held.found.clone()).collect();
    let wireguard = crew.config.wireguard.as_ref();
    SnapshotMaker::new(&Fixed {
        found: &found,
        tunnel: machine.tunnel.as_ref(),
        listen_port: wireguard.map_or(0, |wireguard| wireguard.listen_port),
        owners: crew.owners.clone(),
        gate: service.map(|service| service.gate.clone()),
        seed,
    })
}
