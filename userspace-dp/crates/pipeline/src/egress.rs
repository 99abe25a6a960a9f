//! The egress stage: outer headers. Plain packets get a link header; tunnel packets get nonces in transmit order,
//! one call of the cipher for the whole burst, and then their outer headers.

use arrayvec::ArrayVec;
use io::BURST;
use telemetry::Reason;
use wireguard::{Outbound, message_length};
use wireguard::{PeerHandle, Rejected};

use crate::forward;
use crate::next_hop;
use crate::outbox::{Outbox, Sink};
use crate::packet::{Entry, Packet, Packets, Verdict};
use crate::path::{OuterPath, data_class};
use crate::process::{Context, tell};
use crate::reasons;
use crate::reply::Answer;
use crate::snapshot::PeerIndex;
use crate::state::WorkerState;

/// Bytes of a data message's header.
const HEADER: usize = wireguard::DATA_HEADER_LENGTH;

/// A packet that is ready for the cipher: its place in the burst, its peer, and its inner length.
struct Sealing {
    position: u8,
    peer: PeerHandle,
    inner: u16,
}

/// Finishes every pending packet of the burst.
pub(crate) fn egress<'s>(
    state: &mut WorkerState,
    packets: &mut Packets<'s>,
    context: &Context<'s>,
    sink: &Sink<'_>,
    out: &mut Outbox,
) {
    let mut sealing = ArrayVec::<Sealing, BURST>::new();
    // Neighbouring packets mostly leave by the same way; it is looked up once for all of them.
    let mut last = None;
    for (position, packet) in packets.iter_mut().enumerate() {
        if !packet.pending() {
            continue;
        }
        // An answer that takes the place of a packet may be for a tunnel itself; it is not answered again.
        let mut ready = None;
        while let (true, None, Some(index)) = (packet.pending(), ready, packet.seal_for) {
            ready = prepare(state, packet, index, context, sink);
        }
        if let Some(peer) = ready {
            let inner = packet.parsed.end() as u16;
            sealing.push(Sealing { position: position as u8, peer, inner });
            continue;
        }
        // Not for a tunnel, or an answer that took the place of such a packet.
        if packet.pending() {
            packet.verdict = match packet.hop {
                Some(hop) => {
                    let destination = packet.parsed.addresses.destination();
                    let neighbour = hop.gateway.unwrap_or(destination);
                    let way = (hop.interface, neighbour, packet.parsed.family());
                    match &last {
                        Some((same, port, header)) if *same == way => {
                            next_hop::put(&mut packet.frame, *port, header)
                        }
                        Some(_) | None => {
                            if state.in_use.note(hop.interface, neighbour, context.now) {
                                out.neighbour_used(hop.interface, neighbour, sink.counters);
                            }
                            let data = packet.frame.data();
                            match next_hop::resolve(data, hop, destination, context.snapshot) {
                                Ok((port, header)) => {
                                    last = Some((way, port, header));
                                    next_hop::put(&mut packet.frame, port, &header)
                                }
                                Err(verdict) => verdict,
                            }
                        }
                    }
                }
                None => Verdict::Drop(Reason::Undecided),
            };
        }
    }
    if !sealing.is_empty() {
        seal(state, packets, &sealing, context, sink, out);
    }
}

/// Makes room for the data message around one packet and gives the peer to seal for; else the packet has its
/// verdict, or has become an answer.
fn prepare<'s>(
    state: &mut WorkerState,
    packet: &mut Packet<'s>,
    index: PeerIndex,
    context: &Context<'s>,
    sink: &Sink<'_>,
) -> Option<PeerHandle> {
    match context.snapshot.tunnel.owners.owner(index) {
        Some(owner) if owner == context.worker => {}
        Some(owner) => {
            packet.verdict = Verdict::HandOff(owner, Entry::Seal(index));
            return None;
        }
        None => {
            packet.verdict = Verdict::AwaitSession(index);
            return None;
        }
    }
    let Some(peer) = context.snapshot.peer(index).map(|peer| peer.id) else {
        packet.verdict = Verdict::Drop(Reason::PeerRemoved);
        return None;
    };
    if !state.sessions.can_send(peer, context.now) {
        if state.is_nowhere(peer) {
            refuse(packet, Reason::PeerHasNoEndpoint, Answer::Unreachable, context, sink);
        } else {
            packet.verdict = Verdict::AwaitSession(index);
        }
        return None;
    }
    let (inner_mtu, narrow) = match state.path_to(index, peer, context) {
        Ok(path) => (path.inner_mtu(), path.is_narrow()),
        Err(reason) => {
            packet.verdict = Verdict::Drop(reason);
            return None;
        }
    };
    let inner = packet.parsed.end();
    packet.frame.truncate(inner);
    if inner > usize::from(inner_mtu) {
        // The path to this peer carries less than the tunnel's MTU promises.
        let reason = forward::too_big(packet);
        refuse(packet, reason, Answer::TooBig(inner_mtu), context, sink);
        return None;
    }
    if narrow {
        forward::clamp_mss_to(packet, inner_mtu);
    }
    let room = message_length(inner, usize::from(inner_mtu)) - HEADER - inner;
    if packet.frame.push_front(HEADER).is_err() || packet.frame.extend_back(room).is_err() {
        packet.verdict = Verdict::Drop(Reason::NoHeadroom);
        return None;
    }
    Some(peer)
}

