//! From a configuration to a running gateway: the order in which things come to life.
//!
//! Devices are found, the program loaded and attached (disabled), frames mapped, sockets opened (`machine`), rings laid
//! between the threads (`wiring`), the handshake thread started, the first snapshot published, the slow path and the
//! workers started, signs of life awaited; only then is steering enabled. Whatever fails on the way undoes what came
//! before by being dropped.

mod crew;
mod first_snapshot;
mod handshakes;
mod machine;
mod memory;
mod queues;
mod wiring;
mod workers;

use aead::Aead;
use anyhow::Result;
use clock::{Clock, Monotonic, Time};
use rand::Rng;

use super::running::Running;
use crew::{Crew, randomness};
use first_snapshot::FirstSnapshot;
use handshakes::HandshakeService;
use machine::Machine;
use wiring::Wiring;
use workers::Workers;

/// Brings a gateway to life.
pub fn start(config: &config::Config) -> Result<Running> {
    let aead = choose_cipher(config)?;
    let machine = Machine::take(config)?;
    let now = Monotonic.now();
    let mut running = start_threads(config, aead, machine, now)?;
    running.await_signs_of_life(now)?;
    running.steer(config)?;
    running.steering.enable(true)?;
    Ok(running)
}

fn choose_cipher(config: &config::Config) -> Result<Aead> {
    let choice = match config.wireguard.as_ref().map(|wireguard| wireguard.aead) {
        None | Some(config::AeadBackend::Auto) => aead::Choice::Auto,
        Some(config::AeadBackend::Ring) => aead::Choice::Forced(aead::Backend::Ring),
    };
    Ok(Aead::new(choice)?)
}

/// Starts every thread around what the machine gave.
fn start_threads(
    config: &config::Config,
    aead: Aead,
    mut machine: Machine,
    now: Time,
) -> Result<Running> {
    let crew = Crew::new(config, machine.cpus.len(), now);
    let mut rng = randomness()?;
    let wiring = Wiring::new(&config.limits, crew.workers)?;
    let service = HandshakeService::start(&crew, wiring.links, wiring.handshake, &mut rng)?;
    let first = FirstSnapshot::publish(&crew, &mut machine, service.as_ref(), rng.next_u64())?;
    let slow_path = (wiring.slow_path_seat, machine.memory.slow_path);
    let slow_path = crew.start_slow_path(machine.tun, slow_path, wiring.slow_path)?;
    let workers = Workers {
        crew: &crew,
        aead,
        steering: &machine.steering,
        publisher: &first.publisher,
        cpus: &machine.cpus,
        frames: machine.memory.per_worker,
        now,
    };
    let (workers, watched) =
        workers.start(wiring.seats, machine.memory.pools, machine.queues, &mut rng)?;
    let (sleeper, waker) = wiring.control;
    let (client, public_key, handshake) = HandshakeService::parts(service);
    Ok(Running {
        mirror: machine.mirror,
        kernel: machine.kernel,
        steering: machine.steering,
        held: machine.held,
        tags: machine.tags,
        channels: machine.channels,
        zero_copy: machine.zero_copy,
        tunnel: machine.tunnel,
        registry: first.registry,
        client,
        public_key,
        maker: first.maker,
        publisher: first.publisher,
        workers,
        watched,
        events: wiring.events,
        helpers: [handshake, slow_path].into_iter().flatten().collect(),
        slow_path: crew.slow_path,
        handshakes: crew.handshakes,
        sleeper,
        waker,
        stop: crew.stop,
        aead: aead.backend(),
        _port_guard: machine.port_guard,
    })
}
