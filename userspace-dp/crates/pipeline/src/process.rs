//! The whole path of a burst, stage by stage.
//!
//! Each stage walks the burst before the next begins, so that its code and tables stay in cache and the cipher
//! sees batches. Nothing here does I/O, reads a clock, allocates, locks or logs. Whatever happens, each frame that
//! came in leaves exactly once: onto a ring of the [`Outbox`], into the store of held frames, or into the pool
//! with a counted reason.

use arrayvec::ArrayVec;
use clock::Time;
use io::{BURST, Frame};
use policy::ZoneId;
use telemetry::{Reason, Stage, WorkerCounters};
use wire::{Addresses, Parsed, rewrite};

use crate::held::HeldFrame;
use crate::outbox::{Outbox, Sink};
use crate::packet::{
    Arrivals, Entry, HOPS_MAX, Ingress, Origin, Outgoing, Packet, Packets, Verdict,
};
use crate::parked::Waiting;
use crate::reasons;
use crate::reply::{self, Answer, Outcome};
use crate::reply_budget::ReplyBudget;
use crate::snapshot::{Interface, InterfaceKind, Snapshot, WorkerId};
use crate::stages::StageTimer;
use crate::state::WorkerState;
use crate::{decide, detunnel, egress, forward};

/// What a burst is processed with.
pub struct Context<'s> {
    /// The snapshot of this burst.
    pub snapshot: &'s Snapshot,
    /// The time of this burst.
    pub now: Time,
    /// The budget of replies, shared by all workers.
    pub reply_budget: &'s ReplyBudget,
    /// Which worker this is.
    pub worker: WorkerId,
    /// How many there are.
    pub workers: u16,
    /// Keys the choice among the next hops of multipath routes.
    pub hash_seed: u64,
}

impl Context<'_> {
    /// A hash that is the same for all packets between two addresses.
    pub(crate) fn flow_hash(&self, addresses: &Addresses) -> u32 {
        let (a, b) = match *addresses {
            Addresses::V4 { source, destination } => {
                (u64::from(source.to_bits()), u64::from(destination.to_bits()))
            }
            Addresses::V6 { source, destination } => {
                let (source, destination) = (source.to_bits(), destination.to_bits());
                (
                    (source >> 64) as u64 ^ source as u64,
                    (destination >> 64) as u64 ^ destination as u64,
                )
            }
        };
        let product =
            u128::from(a ^ self.hash_seed) * u128::from(b ^ self.hash_seed.rotate_left(32) | 1);
        ((product >> 64) as u64 ^ product as u64) as u32
    }
}

impl WorkerState {
    /// Takes a burst from arrival to verdict. `arrivals` is empty afterwards.
    pub fn process(
        &mut self,
        arrivals: &mut Arrivals,
        context: &Context<'_>,
        sink: &mut Sink<'_>,
        out: &mut Outbox,
        timer: &mut impl StageTimer,
    ) {
        let counters = sink.counters;
        counters.bursts.bump();
        // What has waited goes before what comes, or a flow would overtake itself.
        if self.parked.has_news(context.snapshot) {
            self.look_at_parked(context, sink, out);
        }
        self.look_for_owners(context, sink, out);
        self.flush_ready(context, sink, out);
        timer.skip();
        let mut packets = Packets::new();
        let arrived = arrivals.len();
        parse(arrivals, &mut packets, context, sink);
        timer.ended(Stage::Parse, arrived, counters);

        let tunnelled = classify(&mut packets, context);
        timer.ended(Stage::Classify, packets.len(), counters);

        if !tunnelled.is_empty() {
            detunnel::detunnel(self, &mut packets, &tunnelled, context, out, counters);
            timer.ended(Stage::Detunnel, tunnelled.len(), counters);
            // A session that this burst confirmed: what waited for it goes first.
            self.flush_ready(context, sink, out);
            timer.skip();
        }

        // What is here to be sealed has been routed, judged and counted at another worker.
        let route =
            |packet: &&mut Packet<'_>| packet.pending() && !matches!(packet.entry, Entry::Seal(_));
        packets.iter_mut().filter(route).for_each(|packet| decide::find_hop(packet, context));
        packets.iter_mut().filter(route).for_each(|packet| decide::find_peer(packet, context));
        let mut decided = 0;
        for packet in packets.iter_mut().filter(route) {
            decided += 1;
            let due = decide::decide(packet, context);
            tell(packet, due, context, counters);
        }
        timer.ended(Stage::Policy, decided, counters);

        let mut forwarded = 0;
        for packet in packets.iter_mut().filter(route) {
            forwarded += 1;
            let due = forward::forward(self, packet, context);
            tell(packet, due, context, counters);
        }
        timer.ended(Stage::Forward, forwarded, counters);

        let pending = packets.iter().filter(|packet| packet.pending()).count();
        egress::egress(self, &mut packets, context, sink, out);
        let elsewhere =
            |packet: &&Packet<'_>| matches!(packet.verdict, Verdict::HandOff(_, Entry::Seal(_)));
        let handed_over = packets.iter().filter(elsewhere).count();
        timer.ended(Stage::Egress, pending - handed_over.min(pending), counters);
        self.finish(&mut packets, context, sink, out);
    }

