//! The detunnel stage: tunnel packets to us are opened, handshake messages go through the gate.
//!
//! Data messages whose receiver index names another worker are handed over unopened. The others are opened as one
//! batch, recorded in the replay window, and then treated like any packet that arrives: parsed, checked for a
//! source that the peer may use, and passed on to screens and policy in the tunnel's zone.
//!
//! The outer UDP checksum is looked at where the outer source is believed: in handshake messages, and in data that
//! would move its peer. Anywhere else the tag covers all that matters.

use core::net::SocketAddr;

use arrayvec::ArrayVec;
use io::BURST;
use telemetry::{Reason, WorkerCounters};
use wire::wireguard::Kind;
use wire::{Addresses, Ecn, Transport, rewrite, udp};
use wireguard::{Endpoint, Inbound, Payload, Received, Rejected};

use crate::outbox::{ControlEvent, Outbox};
use crate::packet::{Origin, Packet, Packets, Verdict};
use crate::process::Context;
use crate::reasons;
use crate::snapshot::{PeerIndex, WorkerId};
use crate::state::WorkerState;
use crate::{admit, snapshot};

/// Handles the packets of the burst at the positions in `tunnelled`.
pub(crate) fn detunnel(
    state: &mut WorkerState,
    packets: &mut Packets<'_>,
    tunnelled: &[u8],
    context: &Context<'_>,
    out: &mut Outbox,
    counters: &WorkerCounters,
) {
    let mut data = ArrayVec::<u8, BURST>::new();
    for &position in tunnelled {
        let Some(packet) = packets.get_mut(usize::from(position)) else { continue };
        let range = packet.parsed.payload_range();
        let message = packet.frame.data().get(range).unwrap_or_default();
        match Kind::of(message) {
            Ok(Kind::Data) => match owner_of(message, context) {
                Some(owner) if owner == context.worker => data.push(position),
                Some(owner) => packet.verdict = Verdict::HandOff(owner, packet.entry),
                None => packet.verdict = Verdict::Drop(Reason::WgLength),
            },
            Ok(Kind::Initiation | Kind::Response | Kind::CookieReply) => {
                admit::admit(packet, context, out, counters);
            }
            Err(malformed) => packet.verdict = Verdict::Drop(reasons::of_malformed(malformed)),
        }
    }
    if !data.is_empty() {
        open(state, packets, &data, context, out, counters);
    }
}

/// The worker that the receiver index of a data message names.
fn owner_of(message: &[u8], context: &Context<'_>) -> Option<WorkerId> {
    let index = u32::from_le_bytes(*message.get(4..)?.first_chunk()?);
    Some(WorkerId((index % u32::from(context.workers.max(1))) as u16))
}

/// Where a tunnel packet came from, and which address of ours it came to.
pub(crate) fn endpoint_of(packet: &Packet<'_>) -> Endpoint {
    let port = match packet.parsed.transport {
        Transport::Udp { source_port, .. } => source_port,
        Transport::Tcp { .. }
        | Transport::Icmp { .. }
        | Transport::Icmpv6 { .. }
        | Transport::Ipip { .. }
        | Transport::Other(_)
        | Transport::Absent => 0,
    };
    let addresses = packet.parsed.addresses;
    Endpoint::new(SocketAddr::new(addresses.source(), port), addresses.destination())
}

/// The UDP header of a tunnel packet and the message behind it; no message when there is no header.
fn datagram_of<'p>(
    packet: &'p mut Packet<'_>,
) -> (Option<&'p [u8; udp::HEADER_LEN]>, &'p mut [u8]) {
    let segment = packet.parsed.l4()..packet.parsed.payload_range().end;
    let segment = packet.frame.data_mut().get_mut(segment).unwrap_or_default();
    match segment.split_first_chunk_mut() {
        Some((header, message)) => (Some(header), message),
        None => (None, &mut []),
    }
}

