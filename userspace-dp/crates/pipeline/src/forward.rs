//! The forward stage: hop limit, size, segment size. After it a packet only lacks its outer headers.

use telemetry::Reason;
use wire::{Family, Transport, rewrite, tcp};

use crate::packet::{Packet, Verdict};
use crate::path::OuterPath;
use crate::process::Context;
use crate::reply::Answer;
use crate::snapshot::InterfaceKind;
use crate::state::WorkerState;
use policy::ZoneId;

/// Prepares one packet for its way out. Gives the answer that its sender is due when it cannot go.
pub(crate) fn forward(
    state: &mut WorkerState,
    packet: &mut Packet<'_>,
    context: &Context<'_>,
) -> Option<Answer> {
    let hop = packet.hop?;
    let Some(egress) = context.snapshot.interface(hop.interface) else {
        packet.verdict = Verdict::Drop(Reason::EgressUnattached);
        return None;
    };
    let mtu = hop.mtu.unwrap_or(egress.mtu).min(egress.mtu);
    let own = packet.reply || packet.origin.zone == ZoneId::LOCAL;
    if !own && packet.parsed.hop_limit <= 1 {
        packet.verdict = Verdict::Drop(Reason::HopLimit);
        return Some(Answer::TimeExceeded);
    }
    if packet.parsed.ip_len() > usize::from(mtu) {
        packet.verdict = Verdict::Drop(too_big(packet));
        return Some(Answer::TooBig(mtu));
    }
    if !own && rewrite::decrement_hop_limit(packet.frame.data_mut(), &mut packet.parsed).is_err() {
        packet.verdict = Verdict::Drop(Reason::HopLimit);
        return Some(Answer::TimeExceeded);
    }
    clamp_mss(state, packet, mtu, context);
    None
}

/// Why a packet that is too large for its way out is dropped. The sender is told in both cases: the gateway does not
/// fragment, and silence would be a black hole.
pub(crate) fn too_big(packet: &Packet<'_>) -> Reason {
    if packet.parsed.dont_fragment() { Reason::PacketTooBig } else { Reason::NeedsFragmentation }
}

/// Lowers the maximum segment size of a connection through the tunnel to what the narrower side carries, so that
/// it works even where packet-too-big messages are lost. What comes out of a tunnel is answered into it, so the path
/// to that peer counts as well; that to the peer which the packet goes to is known where it is sealed.
fn clamp_mss(
    state: &mut WorkerState,
    packet: &mut Packet<'_>,
    egress_mtu: u16,
    context: &Context<'_>,
) {
    if !is_syn(packet) {
        return;
    }
    let Some(ingress) = context.snapshot.interface(packet.origin.interface) else { return };
    if packet.seal_for.is_none() && ingress.kind != InterfaceKind::Tunnel {
        return;
    }
    let sender = packet.origin.peer.and_then(|index| {
        let peer = context.snapshot.peer(index)?.id;
        state.path_to(index, peer, context).ok().map(OuterPath::inner_mtu)
    });
    clamp_mss_to(packet, egress_mtu.min(ingress.mtu).min(sender.unwrap_or(u16::MAX)));
}

#[inline]
fn is_syn(packet: &Packet<'_>) -> bool {
    match packet.parsed.transport {
        Transport::Tcp { flags, .. } => flags.contains(tcp::Flags::SYN),
        Transport::Udp { .. }
        | Transport::Icmp { .. }
        | Transport::Icmpv6 { .. }
        | Transport::Ipip { .. }
        | Transport::Other(_)
        | Transport::Absent => false,
    }
}

/// Lowers the maximum segment size of a SYN so that segments are no larger packets than `mtu`; leaves others alone.
pub(crate) fn clamp_mss_to(packet: &mut Packet<'_>, mtu: u16) {
    // IPv4 and TCP header without options take 40 bytes, IPv6 and TCP 60 (RFC 6691).
    let headers = match packet.parsed.family() {
        Family::V4 => 40,
        Family::V6 => 60,
    };
    let limit = mtu.saturating_sub(headers);
    let _ = rewrite::clamp_mss(packet.frame.data_mut(), &packet.parsed, limit);
}
