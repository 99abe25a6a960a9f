//! Local addresses and tunnel services: decided by address and protocol and port together.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::frames::{Ipv4, Ipv6, TCP, UDP, local, udp4, udp6};
use super::rig::{FAR4, FAR6, LOCAL4, LOCAL6, Rig, WG, needs_root, options};
use crate::{Capacities, Exit, Service, Steering, SteeringError, SteeringOptions};

#[test]
fn the_service_port_at_another_local_address_is_the_kernels() {
    needs_root!();
    let mut rig = Rig::new();
    let other4 = Ipv4Addr::new(192, 0, 2, 2);
    let other6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
    let all = [LOCAL4.into(), LOCAL6.into(), other4.into(), other6.into()];
    rig.steering.set_locals(&all).expect("locals");
    assert_eq!(rig.run(&udp4(other4, WG).frame()), Exit::Local);
    assert_eq!(rig.run(&udp6(other6, WG).frame()), Exit::Local);
    for frame in local(WG) {
        assert_eq!(rig.run(&frame), Exit::Tunnel);
    }
}

#[test]
fn another_port_or_protocol_at_the_service_address_is_the_kernels() {
    needs_root!();
    let rig = Rig::new();
    for port in [WG - 1, WG + 1, WG.swap_bytes(), 0, 22] {
        for frame in local(port) {
            assert_eq!(rig.run(&frame), Exit::Local, "port {port}");
        }
    }
    for protocol in [TCP, 132, 136] {
        let packet = Ipv4 { protocol, ..udp4(LOCAL4, WG) };
        assert_eq!(rig.run(&packet.frame()), Exit::Local, "protocol {protocol}");
        let packet = Ipv6 { protocol, ..udp6(LOCAL6, WG) };
        assert_eq!(rig.run(&packet.frame()), Exit::Local, "protocol {protocol}");
    }
}

#[test]
fn the_service_port_in_transit_is_transit() {
    needs_root!();
    let rig = Rig::new();
    assert_eq!(rig.run(&udp4(FAR4, WG).frame()), Exit::Transit);
    assert_eq!(rig.run(&udp6(FAR6, WG).frame()), Exit::Transit);
}

#[test]
fn a_service_at_an_address_that_is_not_local_has_no_effect() {
    needs_root!();
    let mut rig = Rig::new();
    rig.steering.set_services(&[Service::udp(FAR4.into(), WG)]).expect("services");
    assert_eq!(rig.run(&udp4(FAR4, WG).frame()), Exit::Transit);
    assert_eq!(rig.run(&udp4(LOCAL4, WG).frame()), Exit::Local);
}

#[test]
fn a_protocol_without_ports_can_be_a_service() {
    needs_root!();
    let mut rig = Rig::new();
    let ipip = Service { address: LOCAL4.into(), protocol: 4, port: 0 };
    rig.steering.set_services(&[ipip]).expect("services");
    let packet = Ipv4 { protocol: 4, payload: vec![0x45; 40], ..udp4(LOCAL4, 0) };
    assert_eq!(rig.run(&packet.frame()), Exit::Tunnel);
    assert_eq!(rig.run(&Ipv4 { fragment: 5, ..packet.clone() }.frame()), Exit::LocalFragment);
    assert_eq!(rig.run(&Ipv4 { protocol: 41, ..packet.clone() }.frame()), Exit::Local);
    assert_eq!(rig.run(&Ipv4 { protocol: UDP, ..packet }.frame()), Exit::Local);
    assert_eq!(rig.run(&udp4(LOCAL4, 0).frame()), Exit::Local, "UDP port 0");
}

#[test]
fn an_ipv4_service_does_not_stand_for_the_ipv6_address_of_the_same_bytes() {
    needs_root!();
    let mut rig = Rig::new();
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&LOCAL4.octets());
    let twin = Ipv6Addr::from(bytes);
    rig.steering.set_locals(&[LOCAL4.into(), twin.into()]).expect("locals");
    assert_eq!(rig.run(&udp4(LOCAL4, WG).frame()), Exit::Tunnel);
    assert_eq!(rig.run(&udp6(twin, WG).frame()), Exit::Local);
}

#[test]
fn locals_and_services_are_replaced_as_a_whole() {
    needs_root!();
    let mut rig = Rig::new();
    rig.steering.set_locals(&[LOCAL6.into(), FAR4.into()]).expect("locals");
    assert_eq!(rig.run(&udp4(LOCAL4, 22).frame()), Exit::Transit);
    assert_eq!(rig.run(&udp4(FAR4, 22).frame()), Exit::Local);
    assert_eq!(rig.run(&udp6(LOCAL6, 22).frame()), Exit::Local);
    rig.steering.set_services(&[Service::udp(FAR4.into(), 7)]).expect("services");
    assert_eq!(rig.run(&udp4(FAR4, 7).frame()), Exit::Tunnel);
    assert_eq!(rig.run(&udp6(LOCAL6, WG).frame()), Exit::Local);
    rig.steering.set_locals(&[]).expect("locals");
    assert_eq!(rig.run(&udp6(LOCAL6, 22).frame()), Exit::Transit);
}

#[test]
fn loopback_is_never_a_local_destination_of_a_wire() {
    needs_root!();
    let mut rig = Rig::new();
    let everybodys: [IpAddr; 4] = [
        Ipv4Addr::LOCALHOST.into(),
        Ipv4Addr::UNSPECIFIED.into(),
        Ipv6Addr::LOCALHOST.into(),
        Ipv6Addr::UNSPECIFIED.into(),
    ];
    rig.steering.set_locals(&everybodys).expect("locals");
    assert_eq!(rig.run(&udp4(Ipv4Addr::LOCALHOST, 22).frame()), Exit::Transit);
    assert_eq!(rig.run(&udp6(Ipv6Addr::LOCALHOST, 22).frame()), Exit::Transit);
}

#[test]
fn too_many_addresses_change_nothing() {
    needs_root!();
    let mut rig = Rig::new();
    let many: Vec<IpAddr> = (0..17).map(|last| Ipv4Addr::new(10, 0, 0, last).into()).collect();
    let error = rig.steering.set_locals(&many).expect_err("17 of 16");
    assert!(matches!(error, SteeringError::Full { table: "local4", capacity: 16, wanted: 17 }));
    assert_eq!(rig.run(&udp4(LOCAL4, 22).frame()), Exit::Local);
    assert_eq!(rig.run(&udp4(Ipv4Addr::new(10, 0, 0, 1), 22).frame()), Exit::Transit);
    rig.steering.set_locals(&many[..16]).expect("16 of 16");
    let others: Vec<IpAddr> = (0..16).map(|last| Ipv4Addr::new(10, 0, 1, last).into()).collect();
    rig.steering.set_locals(&others).expect("a full table can be replaced whole");
    assert_eq!(rig.run(&udp4(Ipv4Addr::new(10, 0, 1, 15), 22).frame()), Exit::Local);
}

#[test]
fn options_that_cannot_be_are_refused() {
    let refused = |options: &SteeringOptions| {
        matches!(Steering::load(options), Err(SteeringError::Invalid { .. }))
    };
    let short = core::time::Duration::from_millis(19);
    assert!(refused(&SteeringOptions { heartbeat_timeout: short, ..options() }));
    let none = Capacities { ports: 0, ..Capacities::default() };
    assert!(refused(&SteeringOptions { capacities: none, ..options() }));
    let huge = Capacities { blocks: u32::MAX, ..Capacities::default() };
    assert!(refused(&SteeringOptions { capacities: huge, ..options() }));
}
