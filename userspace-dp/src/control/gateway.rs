//! The control loop: what happens after the start, until the end.
//!
//! One thread waits for signals, the kernel's reports, the workers' events and time. It renews snapshots, keeps
//! neighbours alive, watches the heartbeats, reloads on SIGHUP and ends on SIGTERM or when something that must live
//! has died. It never touches a packet.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clock::{Clock, Monotonic, Time};
use pipeline::ControlEvent;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tracing::{error, info, warn};
use wireguard::Endpoint;

use super::listener::Server;
use super::metrics::Exporter;
use super::neighbour_keeper::{FailedAsks, NeighbourKeeper};
use super::netlink::Changes;
use super::observer::{DeviceView, Observer, ObserverParts, RouteView, View, unix_now};
use super::peers::NameToResolve;
use super::problems::{self, Matter, Problems};
use super::resolver::Resolver;
use super::running::Running;
use super::start;
use super::watch::{WATCH_EVERY, Watch};
use super::{http, link_statistics, logging, reload, socket};
use crate::api;
use crate::runtime::privileges::{CONTROL, Privileges};

/// How often the view's counters are renewed and retired snapshots freed.
const RENEW_EVERY: Duration = Duration::from_millis(500);
/// How often it is looked for what the kernel routes by and workers do not.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long changes of the kernel's tables are gathered before a snapshot is made of them.
const GATHER: Duration = Duration::from_millis(5);
/// Events of one worker taken in one turn, so that a flood of them leaves time for everything else.
const EVENTS_PER_TURN: usize = 256;
/// How long workers may take to end.
const END_WITHIN: Duration = Duration::from_millis(1500);

/// Runs the gateway until it is told to end.
///
/// # Errors
/// What prevented the start, or what died.
pub fn run(path: &Path, loaded: config::Loaded) -> Result<()> {
    logging::start(&loaded.config.telemetry);
    let (mut terminate, mut hang_up) =
        (signal(signal_hook::consts::SIGTERM)?, signal(signal_hook::consts::SIGHUP)?);
    let mut interrupt = signal(signal_hook::consts::SIGINT)?;
    let running = start::start(&loaded.config)?;
    let mut gateway = Gateway::new(path, loaded, running)?;
    let _services = gateway.serve()?;
    Privileges::of(&gateway.loaded.config.security).keep(CONTROL).context("capabilities")?;
    info!(workers = gateway.running.workers.len(), "ready");
    let ended = loop {
        gateway.wait(&[&terminate, &hang_up, &interrupt]);
        if arrived(&mut terminate) || arrived(&mut interrupt) {
            break Ok(());
        }
        if arrived(&mut hang_up) {
            gateway.reload();
        }
        if let Err(fatal) = gateway.turn(Monotonic.now()) {
            break Err(fatal);
        }
    };
    match &ended {
        Ok(()) => info!("ending"),
        Err(fatal) => error!("{fatal:#}; transit is dropped, the gateway ends"),
    }
    gateway.end();
    ended
}

/// A running gateway with what the control loop keeps.
pub(crate) struct Gateway {
    path: PathBuf,
    pub(super) loaded: Arc<config::Loaded>,
    pub(super) running: Running,
    pub(super) observer: Arc<Observer>,
    keeper: NeighbourKeeper,
    failed_asks: FailedAsks,
    /// Changes of the kernel's tables that no snapshot shows so far, and since when.
    gathered: Changes,
    gathering_since: Option<Time>,
    watch: Watch,
    renewed_at: Time,
    keep_at: Time,
    resolver: Resolver,
    routes_wanted: Receiver<Sender<Vec<RouteView>>>,
    pub(super) problems: Problems,
    looked_at: Time,
    /// Neighbours turned away by then.
    refused_before: u64,
}

