//! What one worker keeps between bursts: sessions, outer paths, and packets that wait.

use std::collections::VecDeque;

use aead::Aead;
use arrayvec::ArrayVec;
use clock::Time;
use io::{BURST, Census, Frame};
use telemetry::Reason;
use wireguard::{PeerHandle, Sessions, TimerEvent};

use crate::handshake::{ASK_AGAIN, Datagram, HandshakeEvent, NEVER_ASKED, PeerCommand};
use crate::held::HeldFrame;
use crate::in_use::NeighboursInUse;
use crate::outbox::{Outbox, Sink};
use crate::packet::{Entry, Origin, Packet, Packets, Verdict};
use crate::parked::{Parked, Waiting};
use crate::path::{HANDSHAKE_CLASS, OuterPath};
use crate::process::Context;
use crate::snapshot::PeerIndex;
use crate::staged::{Staged, StagedQueue};
use crate::{egress, reasons};

/// How large a worker's tables are.
#[derive(Clone, Copy, Debug)]
pub struct StateLimits {
    /// Places for peers.
    pub peers: usize,
    /// Packets that may wait for sessions, all peers together.
    pub staged: usize,
    /// Packets that may wait for next hops.
    pub parked: usize,
    /// How long such a packet waits.
    pub park_time: core::time::Duration,
}

/// The state of one worker. One thread owns it.
pub struct WorkerState {
    pub(crate) aead: Aead,
    pub(crate) sessions: Sessions,
    pub(crate) peers: Box<[PeerSlot]>,
    staged: Staged,
    pub(crate) parked: Parked,
    pub(crate) in_use: NeighboursInUse,
    /// Peers whose staged packets can go.
    ready: ArrayVec<PeerIndex, READY_MAX>,
    /// Peers without owner that packets are staged for here, each once.
    ownerless: VecDeque<PeerIndex>,
}

/// Peers that can become ready between two flushes: one a packet of a burst, and one a command.
const READY_MAX: usize = 2 * BURST;
/// Peers without owner that are looked at in one go.
const OWNERLESS_PER_LOOK: usize = 32;
/// Timer events carried out in one turn; the rest comes in the next.
const TIMERS_PER_TURN: usize = 64;

/// What a worker keeps for each peer beside its sessions.
#[derive(Debug)]
pub(crate) struct PeerSlot {
    pub(crate) path: Option<OuterPath>,
    pub(crate) staged: StagedQueue,
    asked_at: Time,
    ownerless: bool,
}

impl PeerSlot {
    const VACANT: Self =
        Self { path: None, staged: StagedQueue::EMPTY, asked_at: NEVER_ASKED, ownerless: false };
}

impl WorkerState {
    /// A worker without peers. `seed` is drawn at random per boot.
    pub fn new(aead: Aead, limits: StateLimits, seed: u64, now: Time) -> Self {
        Self {
            aead,
            sessions: Sessions::new(limits.peers, seed, now),
            peers: (0..limits.peers).map(|_| PeerSlot::VACANT).collect(),
            staged: Staged::new(limits.staged, limits.peers),
            parked: Parked::new(limits.parked, limits.park_time),
            in_use: NeighboursInUse::new(seed),
            ready: ArrayVec::new(),
            ownerless: VecDeque::with_capacity(limits.peers),
        }
    }

    /// The data-path state of the peers that this worker owns.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Frames held here.
    pub fn census(&self) -> Census {
        Census::held(self.frames_held() as u64)
    }

    /// How many frames are held here.
    pub fn frames_held(&self) -> usize {
        self.staged.len() + self.parked.len()
    }

    /// The moment at which [`WorkerState::poll`] has something to do without new packets.
    pub fn next_deadline(&self) -> Time {
        self.sessions.next_deadline()
    }

