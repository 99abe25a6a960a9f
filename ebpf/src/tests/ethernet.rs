//! Ethernet, VLAN tags, and what is not IP.
use super::frames::{GROUP, ethernet, ethernet_to, local, transit, udp4};
use super::rig::{FAR4, LOOPBACK, Rig, WG, needs_root, port};
use crate::{Exit, Port, Slot, Vlan};

const CUSTOMER: u16 = 0x8100;
const SERVICE: u16 = 0x88a8;

/// The frame with tags put in.
fn tagged(frame: &[u8], tags: &[(u16, u16)]) -> Vec<u8> {
    let ether_type = u16::from_be_bytes([frame[12], frame[13]]);
    ethernet(tags, ether_type, &frame[14..])
}

#[test]
fn a_registered_vlan_is_steered_whatever_its_priority_bits() {
    needs_root!();
    let rig = Rig::new();
    for frame in transit() {
        assert_eq!(rig.run(&tagged(&frame, &[(CUSTOMER, 10)])), Exit::Transit);
        assert_eq!(rig.run(&tagged(&frame, &[(CUSTOMER, 0xf000 | 10)])), Exit::Transit);
        assert_eq!(rig.run(&tagged(&frame, &[(SERVICE, 20), (CUSTOMER, 30)])), Exit::Transit);
    }
    for frame in local(WG) {
        assert_eq!(rig.run(&tagged(&frame, &[(CUSTOMER, 10)])), Exit::Tunnel);
    }
}

#[test]
fn transit_and_tunnels_of_an_unregistered_vlan_are_dropped() {
    needs_root!();
    let rig = Rig::new();
    let strangers: [&[(u16, u16)]; 7] = [
        &[(CUSTOMER, 11)],
        &[(SERVICE, 10)],
        &[(SERVICE, 20)],
        &[(CUSTOMER, 30)],
        &[(CUSTOMER, 20), (CUSTOMER, 30)],
        &[(SERVICE, 20), (SERVICE, 30)],
        &[(CUSTOMER, 0), (CUSTOMER, 10)],
    ];
    for tags in strangers {
        for frame in transit().into_iter().chain(local(WG)) {
            assert_eq!(rig.run(&tagged(&frame, tags)), Exit::VlanUnregistered, "{tags:x?}");
        }
    }
}

#[test]
fn what_is_for_the_kernel_passes_on_an_unregistered_vlan() {
    needs_root!();
    let rig = Rig::new();
    for frame in local(22) {
        assert_eq!(rig.run(&tagged(&frame, &[(CUSTOMER, 11)])), Exit::Local);
    }
    assert_eq!(rig.run(&ethernet(&[(CUSTOMER, 11)], 0x0806, &[0; 28])), Exit::Arp);
}

#[test]
fn a_priority_tag_counts_as_untagged() {
    needs_root!();
    let mut rig = Rig::new();
    let [frame, _] = transit();
    let priority = tagged(&frame, &[(CUSTOMER, 0xe000)]);
    assert_eq!(rig.run(&priority), Exit::Transit);
    rig.steering.set_port(&Port { untagged: false, ..port(LOOPBACK) }).expect("port");
    assert_eq!(rig.run(&priority), Exit::VlanUnregistered);
    assert_eq!(rig.run(&frame), Exit::VlanUnregistered);
    assert_eq!(rig.run(&tagged(&frame, &[(CUSTOMER, 10)])), Exit::Transit);
    assert_eq!(rig.run(&udp4(super::rig::LOCAL4, 22).frame()), Exit::Local);
}

#[test]
fn three_tags_and_tag_protocols_without_a_vlan_device_are_dropped() {
    needs_root!();
    let rig = Rig::new();
    for frame in transit().into_iter().chain(local(22)) {
        let three = [(SERVICE, 20), (CUSTOMER, 30), (CUSTOMER, 40)];
        assert_eq!(rig.run(&tagged(&frame, &three)), Exit::VlanUnsupported);
        for protocol in [0x9100, 0x9200, 0x9300] {
            assert_eq!(rig.run(&tagged(&frame, &[(protocol, 10)])), Exit::VlanUnsupported);
            let inner = [(CUSTOMER, 10), (protocol, 10)];
            assert_eq!(rig.run(&tagged(&frame, &inner)), Exit::VlanUnsupported);
        }
    }
}

#[test]
fn a_tag_cut_off_is_dropped_at_each_length() {
    needs_root!();
    let rig = Rig::new();
    let [frame, _] = transit();
    let two = tagged(&frame, &[(SERVICE, 20), (CUSTOMER, 30)]);
    for length in 14..22 {
        assert_eq!(rig.run(&two[..length]), Exit::FrameTruncated, "{length} bytes");
    }
}

#[test]
fn arp_and_what_is_not_ip_pass() {
    needs_root!();
    let rig = Rig::new();
    assert_eq!(rig.run(&ethernet_to([0xff; 6], &[], 0x0806, &[0; 28])), Exit::Arp);
    for ether_type in [0x88cc, 0x8809, 0x8847, 0x0026] {
        assert_eq!(rig.run(&ethernet_to(GROUP, &[], ether_type, &[0; 40])), Exit::NonIp);
    }
}

#[test]
fn an_unregistered_interface_passes_unseen() {
    needs_root!();
    let mut rig = Rig::new();
    rig.steering.remove_port(LOOPBACK).expect("remove");
    for frame in transit().into_iter().chain([ethernet(&[], 0x0800, &[])]) {
        assert_eq!(rig.run(&frame), Exit::PortUnregistered);
    }
    let elsewhere = Port { first_slot: Slot(0), ..port(LOOPBACK + 1) };
    rig.steering.set_port(&elsewhere).expect("port");
    assert_eq!(rig.run(&udp4(FAR4, 53).frame()), Exit::PortUnregistered);
}

#[test]
fn vlans_follow_the_port() {
    needs_root!();
    let mut rig = Rig::new();
    let [frame, _] = transit();
    let (ten, eleven) = (tagged(&frame, &[(CUSTOMER, 10)]), tagged(&frame, &[(CUSTOMER, 11)]));
    rig.steering
        .set_port(&Port { vlans: vec![Vlan::customer(11)], ..port(LOOPBACK) })
        .expect("port");
    assert_eq!(rig.run(&ten), Exit::VlanUnregistered);
    assert_eq!(rig.run(&eleven), Exit::Transit);
    let other = Port { first_slot: Slot(50), vlans: vec![Vlan::customer(10)], ..port(77) };
    rig.steering.set_port(&other).expect("port");
    assert_eq!(rig.run(&ten), Exit::VlanUnregistered, "another interface's VLAN");
    assert_eq!(rig.run(&eleven), Exit::Transit);
}