fn open(
    state: &mut WorkerState,
    packets: &mut Packets<'_>,
    data: &[u8],
    context: &Context<'_>,
    out: &mut Outbox,
    counters: &WorkerCounters,
) {
    let mut results = ArrayVec::<Result<Received, Rejected>, BURST>::new();
    {
        let mut inbound = ArrayVec::<Inbound<'_>, BURST>::new();
        let mut wanted = data.iter().peekable();
        for (position, packet) in packets.iter_mut().enumerate() {
            if wanted.next_if(|next| usize::from(**next) == position).is_none() {
                continue;
            }
            let endpoint = endpoint_of(packet);
            let (header, message) = datagram_of(packet);
            inbound.push(Inbound::new(message, endpoint, header));
        }
        state.sessions.open_burst(&state.aead, &mut inbound, context.now);
        results.extend(inbound.iter().map(|inbound| inbound.result));
    }
    let mut entered = ArrayVec::<(u8, PeerIndex, Ecn), BURST>::new();
    for (&position, result) in data.iter().zip(results) {
        let Some(packet) = packets.get_mut(usize::from(position)) else { continue };
        match result {
            Err(cause) => packet.verdict = Verdict::Drop(reasons::of_rejected(cause)),
            Ok(received) => {
                let peer = received.peer.index();
                if received.confirmed {
                    state.mark_ready(peer);
                }
                // The place may have another occupant already, whose addresses are not this peer's.
                let outer_ecn = packet.parsed.ecn();
                packet.verdict = match context.snapshot.peer(peer) {
                    Some(known) if known.id == received.peer => {
                        uncover(packet, peer, context, out, counters)
                    }
                    Some(_) | None => Verdict::Drop(Reason::WgStalePeer),
                };
                if packet.pending() {
                    entered.push((position, peer, outer_ecn));
                }
            }
        }
    }
    // A pass of its own: searches that do not depend on each other overlap.
    for (position, peer, outer_ecn) in entered {
        let Some(packet) = packets.get_mut(usize::from(position)) else { continue };
        packet.verdict = enter(packet, peer, outer_ecn, context);
    }
}

/// Makes the opened payload the packet: `Pending` when it is one.
fn uncover(
    packet: &mut Packet<'_>,
    peer: PeerIndex,
    context: &Context<'_>,
    out: &mut Outbox,
    counters: &WorkerCounters,
) -> Verdict {
    let sealed = packet.parsed.payload_range();
    let start = sealed.start + wireguard::DATA_HEADER_LENGTH;
    let end = sealed.end.saturating_sub(wire::wireguard::TAG_LEN);
    packet.frame.truncate(end);
    if packet.frame.pull_front(start).is_err() {
        return Verdict::Drop(Reason::WgTooShort);
    }
    match Payload::classify(packet.frame.data()) {
        Ok(Payload::Keepalive) => return Verdict::Consumed,
        Ok(Payload::Ip) => {}
        Ok(Payload::Framed { .. }) => {
            if !context.snapshot.peer(peer).is_some_and(|peer| peer.application_messages) {
                return Verdict::Drop(Reason::WgFramedUnwanted);
            }
            out.event(ControlEvent::ApplicationMessage(peer), counters);
            return Verdict::Consumed;
        }
        Err(cause) => return Verdict::Drop(reasons::of_rejected(cause)),
    }
    let parsed = match wire::parse_ip(packet.frame.data(), 0) {
        Ok(parsed) => parsed,
        Err(malformed) => return Verdict::Drop(reasons::of_malformed(malformed)),
    };
    packet.parsed = parsed;
    packet.frame.truncate(parsed.end());
    Verdict::Pending
}

/// Checks that the peer may speak for the source, and lets the packet in by the tunnel's interface.
fn enter(
    packet: &mut Packet<'_>,
    peer: PeerIndex,
    outer_ecn: Ecn,
    context: &Context<'_>,
) -> Verdict {
    let parsed = &packet.parsed;
    // The longest prefix must lead to this very peer.
    if allowed_owner(&parsed.addresses, context.snapshot) != Some(peer) {
        return Verdict::Drop(Reason::WgSourceNotAllowed);
    }
    match wire::ecn::decapsulate(parsed.ecn(), outer_ecn) {
        Some(ecn) => set_ecn(packet, ecn),
        None => return Verdict::Drop(Reason::WgInnerEcn),
    }
    let tunnel = context.snapshot.tunnel.interface;
    let Some(interface) = context.snapshot.interface(tunnel) else {
        return Verdict::Drop(Reason::IngressUnknown);
    };
    packet.origin = Origin { interface: tunnel, zone: interface.zone, peer: Some(peer) };
    Verdict::Pending
}

fn set_ecn(packet: &mut Packet<'_>, ecn: Ecn) {
    rewrite::set_ecn(packet.frame.data_mut(), &mut packet.parsed, ecn);
}

fn allowed_owner(addresses: &Addresses, snapshot: &snapshot::Snapshot) -> Option<PeerIndex> {
    match *addresses {
        Addresses::V4 { source, .. } => snapshot.tunnel.allowed_ips.lookup4(source),
        Addresses::V6 { source, .. } => snapshot.tunnel.allowed_ips.lookup6(source),
    }
}