    /// Keeps a packet until its peer has a session, and asks for one. Beyond the limit the oldest goes.
    pub(crate) fn stage(
        &mut self,
        index: PeerIndex,
        frame: Frame,
        arrived: Time,
        context: &Context<'_>,
        sink: &mut Sink<'_>,
        out: &mut Outbox,
    ) {
        let Some(slot) = self.peers.get_mut(index as usize) else {
            return sink.discard(frame, Reason::PeerRemoved);
        };
        let held = HeldFrame { frame, arrived, note: () };
        self.staged.push(index, &mut slot.staged, held, sink);
        match context.snapshot.tunnel.owners.owner(index) {
            Some(owner) if owner == context.worker => {
                // Tells the sessions that data wants out; the timers then ask for a handshake.
                if let Some(peer) = context.snapshot.peer(index) {
                    self.sessions.want_session(peer.id, context.now);
                }
            }
            Some(_) => self.mark_ready(index),
            None => {
                if !core::mem::replace(&mut slot.ownerless, true) {
                    self.ownerless.push_back(index);
                }
                self.want_owner(index, context, sink, out);
            }
        }
    }

    /// Asks for an owner of the peer, but not all the time.
    fn want_owner(
        &mut self,
        index: PeerIndex,
        context: &Context<'_>,
        sink: &Sink<'_>,
        out: &mut Outbox,
    ) {
        let Some(slot) = self.peers.get_mut(index as usize) else { return };
        if slot.asked_at == NEVER_ASKED || context.now.since(slot.asked_at) >= ASK_AGAIN {
            slot.asked_at = context.now;
            out.handshake(HandshakeEvent::PeerWanted(index, context.worker), sink.counters);
        }
    }

    /// Looks whether peers have an owner by now. What was staged here for one that another worker owns goes there:
    /// nobody else would ever come for it.
    pub(crate) fn look_for_owners(
        &mut self,
        context: &Context<'_>,
        sink: &mut Sink<'_>,
        out: &mut Outbox,
    ) {
        for _ in 0..self.ownerless.len().min(OWNERLESS_PER_LOOK) {
            let Some(index) = self.ownerless.pop_front() else { return };
            let waits = self.peers.get(index as usize).is_some_and(|slot| !slot.staged.is_empty());
            let owner = context.snapshot.tunnel.owners.owner(index);
            if waits && owner.is_none() && context.snapshot.peer(index).is_some() {
                self.ownerless.push_back(index);
                self.want_owner(index, context, sink, out);
                continue;
            }
            if let Some(slot) = self.peers.get_mut(index as usize) {
                slot.ownerless = false;
            }
            while waits && self.flush_burst(index, context, sink, out) {}
        }
    }

    /// Notes that a peer's staged packets can go.
    pub(crate) fn mark_ready(&mut self, index: PeerIndex) {
        // Flushed after every burst and every command, so there is room for each peer that either can name.
        if !self.ready.contains(&index) {
            let full = self.ready.try_push(index).is_err();
            debug_assert!(!full);
        }
    }

    /// Does what time asks for: keepalives, handshakes, packets whose next hop has answered or never will, or that
    /// waited too long for a session. Call it once a turn.
    pub fn poll(&mut self, context: &Context<'_>, sink: &mut Sink<'_>, out: &mut Outbox) {
        if self.parked.has_news(context.snapshot) || self.parked.is_overdue(context.now) {
            self.look_at_parked(context, sink, out);
        }
        if self.staged.is_due(context.now) {
            self.staged.drop_old(&mut self.peers, context.now, sink);
        }
        self.look_for_owners(context, sink, out);
        for _ in 0..TIMERS_PER_TURN {
            match self.sessions.poll_timers(context.now) {
                None => break,
                Some(TimerEvent::StartHandshake(peer)) => {
                    out.handshake(HandshakeEvent::HandshakeDue(peer), sink.counters);
                }
                Some(TimerEvent::SendKeepalive(peer)) => self.keepalive(peer, context, sink, out),
                // The peer stays with its owner, so that packets find it where it was.
                Some(TimerEvent::SessionsWiped(_)) => {}
            }
        }
        self.flush_ready(context, sink, out);
    }

    /// Sends the staged packets of the peers that have a session by now, or another owner.
    pub(crate) fn flush_ready(
        &mut self,
        context: &Context<'_>,
        sink: &mut Sink<'_>,
        out: &mut Outbox,
    ) {
        if self.ready.is_empty() {
            return;
        }
        for index in core::mem::take(&mut self.ready) {
            // A queue holds 128 at most, so this ends.
            while self.flush_burst(index, context, sink, out) {}
        }
    }