impl Gateway {
    fn new(path: &Path, loaded: config::Loaded, mut running: Running) -> Result<Self> {
        let loaded = Arc::new(loaded);
        let resolver = Resolver::new(Privileges::of(&loaded.config.security));
        let (routes, routes_wanted) = channel();
        let view = View {
            loaded: Arc::clone(&loaded),
            snapshot: running.publisher.current(),
            devices: devices(&running),
            exits: exits(&running),
            peers: running.registry.iter().cloned().collect(),
            tunnel_ifindex: running.tunnel.as_ref().map_or(0, |tunnel| tunnel.ifindex),
            public_key: running.public_key,
            reload: None,
            problems: Vec::new(),
        };
        let observer = Arc::new(Observer::new(ObserverParts {
            workers: std::mem::take(&mut running.watched),
            slow_path: Arc::clone(&running.slow_path),
            handshakes: Arc::clone(&running.handshakes),
            client: running.client.clone(),
            aead: running.aead,
            heartbeat_timeout: loaded.config.gateway.heartbeat_timeout.get(),
            routes,
            control: running.waker.clone(),
            view,
        }));
        let keeper = NeighbourKeeper::new(loaded.config.limits.neighbours as usize);
        let mut gateway = Self {
            path: path.to_owned(),
            loaded,
            running,
            observer,
            keeper,
            failed_asks: FailedAsks::NONE,
            gathered: Changes::NONE,
            gathering_since: None,
            watch: Watch::new(Monotonic.now()),
            renewed_at: Time::ZERO,
            keep_at: Time::ZERO,
            resolver,
            routes_wanted,
            problems: Problems::default(),
            looked_at: Time::ZERO,
            refused_before: 0,
        };
        let names: Vec<_> = gateway.running.registry.names_to_resolve().collect();
        gateway.resolve(&names);
        Ok(gateway)
    }

    /// Starts the control socket and the metrics endpoint.
    fn serve(&self) -> Result<(Server, Option<Server>)> {
        let telemetry = &self.loaded.config.telemetry;
        let security = &self.loaded.config.security;
        let control =
            socket::serve(&telemetry.control_socket, security, Arc::clone(&self.observer))?;
        let privileges = Privileges::of(security);
        let metrics = http::serve(
            &telemetry.listen,
            privileges,
            Arc::new(Exporter::new(Arc::clone(&self.observer))),
        )?;
        Ok((control, metrics))
    }

    /// Waits until something is to be done.
    fn wait(&self, signals: &[&UnixStream]) {
        self.running.sleeper.announce();
        if self.running.events.iter().all(|events| events.is_empty()) {
            let mut waits: Vec<PollFd<'_>> = signals
                .iter()
                .map(|signal| PollFd::from_borrowed_fd(signal.as_fd(), PollFlags::IN))
                .collect();
            waits.push(PollFd::from_borrowed_fd(self.running.mirror.as_fd(), PollFlags::IN));
            waits.push(PollFd::from_borrowed_fd(self.running.sleeper.as_fd(), PollFlags::IN));
            let limit = if self.gathering_since.is_some() { GATHER } else { WATCH_EVERY };
            let limit = Timespec { tv_sec: 0, tv_nsec: i64::from(limit.subsec_nanos()) };
            // Interrupted or not: the loop looks at everything again.
            let _ = poll(&mut waits, Some(&limit));
        }
        self.running.sleeper.awake();
    }

    /// One turn of the loop.
    ///
    /// # Errors
    /// Something that must live has died.
    fn turn(&mut self, now: Time) -> Result<()> {
        self.follow_kernel(now)?;
        self.take_events(now);
        self.take_resolved();
        while let Ok(reply) = self.routes_wanted.try_recv() {
            // Whoever asked may have gone.
            let _ = reply.send(self.running.maker.routes());
        }
        self.keep_neighbours(now);
        if self.watch.is_due(now) {
            self.watch.look(now);
            self.judge(now)?;
        }
        if now.since(self.renewed_at) >= RENEW_EVERY {
            self.renewed_at = now;
            self.look_for_problems(now);
            self.renew();
        }
        Ok(())
    }

    /// Reads the kernel's reports; after a short gathering time a new snapshot shows them.
    fn follow_kernel(&mut self, now: Time) -> Result<()> {
        let changes =
            self.running.mirror.process().context("the kernel's tables cannot be followed")?;
        for &neighbour in self.running.mirror.answered() {
            self.keeper.answered(neighbour);
        }
        if changes.contains(Changes::OVERRUN) {
            warn!(
                "the kernel's reports came faster than they were read; all tables were read again"
            );
        }
        if !changes.is_empty() {
            self.gathered |= changes;
            self.gathering_since.get_or_insert(now);
        }
        if self.gathering_since.is_some_and(|since| now.since(since) >= GATHER) {
            self.gathering_since = None;
            let changes = std::mem::replace(&mut self.gathered, Changes::NONE);
            let tables = self.running.mirror.tables();
            if self.running.maker.take_kernel(tables, changes, &self.loaded.config)? {
                if changes.intersects(Changes::ADDRESSES | Changes::ROUTES) {
                    self.steer();
                }
                self.publish();
            }
        }
        Ok(())
    }

