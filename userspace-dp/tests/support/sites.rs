//! Two sites joined by a tunnel between two gateways of the same kind: the scene of the WireGuard benches.

use crate::keys::KeyPair;
use crate::network::{Lab, LabOptions, Topology};
use crate::settings::{GatewaySettings, PeerSettings, TUNNEL_POLICY};
use crate::traffic::ping;
use crate::tunnel::{GatewayKind, RunningGateway, start_gateway_in};
use crate::wait_until;
use anyhow::Result;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The host at the left site.
pub const LEFT_HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 2));
/// The host at the right site.
pub const RIGHT_HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 2, 0, 2));

const PORT: u16 = 51820;

/// The scene, with a session up. Fields end in the order in which they stand here.
#[derive(Debug)]
pub struct Sites {
    /// Gateways, left then right.
    pub gateways: [RunningGateway; 2],
    /// The network.
    pub lab: Lab,
}

/// What one site is.
struct Site {
    role: &'static str,
    suffix: &'static str,
    outside: [u8; 4],
    inside: [&'static str; 2],
}

const SITES: [Site; 2] = [
    Site {
        role: "gwleft",
        suffix: "l",
        outside: [192, 0, 2, 1],
        inside: ["10.1.0.0/24", "fd00:1::/64"],
    },
    Site {
        role: "gwright",
        suffix: "r",
        outside: [192, 0, 2, 2],
        inside: ["10.2.0.0/24", "fd00:2::/64"],
    },
];

impl Sites {
    /// Builds two sites with gateways of `kind` and waits until one host reaches the other. One queue per link, as one
    /// tunnel has one owner; Ringwall's two workers are pinned to CPU 0 and CPU 1.
    ///
    /// # Errors
    /// When a gateway does not start or the tunnel does not come up.
    pub fn up(kind: &GatewayKind) -> Result<Self> {
        let lab = Lab::up(LabOptions {
            queues: 1,
            kernel_forwarding: matches!(kind, GatewayKind::Reference(_)),
            ..LabOptions::new(Topology::Sites)
        })?;
        let keys = [KeyPair::generate()?, KeyPair::generate()?];
        let start = |own: usize| {
            let settings = settings(&lab, own, &keys);
            start_gateway_in(&lab, &lab.namespace(SITES[own].role), kind, &settings)
        };
        let sites = Self { gateways: [start(0)?, start(1)?], lab };
        let left = sites.lab.namespace("left");
        wait_until("the sites reach each other", Duration::from_secs(15), || {
            ping(&left, RIGHT_HOST, 2, "").is_ok_and(|report| report.received > 0)
        })?;
        Ok(sites)
    }
}

fn settings(lab: &Lab, own: usize, keys: &[KeyPair; 2]) -> GatewaySettings {
    let (here, there) = (&SITES[own], &SITES[1 - own]);
    GatewaySettings {
        workers: 1,
        cpus: vec![own as u32],
        poll_mode: "adaptive",
        interfaces: vec![("wan0", "wan"), ("lan0", "lan")],
        tunnel_interface: lab.interface_name(here.suffix),
        private_key: keys[own].private.clone(),
        listen_port: PORT,
        addresses: Vec::new(),
        peers: vec![PeerSettings {
            name: there.role.to_owned(),
            public_key: keys[1 - own].public.clone(),
            preshared_key: None,
            endpoint: Some(SocketAddr::new(IpAddr::from(there.outside), PORT)),
            allowed_ips: there.inside.map(str::to_owned).to_vec(),
        }],
        policy: TUNNEL_POLICY.to_owned(),
    }
}
