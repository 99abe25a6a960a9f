//! A worker: one pinned thread, one queue of every device, one loop.
//!
//! Each turn goes: commands, then for every device reap, refill and receive, then the packets that others handed
//! over, then timers, then transmit and wake-ups. [`Worker::turn`] takes the time as an argument and the devices
//! behind [`io::Port`], so the same loop runs over memory under a virtual clock.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use clock::Time;
use io::{Burst, Census, FramePool, Kick, Port};
use pipeline::handshake::{HandshakeEvent, PeerCommand};
use pipeline::{
    Arrivals, Context, ControlEvent, Entry, Ingress, Outbox, PortId, ReplyBudget, Sink, StageTimer,
    Timed, Untimed, WorkerId, WorkerState,
};
use rtrb::{Consumer, Producer};
use telemetry::{Reason, Stage, WorkerCounters};

use super::mesh::MeshSeat;
use super::publish::Subscriber;
use super::shared::{QueueReport, WorkerShared};
use super::wake::Waker;

/// Commands carried out in one turn: an unbounded drain would stall the rings.
const COMMANDS_PER_TURN: usize = 64;
/// One burst in this many has its stages timed, and one turn in this many its last stage.
const TIMED_ONE_IN: u64 = 64;
/// Hand-over rings are drained up to this many packets a turn.
const TAKE_OVER_PER_TURN: usize = io::BURST;

/// A queue of a device that this worker serves.
pub struct Device<P> {
    /// The device.
    pub port: PortId,
    /// The queue's number there.
    pub number: u32,
    /// The queue.
    pub queue: P,
}

impl<P: Port> Device<P> {
    /// What passed and where its frames are.
    pub fn report(&self) -> QueueReport {
        QueueReport {
            port: self.port,
            queue: self.number,
            statistics: self.queue.statistics(),
            census: self.queue.census(),
        }
    }
}

/// The rings between a worker and the threads that it works for.
pub struct Mailboxes {
    /// What the handshake thread wants done.
    pub commands: Consumer<PeerCommand>,
    /// What the handshake thread should know.
    pub handshakes: Producer<HandshakeEvent>,
    /// Wakes the handshake thread.
    pub handshake_waker: Waker,
    /// What the control thread should know.
    pub events: Producer<ControlEvent>,
    /// Wakes the control thread.
    pub control_waker: Waker,
}

/// A worker and all that it owns.
pub struct Worker<P> {
    /// Its number.
    pub id: WorkerId,
    /// How many workers there are.
    pub workers: u16,
    /// Where it reads the snapshot.
    pub snapshots: Subscriber,
    /// What it shares with the watchdog and with readers.
    pub shared: Arc<WorkerShared>,
    /// The budget of replies of the gateway.
    pub reply_budget: Arc<ReplyBudget>,
    /// Keys the choice among next hops.
    pub hash_seed: u64,
    /// What moves.
    pub body: Body<P>,
}

/// The parts of a worker that a turn changes.
pub struct Body<P> {
    /// Its queues.
    pub devices: Vec<Device<P>>,
    /// Its free frames.
    pub pool: FramePool,
    /// Sessions and packets that wait.
    pub state: WorkerState,
    /// Finished packets.
    pub outbox: Outbox,
    /// Its place among the workers; the slow path is the member after the last worker.
    pub seat: MeshSeat,
    /// Its rings.
    pub mailboxes: Mailboxes,
}

impl<P: Port> Worker<P> {
    /// One turn of the loop at `now`; `clock` times sampled stages. How many packets and commands were
    /// handled; none when nothing came and nothing went.
    pub fn turn(&mut self, now: Time, clock: &impl clock::Clock) -> usize {
        let context = Context {
            snapshot: self.snapshots.current(),
            now,
            reply_budget: &self.reply_budget,
            worker: self.id,
            workers: self.workers,
            hash_seed: self.hash_seed,
        };
        self.body.turn(&context, &self.shared.counters, clock)
    }

    /// Gives every frame that waits back to the pool and empties the incoming rings: the end.
    pub fn drain(&mut self) {
        let Body { pool, outbox, state, seat, .. } = &mut self.body;
        let mut sink = Sink { pool, counters: &self.shared.counters };
        outbox.clear(&mut sink);
        state.clear(&mut sink);
        seat.drain(|frame| pool.put(frame));
        self.shared.ended.store(true, Ordering::Release);
    }
}

