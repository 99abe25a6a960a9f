//! The stages, each provoked by packets: what it stops and the near neighbour that it lets through.

mod answers;
mod arrival;
mod bursts;
mod forwarding;
mod hand_over;
mod handshakes;
mod neighbours;
mod outbox;
mod sealing;
mod sessions;
mod tunnel;

use telemetry::Reason;
use wire::build::Packet;
use wire::{checksum, icmpv4, icmpv6, ipv4, ipv6, protocol};

use crate::testing::{LAN, LAN_HOST, LAN_HOST6, Sent, Site};

/// A datagram of a LAN host.
fn from_lan(to: &str) -> Packet {
    let from = if to.contains(':') { LAN_HOST6 } else { LAN_HOST };
    Packet::udp(with_port(from, 4000).as_str(), with_port(to, 4001).as_str()).payload(b"over there")
}

fn with_port(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// What a fresh gateway does with one frame from the LAN.
fn try_from_lan(packet: &Packet) -> (Vec<Sent>, Vec<(Reason, u64)>) {
    let mut site = Site::new();
    let sent = site.receive(LAN, [packet.frame()]);
    site.assert_frames_complete();
    (sent, site.drops())
}

/// The reason that a fresh gateway drops one frame from the LAN for, in silence.
fn refusal(packet: &Packet) -> Reason {
    let (sent, drops) = try_from_lan(packet);
    assert_eq!(sent, [], "nothing is sent");
    only(&drops)
}

/// The reason, and the answer to the sender.
fn answered(packet: &Packet) -> (Reason, Sent) {
    let (mut sent, drops) = try_from_lan(packet);
    assert_eq!(sent.len(), 1, "one answer: {drops:?}");
    (only(&drops), sent.remove(0))
}

fn passes(packet: &Packet) -> Sent {
    let (mut sent, drops) = try_from_lan(packet);
    assert_eq!(drops, []);
    assert_eq!(sent.len(), 1, "one packet");
    sent.remove(0)
}

fn only(drops: &[(Reason, u64)]) -> Reason {
    match drops {
        [(reason, 1)] => *reason,
        drops => panic!("one drop, not {drops:?}"),
    }
}

/// Type and code of an ICMP message, its number field (the MTU of "too big"), and the packet that it quotes.
fn icmp(sent: &Sent) -> (u8, u8, u32, Vec<u8>) {
    let ip = sent.ip();
    let parsed = wire::parse_ip(ip, 0).expect("valid");
    let message = &ip[parsed.l4()..parsed.end()];
    let number = u32::from_be_bytes(*message[4..].first_chunk().expect("eight bytes"));
    let sum = match ip[0] >> 4 {
        4 => checksum::Sum::of(message).checksum(),
        _ => checksum::of_segment(&parsed.addresses, protocol::ICMPV6, message),
    };
    assert_eq!(sum, 0, "the checksum holds");
    let header = if ip[0] >> 4 == 4 { icmpv4::HEADER_LEN } else { icmpv6::HEADER_LEN };
    (message[0], message[1], number, message[header..].to_vec())
}

/// A packet as it looks one hop later.
fn one_hop_later(packet: &[u8]) -> Vec<u8> {
    let mut later = packet.to_vec();
    let mut parsed = wire::parse_ip(&later, 0).expect("valid");
    wire::rewrite::decrement_hop_limit(&mut later, &mut parsed).expect("hops left");
    later
}

/// Bytes of an IP header without options.
fn header_length(packet: &[u8]) -> usize {
    if packet[0] >> 4 == 4 { ipv4::HEADER_LEN } else { ipv6::HEADER_LEN }
}
