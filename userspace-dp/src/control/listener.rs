//! A small server on a thread of its own: one connection after the other, each bounded in time.
//!
//! Every read and write ends with the deadline that the handler sets, however slowly the client sends or takes;
//! a server that ends cuts the connection it has and waits for no handler beyond a bound.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::runtime::privileges::Privileges;

/// How long a client may go on sending after it has been answered.
const LINGER: Duration = Duration::from_millis(250);
/// Reads of 4 KiB that are thrown away then.
const LINGER_READS: usize = 64;
/// What one write gives to the kernel: within one call it would wait anew for each part of a unix socket's buffer.
const WRITE_MAX: usize = 16 * 1024;
/// How long a server that ends waits for the handler of its last connection.
const END_WITHIN: Duration = Duration::from_secs(1);

/// Where connections come from.
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A unix socket and its path.
    Unix(UnixListener, PathBuf),
}

/// A connection, with the time that is left for it. It starts with none.
pub struct Connection {
    stream: Stream,
    deadline: Instant,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The running server. Dropping it ends the thread and removes a unix socket's file.
pub struct Server {
    address: Address,
    /// The listening socket, to end the wait for the next connection.
    listening: OwnedFd,
    present: Arc<Mutex<Present>>,
    thread: Option<JoinHandle<()>>,
}

/// What the server's thread does at present.
struct Present {
    ended: bool,
    /// A second handle of the connection being answered, to cut it.
    connection: Option<OwnedFd>,
}

enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Listener {
    /// Listens on a TCP address.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn tcp(address: SocketAddr) -> Result<Self> {
        let listener =
            TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
        Ok(Self::Tcp(listener))
    }

    /// Listens at a path. Takes the place of a socket that nobody answers at, but of nothing else. Everybody may
    /// connect; the handler decides by the caller's user.
    ///
    /// # Errors
    /// The path cannot be used, or somebody answers there.
    pub fn unix(path: &Path) -> Result<Self> {
        let listener =
            bind_unix(path).with_context(|| format!("cannot listen at {}", path.display()))?;
        Ok(Self::Unix(listener, path.to_owned()))
    }

    fn accept(&self) -> std::io::Result<Connection> {
        let stream = match self {
            Self::Tcp(listener) => Stream::Tcp(listener.accept()?.0),
            Self::Unix(listener, _) => Stream::Unix(listener.accept()?.0),
        };
        Ok(Connection { stream, deadline: Instant::now() })
    }

    fn second_handle(&self) -> std::io::Result<OwnedFd> {
        match self {
            Self::Tcp(listener) => listener.as_fd().try_clone_to_owned(),
            Self::Unix(listener, _) => listener.as_fd().try_clone_to_owned(),
        }
    }
}

