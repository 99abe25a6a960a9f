//! A small server: every connection is answered on a thread of its own, a bounded number of them at once.
//!
//! A client that stalls holds its own thread and delays nobody. When all places are taken, the connection that has
//! been there longest is cut for the new one: whoever has something to ask is answered long before that. Who may ask
//! nothing at all gets no thread. A server that ends cuts its connections and waits for no handler beyond a bound.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::net::Shutdown;

use super::listener::{Connection, Listener};
use crate::runtime::privileges::Privileges;

/// Connections answered at once.
const PLACES: usize = 16;
/// Threads that there may be: a connection that was cut for another one may take a moment to end.
const THREADS: usize = 2 * PLACES;
/// How long the server waits when a connection cannot be taken: out of descriptors, or of threads.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a server that ends waits for the handlers of its connections.
const END_WITHIN: Duration = Duration::from_secs(1);

/// What is served.
pub trait Service: Send + Sync + 'static {
    /// The words for a client that may ask nothing at all; it is dismissed with them before anything is read.
    fn refuse(&self, _connection: &Connection) -> Option<Vec<u8>> {
        None
    }

    /// Answers a client, on a thread of its own.
    fn answer(&self, connection: Connection);
}

impl<F: Fn(Connection) + Send + Sync + 'static> Service for F {
    fn answer(&self, connection: Connection) {
        self(connection);
    }
}

/// The running server. Dropping it ends its threads and removes a unix socket's file.
pub struct Server {
    address: Address,
    /// The listening socket, to end the wait for the next connection.
    listening: OwnedFd,
    crowd: Arc<Mutex<Crowd>>,
    thread: Option<JoinHandle<()>>,
}

/// The connections that are being answered.
#[derive(Default)]
struct Crowd {
    ended: bool,
    /// Threads at work, those of connections that were cut included.
    threads: usize,
    /// Counts connections.
    latest: u64,
    /// A second handle of each, to cut it; the oldest first.
    present: BTreeMap<u64, OwnedFd>,
}

enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Server {
    /// Has `service` answer every connection until dropped.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(
        name: &str,
        listener: Listener,
        privileges: Privileges,
        service: impl Service,
    ) -> Result<Self> {
        let address = match &listener {
            Listener::Tcp(listener) => Address::Tcp(listener.local_addr()?),
            Listener::Unix(_, path) => Address::Unix(path.clone()),
        };
        let listening = listener.second_handle()?;
        let crowd = Arc::new(Mutex::new(Crowd::default()));
        let door =
            Door { name: name.to_owned(), service: Arc::new(service), crowd: Arc::clone(&crowd) };
        let serve = move || {
            // Threads that this one starts have no more.
            privileges.keep_none();
            while !lock(&door.crowd).ended {
                let taken = listener.accept().and_then(|connection| door.let_in(connection));
                if taken.is_err() {
                    // Out of descriptors or threads, or a client that left: wait a little, so as not to spin.
                    std::thread::sleep(PAUSE);
                }
            }
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(serve)?;
        Ok(Self { address, listening, crowd, thread: Some(thread) })
    }

    /// The TCP address, when it is one.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match self.address {
            Address::Tcp(address) => Some(address),
            Address::Unix(_) => None,
        }
    }

    /// Whether nothing runs any more.
    fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished) && lock(&self.crowd).threads == 0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        lock(&self.crowd).ended = true;
        // Who waits for input on any of them is told that there is none. An answer under way may still go out.
        let _ = rustix::net::shutdown(&self.listening, Shutdown::Both);
        lock(&self.crowd).cut_all(Shutdown::Read);
        if let Address::Unix(path) = &self.address {
            let _ = std::fs::remove_file(path);
        }
        let deadline = Instant::now() + END_WITHIN;
        while !self.is_over() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        lock(&self.crowd).cut_all(Shutdown::Both);
        // One that still works on its answer goes with the process.
        if let Some(thread) = self.thread.take().filter(JoinHandle::is_finished) {
            let _ = thread.join();
        }
    }
}

/// Where connections come in.
struct Door<S> {
    name: String,
    service: Arc<S>,
    crowd: Arc<Mutex<Crowd>>,
}

impl<S: Service> Door<S> {
    /// Has a connection answered on a thread of its own.
    fn let_in(&self, connection: Connection) -> std::io::Result<()> {
        if let Some(words) = self.service.refuse(&connection) {
            connection.dismiss(&words);
            return Ok(());
        }
        while !lock(&self.crowd).has_room() {
            std::thread::sleep(PAUSE);
        }
        let handle = connection.second_handle()?;
        let Some(place) = Place::take(&self.crowd, handle) else { return Ok(()) };
        let service = Arc::clone(&self.service);
        let answer = move || {
            let _place = place;
            service.answer(connection);
        };
        std::thread::Builder::new().name(self.name.clone()).spawn(answer).map(drop)
    }
}

/// A place in the crowd, free again when dropped, also by a handler that panics.
struct Place {
    crowd: Arc<Mutex<Crowd>>,
    number: u64,
}

impl Place {
    /// A place, for which the oldest connection may have to go; none when the server has ended.
    fn take(crowd: &Arc<Mutex<Crowd>>, handle: OwnedFd) -> Option<Self> {
        let number = lock(crowd).enter(handle)?;
        Some(Self { crowd: Arc::clone(crowd), number })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut crowd = lock(&self.crowd);
        crowd.present.remove(&self.number);
        crowd.threads = crowd.threads.saturating_sub(1);
    }
}

impl Crowd {
    /// Whether one more thread may start; a server that has ended is not waited for.
    fn has_room(&self) -> bool {
        self.ended || self.threads < THREADS
    }

    fn enter(&mut self, handle: OwnedFd) -> Option<u64> {
        if self.ended {
            return None;
        }
        while self.present.len() >= PLACES {
            let (_, oldest) = self.present.pop_first()?;
            let _ = rustix::net::shutdown(oldest, Shutdown::Both);
        }
        self.latest += 1;
        self.threads += 1;
        self.present.insert(self.latest, handle);
        Some(self.latest)
    }

    fn cut_all(&self, how: Shutdown) {
        for connection in self.present.values() {
            let _ = rustix::net::shutdown(connection, how);
        }
    }
}

fn lock(crowd: &Mutex<Crowd>) -> MutexGuard<'_, Crowd> {
    crowd.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