    /// Tells the steering program our addresses. It keeps the old ones when it does not take the new ones; that is
    /// tried again from time to time.
    fn steer(&mut self) {
        let refused = self.running.steer(&self.loaded.config).err();
        let problem =
            refused.map(|error| format!("the steering program is out of date: {error:#}"));
        self.problems.note(Matter::Steering, problem);
    }

    /// Publishes a snapshot of the present parts.
    pub(super) fn publish(&mut self) {
        let snapshot = self.running.maker.make();
        self.running.publisher.publish(snapshot);
        // A worker that sleeps may hold packets that wait for what is new.
        for worker in &self.running.workers {
            worker.waker.wake();
        }
        let current = self.running.publisher.current();
        self.observer.renew(|view| view.snapshot = current);
    }

    fn take_events(&mut self, now: Time) {
        let numbers = self.running.maker.numbers();
        let ifindex =
            |interface| numbers.iter().find(|(_, id)| **id == interface).map(|(index, _)| *index);
        for events in &mut self.running.events {
            // What is left keeps the loop from waiting, so it comes back at once.
            for event in up_to(EVENTS_PER_TURN, events) {
                match event {
                    ControlEvent::NeighbourMissing(interface, address)
                    | ControlEvent::NeighbourUsed(interface, address) => {
                        if let Some(ifindex) = ifindex(interface) {
                            // A full table is counted by the keeper and shown with the neighbours.
                            let _ = self.keeper.used((ifindex, address), now);
                            self.keep_at = now;
                        }
                    }
                    // The membership host that reads them is not part of this build; the count remains.
                    ControlEvent::ApplicationMessage(_) => {}
                }
            }
        }
    }

    fn keep_neighbours(&mut self, now: Time) {
        if now < self.keep_at {
            return;
        }
        let mut asks = Vec::new();
        let tables = self.running.mirror.tables();
        let state = |(ifindex, address)| {
            tables.neighbour(ifindex, address).map(|neighbour| neighbour.state)
        };
        self.keep_at = self.keeper.poll(now, state, &mut asks);
        for (ifindex, address) in asks {
            if let Err(error) = self.running.kernel.ask_neighbour(ifindex, address)
                && let Some(count) = self.failed_asks.note(now)
            {
                warn!(%address, %error, count, "the kernel does not look for neighbours");
            }
        }
    }

    /// Asks for the addresses of endpoints that are names, away from this thread.
    pub(super) fn resolve(&mut self, names: &[NameToResolve]) {
        self.resolver.resolve(self.running.registry.names_to_resolve(), names);
    }

    fn take_resolved(&mut self) {
        for (peer, address) in self.resolver.take() {
            if let Some(client) = &self.running.client {
                // The thread's death is noticed by the watch.
                let _ = client.offer_endpoint(peer, Endpoint::configured(address));
            }
        }
    }

    /// What does not work and will not show elsewhere, one line each.
    fn problem_lines(&self) -> Vec<String> {
        let names = self.resolver.unresolved();
        let names = names.map(|name| format!("the endpoint {name} does not resolve"));
        names.chain(self.problems.lines()).collect()
    }

    /// How long a worker may be silent. Less than the steering program bears, so that both act within the same second.
    fn patience(&self) -> Duration {
        self.observer.heartbeat_timeout * 3 / 4
    }

    /// Makes sure that every thread lives.
    fn judge(&self, now: Time) -> Result<()> {
        let patience = self.patience();
        for (number, worker) in self.running.workers.iter().enumerate() {
            if worker.thread.is_finished() {
                bail!("worker {number} has died");
            }
            let silent = self.watch.silence(worker.shared.last_beat(), now);
            if silent >= patience {
                bail!("worker {number} has been silent for {} ms", silent.as_millis());
            }
        }
        for helper in &self.running.helpers {
            if helper.thread.is_finished() {
                bail!("the thread {} has died", helper.name);
            }
        }
        Ok(())
    }

    /// Tries again what was refused, and looks for what the gateway cannot serve.
    fn look_for_problems(&mut self, now: Time) {
        if self.problems.has(Matter::Steering) {
            self.steer();
        }
        if self.problems.has(Matter::TunnelRoutes) {
            // What is refused again remains the problem that it is.
            let _ = reload::route_peers(self);
        }
        let left_out = problems::of_routes(self.running.maker.routes_report());
        self.problems.note(Matter::UnsupportedRoutes, left_out);
        if now.since(self.looked_at) < LOOK_EVERY {
            return;
        }
        self.looked_at = now;
        let refused = self.keeper.refused();
        let turned_away = problems::of_neighbours(self.refused_before, refused);
        self.problems.note(Matter::Neighbours, turned_away);
        self.refused_before = refused;
        let rules = self.running.mirror.routing_rules();
        let ignored = rules.map_or_else(
            |error| Some(format!("routing rules cannot be read: {error}")),
            problems::of_routing_rules,
        );
        self.problems.note(Matter::RoutingRules, ignored);
        let stripped = self.running.tags.look();
        self.problems.note(Matter::VlanTags, stripped);
    }

