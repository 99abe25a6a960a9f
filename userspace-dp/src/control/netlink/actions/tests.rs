//! Orders against the kernel: what is asked for happens, twice does no harm, and what is somebody else's stays.

use core::time::Duration;

use super::super::model::{Changes, Neighbour, NeighbourState};
use super::super::{Mirror, Options};
use super::*;
use crate::control::namespaces::{Lab, inside};

fn net(text: &str) -> IpNet {
    text.parse().expect("a prefix")
}

fn tun(lab: &Lab) -> u32 {
    lab.ip("tuntap add dev t0 mode tun");
    lab.index("t0")
}

/// Follows the mirror until the neighbour is as wanted; what it was last.
fn wait_for(
    mirror: &mut Mirror,
    key: (u32, IpAddr),
    wanted: impl Fn(&Neighbour) -> bool,
) -> Option<Neighbour> {
    for _ in 0..300 {
        mirror.process().expect("netlink works");
        match mirror.tables().neighbour(key.0, key.1) {
            Some(neighbour) if wanted(neighbour) => return Some(neighbour.clone()),
            Some(_) | None => std::thread::sleep(Duration::from_millis(50)),
        }
    }
    mirror.tables().neighbour(key.0, key.1).cloned()
}

#[test]
fn a_tun_gets_its_state_mtu_and_addresses_and_loses_them_again() {
    inside(|lab| {
        let index = tun(lab);
        let mut kernel = Kernel::open().expect("netlink works");
        for _ in 0..2 {
            kernel.set_up(index, true).expect("up");
            kernel.set_mtu(index, 1420).expect("MTU");
            kernel.put_address(index, net("10.8.0.1/24")).expect("IPv4 address");
            kernel.put_address(index, net("fd00:8::1/64")).expect("IPv6 address");
        }
        let mirror = Mirror::open(&Options::default()).expect("netlink works");
        let link = mirror.tables().link(index).expect("the TUN is a link");
        assert_eq!((link.up, link.mtu, link.mac), (true, 1420, None));
        assert_eq!(link.kind.as_deref(), Some("tun"));
        let own: Vec<String> = mirror
            .addresses()
            .filter(|own| own.interface == index && !own.tentative)
            .map(|own| format!("{}/{}", own.address, own.prefix_length))
            .collect();
        assert!(own.contains(&"10.8.0.1/24".to_owned()), "{own:?}");
        assert!(own.contains(&"fd00:8::1/64".to_owned()), "{own:?}");
        for _ in 0..2 {
            kernel.remove_address(index, net("10.8.0.1/24")).expect("removed, or gone already");
            kernel.remove_address(index, net("fd00:8::1/64")).expect("removed, or gone already");
            kernel.set_up(index, false).expect("down");
        }
        let text = lab.ip("addr show dev t0");
        assert!(!text.contains("10.8.0.1") && !text.contains("fd00:8::1"), "{text}");
        assert!(!text.contains("UP"), "{text}");
    });
}

#[test]
fn routes_to_a_device_come_and_go_and_a_second_order_does_no_harm() {
    inside(|lab| {
        let index = tun(lab);
        let mut kernel = Kernel::open().expect("netlink works");
        kernel.set_up(index, true).expect("up");
        let routes: Vec<DeviceRoute> =
            ["10.9.0.0/16", "198.51.100.7/32", "0.0.0.0/0", "2001:db8::/32", "::/0"]
                .map(|text| DeviceRoute { destination: net(text), interface: index, metric: 50 })
                .into();
        for route in routes.iter().chain(&routes) {
            kernel.put_route(route).expect("added, or there already");
        }
        let ours = || {
            let mirror = Mirror::open(&Options::default()).expect("netlink works");
            let ours = mirror.routes().filter(|route| route.protocol == ROUTE_PROTOCOL);
            ours.map(|route| route.destination).collect::<Vec<IpNet>>()
        };
        let mut wanted: Vec<IpNet> = routes.iter().map(|route| route.destination).collect();
        wanted.sort_unstable();
        assert_eq!(ours(), wanted);
        for route in routes.iter().chain(&routes) {
            kernel.remove_route(route).expect("removed, or gone already");
        }
        assert_eq!(ours(), []);
    });
}

