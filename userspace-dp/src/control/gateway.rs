//! The control loop: what happens after the start, until the end.
//!
//! One thread waits for signals, the kernel's reports, the workers' events and time. It renews snapshots, keeps
//! neighbours alive, watches the heartbeats, reloads on SIGHUP and ends on SIGTERM or when something that must live
//! has died. It never touches a packet.

mod ending;
mod following;
mod judgement;
mod next_hops;
mod signals;
mod tunnel_routes;
mod view;

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result};
use clock::{Clock, Monotonic, Time};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tracing::{error, info, warn};
use wireguard::Endpoint;

use super::metrics::Exporter;
use super::neighbour_keeper::{FailedAsks, NeighbourKeeper};
use super::netlink::Changes;
use super::observer::{Observer, ObserverParts, RouteView, unix_now};
use super::peers::{KnownPeer, NameToResolve};
use super::problems::Problems;
use super::resolver::Resolver;
use super::running::Running;
use super::server::Server;
use super::session_log::SessionLog;
use super::watch::{WATCH_EVERY, Watch};
use super::{http, logging, reload, socket, start};
use crate::api;
use crate::runtime::privileges::{CONTROL, Privileges};
use crate::source::Source;
use following::GATHER;
use signals::Signals;

/// How often the view's counters are renewed and retired snapshots freed.
const RENEW_EVERY: Duration = Duration::from_millis(500);

/// Runs the gateway until it is told to end.
///
/// # Errors
/// What prevented the start, or what died.
pub fn run(source: &Source, loaded: config::Loaded) -> Result<()> {
    logging::start(&loaded.config.telemetry);
    let mut signals = Signals::catch()?;
    let running = start::start(&loaded.config)?;
    let mut gateway = Gateway::new(source, loaded, running)?;
    let _services = gateway.serve()?;
    Privileges::of(&gateway.loaded.config.security).keep(CONTROL).context("capabilities")?;
    info!(workers = gateway.running.workers.len(), "ready");
    let ended = loop {
        gateway.wait(&signals);
        if signals.ask_to_end() {
            break Ok(());
        }
        if signals.ask_to_reload() {
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
    info!("ended");
    ended
}

/// A running gateway with what the control loop keeps.
pub(crate) struct Gateway {
    pub(super) source: Source,
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
    sessions: SessionLog,
}

impl Gateway {
    fn new(source: &Source, loaded: config::Loaded, mut running: Running) -> Result<Self> {
        let loaded = Arc::new(loaded);
        let resolver = Resolver::new(Privileges::of(&loaded.config.security));
        let (routes, routes_wanted) = channel();
        let view = view::first(&running, &loaded);
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
            source: source.clone(),
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
            sessions: SessionLog::default(),
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
    fn wait(&self, signals: &Signals) {
        self.running.sleeper.announce();
        if self.running.events.iter().all(|events| events.is_empty()) {
            let mut waits: Vec<PollFd<'_>> = signals
                .streams()
                .into_iter()
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
            self.log_sessions(now);
            self.renew();
        }
        Ok(())
    }

    /// Asks for the addresses of endpoints that are names, away from this thread.
    pub(super) fn resolve(&mut self, names: &[NameToResolve]) {
        self.resolver.resolve(self.running.registry.names_to_resolve(), names);
    }

    fn take_resolved(&mut self) {
        let resolved = self.resolver.take();
        for &(peer, address) in &resolved {
            if let Some(client) = &self.running.client {
                // The thread's death is noticed by the watch.
                let _ = client.offer_endpoint(peer, Endpoint::configured(address));
            }
        }
        if !resolved.is_empty() {
            // A network that holds one of them is no route any more. What is refused is shown as a problem.
            let _ = self.route_peers();
        }
    }

    fn log_sessions(&mut self, now: Time) {
        let Some(client) = &self.running.client else { return };
        let latest = |known: &KnownPeer| client.latest_handshake(known.handle);
        let peers = self.running.registry.iter();
        let peers = peers.map(|known| (known.handle, known.config.name.as_str(), latest(known)));
        self.sessions.look(peers, now).log();
    }

    fn reload(&mut self) {
        let outcome = reload::reload(self);
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
        let public_key = self.running.public_key;
        self.observer.renew(|view| {
            view.reload = Some(reload);
            view.peers = peers;
            view.loaded = loaded;
            view.public_key = public_key;
        });
    }
}
