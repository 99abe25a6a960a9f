//! What a decision costs, for whoever asks: `cargo test -p ringwall-ebpf cost -- --ignored
//! --nocapture`.
use core::time::Duration;

use aya::programs::{TestRun, TestRunOptions};
use clock::{Clock, Monotonic};

use super::frames::{Ipv4, ethernet, extension, udp4, udp6};
use super::rig::{FAR4, FAR6, LOCAL4, LOCAL6, Rig, WG, needs_root};

#[test]
#[ignore = "a measurement, not a check"]
fn nanoseconds_for_each_kind_of_frame() {
    needs_root!();
    let mut rig = Rig::new();
    let verified = rig.steering.xdp().expect("program").info().expect("info");
    println!("verified instructions: {:?}", verified.verified_instruction_count());
    let until = Monotonic.now() + Duration::from_secs(600);
    let long = vec![extension(60, 8); 8];
    let frames = [
        ("ARP", ethernet(&[], 0x0806, &[0; 28])),
        ("IPv4 local", udp4(LOCAL4, 22).frame()),
        ("IPv4 tunnel", udp4(LOCAL4, WG).frame()),
        ("IPv4 transit", udp4(FAR4, 53).frame()),
        ("IPv4 transit, VLAN", ethernet(&[(0x8100, 10)], 0x0800, &udp4(FAR4, 53).packet())),
        ("IPv6 tunnel", udp6(LOCAL6, WG).frame()),
        ("IPv6 transit", udp6(FAR6, 53).frame()),
        ("IPv6, 8 headers", super::frames::Ipv6 { extensions: long, ..udp6(FAR6, 53) }.frame()),
    ];
    for (name, frame) in &frames {
        println!("{name:20} {:3} ns", cost(&rig, frame));
    }
    for last in 0..32 {
        let source = std::net::Ipv4Addr::new(10, 0, 0, last);
        rig.steering.block(std::net::IpAddr::V4(source).into(), until).expect("block");
    }
    println!("with 32 blocked sources:");
    println!("{:20} {:3} ns", "IPv4 transit", cost(&rig, &udp4(FAR4, 53).frame()));
    let blocked = Ipv4 { source: [10, 0, 0, 7].into(), ..udp4(FAR4, 53) };
    println!("{:20} {:3} ns", "IPv4 blocked", cost(&rig, &blocked.frame()));
}

/// The best of five runs of a million.
fn cost(rig: &Rig, frame: &[u8]) -> u128 {
    let run = || {
        let options =
            TestRunOptions { data_in: Some(frame), repeat: 1_000_000, ..TestRunOptions::new() };
        let program = rig.steering.xdp().expect("program");
        program.test_run(options).expect("test run").duration.as_nanos()
    };
    (0..5).map(|_| run()).min().unwrap_or_default()
}
