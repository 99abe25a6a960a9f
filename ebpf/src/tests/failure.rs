//! What happens when no worker can take a packet: transit fails closed, local traffic does not
//! notice, tunnels are dropped.
use core::time::Duration;
use std::os::fd::AsFd;

use clock::{Clock, Monotonic, Time};

use super::frames::{Ipv4, discovery, ethernet, local, transit, udp4};
use super::rig::{LOCAL4, LOCAL6, LOOPBACK, Rig, SLOT, WG, WORKER, needs_root, options, port};
use crate::{Exit, OnFailure, Port, Slot, SteeringError, SteeringOptions, Tag, Vlan, WorkerIndex};

fn open() -> Rig {
    Rig::with(&SteeringOptions { transit_on_failure: OnFailure::Pass, ..options() })
}

/// All that a failure may change, and what it may not.
fn expect(rig: &Rig, transit_exit: Exit, tunnel_exit: Exit) {
    for frame in transit() {
        assert_eq!(rig.run(&frame), transit_exit);
    }
    for frame in local(WG) {
        assert_eq!(rig.run(&frame), tunnel_exit);
    }
    for frame in local(22) {
        assert_eq!(rig.run(&frame), Exit::Local);
    }
    assert_eq!(rig.run(&ethernet(&[], 0x0806, &[0; 28])), Exit::Arp);
    assert_eq!(rig.run(&discovery(135, LOCAL6).frame()), Exit::NeighbourDiscovery);
    let malformed = Ipv4 { payload: vec![0; 3], ..udp4(LOCAL4, 0) };
    assert_eq!(rig.run(&malformed.frame()), Exit::TransportTruncated);
}

#[test]
fn a_working_gateway_steers() {
    needs_root!();
    expect(&Rig::new(), Exit::Transit, Exit::Tunnel);
    expect(&open(), Exit::Transit, Exit::Tunnel);
}

#[test]
fn while_disabled_transit_fails_closed() {
    needs_root!();
    let mut rig = Rig::new();
    rig.steering.enable(false).expect("disable");
    expect(&rig, Exit::TransitDisabled, Exit::TunnelDisabled);
    rig.steering.enable(true).expect("enable");
    expect(&rig, Exit::Transit, Exit::Tunnel);
    let mut rig = open();
    rig.steering.enable(false).expect("disable");
    expect(&rig, Exit::TransitDisabledPassed, Exit::TunnelDisabled);
}

#[test]
fn with_a_silent_worker_transit_fails_closed() {
    needs_root!();
    let old = Monotonic.now() - Duration::from_secs(61);
    let rig = Rig::new();
    rig.steering.heartbeats().beat(WORKER, old);
    expect(&rig, Exit::TransitStale, Exit::TunnelStale);
    rig.steering.heartbeats().beat(WORKER, old + Duration::from_secs(31));
    expect(&rig, Exit::Transit, Exit::Tunnel);
    rig.steering.heartbeats().beat(WORKER, Monotonic.now() + Duration::from_millis(5));
    expect(&rig, Exit::Transit, Exit::Tunnel);
    rig.steering.heartbeats().beat(WORKER, Time::ZERO);
    expect(&rig, Exit::TransitStale, Exit::TunnelStale);
    let rig = open();
    rig.steering.heartbeats().beat(WORKER, old);
    expect(&rig, Exit::TransitStalePassed, Exit::TunnelStale);
}

#[test]
fn a_worker_lives_by_its_own_heartbeat_alone() {
    needs_root!();
    let mut rig = Rig::new();
    let idle = WorkerIndex(WORKER.0 + 1);
    rig.steering.set_socket(SLOT, idle, rig.socket.as_fd()).expect("socket");
    expect(&rig, Exit::TransitStale, Exit::TunnelStale);
    rig.steering.heartbeats().beat(idle, Monotonic.now());
    expect(&rig, Exit::Transit, Exit::Tunnel);
}