#[test]
fn a_route_that_somebody_else_made_is_neither_replaced_nor_removed() {
    inside(|lab| {
        let index = tun(lab);
        lab.cable();
        lab.ip("route add default via 192.0.2.2");
        lab.ip("route add 10.9.0.0/16 dev a0");
        let mut kernel = Kernel::open().expect("netlink works");
        kernel.set_up(index, true).expect("up");
        for destination in ["0.0.0.0/0", "10.9.0.0/16"] {
            let route = DeviceRoute { destination: net(destination), interface: index, metric: 0 };
            kernel.put_route(&route).expect("added behind the other");
            let text = lab.ip(&format!(
                "route get {}",
                route.destination.addr().to_string().replace("0.0.0.0", "203.0.113.1")
            ));
            assert!(text.contains("dev a0"), "{text}");
            kernel.remove_route(&route).expect("removed");
            kernel.remove_route(&route).expect("there is none of ours");
        }
        let text = lab.ip("route show");
        assert!(
            text.contains("default via 192.0.2.2") && text.contains("10.9.0.0/16 dev a0"),
            "{text}"
        );
    });
}

#[test]
fn a_refusal_says_what_was_asked_for() {
    inside(|lab| {
        lab.ip("link show");
        let mut kernel = Kernel::open().expect("netlink works");
        let error = kernel.set_mtu(4711, 1400).expect_err("there is no such link");
        let text = error.to_string();
        assert!(text.contains("MTU") && text.contains("No such device"), "{text}");
    });
}

#[test]
fn asking_for_a_neighbour_makes_the_kernel_resolve_it() {
    inside(|lab| {
        let index = lab.cable();
        let mac = lab.peer_ip("link show dev a1");
        let mut mirror = Mirror::open(&Options::default()).expect("netlink works");
        let mut kernel = Kernel::open().expect("netlink works");
        for address in ["192.0.2.2", "fd00:a::2"] {
            let key = (index, address.parse().expect("an address"));
            assert_eq!(mirror.tables().neighbour(key.0, key.1), None);
            kernel.ask_neighbour(key.0, key.1).expect("asked");
            let found = wait_for(&mut mirror, key, |neighbour| neighbour.mac.is_some());
            let found = found.expect("there is an entry");
            assert_eq!(found.state, NeighbourState::Reachable, "{address}");
            let text = found.mac.expect("resolved").map(|byte| format!("{byte:02x}")).join(":");
            assert!(mac.contains(&text), "{text} is not in {mac}");
        }
        let silent = (index, "192.0.2.99".parse().expect("an address"));
        kernel.ask_neighbour(silent.0, silent.1).expect("asked");
        let found = wait_for(&mut mirror, silent, |entry| entry.state == NeighbourState::Failed);
        assert_eq!(
            found.map(|entry| (entry.state, entry.mac)),
            Some((NeighbourState::Failed, None))
        );
    });
}

#[test]
fn asking_for_a_stale_neighbour_has_it_confirmed() {
    inside(|lab| {
        let index = lab.cable();
        // Otherwise the kernel waits five seconds for another sign of life before it probes.
        std::fs::write("/proc/sys/net/ipv4/neigh/a0/delay_first_probe_time", "1").expect("root");
        let key = (index, "192.0.2.2".parse().expect("an address"));
        let mut mirror = Mirror::open(&Options::default()).expect("netlink works");
        let mut kernel = Kernel::open().expect("netlink works");
        kernel.ask_neighbour(key.0, key.1).expect("asked");
        let mac =
            wait_for(&mut mirror, key, |entry| entry.mac.is_some()).and_then(|entry| entry.mac);
        let text = mac.expect("resolved").map(|byte| format!("{byte:02x}")).join(":");
        lab.ip(&format!("neigh replace 192.0.2.2 dev a0 lladdr {text} nud stale"));
        assert!(mirror.process().expect("netlink works").contains(Changes::NEIGHBOURS));
        assert_eq!(
            mirror.tables().neighbour(key.0, key.1).map(|entry| entry.state),
            Some(NeighbourState::Stale)
        );
        kernel.ask_neighbour(key.0, key.1).expect("asked");
        let confirmed =
            wait_for(&mut mirror, key, |entry| entry.state == NeighbourState::Reachable);
        assert_eq!(confirmed.map(|entry| entry.state), Some(NeighbourState::Reachable));
    });
}
