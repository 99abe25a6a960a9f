//! The program under test: loaded, one port, one worker, one socket.
use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use aya::programs::{TestRun, TestRunOptions};
use clock::{Clock, Monotonic};

use crate::{
    Action, Capacities, Exit, OnFailure, Port, Service, Slot, Steering, SteeringOptions, Vlan,
    WorkerIndex,
};

pub(super) const LOCAL4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(super) const LOCAL6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
pub(super) const PEER4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
pub(super) const PEER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xbeef, 0, 0, 0, 0, 7);
pub(super) const FAR4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
pub(super) const FAR6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xcafe, 0, 0, 0, 0, 9);
/// The tunnel service's port.
pub(super) const WG: u16 = 51_820;
pub(super) const WORKER: WorkerIndex = WorkerIndex(3);
pub(super) const SLOT: Slot = Slot(5);
/// The loopback interface: what a test run takes for the ingress interface.
pub(super) const LOOPBACK: u32 = 1;

/// True for root; otherwise says that the test is skipped.
pub(super) fn is_root(test: &str) -> bool {
    // SAFETY: no arguments, cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        println!("skipped, needs root: {test}");
    }
    root
}

/// Leaves the test, saying so, unless it runs as root.
macro_rules! needs_root {
    () => {
        if !$crate::tests::rig::is_root(std::thread::current().name().unwrap_or("?")) {
            return;
        }
    };
}
pub(super) use needs_root;

pub(super) fn options() -> SteeringOptions {
    SteeringOptions {
        transit_on_failure: OnFailure::Drop,
        heartbeat_timeout: Duration::from_secs(60),
        multi_buffer: false,
        capacities: Capacities { blocks: 64, locals: 16, ..Capacities::default() },
    }
}

pub(super) fn port(ifindex: u32) -> Port {
    let vlans = vec![Vlan::customer(10), Vlan::stacked(20, 30)];
    Port { ifindex, first_slot: SLOT, queues: 1, untagged: true, vlans }
}

/// An unbound AF_XDP socket: enough for the program to decide to redirect to it.
pub(super) fn xdp_socket() -> OwnedFd {
    // SAFETY: plain system call; the descriptor is new and owned here.
    let fd = unsafe { libc::socket(libc::AF_XDP, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    assert!(fd >= 0, "AF_XDP socket: {}", std::io::Error::last_os_error());
    // SAFETY: as above.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// A working gateway: local addresses, the tunnel service on both, a socket, a live worker.
pub(super) struct Rig {
    pub steering: Steering,
    pub socket: OwnedFd,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(&options())
    }

    pub(super) fn with(options: &SteeringOptions) -> Self {
        let mut steering = Steering::load(options).expect("load");
        let socket = xdp_socket();
        let locals = [IpAddr::V4(LOCAL4), IpAddr::V6(LOCAL6)];
        steering.set_locals(&locals).expect("locals");
        steering.set_services(&locals.map(|local| Service::udp(local, WG))).expect("services");
        steering.set_port(&port(LOOPBACK)).expect("port");
        steering.set_socket(SLOT, WORKER, socket.as_fd()).expect("socket");
        steering.heartbeats().beat(WORKER, Monotonic.now());
        steering.enable(true).expect("enable");
        Self { steering, socket }
    }

    /// Runs one frame through the program. Asserts that exactly one counter moved, by one, and
    /// that its exit's action is what the program returned.
    pub(super) fn run(&self, frame: &[u8]) -> Exit {
        self.run_on(LOOPBACK, 0, frame)
    }

    pub(super) fn run_on(&self, ifindex: u32, queue: u32, frame: &[u8]) -> Exit {
        let before = self.steering.counters().expect("counters");
        let action = self.action(ifindex, queue, frame);
        let after = self.steering.counters().expect("counters");
        let moved: Vec<Exit> = Exit::ALL
            .into_iter()
            .flat_map(|exit| (before.get(exit)..after.get(exit)).map(move |_| exit))
            .collect();
        let [exit] = moved[..] else { panic!("one counter moves, not {moved:?}: {frame:02x?}") };
        assert_eq!(exit.action(), action, "{exit:?} of {frame:02x?}");
        exit
    }

    fn action(&self, ifindex: u32, queue: u32, frame: &[u8]) -> Action {
        // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
        let length = u32::try_from(frame.len()).expect("short frame");
        let context: Vec<u8> =
            [0, length, 0, ifindex, queue, 0].into_iter().flat_map(u32::to_ne_bytes).collect();
        let options = TestRunOptions {
            data_in: Some(frame),
            ctx_in: Some(&context),
            ..TestRunOptions::new()
        };
        let result = self.steering.xdp().expect("program").test_run(options).expect("test run");
        match result.return_value {
            1 => Action::Drop,
            2 => Action::Pass,
            4 => Action::Redirect,
            other => panic!("unexpected action {other}"),
        }
    }
}
