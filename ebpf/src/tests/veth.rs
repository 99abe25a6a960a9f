//! The program on a real interface: a veth pair in a namespace.
use core::time::Duration;
use std::os::fd::{AsFd, AsRawFd};

use super::frames::{local, transit, udp4};
use super::namespace::{Pair, ip, send, wait_until, with_pair};
use super::rig::{FAR4, Rig, SLOT, WG, WORKER, needs_root, options, port};
use super::socket::ReceiveSocket;
use crate::{
    AttachError, AttachMode, Exit, ForeignProgram, Port, RunningMode, Slot, Steering,
    SteeringError, SteeringOptions, attached, present, query,
};

/// A rig whose port is the gateway's end of the pair, its slots behind the loopback port's.
fn rig(pair: Pair) -> Rig {
    rig_with(pair, &options())
}

fn rig_with(pair: Pair, options: &SteeringOptions) -> Rig {
    let mut rig = Rig::with(options);
    let inside = Port { first_slot: Slot(SLOT.0 + 1), queues: 1, ..port(pair.inside) };
    rig.steering.set_port(&inside).expect("port");
    rig
}

/// Frames that left by `exit` since load.
fn count(steering: &Steering, exit: Exit) -> u64 {
    steering.counters().expect("counters").get(exit)
}

fn frames_reach_the_socket(mode: AttachMode, running: RunningMode) {
    with_pair(|pair| {
        let mut rig = rig(pair);
        let attachment =
            rig.steering.attach(pair.inside, mode, ForeignProgram::Refuse).expect("attach");
        assert_eq!(attachment.mode(), running);
        assert_eq!(attachment.ifindex(), pair.inside);
        let socket = ReceiveSocket::bind(pair.inside, 0);
        let slot = Slot(SLOT.0 + 1);
        rig.steering.set_socket(slot, WORKER, socket.as_fd()).expect("socket");

        let wanted = [transit(), local(WG)].concat();
        for frame in wanted.iter().chain(&local(22)) {
            send(pair.outside, frame);
        }
        wait_until("the socket has the frames", || socket.received().len() == wanted.len());
        assert_eq!(socket.received(), wanted);
        assert_eq!(count(&rig.steering, Exit::Transit), 2);
        assert_eq!(count(&rig.steering, Exit::Tunnel), 2);
        assert_eq!(count(&rig.steering, Exit::Local), 2);

        drop(attachment);
        assert_eq!(attached(pair.inside).expect("query"), None);
    });
}

#[test]
fn in_native_mode_transit_and_tunnels_reach_the_socket() {
    needs_root!();
    frames_reach_the_socket(AttachMode::Native, RunningMode::Native);
}

#[test]
fn in_generic_mode_transit_and_tunnels_reach_the_socket() {
    needs_root!();
    frames_reach_the_socket(AttachMode::Generic, RunningMode::Generic);
}

#[test]
fn a_queue_beyond_the_port_s_has_no_socket() {
    needs_root!();
    with_pair(|pair| {
        let mut rig = rig(pair);
        let frame = udp4(FAR4, 53).frame();
        rig.steering.set_socket(Slot(SLOT.0 + 1), WORKER, rig.socket.as_fd()).expect("socket");
        rig.steering.set_socket(Slot(SLOT.0 + 2), WORKER, rig.socket.as_fd()).expect("socket");
        assert_eq!(rig.run_on(pair.inside, 0, &frame), Exit::Transit);
        assert_eq!(rig.run_on(pair.inside, 1, &frame), Exit::TransitNoSocket);
        let both = Port { first_slot: Slot(SLOT.0 + 1), queues: 2, ..port(pair.inside) };
        rig.steering.set_port(&both).expect("port");
        assert_eq!(rig.run_on(pair.inside, 1, &frame), Exit::Transit);
    });
}

#[test]
fn a_foreign_program_is_refused_by_id_and_name_or_replaced() {
    needs_root!();
    with_pair(|pair| {
        let mut other = rig_with(pair, &SteeringOptions { multi_buffer: true, ..options() });
        let native = AttachMode::Native;
        let theirs =
            other.steering.attach(pair.inside, native, ForeignProgram::Refuse).expect("attach");
        let id = attached(pair.inside).expect("query").expect("attached").program;
        let found = present(pair.inside).expect("query").expect("attached");
        assert_eq!((found.id, found.name.as_deref()), (id, Some("steering_frags")));
        assert!(found.steers, "a steering program with a link belongs to a loader that lives");

        let mut rig = rig(pair);
        for mode in [native, AttachMode::Generic] {
            let error = rig
                .steering
                .attach(pair.inside, mode, ForeignProgram::Refuse)
                .expect_err("somebody is there");
            let text = error.to_string();
            assert!(text.contains(&format!("id {id}, name `steering_frags`")), "{text}");
        }
        let ours =
            rig.steering.attach(pair.inside, native, ForeignProgram::Replace).expect("replace");
        let now = attached(pair.inside).expect("query").expect("attached");
        assert_ne!(now.program, id);
        drop(theirs);
        assert_eq!(attached(pair.inside).expect("query"), Some(now), "not theirs to take off");
        drop(ours);
        assert_eq!(attached(pair.inside).expect("query"), None);
    });
}

