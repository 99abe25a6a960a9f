//! The block list as the program applies it.
use core::time::Duration;

use clock::{Clock, Monotonic, Time};
use ipnet::IpNet;

use super::frames::{Ipv4, discovery, ethernet, udp4, udp6};
use super::rig::{FAR4, FAR6, LOCAL4, LOCAL6, PEER4, PEER6, Rig, WG, needs_root};
use crate::{BlockError, Exit};

fn net(text: &str) -> IpNet {
    text.parse().expect("prefix")
}

fn later() -> Time {
    Monotonic.now() + Duration::from_secs(60)
}

#[test]
fn a_blocked_source_reaches_neither_the_host_nor_beyond() {
    needs_root!();
    let mut rig = Rig::new();
    rig.steering.block(net("198.51.100.0/24"), later()).expect("block");
    for packet in [udp4(FAR4, 53), udp4(LOCAL4, 22), udp4(LOCAL4, WG)] {
        assert_eq!(rig.run(&packet.frame()), Exit::Blocked);
        let multicast = Ipv4 { destination: [224, 0, 0, 1].into(), ..packet.clone() };
        assert_eq!(rig.run(&multicast.frame()), Exit::Blocked);
        let next = Ipv4 { source: [198, 51, 101, 7].into(), ..packet };
        assert_ne!(rig.run(&next.frame()), Exit::Blocked);
    }
    assert_eq!(rig.run(&udp6(FAR6, 53).frame()), Exit::Transit);
    rig.steering.block(net("2001:db8:beef::/48"), later()).expect("block");
    for packet in [udp6(FAR6, 53), udp6(LOCAL6, 22), udp6(LOCAL6, WG)] {
        assert_eq!(rig.run(&packet.frame()), Exit::Blocked);
    }
}

#[test]
fn a_block_leaves_the_link_itself_working() {
    needs_root!();
    let mut rig = Rig::new();
    rig.steering.block(net("0.0.0.0/0"), later()).expect("block");
    rig.steering.block(net("::/0"), later()).expect("block");
    assert_eq!(rig.run(&discovery(135, LOCAL6).frame()), Exit::NeighbourDiscovery);
    assert_eq!(rig.run(&ethernet(&[], 0x0806, &[0; 28])), Exit::Arp);
    assert_eq!(rig.run(&discovery(135, FAR6).frame()), Exit::Blocked, "not on this link");
    assert_eq!(rig.run(&udp4(LOCAL4, 22).frame()), Exit::Blocked);
}

#[test]
fn malformed_is_malformed_before_it_is_blocked() {
    needs_root!();
    let mut rig = Rig::new();
    rig.steering.block(PEER4.into_net(), later()).expect("block");
    let packet = Ipv4 { payload: vec![0], ..udp4(LOCAL4, 22) };
    assert_eq!(rig.run(&packet.frame()), Exit::TransportTruncated);
}

#[test]
fn a_block_ends_by_itself_and_by_hand() {
    needs_root!();
    let mut rig = Rig::new();
    let now = Monotonic.now();
    let frame = udp6(FAR6, 53).frame();
    rig.steering.block(PEER6.into_net(), now - Duration::from_secs(1)).expect("block");
    assert_eq!(rig.run(&frame), Exit::Transit, "ended");
    rig.steering.block(PEER6.into_net(), later()).expect("block");
    assert_eq!(rig.run(&frame), Exit::Blocked, "prolonged");
    rig.steering.block(PEER6.into_net(), now).expect("block");
    assert_eq!(rig.run(&frame), Exit::Blocked, "never shortened");
    assert_eq!(rig.steering.expire_blocks(now).expect("expire"), 0);
    assert_eq!(rig.run(&frame), Exit::Blocked);
    assert!(rig.steering.unblock(PEER6.into_net()).expect("unblock"));
    assert!(!rig.steering.unblock(PEER6.into_net()).expect("unblock"), "is gone");
    assert_eq!(rig.run(&frame), Exit::Transit);
    assert!(rig.steering.blocked().is_empty());
}

#[test]
fn a_short_block_inside_a_long_one_does_not_open_a_hole() {
    needs_root!();
    let mut rig = Rig::new();
    let past = Monotonic.now() - Duration::from_secs(1);
    let frame = udp4(FAR4, 53).frame();
    rig.steering.block(net("198.51.100.0/24"), later()).expect("block");
    rig.steering.block(PEER4.into_net(), past).expect("block");
    assert_eq!(rig.run(&frame), Exit::Blocked);
    rig.steering.unblock(net("198.51.100.0/24")).expect("unblock");
    assert_eq!(rig.run(&frame), Exit::Transit, "only the ended block is left");
    rig.steering.block(net("198.51.0.0/16"), later()).expect("block");
    assert_eq!(rig.run(&frame), Exit::Blocked, "a wider block covers what is inside");
    assert_eq!(rig.steering.expire_blocks(Monotonic.now()).expect("expire"), 1);
    assert_eq!(rig.run(&frame), Exit::Blocked);
}

#[test]
fn the_allow_list_wins() {
    needs_root!();
    let mut rig = Rig::new();
    let frame = udp4(FAR4, 53).frame();
    rig.steering.block(PEER4.into_net(), later()).expect("block");
    rig.steering.set_allowed(&[net("198.51.100.0/28")]).expect("allow");
    assert_eq!(rig.run(&frame), Exit::Transit, "allowing ends the blocks inside");
    let error = rig.steering.block(PEER4.into_net(), later()).expect_err("allowed");
    assert!(matches!(error, BlockError::Allowed { .. }), "{error}");
    rig.steering.block(net("198.51.100.0/24"), later()).expect("a wider block");
    assert_eq!(rig.run(&frame), Exit::Transit);
    let outside = Ipv4 { source: [198, 51, 100, 16].into(), ..udp4(FAR4, 53) };
    assert_eq!(rig.run(&outside.frame()), Exit::Blocked);
    rig.steering.set_allowed(&[]).expect("allow");
    assert_eq!(rig.run(&frame), Exit::Blocked);
}

#[test]
fn a_full_list_refuses_and_keeps_what_it_has() {
    needs_root!();
    let mut rig = Rig::new();
    for last in 0..64 {
        let source = std::net::Ipv4Addr::new(10, 0, 0, last);
        rig.steering.block(source.into_net(), later()).expect("block");
    }
    let error = rig.steering.block(PEER4.into_net(), later()).expect_err("65 of 64");
    assert!(matches!(error, BlockError::Full { capacity: 64 }), "{error}");
    assert_eq!(rig.run(&udp4(FAR4, 53).frame()), Exit::Transit);
    rig.steering.block(net("10.0.0.63/32"), later()).expect("a full list can be prolonged");
    let last = Ipv4 { source: [10, 0, 0, 63].into(), ..udp4(FAR4, 53) };
    assert_eq!(rig.run(&last.frame()), Exit::Blocked);
    rig.steering.block(PEER6.into_net(), later()).expect("the other family has room");
    assert_eq!(rig.steering.blocked().len(), 65);
}

/// An address as the prefix of itself.
trait IntoNet {
    fn into_net(self) -> IpNet;
}

impl<A: Into<std::net::IpAddr>> IntoNet for A {
    fn into_net(self) -> IpNet {
        IpNet::from(self.into())
    }
}
