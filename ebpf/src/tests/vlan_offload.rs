//! Tags that the kernel keeps beside a frame are not seen: why devices must leave them inside.
//!
//! What strips a tag on a network card is, between two ends of a veth, the sender that does not put it in. The tag gets
//! beside the frame in a bridge, which takes it off what it receives.
use super::frames::{ethernet, transit};
use super::namespace::{Pair, index, ip, run, send, wait_until, with_pair};
use super::rig::{Rig, needs_root, port};
use crate::{AttachMode, Exit, ForeignProgram, Port, Slot};

/// The exit of frames of VLAN 11, which is not registered, that come through a bridge to the interface
/// that `at` chooses, and may set up, for the program.
fn exit_of_tagged_frames(mode: AttachMode, at: impl Fn(Pair) -> u32 + Sync) -> Exit {
    let mut exits = Vec::new();
    with_bridge(|pair, far| {
        let ifindex = at(pair);
        let mut rig = Rig::new();
        rig.steering.set_port(&Port { first_slot: Slot(6), ..port(ifindex) }).expect("port");
        let attachment =
            rig.steering.attach(ifindex, mode, ForeignProgram::Refuse).expect("attach");
        let counted = [Exit::TransitNoSocket, Exit::VlanUnregistered];
        let [frame, _] = transit();
        let frame = ethernet(&[(0x8100, 11)], 0x0800, &frame[14..]);
        let seen = || {
            let counters = rig.steering.counters().expect("counters");
            counted.into_iter().filter(|exit| counters.get(*exit) > 0).collect::<Vec<_>>()
        };
        // A bridge forwards nothing before its ports have settled.
        wait_until("a frame is counted", || {
            send(far, &frame);
            !seen().is_empty()
        });
        exits = seen();
        drop(attachment);
    });
    let [exit] = exits[..] else { panic!("{exits:?}") };
    exit
}

/// `far` -- `near` [bridge] `outside` -- `inside`; frames are sent from `far`.
fn with_bridge(test: impl FnOnce(Pair, u32) + Send) {
    with_pair(|pair| {
        ip("link add far type veth peer name near");
        ip("link add bridge type bridge");
        for port in ["near", "outside"] {
            ip(&format!("link set {port} master bridge"));
        }
        for end in ["far", "near", "bridge"] {
            ip(&format!("link set {end} up arp off addrgenmode none"));
        }
        test(pair, index("far"));
    });
}

const MODES: [AttachMode; 2] = [AttachMode::Native, AttachMode::Generic];

#[test]
fn a_tag_beside_the_frame_is_not_seen_in_any_mode_whatever_the_receiver_s_setting() {
    needs_root!();
    for (mode, setting) in MODES.into_iter().flat_map(|mode| [(mode, "on"), (mode, "off")]) {
        let exit = exit_of_tagged_frames(mode, |pair| {
            run("ethtool", &format!("-K inside rxvlan {setting}"));
            pair.inside
        });
        assert_eq!(exit, Exit::TransitNoSocket, "{mode:?}, {setting}");
    }
}

#[test]
fn a_tag_that_the_sender_puts_into_the_frame_is_seen_in_every_mode() {
    needs_root!();
    for mode in MODES {
        let exit = exit_of_tagged_frames(mode, |pair| {
            run("ethtool", "-K outside txvlan off");
            pair.inside
        });
        assert_eq!(exit, Exit::VlanUnregistered, "{mode:?}");
    }
}

#[test]
fn a_bridge_shows_no_tags_of_what_its_ports_receive() {
    needs_root!();
    let exit = exit_of_tagged_frames(AttachMode::Generic, |_| {
        // The destination of the frames: a bridge takes what is sent to itself.
        ip("link set bridge address 02:00:00:00:00:01");
        index("bridge")
    });
    assert_eq!(exit, Exit::TransitNoSocket);
}
