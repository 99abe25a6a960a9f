//! The whole gateway in one thread: real workers, mesh, handshake thread and publication over cables in memory, with
//! the clock and the network's faults in the hands of the test. No root, no threads, no real time.
//!
//! Peers are the WireGuard crate driven as a client. Every run draws from one seed, which a failure prints;
//! `SIMULATION_SEED` repeats it.

// The client is shared with the tests of the WireGuard crate, which know it by its package name.
extern crate wireguard as ringwall_wireguard;

#[path = "../../crates/wireguard/tests/gateway/mod.rs"]
mod client;
mod flows;
mod starvation;
mod world;

use core::time::Duration;

use flows::Flows;
use io::{Faults, PartsPerMillion};
use telemetry::{Reason, Severity};
use world::{Plan, World};

/// Runs a scene with the seed of the environment or its own, and says which when it fails.
fn with_seed(own: u64, scene: impl FnOnce(u64)) {
    let seed =
        std::env::var("SIMULATION_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(own);
    struct Told(u64);
    impl Drop for Told {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("SIMULATION_SEED={}", self.0);
            }
        }
    }
    let _told = Told(seed);
    scene(seed);
}

/// Weather that nothing gets through unharmed.
fn storm() -> Faults {
    Faults {
        drop: PartsPerMillion(20_000),
        duplicate: PartsPerMillion(20_000),
        reorder: PartsPerMillion(20_000),
        corrupt: PartsPerMillion(20_000),
        stall: PartsPerMillion(10_000),
    }
}

/// Everything that is sent in fair weather arrives once, in order within its flow, whichever queue it came by.
fn calm(world: &mut World, steps: usize) {
    let mut flows = Flows::new(world);
    for _ in 0..steps {
        flows.send(world, 6);
        world.step();
        flows.receive(world);
        world.audit();
    }
    for _ in 0..20 {
        world.step();
        flows.receive(world);
    }
    flows.assert_complete_and_in_order();
}

fn weathers(workers: u16, seed: u64, packets: usize) {
    let mut world = World::new(Plan { workers, ..Plan::STANDARD }, seed);
    world.warm_up();
    let before = world.drops();
    calm(&mut world, 100);
    assert_eq!(world.drops(), before, "fair weather costs nothing");
    if workers > 1 {
        assert!(
            world.handed_over() > 50,
            "traffic came by foreign queues: {}",
            world.handed_over()
        );
    }

    world.set_faults(storm());
    let mut flows = Flows::new(&world);
    let mut serial = 0;
    while flows.sent() < packets {
        flows.send(&mut world, 96);
        world.step();
        flows.forget(&mut world);
        serial += 1;
        if serial % 64 == 0 {
            world.audit();
        }
    }
    let dropped = world.drops();
    for reason in [Reason::WgTagMismatch, Reason::WgReplayed, Reason::Ipv4HeaderChecksum] {
        assert!(
            dropped.iter().any(|(other, _)| *other == reason),
            "the storm was felt: {dropped:?}"
        );
    }
    for (reason, count) in dropped {
        // A flipped bit can make a frame one of a VLAN that does not exist.
        let expected = reason.severity() != Severity::Fault || reason == Reason::IngressUnknown;
        assert!(expected, "{count} packets were dropped for {reason:?}");
    }

    world.set_faults(Faults::NONE);
    world.pass(Duration::from_secs(20));
    flows.forget(&mut world);
    let before = world.drops();
    calm(&mut world, 100);
    assert_eq!(world.drops(), before, "after the storm everything is as it was");
    world.audit();
    world.end();
}

#[test]
fn one_worker_weathers_a_storm_and_loses_no_frame() {
    with_seed(1, |seed| weathers(1, seed, 250_000));
}

#[test]
fn two_workers_weather_a_storm_and_lose_no_frame() {
    with_seed(2, |seed| weathers(2, seed, 400_000));
}

#[test]
fn four_workers_weather_a_storm_and_lose_no_frame() {
    with_seed(4, |seed| weathers(4, seed, 350_000));
}

#[test]
fn with_every_ring_full_each_packet_is_delivered_or_counted() {
    with_seed(7, |seed| {
        let plan = Plan {
            workers: 4,
            ring: 64,
            mesh: 4,
            outbox: 16,
            frames_per_worker: 512,
            ..Plan::STANDARD
        };
        let mut world = World::new(plan, seed);
        world.warm_up();
        let before = world.dropped();
        let lost_before = world.lost_on_cables();
        let mut flows = Flows::new(&world);
        for step in 0..400 {
            flows.send(&mut world, 500);
            // Some workers fall behind, so that those who hand over to them find their rings full.
            world.step_some(|worker| worker % 2 == 0 || step % 8 == 0);
            flows.receive(&mut world);
            world.audit();
        }
        for _ in 0..200 {
            world.step();
            flows.receive(&mut world);
        }
        let dropped = world.dropped() - before;
        let lost = world.lost_on_cables() - lost_before;
        let missing = (flows.sent() - flows.received()) as u64;
        assert!(dropped > 0 && flows.received() > 0);
        assert_eq!(missing, dropped + lost, "{:?}", world.drops());
        for reason in [Reason::HandOffRingFull, Reason::TransmitRingFull] {
            assert!(
                world.drops().iter().any(|(other, _)| *other == reason),
                "{reason:?}: {:?}",
                world.drops()
            );
        }
        world.audit();
        world.end();
    });
}

#[test]
fn what_the_kernel_sends_is_counted_apart_from_what_workers_hand_over() {
    with_seed(8, |seed| {
        let mut world = World::new(Plan::STANDARD, seed);
        world.warm_up();
        let packet = flows::Flow::ToPeer(0).packet(1, false);
        for _ in 0..3 {
            world.send_from_kernel(0, &packet);
        }
        world.step();
        assert_eq!(world.taken_over_and_injected(), (0, 3));
        world.end();
    });
}

#[test]
fn a_turn_allocates_and_frees_nothing() {
    with_seed(3, |seed| {
        // The ports with faults keep their own queues, so this scene has plain ones; in debug builds an
        // allocation within a turn ends the process.
        let mut world =
            World::new(Plan { workers: 2, forbid_allocation: true, ..Plan::STANDARD }, seed);
        world.warm_up();
        calm(&mut world, 100);
        world.end();
    });
}