    fn renew(&mut self) {
        self.running.publisher.collect();
        let (devices, exits) = (devices(&self.running), exits(&self.running));
        let problems = self.problem_lines();
        self.observer.renew(|view| {
            view.devices = devices;
            view.exits = exits;
            view.problems = problems;
        });
    }

    fn reload(&mut self) {
        let outcome = reload::reload(self, &self.path.clone());
        match &outcome {
            Ok(message) => info!("reloaded: {message}"),
            Err(refusal) => warn!("reload refused, nothing has changed: {refusal:#}"),
        }
        let reload = api::Reload {
            at_unix: unix_now(),
            applied: outcome.is_ok(),
            message: outcome.unwrap_or_else(|refusal| format!("{refusal:#}")),
        };
        let peers: Arc<[_]> = self.running.registry.iter().cloned().collect();
        let loaded = Arc::clone(&self.loaded);
        self.observer.renew(|view| {
            view.reload = Some(reload);
            view.peers = peers;
            view.loaded = loaded;
        });
    }

    /// Ends the gateway: transit stops, the program goes, then the workers, then their sockets.
    fn end(self) {
        let (patience, began) = (self.patience(), Monotonic.now());
        let Running { mut steering, held, tags, workers, helpers, stop, .. } = self.running;
        if let Err(error) = steering.enable(false) {
            warn!(%error, "steering cannot be disabled");
        }
        drop(held);
        stop.store(true, Ordering::Relaxed);
        for worker in &workers {
            worker.shared.stop.store(true, Ordering::Relaxed);
            worker.waker.wake();
        }
        for helper in &helpers {
            helper.waker.wake();
        }
        let deadline = began + END_WITHIN;
        let silent: Vec<bool> = workers
            .iter()
            .map(|worker| began.since(worker.shared.last_beat()) >= patience)
            .collect();
        let all_done = || {
            // One that stood still before would never end: it goes with the process.
            workers
                .iter()
                .zip(&silent)
                .all(|(worker, &silent)| silent || worker.thread.is_finished())
                && helpers.iter().all(|helper| helper.thread.is_finished())
        };
        while !all_done() && Monotonic.now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        for worker in workers.into_iter().filter(|worker| worker.thread.is_finished()) {
            // What a dead worker had to say was said by the watch.
            drop(worker.thread.join());
        }
        // Some drivers reset their queues for it: not while a socket is bound to one.
        drop(tags);
    }
}

/// Takes what waits in `ring`, but no more than `most`.
fn up_to<T>(most: usize, ring: &mut rtrb::Consumer<T>) -> impl Iterator<Item = T> {
    std::iter::from_fn(|| ring.pop().ok()).take(most)
}

/// A stream that becomes readable when `number` arrives.
fn signal(number: i32) -> Result<UnixStream> {
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(number, writer)
        .with_context(|| format!("signal {number} cannot be caught"))?;
    Ok(reader)
}

/// Whether the signal has arrived since the last time.
fn arrived(signal: &mut UnixStream) -> bool {
    let mut bytes = [0; 16];
    signal.read(&mut bytes).is_ok_and(|count| count > 0)
}

fn devices(running: &Running) -> Vec<DeviceView> {
    let held = running.held.iter().zip(&running.zero_copy);
    let links = link_statistics::read();
    held.map(|(held, &zero_copy)| DeviceView {
        found: held.found.clone(),
        mode: held.attachment.mode().to_string(),
        zero_copy,
        stepped_down: held.stepped_down.clone(),
        program_id: ebpf::attached(held.found.ifindex)
            .ok()
            .flatten()
            .map(|attached| attached.program),
        link: links.get(&held.found.name).copied().unwrap_or_default(),
        link_up: running
            .mirror
            .tables()
            .link(held.found.ifindex)
            .is_some_and(|link| link.up && link.carrier),
    })
    .collect()
}

fn exits(running: &Running) -> Vec<(&'static str, u64)> {
    let counters = running.steering.counters();
    counters.map_or_else(
        |_| Vec::new(),
        |counters| counters.iter().map(|(exit, count)| (exit.name(), count)).collect(),
    )
}

#[cfg(test)]
mod tests;