impl<P: Port> Body<P> {
    fn turn(
        &mut self,
        context: &Context<'_>,
        counters: &WorkerCounters,
        clock: &impl clock::Clock,
    ) -> usize {
        counters.turns.bump();
        counters.generation.set(context.snapshot.generation);
        self.seat.settle(&mut self.pool);
        let mut handled = self.carry_out_commands(context, counters);
        handled += self.receive(context, counters, clock);
        handled += self.take_over(context, counters, clock);
        let mut sink = Sink { pool: &mut self.pool, counters };
        self.state.poll(context, &mut sink, &mut self.outbox);
        let taken = self.transmit(context, counters, clock);
        counters.frames_free.set(self.pool.len() as u64);
        counters.frames_held.set((self.state.frames_held() + self.outbox.frames()) as u64);
        counters.frames_owed.set(self.seat.owed() as u64);
        handled.max(taken)
    }

    fn carry_out_commands(&mut self, context: &Context<'_>, counters: &WorkerCounters) -> usize {
        for done in 0..COMMANDS_PER_TURN {
            let Ok(command) = self.mailboxes.commands.pop() else { return done };
            let mut sink = Sink { pool: &mut self.pool, counters };
            self.state.command(command, context, &mut sink, &mut self.outbox);
        }
        COMMANDS_PER_TURN
    }

    fn receive(
        &mut self,
        context: &Context<'_>,
        counters: &WorkerCounters,
        clock: &impl clock::Clock,
    ) -> usize {
        let mut handled = 0;
        for position in 0..self.devices.len() {
            let Some(device) = self.devices.get_mut(position) else { break };
            device.queue.reap(&mut self.pool);
            device.queue.refill(&mut self.pool);
            let mut burst = Burst::new();
            let received = device.queue.receive(&mut burst);
            if received == 0 {
                continue;
            }
            let entry = Entry::Port(device.port);
            let mut arrivals = Arrivals::new();
            let mut bytes = 0;
            for frame in burst {
                bytes += frame.len() as u64;
                arrivals.push(Ingress { frame, entry, arrived: context.now, hops: 0 });
            }
            counters.received_packets.add(received as u64);
            counters.received_bytes.add(bytes);
            handled += received;
            self.process(&mut arrivals, context, counters, clock);
        }
        handled
    }

    fn take_over(
        &mut self,
        context: &Context<'_>,
        counters: &WorkerCounters,
        clock: &impl clock::Clock,
    ) -> usize {
        let (mut arrivals, mut injected) = (Arrivals::new(), 0);
        let taken = self.seat.take_over(TAKE_OVER_PER_TURN, |packet| {
            injected += u64::from(packet.entry == Entry::Local);
            arrivals.push(packet);
        });
        if taken > 0 {
            counters.injected.add(injected);
            counters.taken_over.add(taken as u64 - injected);
            self.process(&mut arrivals, context, counters, clock);
        }
        taken
    }

    fn process(
        &mut self,
        arrivals: &mut Arrivals,
        context: &Context<'_>,
        counters: &WorkerCounters,
        clock: &impl clock::Clock,
    ) {
        if counters.bursts.read().is_multiple_of(TIMED_ONE_IN) {
            self.process_with(arrivals, context, counters, &mut Timed::start(|| clock.now()));
        } else {
            self.process_with(arrivals, context, counters, &mut Untimed);
        }
    }

    fn process_with(
        &mut self,
        arrivals: &mut Arrivals,
        context: &Context<'_>,
        counters: &WorkerCounters,
        timer: &mut impl StageTimer,
    ) {
        let mut sink = Sink { pool: &mut self.pool, counters };
        self.state.process(arrivals, context, &mut sink, &mut self.outbox, timer);
    }

    /// The last stage: delivers what is finished. How many packets devices took.
    fn transmit(
        &mut self,
        context: &Context<'_>,
        counters: &WorkerCounters,
        clock: &impl clock::Clock,
    ) -> usize {
        let finished = self.outbox.frames();
        let is_timed = finished > 0 && counters.turns.read().is_multiple_of(TIMED_ONE_IN);
        let mut timer = is_timed.then(|| Timed::start(|| clock.now()));
        let taken = self.deliver(context, counters, clock);
        let moved = finished.saturating_sub(self.outbox.frames());
        match &mut timer {
            Some(timer) => timer.ended(Stage::Transmit, moved, counters),
            None => Untimed.ended(Stage::Transmit, moved, counters),
        }
        taken
    }