    /// Carries out the verdicts.
    pub(crate) fn finish(
        &mut self,
        packets: &mut Packets<'_>,
        context: &Context<'_>,
        sink: &mut Sink<'_>,
        out: &mut Outbox,
    ) {
        for packet in packets.drain(..) {
            let Packet { frame, arrived, hops, verdict, origin, seal_for, reply, .. } = packet;
            match verdict {
                Verdict::Forward(port) => out.transmit(port, Outgoing { frame, arrived }, sink),
                Verdict::HandOff(..) if hops >= HOPS_MAX => {
                    sink.discard(frame, Reason::HandOffLoop)
                }
                Verdict::HandOff(worker, entry) => {
                    out.hand_off(worker, Ingress { frame, entry, arrived, hops: hops + 1 }, sink);
                }
                Verdict::Punt => out.punt(Outgoing { frame, arrived }, sink),
                Verdict::AwaitSession(peer) => self.stage(peer, frame, arrived, context, sink, out),
                Verdict::AwaitNeighbour(interface, address) => {
                    let own = reply || seal_for.is_some();
                    let origin = Some(origin).filter(|_| !own);
                    let note = Waiting { since: context.now, origin };
                    let held = HeldFrame { frame, arrived, note };
                    self.park((interface, address), held, context, sink, out);
                }
                Verdict::Consumed => sink.pool.put(frame),
                // A packet that no stage decided about is a fault, and does not pass.
                Verdict::Pending => sink.discard(frame, Reason::Undecided),
                Verdict::Drop(reason) => sink.discard(frame, reason),
            }
        }
    }
}

/// Turns a packet that cannot pass into the answer to it, when one is due, and routes that.
pub(crate) fn tell<'s>(
    packet: &mut Packet<'s>,
    due: Option<Answer>,
    context: &Context<'s>,
    counters: &WorkerCounters,
) {
    let (Some(answer), Verdict::Drop(reason)) = (due, packet.verdict) else { return };
    match reply::answer(packet, answer, context) {
        Outcome::NotDue => {}
        Outcome::Limited => counters.replies_limited.bump(),
        Outcome::Built => {
            // The packet itself is gone, for its own reason; what goes on is the answer.
            counters.count_drop(reason, 1);
            counters.replies.bump();
            decide::decide_anew(packet, context);
        }
    }
}

