//! The policy stage: where a packet goes, and whether it may.
//!
//! Sources and destinations that can never be forwarded end here (RFC 1812, section 5.3.7; RFC 6890), then the
//! route is looked up, and with ingress and egress zone known the policy is asked. Answers of the gateway itself
//! are routed but asked nothing.

use telemetry::Reason;
use wire::Addresses;

use crate::packet::{Origin, Packet, Verdict};
use crate::process::Context;
use crate::reply::Answer;
use crate::snapshot::{InterfaceKind, Snapshot};
use policy::{Action, Query, ZoneId};
use route::{NextHop, NextHopKind};

/// Looks the route up. A pass of its own over the burst: searches that do not depend on each other overlap.
#[inline]
pub(crate) fn find_hop<'s>(packet: &mut Packet<'s>, context: &Context<'s>) {
    packet.hop = look_up(&packet.parsed.addresses, context);
}

/// Looks the peer up, when the route leads into the tunnel.
#[inline]
pub(crate) fn find_peer(packet: &mut Packet<'_>, context: &Context<'_>) {
    let Some(hop) = packet.hop else { return };
    if hop.interface == context.snapshot.tunnel.interface {
        packet.seal_for = peer_of(&packet.parsed.addresses, context.snapshot);
    }
}

/// Both, and the decision: for a packet that became another one.
pub(crate) fn decide_anew<'s>(packet: &mut Packet<'s>, context: &Context<'s>) {
    find_hop(packet, context);
    find_peer(packet, context);
    let due = decide(packet, context);
    debug_assert!(due.is_none() || !packet.pending());
}

/// Decides about one packet whose hop and peer were looked up: sets its verdict unless it may go on. Gives the
/// answer that its sender is due.
pub(crate) fn decide<'s>(packet: &mut Packet<'s>, context: &Context<'s>) -> Option<Answer> {
    let snapshot = context.snapshot;
    let addresses = packet.parsed.addresses;
    if let Some(reason) = unforwardable(packet, snapshot) {
        packet.verdict = Verdict::Drop(reason);
        return None;
    }
    if is_local_destination(&addresses, snapshot) {
        return decide_local(packet, context);
    }
    let Some(hop) = packet.hop else {
        packet.verdict = Verdict::Drop(Reason::NoRoute);
        return Some(Answer::NoRoute);
    };
    let (reason, answer) = match hop.kind {
        NextHopKind::Unicast => return decide_forward(packet, hop, context),
        NextHopKind::Local => return decide_local(packet, context),
        NextHopKind::Blackhole => (Reason::RouteBlackhole, None),
        NextHopKind::Unreachable => (Reason::RouteUnreachable, Some(Answer::Unreachable)),
        NextHopKind::Prohibit => (Reason::RouteProhibit, Some(Answer::Prohibited)),
    };
    packet.verdict = Verdict::Drop(reason);
    answer
}

fn decide_forward<'s>(
    packet: &mut Packet<'s>,
    hop: &'s NextHop,
    context: &Context<'s>,
) -> Option<Answer> {
    let Some(egress) = context.snapshot.interface(hop.interface) else {
        packet.verdict = Verdict::Drop(Reason::EgressUnattached);
        return Some(Answer::Unreachable);
    };
    match egress.kind {
        InterfaceKind::Port { .. } => {}
        InterfaceKind::Tunnel => {
            if packet.seal_for.is_none() {
                packet.verdict = Verdict::Drop(Reason::PeerUnknown);
                return Some(Answer::Unreachable);
            }
        }
        // It is in no zone, so there is nothing to ask the policy.
        InterfaceKind::Unattached => {
            packet.verdict = Verdict::Drop(Reason::EgressUnattached);
            return Some(Answer::Unreachable);
        }
    }
    if packet.reply {
        return None;
    }
    let denied = ask(packet, egress.zone, context)?;
    packet.verdict = Verdict::Drop(denied.0);
    denied.1
}

fn decide_local(packet: &mut Packet<'_>, context: &Context<'_>) -> Option<Answer> {
    // What the gateway tells itself (an answer to its own packet) goes to the kernel without a question.
    match if packet.reply { None } else { ask(packet, ZoneId::LOCAL, context) } {
        None => {
            packet.verdict = Verdict::Punt;
            None
        }
        Some((reason, answer)) => {
            packet.verdict = Verdict::Drop(reason);
            answer
        }
    }
}

/// Asks the policy; `None` when it allows, else the reason and the answer that are due.
fn ask(packet: &Packet<'_>, to: ZoneId, context: &Context<'_>) -> Option<(Reason, Option<Answer>)> {
    let Origin { zone: from, peer, .. } = packet.origin;
    let query = Query::new(from, to, &packet.parsed, peer);
    let decision = context.snapshot.policy.evaluate(&query);
    match decision.action {
        Action::Allow => None,
        Action::Deny => Some((Reason::PolicyDeny, None)),
        Action::Reject => Some((Reason::PolicyReject, Some(Answer::Prohibited))),
    }
}

/// Why no packet with these addresses is forwarded, whatever the routes say.
fn unforwardable(packet: &Packet<'_>, snapshot: &Snapshot) -> Option<Reason> {
    let parsed = &packet.parsed;
    // The gateway's own packets carry its own source.
    let own = packet.reply || packet.origin.zone == ZoneId::LOCAL;
    match parsed.addresses {
        Addresses::V4 { source, destination } => {
            let [first, ..] = source.octets();
            let martian = source.is_multicast()
                || source.is_loopback()
                || source.is_link_local()
                || first == 0
                || first >= 240;
            if martian {
                return Some(Reason::MartianSource);
            }
            if !own && snapshot.locals.contains4(source) {
                return Some(Reason::LocalSource);
            }
            let [first, ..] = destination.octets();
            let martian = destination.is_multicast()
                || destination.is_loopback()
                || destination.is_link_local()
                || first == 0
                || first >= 240;
            (martian || parsed.link.multicast).then_some(Reason::MartianDestination)
        }
        Addresses::V6 { source, destination } => {
            if source.is_multicast()
                || source.is_loopback()
                || source.is_unspecified()
                || source.is_unicast_link_local()
            {
                return Some(Reason::MartianSource);
            }
            if !own && snapshot.locals.contains6(source) {
                return Some(Reason::LocalSource);
            }
            let martian = destination.is_multicast()
                || destination.is_loopback()
                || destination.is_unspecified()
                || destination.is_unicast_link_local();
            (martian || parsed.link.multicast).then_some(Reason::MartianDestination)
        }
    }
}

fn is_local_destination(addresses: &Addresses, snapshot: &Snapshot) -> bool {
    match *addresses {
        Addresses::V4 { destination, .. } => snapshot.locals.contains4(destination),
        Addresses::V6 { destination, .. } => snapshot.locals.contains6(destination),
    }
}

/// The peer whose allowed IPs cover the destination.
fn peer_of(addresses: &Addresses, snapshot: &Snapshot) -> Option<crate::snapshot::PeerIndex> {
    match *addresses {
        Addresses::V4 { destination, .. } => snapshot.tunnel.allowed_ips.lookup4(destination),
        Addresses::V6 { destination, .. } => snapshot.tunnel.allowed_ips.lookup6(destination),
    }
}

fn look_up<'s>(addresses: &Addresses, context: &Context<'s>) -> Option<&'s NextHop> {
    let hash = context.flow_hash(addresses);
    match *addresses {
        Addresses::V4 { destination, .. } => context.snapshot.fib.lookup4(destination, hash),
        Addresses::V6 { destination, .. } => context.snapshot.fib.lookup6(destination, hash),
    }
}