#[test]
fn without_a_socket_transit_fails_closed() {
    needs_root!();
    let mut rig = Rig::new();
    rig.steering.clear_socket(SLOT).expect("clear");
    expect(&rig, Exit::TransitNoSocket, Exit::TunnelNoSocket);
    rig.steering.clear_socket(SLOT).expect("an empty slot can be cleared");
    rig.steering.set_socket(SLOT, WORKER, rig.socket.as_fd()).expect("socket");
    expect(&rig, Exit::Transit, Exit::Tunnel);
    let mut rig = open();
    rig.steering.clear_socket(SLOT).expect("clear");
    expect(&rig, Exit::TransitNoSocketPassed, Exit::TunnelNoSocket);
}

#[test]
fn a_socket_that_was_closed_counts_as_missing() {
    needs_root!();
    for (options, exit) in [
        (options(), Exit::TransitNoSocket),
        (
            SteeringOptions { transit_on_failure: OnFailure::Pass, ..options() },
            Exit::TransitNoSocketPassed,
        ),
    ] {
        let Rig { steering, socket } = Rig::with(&options);
        drop(socket);
        let rig = Rig { steering, socket: super::rig::xdp_socket() };
        expect(&rig, exit, Exit::TunnelNoSocket);
    }
}

#[test]
fn a_port_whose_slots_are_empty_has_no_socket() {
    needs_root!();
    let mut rig = Rig::new();
    let moved = Port { first_slot: Slot(SLOT.0 + 1), ..port(LOOPBACK) };
    rig.steering.set_port(&moved).expect("port");
    expect(&rig, Exit::TransitNoSocket, Exit::TunnelNoSocket);
}

#[test]
fn ports_that_cannot_be_are_refused() {
    needs_root!();
    let mut rig = Rig::new();
    let good = Port { first_slot: Slot(100), queues: 4, ..port(9) };
    rig.steering.set_port(&good).expect("port");
    for bad in [
        Port { ifindex: 0, ..good.clone() },
        Port { queues: 0, ..good.clone() },
        Port { first_slot: Slot(1021), ..good.clone() },
        Port { first_slot: Slot(u32::MAX), ..good.clone() },
        Port { first_slot: Slot(2), ..good.clone() },
        Port { vlans: vec![Vlan::customer(0)], ..good.clone() },
        Port { vlans: vec![Vlan::customer(4095)], ..good.clone() },
        Port {
            vlans: vec![Vlan { outer: Tag::Service(1), inner: Some(Tag::Customer(5000)) }],
            ..good.clone()
        },
    ] {
        let outcome = rig.steering.set_port(&bad);
        assert!(matches!(outcome, Err(SteeringError::Invalid { .. })), "{bad:?}");
    }
    let worker = rig.steering.set_socket(SLOT, WorkerIndex(256), rig.socket.as_fd());
    assert!(matches!(worker, Err(SteeringError::Invalid { .. })));
    assert!(rig.steering.set_socket(Slot(1024), WORKER, rig.socket.as_fd()).is_err());
    let file = std::fs::File::open("/dev/null").expect("file");
    assert!(rig.steering.set_socket(SLOT, WORKER, file.as_fd()).is_err(), "not a socket");
}

#[test]
fn heartbeats_are_read_back_and_stay_apart() {
    needs_root!();
    let rig = Rig::new();
    let heartbeats = rig.steering.heartbeats();
    assert_eq!(heartbeats.workers(), 256);
    heartbeats.beat(WorkerIndex(255), Time::from_nanos(77));
    assert_eq!(heartbeats.read(WorkerIndex(255)), Some(Time::from_nanos(77)));
    assert_eq!(heartbeats.read(WorkerIndex(254)), None);
    heartbeats.beat(WorkerIndex(256), Time::from_nanos(77));
    assert_eq!(heartbeats.read(WorkerIndex(256)), None);
    let seen = std::thread::spawn({
        let heartbeats = heartbeats.clone();
        move || heartbeats.read(WorkerIndex(255))
    });
    assert_eq!(seen.join().expect("thread"), Some(Time::from_nanos(77)));
    drop(rig);
    assert_eq!(heartbeats.read(WorkerIndex(255)), Some(Time::from_nanos(77)));
}