/// Parses every frame and finds the interface and zone that it came from. What is malformed ends here.
fn parse<'s>(
    arrivals: &mut Arrivals,
    packets: &mut Packets<'s>,
    context: &Context<'s>,
    sink: &mut Sink<'_>,
) {
    for Ingress { frame, entry, arrived, hops } in arrivals.drain(..) {
        let parsed = match entry {
            Entry::Port(_) => wire::parse(frame.data()),
            Entry::Local | Entry::Seal(_) => wire::parse_ip(frame.data(), 0),
        };
        let parsed = match parsed {
            Ok(parsed) => parsed,
            Err(malformed) => {
                sink.discard(frame, reasons::of_malformed(malformed));
                continue;
            }
        };
        let snapshot = context.snapshot;
        let interface = match entry {
            Entry::Port(port) => snapshot
                .ports
                .get(usize::from(port.0))
                .and_then(|interfaces| interfaces.of(parsed.link.tags)),
            Entry::Local | Entry::Seal(_) => Some(snapshot.tunnel.interface),
        };
        let Some((id, interface)) = interface.and_then(|id| Some((id, snapshot.interface(id)?)))
        else {
            sink.discard(frame, Reason::IngressUnknown);
            continue;
        };
        if !is_for_us(&frame, entry, interface, &parsed) {
            sink.discard(frame, Reason::OtherHost);
            continue;
        }
        let zone = match entry {
            Entry::Local => ZoneId::LOCAL,
            Entry::Port(_) | Entry::Seal(_) => interface.zone,
        };
        packets.push(Packet {
            frame,
            parsed,
            entry,
            origin: Origin { interface: id, zone, peer: None },
            arrived,
            hops,
            verdict: Verdict::Pending,
            hop: None,
            seal_for: None,
            reply: false,
        });
    }
}

/// Whether the link header names us or a group. A device in promiscuous mode, or a switch that floods, brings
/// frames for other stations too; a router that forwarded those would double them.
fn is_for_us(frame: &Frame, entry: Entry, interface: &Interface, parsed: &Parsed) -> bool {
    match (entry, interface.kind) {
        (Entry::Port(_), InterfaceKind::Port { mac, .. }) => {
            parsed.link.multicast || frame.data().first_chunk() == Some(&mac)
        }
        (Entry::Port(_), InterfaceKind::Tunnel | InterfaceKind::Unattached) => false,
        (Entry::Local | Entry::Seal(_), _) => true,
    }
}

/// Tells tunnel packets to us, by position, from transit; the frames of the latter begin at the IP header then.
fn classify(packets: &mut Packets<'_>, context: &Context<'_>) -> ArrayVec<u8, BURST> {
    let mut tunnelled = ArrayVec::new();
    for (position, packet) in packets.iter_mut().enumerate() {
        match packet.entry {
            Entry::Local => {}
            Entry::Seal(peer) => packet.seal_for = Some(peer),
            Entry::Port(_) => match classify_one(packet, context) {
                Class::Tunnel => tunnelled.push(position as u8),
                Class::Transit => begin_at_ip(packet),
                Class::Refused(reason) => packet.verdict = Verdict::Drop(reason),
            },
        }
    }
    tunnelled
}

enum Class {
    Tunnel,
    Transit,
    Refused(Reason),
}

fn classify_one(packet: &Packet<'_>, context: &Context<'_>) -> Class {
    let locals = &context.snapshot.locals;
    let to_us = match packet.parsed.addresses {
        Addresses::V4 { destination, .. } => locals.contains4(destination),
        Addresses::V6 { destination, .. } => locals.contains6(destination),
    };
    if !to_us {
        return Class::Transit;
    }
    let port = context.snapshot.tunnel.listen_port;
    match (packet.parsed.transport, packet.parsed.fragment) {
        (wire::Transport::Udp { destination_port, .. }, wire::Fragment::None)
            if destination_port == port && port != 0 =>
        {
            Class::Tunnel
        }
        (_, wire::Fragment::First { .. } | wire::Fragment::Later { .. }) => {
            Class::Refused(Reason::OuterFragment)
        }
        (_, wire::Fragment::None) => Class::Refused(Reason::LocalNotTunnel),
    }
}

/// Cuts the link header and link padding off.
fn begin_at_ip(packet: &mut Packet<'_>) {
    packet.frame.truncate(packet.parsed.end());
    let start = packet.parsed.l3();
    match (packet.frame.pull_front(start), packet.parsed.after_pull_front(start)) {
        (Ok(()), Some(parsed)) => packet.parsed = parsed,
        (Ok(()) | Err(_), _) => packet.verdict = Verdict::Drop(Reason::Undecided),
    }
    // A local stack behind a virtual device leaves the checksum to hardware that is not there.
    rewrite::complete_checksum(packet.frame.data_mut(), &packet.parsed);
}