    /// Moves finished packets onto rings: devices, other workers, the slow path; then events. How many packets
    /// devices took.
    fn deliver(
        &mut self,
        context: &Context<'_>,
        counters: &WorkerCounters,
        clock: &impl clock::Clock,
    ) -> usize {
        let mut taken = 0;
        let mut sink = Sink { pool: &mut self.pool, counters };
        for device in &mut self.devices {
            let queue = &mut device.queue;
            // One reading for all that the device takes now.
            let mut now = None;
            self.outbox.flush(device.port, queue, context.now, |arrived, packets, bytes| {
                taken += packets as usize;
                counters.transmitted_packets.add(packets);
                counters.transmitted_bytes.add(bytes);
                let now = *now.get_or_insert_with(|| clock.now());
                let waited = now.since(arrived).as_nanos();
                counters.latency.record(u64::try_from(waited).unwrap_or(u64::MAX), packets);
            });
            match queue.kick() {
                // What its ring holds it may still send when it comes back.
                Kick::LinkDown => self.outbox.discard(device.port, Reason::LinkDown, &mut sink),
                Kick::NotNeeded | Kick::Woken | Kick::BackPressure | Kick::Failed => {}
            }
        }
        self.outbox.discard_stuck(context.now, &mut sink);
        self.hand_over(context, counters);
        self.seat.wake_touched();
        self.tell(counters);
        taken
    }

    fn hand_over(&mut self, context: &Context<'_>, counters: &WorkerCounters) {
        while let Some((worker, packet)) = self.outbox.hand_off.pop_front() {
            match self.seat.hand_over(usize::from(worker.0), packet) {
                Ok(()) => counters.handed_over.bump(),
                Err(packet) => {
                    counters.count_drop(Reason::HandOffRingFull, 1);
                    self.pool.put(packet.frame);
                }
            }
        }
        let slow_path = usize::from(context.workers);
        while let Some(outgoing) = self.outbox.punt.pop_front() {
            let pipeline::Outgoing { frame, arrived } = outgoing;
            let packet = Ingress { frame, entry: Entry::Local, arrived, hops: 0 };
            // The slow path counts what the kernel took.
            if let Err(packet) = self.seat.hand_over(slow_path, packet) {
                counters.count_drop(Reason::SlowPathFull, 1);
                self.pool.put(packet.frame);
            }
        }
    }

    fn tell(&mut self, counters: &WorkerCounters) {
        let mut told = false;
        while let Some(event) = self.outbox.handshakes.pop_front() {
            told = true;
            if self.mailboxes.handshakes.push(event).is_err() {
                counters.count_drop(Reason::WgHandshakeQueueFull, 1);
            }
        }
        if told {
            self.mailboxes.handshake_waker.wake();
        }
        let mut told = false;
        for event in self.outbox.events.drain(..) {
            told = true;
            if !push_event(&mut self.mailboxes.events, event) {
                counters.events_lost.bump();
            }
        }
        if told {
            self.mailboxes.control_waker.wake();
        }
    }

    /// Whether packets or commands wait for this worker, so that sleeping would be wrong.
    pub fn has_work(&self) -> bool {
        self.seat.has_arrivals() || !self.mailboxes.commands.is_empty()
    }

    /// Where this worker's frames are, hand-off rings aside.
    pub fn census(&self) -> Census {
        let devices: Census = self.devices.iter().map(|device| device.queue.census()).sum();
        devices
            + self.pool.census()
            + self.state.census()
            + Census::held(self.outbox.frames() as u64)
    }
}

/// Whether the event fitted. Missing next hops leave a quarter of the ring to the others, so that a scan does not
/// keep control from hearing which next hops are in use.
fn push_event(ring: &mut Producer<ControlEvent>, event: ControlEvent) -> bool {
    let left_to_others = match event {
        ControlEvent::NeighbourMissing(..) => ring.buffer().capacity() / 4,
        ControlEvent::NeighbourUsed(..) | ControlEvent::ApplicationMessage(_) => 0,
    };
    (left_to_others == 0 || ring.slots() > left_to_others) && ring.push(event).is_ok()
}

#[cfg(test)]
mod tests {
    use core::net::{IpAddr, Ipv4Addr};

    use route::InterfaceId;

    use super::*;

    #[test]
    fn missing_next_hops_do_not_take_the_whole_ring_from_those_in_use() {
        let (mut ring, mut control) = rtrb::RingBuffer::new(64);
        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let missing = ControlEvent::NeighbourMissing(InterfaceId(1), address);
        let used = ControlEvent::NeighbourUsed(InterfaceId(2), address);
        assert_eq!((0..100).filter(|_| push_event(&mut ring, missing)).count(), 48);
        assert_eq!((0..100).filter(|_| push_event(&mut ring, used)).count(), 16);
        while control.pop().is_ok() {}
        assert_eq!((0..100).filter(|_| push_event(&mut ring, used)).count(), 64, "all of it");
        while control.pop().is_ok() {}
        assert!(push_event(&mut ring, missing));
    }
}
