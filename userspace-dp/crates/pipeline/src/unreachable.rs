//! Packets whose next hop is missing: they wait, go on when it answers, and when it never does their senders are told.
//!
//! "Host unreachable" (RFC 1812, section 5.2.7.1) and "address unreachable" (RFC 4861, section 7.2.2) go the way of
//! every other answer, within the same budget. They are for packets that waited in vain: one that only makes room
//! says nothing about its destination. Whoever sent a packet that is sealed by now hears nothing, since nobody but
//! the peer could read it to quote it.

use telemetry::Reason;

use crate::egress;
use crate::held::HeldFrame;
use crate::outbox::{Outbox, Sink};
use crate::packet::{Entry, Packet, Packets, Verdict};
use crate::parked::{Awaited, GivenUp, Waiting};
use crate::process::{self, Context};
use crate::reply::Answer;
use crate::state::WorkerState;

impl WorkerState {
    /// Keeps a packet until its next hop answers, and has control told that it is missing, but not all the time.
    pub(crate) fn park(
        &mut self,
        awaited: Awaited,
        held: HeldFrame<Waiting>,
        context: &Context<'_>,
        sink: &mut Sink<'_>,
        out: &mut Outbox,
    ) {
        let (interface, address) = awaited;
        debug_assert!(context.snapshot.interface(interface).is_some());
        if self.in_use.note_missing(interface, address, context.now) {
            out.neighbour_missing(interface, address, sink.counters);
        }
        self.parked.park(awaited, held, sink);
    }

    /// Sends on what waited for next hops that the snapshot has brought, and gives up what has waited too long.
    pub(crate) fn look_at_parked(
        &mut self,
        context: &Context<'_>,
        sink: &mut Sink<'_>,
        out: &mut Outbox,
    ) {
        let (snapshot, now) = (context.snapshot, context.now);
        loop {
            let given_up = self.parked.look(&mut self.in_use, snapshot, now, sink, out);
            // An answer may have to wait for its own next hop, but it has not waited long: this ends.
            if given_up.is_empty() {
                return;
            }
            self.give_up(given_up, context, sink, out);
        }
    }

    fn give_up(
        &mut self,
        given_up: GivenUp,
        context: &Context<'_>,
        sink: &mut Sink<'_>,
        out: &mut Outbox,
    ) {
        let mut packets = Packets::new();
        for HeldFrame { frame, note: Waiting { origin, .. }, .. } in given_up {
            let (Some(origin), Ok(parsed)) = (origin, wire::parse_ip(frame.data(), 0)) else {
                sink.discard(frame, Reason::NeighbourTimeout);
                continue;
            };
            let mut packet = Packet {
                frame,
                parsed,
                entry: Entry::Local,
                origin,
                // What leaves is made now: how long the packet waited is no latency of the gateway's.
                arrived: context.now,
                hops: 0,
                verdict: Verdict::Drop(Reason::NeighbourTimeout),
                hop: None,
                seal_for: None,
                reply: false,
            };
            process::tell(&mut packet, Some(Answer::Unreachable), context, sink.counters);
            packets.push(packet);
        }
        egress::egress(self, &mut packets, context, sink, out);
        self.finish(&mut packets, context, sink, out);
    }
}
