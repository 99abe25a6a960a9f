//! The handshake thread: the asymmetric cryptography of the gateway, away from the workers' processors.
//!
//! It alone runs the handshake engine and writes the owner words. Workers send it what passed the gate and what
//! they need; it answers with commands on the ring of the worker that owns the peer. Control adds and removes
//! peers through [`HandshakeClient`]. A command is never lost: what a ring has no room for waits in a backlog.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{SystemTime, UNIX_EPOCH};

use clock::{Clock, Monotonic, Time};
use core::time::Duration;
use pipeline::handshake::{Datagram, HandshakeEvent, PeerCommand};
use pipeline::{PeerOwners, WorkerId, reason_of_rejected};
use rtrb::{Consumer, Producer};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use telemetry::WorkerCounters;
use wireguard::{
    Endpoint, Gate, HandshakeStatistics, Handshakes, Initiation, Outcome, PeerError, PeerHandle,
    PresharedKey, PrivateKey, PublicKey, Rejected, RetryEvent, Tai64N,
};

use super::wake::{Sleeper, Waker};

/// Events of one worker handled before the next one gets its turn.
const QUOTA: usize = 64;
/// The longest sleep, so that the end is noticed without a wake-up.
const SLEEP: Duration = Duration::from_millis(200);

/// The rings between the handshake thread and one worker.
pub struct WorkerLink {
    /// What the worker is to do.
    pub commands: Producer<PeerCommand>,
    /// What the worker says.
    pub events: Consumer<HandshakeEvent>,
    /// Wakes the worker.
    pub waker: Waker,
}

/// What is configured about a peer beside its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerSettings {
    /// Where it is reached first; without configuration, where it was heard first. Its owner knows where it is now.
    pub endpoint: Option<Endpoint>,
    /// How often it hears from us at least.
    pub keepalive: Option<Duration>,
}

/// A peer to take on.
pub struct NewPeer {
    /// Who it is.
    pub public: PublicKey,
    /// The key shared with it.
    pub preshared: Option<PresharedKey>,
    /// The rest.
    pub settings: PeerSettings,
}

enum Request {
    Add(NewPeer, Sender<Result<PeerHandle, PeerError>>),
    Remove(PeerHandle, Sender<()>),
    SetPrivateKey(PrivateKey, Sender<NewIdentity>),
    CallAgain(Vec<PeerHandle>),
    SetPreshared(PeerHandle, Option<PresharedKey>),
    SetKeepalive(PeerHandle, Option<Duration>),
    SetEndpoint(PeerHandle, Endpoint),
    ExpectEndpoint(PeerHandle),
    OfferEndpoint(PeerHandle, Endpoint),
    Statistics(Sender<HandshakeStatistics>),
}

/// What came of a changed private key.
pub struct NewIdentity {
    /// What peers know the gateway by from here on.
    pub public_key: PublicKey,
    /// The peers that were being called as somebody else.
    pub interrupted: Vec<PeerHandle>,
}

/// Control's side.
#[derive(Clone)]
pub struct HandshakeClient {
    requests: Sender<Request>,
    waker: Waker,
    latest: Latest,
}

/// When each peer's latest handshake was, in nanoseconds, by place; zero for none so far. The thread writes, and who
/// reads asks nobody.
type Latest = Arc<[AtomicU64]>;

/// The thread has ended, which ends the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the handshake thread has ended")]
pub struct Ended;

impl HandshakeClient {
    /// Takes a peer on.
    pub fn add(&self, peer: NewPeer) -> Result<Result<PeerHandle, PeerError>, Ended> {
        self.ask(|reply| Request::Add(peer, reply))
    }

    /// Forgets a peer. When this returns, its owner has been told to wipe its sessions.
    pub fn remove(&self, peer: PeerHandle) -> Result<(), Ended> {
        self.ask(|reply| Request::Remove(peer, reply))
    }

    /// Changes who the gateway is, from the next handshake on; sessions stay. Give the workers the gate of the new
    /// identity, then call the interrupted peers again: their answers have to pass it.
    pub fn set_private_key(&self, private: PrivateKey) -> Result<NewIdentity, Ended> {
        self.ask(|reply| Request::SetPrivateKey(private, reply))
    }