#[test]
fn a_foreign_program_attached_by_netlink_is_replaced_too() {
    needs_root!();
    for mode in [RunningMode::Native, RunningMode::Generic] {
        with_pair(|pair| {
            let other = rig_with(pair, &SteeringOptions { multi_buffer: true, ..options() });
            let fd = other.steering.xdp().and_then(|xdp| xdp.fd()).expect("fd").as_fd().as_raw_fd();
            query::set_program(pair.inside, fd, mode).expect("netlink attach");
            let found = present(pair.inside).expect("query").expect("attached");
            assert_eq!((found.mode, found.steers), (mode, false), "nobody need be there for it");
            let mut rig = rig(pair);
            let refused =
                rig.steering.attach(pair.inside, AttachMode::Native, ForeignProgram::Refuse);
            assert!(
                matches!(refused, Err(AttachError::Foreign { mode: found, .. }) if found == mode)
            );
            let ours = rig
                .steering
                .attach(pair.inside, AttachMode::Native, ForeignProgram::Replace)
                .expect("replace");
            assert_eq!(ours.mode(), RunningMode::Native);
        });
    }
}

#[test]
fn what_cannot_be_attached_is_refused_with_the_reason() {
    needs_root!();
    with_pair(|pair| {
        let mut rig = rig(pair);
        let refuse = ForeignProgram::Refuse;
        let unknown = rig.steering.attach(pair.outside, AttachMode::Native, refuse);
        assert!(matches!(unknown, Err(AttachError::NotRegistered { .. })));

        let attachment =
            rig.steering.attach(pair.inside, AttachMode::Native, refuse).expect("attach");
        let twice = rig.steering.attach(pair.inside, AttachMode::Native, ForeignProgram::Replace);
        assert!(matches!(twice, Err(AttachError::AlreadyAttached { .. })));
        let removed = rig.steering.remove_port(pair.inside);
        assert!(matches!(removed, Err(SteeringError::StillAttached { .. })));
        attachment.detach();
        rig.steering.remove_port(pair.inside).expect("remove");

        let absent = Port { first_slot: Slot(40), ..port(4242) };
        rig.steering.set_port(&absent).expect("port");
        let missing = rig.steering.attach(4242, AttachMode::Native, refuse);
        assert!(matches!(missing, Err(AttachError::Query { .. })), "{missing:?}");

        // Native mode in veth needs frames of one buffer; the loopback device has no native mode.
        let native = rig.steering.attach(super::rig::LOOPBACK, AttachMode::Native, refuse);
        assert!(matches!(native, Err(AttachError::Refused { .. })), "{native:?}");
        assert_eq!(attached(super::rig::LOOPBACK).expect("query"), None);
    });
}

#[test]
fn a_jumbo_mtu_needs_the_multi_buffer_program() {
    needs_root!();
    with_pair(|pair| {
        ip("link set inside mtu 9000");
        ip("link set outside mtu 9000");
        let refuse = ForeignProgram::Refuse;
        let single = rig(pair).steering.attach(pair.inside, AttachMode::Native, refuse);
        assert!(matches!(single, Err(AttachError::Refused { .. })), "{single:?}");
        let mut rig = rig_with(pair, &SteeringOptions { multi_buffer: true, ..options() });
        let attachment =
            rig.steering.attach(pair.inside, AttachMode::Native, refuse).expect("attach");
        let mut packet = udp4(FAR4, 53);
        packet.payload.resize(8000, 0);
        send(pair.outside, &packet.frame());
        wait_until("the long frame is seen as whole", || {
            count(&rig.steering, Exit::TransitNoSocket) == 1
        });
        drop(attachment);
    });
}

#[test]
fn a_program_without_its_loader_is_disabled() {
    needs_root!();
    with_pair(|pair| {
        let mut rig = rig(pair);
        let socket = ReceiveSocket::bind(pair.inside, 0);
        rig.steering.set_socket(Slot(SLOT.0 + 1), WORKER, socket.as_fd()).expect("socket");
        let attachment = rig
            .steering
            .attach(pair.inside, AttachMode::Native, ForeignProgram::Refuse)
            .expect("attach");
        let [frame, _] = transit();
        send(pair.outside, &frame);
        wait_until("the socket has the frame", || socket.received().len() == 1);
        drop(rig);
        send(pair.outside, &frame);
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(socket.received().len(), 1);
        drop(attachment);
    });
}
