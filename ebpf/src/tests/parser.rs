//! The program and the workers' parser read the same packet: if they did not, one could be told a
//! port that the other does not see.
use core::cell::Cell;
use std::net::IpAddr;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use wire::Transport;

use super::model::frame;
use super::rig::{LOCAL4, LOCAL6, Rig, WG, needs_root};
use crate::Exit;

/// Whether the parser sees a packet for the tunnel service.
fn is_tunnel(parsed: &wire::Parsed) -> bool {
    let destination = parsed.addresses.destination();
    let to_us = destination == IpAddr::V4(LOCAL4) || destination == IpAddr::V6(LOCAL6);
    to_us && matches!(parsed.transport, Transport::Udp { destination_port: WG, .. })
}

#[test]
fn what_the_workers_can_parse_is_never_malformed_and_has_the_same_port() {
    needs_root!();
    let rig = Rig::new();
    let (parsed_frames, tunnels) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config { cases: 8_000, ..Config::default() });
    runner
        .run(&frame(), |frame| {
            let exit = rig.run(&frame);
            let Ok(parsed) = wire::parse(&frame) else { return Ok(()) };
            parsed_frames.set(parsed_frames.get() + 1);
            let refused = [
                Exit::FrameTruncated,
                Exit::VlanUnsupported,
                Exit::Ipv4Malformed,
                Exit::Ipv6Malformed,
                Exit::ExtensionChain,
                Exit::TransportTruncated,
            ];
            prop_assert!(!refused.contains(&exit), "{exit:?} of {parsed:?}");
            // What ends earlier, by VLAN or Ethernet group, never gets as far as the port; a later fragment has none.
            let later = matches!(parsed.fragment, wire::Fragment::Later { .. });
            if !later && !matches!(exit, Exit::VlanUnregistered | Exit::Broadcast) {
                prop_assert_eq!(exit == Exit::Tunnel, is_tunnel(&parsed), "{:?}", parsed);
            }
            tunnels.set(tunnels.get() + u32::from(exit == Exit::Tunnel));
            Ok(())
        })
        .expect("both read the same");
    assert!(parsed_frames.get() > 1000, "{} frames parsed", parsed_frames.get());
    assert!(tunnels.get() > 50, "{} tunnel packets", tunnels.get());
}
