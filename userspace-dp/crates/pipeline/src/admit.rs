//! Handshake messages at the gate: admitted ones go to the handshake thread, the rest ends here.

use telemetry::{Reason, WorkerCounters};
use wireguard::{Arrival, Parsed};

use crate::detunnel::endpoint_of;
use crate::handshake::HandshakeEvent;
use crate::outbox::Outbox;
use crate::packet::{Packet, Verdict};
use crate::path::{HANDSHAKE_CLASS, OuterPath};
use crate::process::Context;
use crate::reasons;

/// Judges the handshake message in `packet`. Under load it may become the cookie reply to it.
pub(crate) fn admit(
    packet: &mut Packet<'_>,
    context: &Context<'_>,
    out: &mut Outbox,
    counters: &WorkerCounters,
) {
    let Some(gate) = context.snapshot.tunnel.gate.as_deref() else {
        packet.verdict = Verdict::Drop(Reason::LocalNotTunnel);
        return;
    };
    // Whoever sent the message is answered, and later reached, where it came from.
    if !shows_its_path(packet) {
        packet.verdict = Verdict::Drop(Reason::WgOuterChecksum);
        return;
    }
    let endpoint = endpoint_of(packet);
    let arrival = Arrival { worker: u32::from(context.worker.0), endpoint };
    let range = packet.parsed.payload_range();
    let message = Parsed::read(packet.frame.data().get(range).unwrap_or_default());
    let judged = match message {
        Ok(message) => gate.screen(message, arrival, context.now),
        Err(cause) => wireguard::Verdict::Rejected(cause),
    };
    packet.verdict = match judged {
        wireguard::Verdict::Admitted(admitted) => {
            counters.handshakes_admitted.bump();
            out.handshake(HandshakeEvent::Message(admitted), counters);
            Verdict::Consumed
        }
        wireguard::Verdict::Rejected(cause) => Verdict::Drop(reasons::of_rejected(cause)),
        wireguard::Verdict::CookieReply(reply) => {
            counters.count_drop(Reason::WgCookieDemanded, 1);
            counters.cookie_replies.bump();
            match (packet.frame.fill(&reply), OuterPath::find(endpoint, context)) {
                (Ok(()), Ok(path)) => {
                    path.wrap(&mut packet.frame, HANDSHAKE_CLASS, context.snapshot)
                }
                (Ok(()), Err(reason)) => Verdict::Drop(reason),
                (Err(_), _) => Verdict::Drop(Reason::NoHeadroom),
            }
        }
    };
}

/// Whether the outer UDP checksum vouches for the outer addresses and ports.
fn shows_its_path(packet: &Packet<'_>) -> bool {
    let segment = packet.parsed.l4()..packet.parsed.payload_range().end;
    let segment = packet.frame.data().get(segment).unwrap_or_default();
    segment.split_first_chunk().is_some_and(|(header, message)| {
        wire::udp::is_intact(header, message, &packet.parsed.addresses)
    })
}