/// Drops a packet, and makes it the answer to its sender when one may be sent.
fn refuse<'s>(
    packet: &mut Packet<'s>,
    reason: Reason,
    due: Answer,
    context: &Context<'s>,
    sink: &Sink<'_>,
) {
    packet.verdict = Verdict::Drop(reason);
    tell(packet, Some(due), context, sink.counters);
}

fn seal(
    state: &mut WorkerState,
    packets: &mut Packets<'_>,
    sealing: &ArrayVec<Sealing, BURST>,
    context: &Context<'_>,
    sink: &Sink<'_>,
    out: &mut Outbox,
) {
    let mut results = ArrayVec::<Result<(), Rejected>, BURST>::new();
    {
        let mut outbound = ArrayVec::<Outbound<'_>, BURST>::new();
        let mut wanted = sealing.iter().peekable();
        for (position, packet) in packets.iter_mut().enumerate() {
            let Some(next) = wanted.next_if(|next| usize::from(next.position) == position) else {
                continue;
            };
            let inner = usize::from(next.inner);
            outbound.push(Outbound::new(packet.frame.data_mut(), inner, next.peer));
        }
        state.sessions.seal_burst(&state.aead, &mut outbound, context.now);
        results.extend(outbound.iter().map(|outbound| outbound.result));
    }
    for (sealed, result) in sealing.iter().zip(results) {
        let Some(packet) = packets.get_mut(usize::from(sealed.position)) else { continue };
        let index = sealed.peer.index();
        packet.verdict = match result {
            // The path was found before sealing, and nothing since could have changed it.
            Ok(()) => match state.peers.get(index as usize).and_then(|slot| slot.path.as_ref()) {
                Some(path) => {
                    let class = data_class(packet.parsed.ecn());
                    let verdict = path.wrap(&mut packet.frame, class, context.snapshot);
                    let (interface, neighbour) = path.neighbour();
                    if state.in_use.note(interface, neighbour, context.now) {
                        out.neighbour_used(interface, neighbour, sink.counters);
                    }
                    verdict
                }
                None => Verdict::Drop(Reason::Undecided),
            },
            Err(Rejected::NoSession) => {
                // The session ended within this burst. The packet is as it was, and waits for the next one.
                let restored = packet.frame.pull_front(HEADER).is_ok();
                packet.frame.truncate(usize::from(sealed.inner));
                if restored {
                    Verdict::AwaitSession(index)
                } else {
                    Verdict::Drop(Reason::NoHeadroom)
                }
            }
            Err(cause) => Verdict::Drop(reasons::of_rejected(cause)),
        };
    }
}

impl WorkerState {
    /// Whether the peer is here and nobody knows where to reach it: it has to call first.
    pub(crate) fn is_nowhere(&self, peer: PeerHandle) -> bool {
        self.sessions.has_peer(peer) && self.sessions.endpoint(peer).is_none()
    }

    /// The outer path to a peer that this worker owns.
    pub(crate) fn path_to(
        &mut self,
        index: PeerIndex,
        peer: PeerHandle,
        context: &Context<'_>,
    ) -> Result<&OuterPath, Reason> {
        let endpoint = self.sessions.endpoint(peer).ok_or(Reason::PeerHasNoEndpoint)?;
        let slot = self.peers.get_mut(index as usize).ok_or(Reason::PeerRemoved)?;
        if !slot.path.as_ref().is_some_and(|path| path.holds(&endpoint, context.snapshot)) {
            slot.path = Some(OuterPath::find(endpoint, context)?);
        }
        slot.path.as_ref().ok_or(Reason::Undecided)
    }
}
