//! `show peers`: the tunnels.

use super::{cell, optional};
use crate::api::{Peer, Peers};
use crate::cli::colour::Paint;
use crate::cli::format::{bytes, seconds};
use crate::cli::table::{Table, number, text};

pub(super) fn render(peers: &Peers, paint: Paint) -> String {
    let own = format!(
        "interface {}, public key {}, listening port {}\n",
        peers.interface, peers.public_key, peers.listen_port
    );
    [own, table(peers, paint)].join("\n")
}

fn table(peers: &Peers, paint: Paint) -> String {
    let mut table = Table::new([
        text("peer"),
        text("public key"),
        text("endpoint"),
        number("worker"),
        text("latest handshake"),
        number("received"),
        number("packets"),
        number("sent"),
        number("packets"),
        text("keepalive"),
        text("preshared"),
        text("allowed ips"),
    ]);
    for peer in &peers.peers {
        table.row(row(peer, peers.taken_at_unix));
    }
    table.render(paint)
}

fn row(peer: &Peer, now: u64) -> [String; 12] {
    let handshake = peer.latest_handshake_unix;
    let handshake = handshake.map(|at| format!("{} ago", seconds(now.saturating_sub(at))));
    let keepalive = peer.persistent_keepalive_seconds.map(|every| seconds(every.into()));
    [
        peer.name.clone(),
        peer.public_key.clone(),
        peer.endpoint.clone().unwrap_or_default(),
        optional(peer.worker),
        handshake.unwrap_or_else(|| "never".to_owned()),
        bytes(peer.rx_bytes),
        cell(peer.rx_packets),
        bytes(peer.tx_bytes),
        cell(peer.tx_packets),
        keepalive.unwrap_or_else(|| "off".to_owned()),
        if peer.preshared_key { "yes" } else { "no" }.to_owned(),
        peer.allowed_ips.join(", "),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Peers {
        let fresh = Peer {
            name: "laptop".into(),
            public_key: "AwIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=".into(),
            preshared_key: false,
            endpoint: None,
            worker: None,
            latest_handshake_unix: None,
            rx_packets: 0,
            rx_bytes: 0,
            tx_packets: 0,
            tx_bytes: 0,
            allowed_ips: Vec::new(),
            persistent_keepalive_seconds: None,
        };
        let branch = Peer {
            name: "branch-1".into(),
            public_key: "AgIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=".into(),
            preshared_key: true,
            endpoint: Some("192.0.2.7:51820".into()),
            worker: Some(1),
            latest_handshake_unix: Some(1_700_000_000),
            rx_packets: 20,
            rx_bytes: 2048,
            tx_packets: 30,
            tx_bytes: 100,
            allowed_ips: vec!["10.8.0.2/32".into(), "fd00:8::2/128".into()],
            persistent_keepalive_seconds: Some(25),
        };
        Peers {
            taken_at_unix: 1_700_000_075,
            interface: "ringwall0".into(),
            public_key: "BAIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=".into(),
            listen_port: 51820,
            peers: vec![branch, fresh],
        }
    }

    #[test]
    fn a_peer_that_never_called_stands_beside_one_that_did() {
        let expected = "\
interface ringwall0, public key BAIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=, listening port 51820

peer      public key                                    endpoint         worker  latest handshake  received  packets   sent  packets  keepalive  preshared  allowed ips
branch-1  AgIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=  192.0.2.7:51820       1  1m15s ago         2.00 KiB       20  100 B       30  25s        yes        10.8.0.2/32, fd00:8::2/128
laptop    AwIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=  -                     -  never                  0 B        0    0 B        0  off        no         -
";
        assert_eq!(render(&sample(), Paint::Plain), expected);
    }
}