    /// Sends up to a burst of staged packets; whether more may follow.
    fn flush_burst(
        &mut self,
        index: PeerIndex,
        context: &Context<'_>,
        sink: &mut Sink<'_>,
        out: &mut Outbox,
    ) -> bool {
        let owner = context.snapshot.tunnel.owners.owner(index);
        let Some(peer) = context.snapshot.peer(index).map(|peer| peer.id) else {
            self.drop_staged(index, Reason::PeerRemoved, sink);
            return false;
        };
        let ours = owner == Some(context.worker);
        // What waits for a peer that cannot be called goes on to be dropped, and its sender told.
        let waits = !self.sessions.can_send(peer, context.now) && !self.is_nowhere(peer);
        if owner.is_none() || ours && waits {
            return false;
        }
        let Some(slot) = self.peers.get_mut(index as usize) else { return false };
        let mut packets = Packets::new();
        while !packets.is_full() {
            let Some(held) = self.staged.pop(&mut slot.staged, context.now, sink) else { break };
            let HeldFrame { frame, arrived, .. } = held;
            match wire::parse_ip(frame.data(), 0) {
                Ok(parsed) => packets.push(Packet {
                    frame,
                    parsed,
                    entry: Entry::Seal(index),
                    origin: Origin {
                        interface: context.snapshot.tunnel.interface,
                        zone: policy::ZoneId::LOCAL,
                        peer: None,
                    },
                    arrived,
                    hops: 0,
                    verdict: Verdict::Pending,
                    hop: None,
                    seal_for: Some(index),
                    reply: false,
                }),
                Err(malformed) => sink.discard(frame, reasons::of_malformed(malformed)),
            }
        }
        let more = packets.is_full();
        if !packets.is_empty() {
            egress::egress(self, &mut packets, context, sink, out);
            self.finish(&mut packets, context, sink, out);
        }
        more
    }

    /// Seals and sends an empty packet, to a peer that is somewhere.
    fn keepalive(
        &mut self,
        peer: PeerHandle,
        context: &Context<'_>,
        sink: &mut Sink<'_>,
        out: &mut Outbox,
    ) {
        if self.is_nowhere(peer) {
            return;
        }
        let Some(mut frame) = sink.pool.take() else {
            return sink.counters.count_drop(Reason::NoFrame, 1);
        };
        if frame.extend_back(wireguard::DATA_OVERHEAD).is_err() {
            return sink.discard(frame, Reason::NoHeadroom);
        }
        let sealed = {
            let mut outbound = [wireguard::Outbound::new(frame.data_mut(), 0, peer)];
            self.sessions.seal_burst(&self.aead, &mut outbound, context.now);
            let [outbound] = outbound;
            outbound.result
        };
        if let Err(cause) = sealed {
            return sink.discard(frame, reasons::of_rejected(cause));
        }
        let verdict = match self.path_to(peer.index(), peer, context) {
            Ok(path) => path.wrap(&mut frame, 0, context.snapshot),
            Err(reason) => Verdict::Drop(reason),
        };
        self.dispatch(frame, verdict, context, sink, out);
    }