    /// Calls peers whose handshakes were interrupted.
    pub fn call_again(&self, peers: Vec<PeerHandle>) -> Result<(), Ended> {
        self.tell(Request::CallAgain(peers))
    }

    /// Changes the preshared key, from the next handshake on.
    pub fn set_preshared(&self, peer: PeerHandle, key: Option<PresharedKey>) -> Result<(), Ended> {
        self.tell(Request::SetPreshared(peer, key))
    }

    /// Changes the persistent keepalive.
    pub fn set_keepalive(&self, peer: PeerHandle, interval: Option<Duration>) -> Result<(), Ended> {
        self.tell(Request::SetKeepalive(peer, interval))
    }

    /// Changes where the peer is.
    pub fn set_endpoint(&self, peer: PeerHandle, endpoint: Endpoint) -> Result<(), Ended> {
        self.tell(Request::SetEndpoint(peer, endpoint))
    }

    /// Says that an offer of where the peer is will follow, and counts for more than where it is now.
    pub fn expect_endpoint(&self, peer: PeerHandle) -> Result<(), Ended> {
        self.tell(Request::ExpectEndpoint(peer))
    }

    /// Says where the peer may be found, unless an endpoint has been set since, or learned from the peer itself.
    pub fn offer_endpoint(&self, peer: PeerHandle, endpoint: Endpoint) -> Result<(), Ended> {
        self.tell(Request::OfferEndpoint(peer, endpoint))
    }

    /// When the latest handshake with a peer was that is configured at present.
    pub fn latest_handshake(&self, peer: PeerHandle) -> Option<Time> {
        let latest = self.latest.get(peer.index() as usize)?.load(Ordering::Relaxed);
        (latest != 0).then(|| Time::from_nanos(latest))
    }

    /// What the engine did so far.
    pub fn statistics(&self) -> Result<HandshakeStatistics, Ended> {
        self.ask(Request::Statistics)
    }

    fn tell(&self, request: Request) -> Result<(), Ended> {
        self.requests.send(request).map_err(|_| Ended)?;
        self.waker.wake();
        Ok(())
    }

    fn ask<T>(&self, request: impl FnOnce(Sender<T>) -> Request) -> Result<T, Ended> {
        let (reply, answer) = channel();
        self.tell(request(reply))?;
        answer.recv().map_err(|_| Ended)
    }
}

/// The thread's belongings; [`HandshakeThread::run`] is the thread.
pub struct HandshakeThread {
    engine: Handshakes,
    gate: Arc<Gate>,
    owners: PeerOwners,
    workers: Vec<WorkerLink>,
    backlog: Vec<VecDeque<PeerCommand>>,
    /// By place of the peer.
    settings: Vec<Option<(PeerHandle, PeerSettings)>>,
    /// By place of the peer: whether an offered endpoint is taken.
    awaits_endpoint: Vec<bool>,
    latest: Latest,
    requests: Receiver<Request>,
    sleeper: Sleeper,
    counters: Arc<WorkerCounters>,
    stop: Arc<AtomicBool>,
}

/// What the thread is made of.
pub struct HandshakeParts {
    /// The engine, without peers.
    pub engine: Handshakes,
    /// The gate that workers share.
    pub gate: Arc<Gate>,
    /// The owner words; this thread is their writer.
    pub owners: PeerOwners,
    /// Places for peers.
    pub places: usize,
    /// By number of the worker.
    pub workers: Vec<WorkerLink>,
    /// How the thread is woken.
    pub sleeper: Sleeper,
    /// Wakes the thread.
    pub waker: Waker,
    /// The thread's own counters of drops.
    pub counters: Arc<WorkerCounters>,
    /// Set when the gateway ends.
    pub stop: Arc<AtomicBool>,
}

