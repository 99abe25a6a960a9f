//! The forward stage: hop limit, size, segment size. After it a packet only lacks its outer headers.

use telemetry::Reason;
use wire::{Family, rewrite};

use crate::packet::{Packet, Verdict};
use crate::process::Context;
use crate::reply::Answer;
use crate::snapshot::{InterfaceKind, Snapshot};
use policy::ZoneId;

/// Prepares one packet for its way out. Gives the answer that its sender is due when it cannot go.
pub(crate) fn forward(packet: &mut Packet<'_>, context: &Context<'_>) -> Option<Answer> {
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
    clamp_mss(packet, mtu, context.snapshot);
    None
}

/// Why a packet that is too large for its way out is dropped. The sender is told in both cases: the gateway does not
/// fragment, and silence would be a black hole.
pub(crate) fn too_big(packet: &Packet<'_>) -> Reason {
    if packet.parsed.dont_fragment() { Reason::PacketTooBig } else { Reason::NeedsFragmentation }
}

/// Lowers the maximum segment size of a connection through the tunnel to what the narrower side carries, so that
/// it works even where packet-too-big messages are lost.
fn clamp_mss(packet: &mut Packet<'_>, egress_mtu: u16, snapshot: &Snapshot) {
    let Some(ingress) = snapshot.interface(packet.origin.interface) else { return };
    if packet.seal_for.is_none() && ingress.kind != InterfaceKind::Tunnel {
        return;
    }
    // IPv4 and TCP header without options take 40 bytes, IPv6 and TCP 60 (RFC 6691).
    let headers = match packet.parsed.family() {
        Family::V4 => 40,
        Family::V6 => 60,
    };
    let limit = egress_mtu.min(ingress.mtu).saturating_sub(headers);
    let _ = rewrite::clamp_mss(packet.frame.data_mut(), &packet.parsed, limit);
}