    /// Carries out a command of the handshake thread.
    pub fn command(
        &mut self,
        command: PeerCommand,
        context: &Context<'_>,
        sink: &mut Sink<'_>,
        out: &mut Outbox,
    ) {
        sink.counters.commands.bump();
        let now = context.now;
        match command {
            PeerCommand::Adopt { peer, endpoint, keepalive } => {
                if let Some(slot) = self.peers.get_mut(peer.index() as usize) {
                    slot.path = None;
                    slot.asked_at = NEVER_ASKED;
                }
                // A peer that is here already keeps what it has.
                let _ = self.sessions.add_peer(peer, endpoint, keepalive, now);
                if self.peers.get(peer.index() as usize).is_some_and(|slot| !slot.staged.is_empty())
                {
                    if self.is_nowhere(peer) {
                        self.mark_ready(peer.index());
                    } else {
                        self.sessions.want_session(peer, now);
                    }
                }
            }
            PeerCommand::Abandon(peer) => {
                if self.sessions.remove_peer(peer) {
                    self.drop_staged(peer.index(), Reason::PeerRemoved, sink);
                }
            }
            PeerCommand::SetKeepalive(peer, interval) => {
                self.sessions.set_keepalive(peer, interval, now);
            }
            PeerCommand::SetEndpoint(peer, endpoint) => {
                self.sessions.set_endpoint(peer, endpoint);
            }
            PeerCommand::Install { peer, keypair, endpoint } => {
                if let Ok(true) = self.sessions.install(peer, keypair, Some(endpoint), now) {
                    self.mark_ready(peer.index());
                }
            }
            PeerCommand::SendToPeer(peer, datagram) => {
                self.send_to_peer(peer, &datagram, context, sink, out);
            }
            PeerCommand::RetryToPeer(peer, datagram) => {
                self.sessions.forget_local_address(peer);
                self.send_to_peer(peer, &datagram, context, sink, out);
            }
            PeerCommand::SendTo(endpoint, datagram) => {
                self.send(endpoint, &datagram, context, sink, out);
            }
            PeerCommand::GiveUp(peer) => {
                self.drop_staged(peer.index(), Reason::StagedAbandoned, sink);
            }
        }
        self.flush_ready(context, sink, out);
    }

    fn send_to_peer(
        &mut self,
        peer: PeerHandle,
        datagram: &Datagram,
        context: &Context<'_>,
        sink: &mut Sink<'_>,
        out: &mut Outbox,
    ) {
        match self.sessions.endpoint(peer) {
            Some(endpoint) => {
                self.sessions.note_handshake_sent(peer, datagram.as_bytes().len());
                self.send(endpoint, datagram, context, sink, out);
            }
            None => sink.counters.count_drop(Reason::PeerHasNoEndpoint, 1),
        }
    }

    /// Sends a handshake message.
    fn send(
        &mut self,
        endpoint: wireguard::Endpoint,
        datagram: &Datagram,
        context: &Context<'_>,
        sink: &mut Sink<'_>,
        out: &mut Outbox,
    ) {
        let Some(mut frame) = sink.pool.take() else {
            return sink.counters.count_drop(Reason::NoFrame, 1);
        };
        if frame.fill(datagram.as_bytes()).is_err() {
            return sink.discard(frame, Reason::NoHeadroom);
        }
        let verdict = match OuterPath::find(endpoint, context) {
            Ok(path) => path.wrap(&mut frame, HANDSHAKE_CLASS, context.snapshot),
            Err(reason) => Verdict::Drop(reason),
        };
        self.dispatch(frame, verdict, context, sink, out);
    }

    /// Carries out the verdict about a frame that this worker made.
    fn dispatch(
        &mut self,
        frame: Frame,
        verdict: Verdict,
        context: &Context<'_>,
        sink: &mut Sink<'_>,
        out: &mut Outbox,
    ) {
        let arrived = context.now;
        match verdict {
            Verdict::Forward(port) => {
                out.transmit(port, crate::packet::Outgoing { frame, arrived }, sink);
            }
            Verdict::AwaitNeighbour(interface, address) => {
                let note = Waiting { since: context.now, origin: None };
                let held = HeldFrame { frame, arrived, note };
                self.park((interface, address), held, context, sink, out);
            }
            Verdict::Drop(reason) => sink.discard(frame, reason),
            Verdict::Pending
            | Verdict::HandOff(..)
            | Verdict::Punt
            | Verdict::AwaitSession(_)
            | Verdict::Consumed => sink.discard(frame, Reason::Undecided),
        }
    }

    fn drop_staged(&mut self, index: PeerIndex, reason: Reason, sink: &mut Sink<'_>) {
        let Some(slot) = self.peers.get_mut(index as usize) else { return };
        slot.path = None;
        self.staged.drop_all(&mut slot.staged, reason, sink);
    }

    /// Gives every held frame back, at the end.
    pub fn clear(&mut self, sink: &mut Sink<'_>) {
        for index in 0..self.peers.len() {
            self.drop_staged(index as PeerIndex, Reason::Shutdown, sink);
        }
        self.parked.clear(sink);
    }
}