fn bind_unix(path: &Path) -> Result<UnixListener> {
    if UnixStream::connect(path).is_ok() {
        bail!("another process answers there");
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => bail!("there is a file that is not a socket"),
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

impl Server {
    /// Hands every connection to `handle`, one after the other, until dropped.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(
        name: &str,
        listener: Listener,
        privileges: Privileges,
        mut handle: impl FnMut(Connection) + Send + 'static,
    ) -> Result<Self> {
        let address = match &listener {
            Listener::Tcp(listener) => Address::Tcp(listener.local_addr()?),
            Listener::Unix(_, path) => Address::Unix(path.clone()),
        };
        let listening = listener.second_handle()?;
        let present = Arc::new(Mutex::new(Present { ended: false, connection: None }));
        let shared = Arc::clone(&present);
        let serve = move || {
            privileges.keep_none();
            while !lock(&shared).ended {
                match listener.accept().and_then(|new| Ok((new.second_handle()?, new))) {
                    Ok((handle_to_cut, connection)) => {
                        if !begin(&shared, handle_to_cut) {
                            return;
                        }
                        handle(connection);
                        lock(&shared).connection = None;
                    }
                    // Out of descriptors, or a client that left: wait a little, so as not to spin.
                    Err(_) => std::thread::sleep(Duration::from_millis(10)),
                }
            }
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(serve)?;
        Ok(Self { address, listening, present, thread: Some(thread) })
    }

    /// The TCP address, when it is one.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match self.address {
            Address::Tcp(address) => Some(address),
            Address::Unix(_) => None,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let cut = {
            let mut present = lock(&self.present);
            present.ended = true;
            present.connection.take()
        };
        // Who waits for input on either of them is told that there is none. An answer under way may still go out.
        let _ = rustix::net::shutdown(&self.listening, rustix::net::Shutdown::Both);
        if let Some(connection) = &cut {
            let _ = rustix::net::shutdown(connection, rustix::net::Shutdown::Read);
        }
        if let Address::Unix(path) = &self.address {
            let _ = std::fs::remove_file(path);
        }
        let Some(thread) = self.thread.take() else { return };
        let deadline = Instant::now() + END_WITHIN;
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        if let Some(connection) = cut.filter(|_| !thread.is_finished()) {
            let _ = rustix::net::shutdown(connection, rustix::net::Shutdown::Both);
        }
        // One that still works on its answer goes with the process.
        if thread.is_finished() {
            let _ = thread.join();
        }
    }
}

fn lock(present: &Mutex<Present>) -> MutexGuard<'_, Present> {
    present.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes what is to be cut when the server ends; whether it goes on at all.
fn begin(present: &Mutex<Present>, connection: OwnedFd) -> bool {
    let mut present = lock(present);
    if !present.ended {
        present.connection = Some(connection);
    }
    !present.ended
}

impl Connection {
    /// Everything from now on, reads and writes together, ends after `limit`.
    pub fn allow(&mut self, limit: Duration) {
        self.deadline = Instant::now() + limit;
    }

    /// The time left.
    ///
    /// # Errors
    /// There is none.
    fn left(&self) -> std::io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(std::io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }

    fn second_handle(&self) -> std::io::Result<OwnedFd> {
        match &self.stream {
            Stream::Tcp(stream) => stream.as_fd().try_clone_to_owned(),
            Stream::Unix(stream) => stream.as_fd().try_clone_to_owned(),
        }
    }

    /// Ends the conversation so that the answer arrives: says that nothing more comes, then takes what the client
    /// may still send, within bounds. Closing with unread input would have the kernel reset the connection, and a
    /// reset discards what the client has not read.
    pub fn finish(mut self) {
        let _ = self.flush();
        let ended = match &self.stream {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
        // A client that is gone already needs no patience.
        if ended.is_err() {
            return;
        }
        self.allow(LINGER);
        let mut rest = [0; 4096];
        for _ in 0..LINGER_READS {
            if !matches!(self.read(&mut rest), Ok(1..)) {
                return;
            }
        }
    }

    /// The user of the process at the other end; only a unix socket tells.
    pub fn user(&self) -> Option<u32> {
        match &self.stream {
            Stream::Tcp(_) => None,
            Stream::Unix(stream) => {
                rustix::net::sockopt::socket_peercred(stream).ok().map(|cred| cred.uid.as_raw())
            }
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = self.left()?;
        match &mut self.stream {
            Stream::Tcp(stream) => {
                stream.set_read_timeout(left)?;
                stream.read(buffer)
            }
            Stream::Unix(stream) => {
                stream.set_read_timeout(left)?;
                stream.read(buffer)
            }
        }
    }
}

impl Write for Connection {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let left = self.left()?;
        let part = buffer.get(..WRITE_MAX).unwrap_or(buffer);
        match &mut self.stream {
            Stream::Tcp(stream) => {
                stream.set_write_timeout(left)?;
                stream.write(part)
            }
            Stream::Unix(stream) => {
                stream.set_write_timeout(left)?;
                stream.write(part)
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.flush(),
            Stream::Unix(stream) => stream.flush(),
        }
    }
}

impl From<UnixStream> for Connection {
    fn from(stream: UnixStream) -> Self {
        Self { stream: Stream::Unix(stream), deadline: Instant::now() }
    }
}

#[cfg(test)]
mod tests;