impl HandshakeThread {
    /// The thread and the way to talk to it.
    pub fn new(parts: HandshakeParts) -> (Self, HandshakeClient) {
        let (requests, receiver) = channel();
        let backlog = parts.workers.iter().map(|_| VecDeque::new()).collect();
        let latest: Latest = (0..parts.places).map(|_| AtomicU64::new(0)).collect();
        let thread = Self {
            engine: parts.engine,
            gate: parts.gate,
            owners: parts.owners,
            workers: parts.workers,
            backlog,
            settings: (0..parts.places).map(|_| None).collect(),
            awaits_endpoint: vec![false; parts.places],
            latest: Arc::clone(&latest),
            requests: receiver,
            sleeper: parts.sleeper,
            counters: parts.counters,
            stop: parts.stop,
        };
        (thread, HandshakeClient { requests, waker: parts.waker, latest })
    }

    /// Works until the gateway ends.
    pub fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            if self.turn(Monotonic.now(), wall()) > 0 {
                continue;
            }
            self.sleeper.announce();
            // Whoever came before the announcement did not wake us, so look once more.
            if self.turn(Monotonic.now(), wall()) == 0 {
                self.sleep();
            }
            self.sleeper.awake();
        }
    }

    /// One turn; how much was done.
    pub fn turn(&mut self, now: Time, wall: Tai64N) -> usize {
        let mut done = self.serve_control(now, wall);
        for worker in 0..self.workers.len() {
            done += self.serve_worker(worker, now, wall);
        }
        while let Some(event) = self.engine.poll(now, wall) {
            done += 1;
            match event {
                RetryEvent::Send(Initiation { peer, owner, message }) => {
                    self.command(owner, PeerCommand::RetryToPeer(peer, Datagram::new(&message)));
                }
                RetryEvent::GaveUp(peer) => {
                    if let Some(owner) = self.engine.owner(peer) {
                        self.command(owner, PeerCommand::GiveUp(peer));
                    }
                }
            }
        }
        self.flush();
        done
    }

    fn serve_control(&mut self, now: Time, wall: Tai64N) -> usize {
        let mut served = 0;
        while let Ok(request) = self.requests.try_recv() {
            served += 1;
            match request {
                // Whoever asked may have gone; that is no concern of ours.
                Request::Add(peer, reply) => drop(reply.send(self.add(peer, now, wall))),
                Request::Remove(peer, reply) => {
                    self.remove(peer);
                    self.flush();
                    let _ = reply.send(());
                }
                Request::SetPrivateKey(private, reply) => {
                    let interrupted = self.engine.set_private_key(&private);
                    let public_key = *self.engine.public_key();
                    let _ = reply.send(NewIdentity { public_key, interrupted });
                }
                Request::CallAgain(peers) => {
                    for peer in peers {
                        self.call(peer, now, wall);
                    }
                }
                Request::SetPreshared(peer, key) => {
                    self.engine.set_preshared_key(peer, key);
                }
                Request::SetKeepalive(peer, interval) => {
                    self.set_keepalive(peer, interval, now, wall)
                }
                Request::SetEndpoint(peer, endpoint) => {
                    self.set_endpoint(peer, endpoint, now, wall)
                }
                Request::ExpectEndpoint(peer) => self.await_endpoint(peer, true),
                Request::OfferEndpoint(peer, endpoint) => {
                    if self.awaits_endpoint.get(peer.index() as usize) == Some(&true) {
                        self.set_endpoint(peer, endpoint, now, wall);
                    }
                }
                Request::Statistics(reply) => drop(reply.send(self.engine.statistics())),
            }
        }
        served
    }

    fn add(&mut self, new: NewPeer, now: Time, wall: Tai64N) -> Result<PeerHandle, PeerError> {
        let peer = self.engine.add_peer(new.public, new.preshared)?;
        if let Some(place) = self.settings.get_mut(peer.index() as usize) {
            *place = Some((peer, new.settings));
        }
        self.await_endpoint(peer, new.settings.endpoint.is_none());
        self.owners.release(peer.index());
        self.call_if_persistent(peer, now, wall);
        Ok(peer)
    }

    /// A peer with a persistent keepalive and a known address is called without waiting for a packet.
    fn call_if_persistent(&mut self, peer: PeerHandle, now: Time, wall: Tai64N) {
        let Some(settings) = self.settings_of(peer) else { return };
        if settings.keepalive.is_some() && settings.endpoint.is_some() {
            self.call(peer, now, wall);
        }
    }

    /// Calls a peer that no worker asks for. Without an owner it gets one by its place.
    fn call(&mut self, peer: PeerHandle, now: Time, wall: Tai64N) {
        let workers = self.workers.len().max(1) as u32;
        self.initiate(peer, peer.index() % workers, now, wall);
    }

    fn remove(&mut self, peer: PeerHandle) {
        let owner = self.engine.owner(peer);
        if !self.engine.remove_peer(peer) {
            return;
        }
        if let Some(place) = self.settings.get_mut(peer.index() as usize) {
            *place = None;
        }
        self.note_handshake(peer, Time::ZERO);
        self.owners.release(peer.index());
        if let Some(owner) = owner {
            self.command(owner, PeerCommand::Abandon(peer));
        }
    }

    fn set_keepalive(
        &mut self,
        peer: PeerHandle,
        interval: Option<Duration>,
        now: Time,
        wall: Tai64N,
    ) {
        let Some(settings) = self.settings_mut(peer) else { return };
        settings.keepalive = interval;
        match self.engine.owner(peer) {
            Some(owner) => self.command(owner, PeerCommand::SetKeepalive(peer, interval)),
            None => self.call_if_persistent(peer, now, wall),
        }
    }

    fn set_endpoint(&mut self, peer: PeerHandle, endpoint: Endpoint, now: Time, wall: Tai64N) {
        let Some(settings) = self.settings_mut(peer) else { return };
        let was_nowhere = settings.endpoint.replace(endpoint).is_none();
        self.await_endpoint(peer, false);
        let owner = self.engine.owner(peer);
        if let Some(owner) = owner {
            self.command(owner, PeerCommand::SetEndpoint(peer, endpoint));
        }
        if was_nowhere || owner.is_none() {
            self.call_if_persistent(peer, now, wall);
        }
    }

    /// Notes whether an offered endpoint will be taken.
    fn await_endpoint(&mut self, peer: PeerHandle, awaits: bool) {
        let known = self.settings_of(peer).is_some();
        if let (true, Some(place)) = (known, self.awaits_endpoint.get_mut(peer.index() as usize)) {
            *place = awaits;
        }
    }

    fn serve_worker(&mut self, worker: usize, now: Time, wall: Tai64N) -> usize {
        let Some(link) = self.workers.get(worker) else { return 0 };
        let events = &link.events;
        self.gate.report_queue(events.slots(), events.buffer().capacity(), now);
        for done in 0..QUOTA {
            let Some(Ok(event)) = self.workers.get_mut(worker).map(|link| link.events.pop()) else {
                return done;
            };
            match event {
                HandshakeEvent::Message(admitted) => match self.engine.handle(admitted, now) {
                    Ok(outcome) => self.carry_out(outcome, now),
                    Err(cause) => self.counters.count_drop(reason_of_rejected(cause), 1),
                },
                HandshakeEvent::PeerWanted(index, asker) => {
                    let place = self.settings.get(index as usize).copied().flatten();
                    if let Some((peer, _)) = place {
                        self.initiate(peer, u32::from(asker.0), now, wall);
                    }
                }
                HandshakeEvent::HandshakeDue(peer) => self.initiate(peer, worker as u32, now, wall),
            }
        }
        QUOTA
    }

    fn note_handshake(&self, peer: PeerHandle, at: Time) {
        if let Some(latest) = self.latest.get(peer.index() as usize) {
            latest.store(at.as_nanos(), Ordering::Relaxed);
        }
    }

    fn carry_out(&mut self, outcome: Outcome, now: Time) {
        match outcome {
            Outcome::Accepted { peer, owner, keypair, response, endpoint } => {
                self.note_handshake(peer, now);
                self.adopt(peer, owner, Some(endpoint));
                self.note_heard(peer, endpoint);
                // The keys go first: the peer may use them as soon as it has the response.
                self.command(owner, PeerCommand::Install { peer, keypair, endpoint });
                self.command(owner, PeerCommand::SendTo(endpoint, Datagram::new(&response)));
            }
            Outcome::Completed { peer, owner, keypair, endpoint } => {
                self.note_handshake(peer, now);
                self.adopt(peer, owner, Some(endpoint));
                self.note_heard(peer, endpoint);
                self.command(owner, PeerCommand::Install { peer, keypair, endpoint });
            }
            Outcome::CookieKept { .. } => {}
        }
    }

    /// Notes that a peer is somewhere.
    fn note_heard(&mut self, peer: PeerHandle, endpoint: Endpoint) {
        if let Some(settings) = self.settings_mut(peer) {
            settings.endpoint.get_or_insert(endpoint);
        }
        self.await_endpoint(peer, false);
    }

    /// Calls a peer, unless nobody knows where it is: then its owner can do nothing but say so to senders, and the
    /// cost of a handshake would be spent on nothing.
    fn initiate(&mut self, peer: PeerHandle, worker: u32, now: Time, wall: Tai64N) {
        let owner = self.engine.owner(peer).unwrap_or(worker);
        self.engine.set_owner(peer, owner);
        self.adopt(peer, owner, None);
        if self.settings_of(peer).is_some_and(|settings| settings.endpoint.is_none()) {
            return;
        }
        match self.engine.initiate(peer, owner, now, wall) {
            Ok(Initiation { peer, owner, message }) => {
                self.command(owner, PeerCommand::SendToPeer(peer, Datagram::new(&message)));
            }
            // One is under way, or the peer has just been removed: nothing is owed.
            Err(Rejected::HandshakeUnderWay | Rejected::StalePeer) => {}
            Err(cause) => self.counters.count_drop(reason_of_rejected(cause), 1),
        }
    }

    /// Makes `owner` the owner if the peer has none, and tells it.
    fn adopt(&mut self, peer: PeerHandle, owner: u32, seen_at: Option<Endpoint>) {
        let Some(settings) = self.settings_of(peer) else { return };
        if self.owners.owner(peer.index()).is_some() {
            return;
        }
        let endpoint = seen_at.or(settings.endpoint);
        self.command(owner, PeerCommand::Adopt { peer, endpoint, keepalive: settings.keepalive });
        // The word comes after the command, so that the owner knows the peer before anybody sends it packets.
        self.flush();
        self.owners.claim(peer.index(), WorkerId(owner as u16));
    }

    fn settings_of(&self, peer: PeerHandle) -> Option<PeerSettings> {
        let (present, settings) = self.settings.get(peer.index() as usize)?.as_ref()?;
        (*present == peer).then_some(*settings)
    }

    fn settings_mut(&mut self, peer: PeerHandle) -> Option<&mut PeerSettings> {
        let (present, settings) = self.settings.get_mut(peer.index() as usize)?.as_mut()?;
        (*present == peer).then_some(settings)
    }

    fn command(&mut self, worker: u32, command: PeerCommand) {
        if let Some(backlog) = self.backlog.get_mut(worker as usize) {
            backlog.push_back(command);
        }
    }

    /// Moves commands to the rings, in order.
    fn flush(&mut self) {
        for (link, backlog) in self.workers.iter_mut().zip(&mut self.backlog) {
            let waiting = backlog.len();
            while let Some(command) = backlog.pop_front() {
                if let Err(rtrb::PushError::Full(command)) = link.commands.push(command) {
                    backlog.push_front(command);
                    break;
                }
            }
            if backlog.len() != waiting {
                link.waker.wake();
            }
        }
    }

    fn sleep(&self) {
        let blocked = self.backlog.iter().any(|backlog| !backlog.is_empty());
        let limit = if blocked { Duration::from_millis(1) } else { SLEEP };
        let due = self.engine.next_deadline().since(Monotonic.now());
        let limit = limit.min(due.max(Duration::from_millis(1)));
        let mut waits = [PollFd::from_borrowed_fd(self.sleeper.as_fd(), PollFlags::IN)];
        let limit = Timespec { tv_sec: 0, tv_nsec: i64::from(limit.subsec_nanos()) };
        // Interrupted or not: the loop looks for work again.
        let _ = poll(&mut waits, Some(&limit));
    }
}

/// The time of day, for the timestamps in initiations.
fn wall() -> Tai64N {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Tai64N::from_unix(since.as_secs(), since.subsec_nanos())
}

#[cfg(test)]
mod tests;
