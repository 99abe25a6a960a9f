//! A small server on a thread of its own: one connection after the other, each bounded in time by its handler.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::runtime::privileges::Privileges;

/// How long a client may go on sending after it has been answered.
const LINGER: Duration = Duration::from_millis(250);
/// Reads of 4 KiB that are thrown away then.
const LINGER_READS: usize = 64;

/// Where connections come from.
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A unix socket and its path.
    Unix(UnixListener, PathBuf),
}

/// A connection.
pub enum Connection {
    /// TCP.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
}

/// The running server. Dropping it ends the thread and removes a unix socket's file.
pub struct Server {
    wake: Address,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
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
        match self {
            Self::Tcp(listener) => listener.accept().map(|(stream, _)| Connection::Tcp(stream)),
            Self::Unix(listener, _) => {
                listener.accept().map(|(stream, _)| Connection::Unix(stream))
            }
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
        let wake = match &listener {
            Listener::Tcp(listener) => Address::Tcp(listener.local_addr()?),
            Listener::Unix(_, path) => Address::Unix(path.clone()),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let serve = move || {
            privileges.keep_none();
            while !stopped.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok(connection) if !stopped.load(Ordering::Relaxed) => handle(connection),
                    Ok(_) => {}
                    // Out of descriptors, or a client that left: wait a little, so as not to spin.
                    Err(_) => std::thread::sleep(Duration::from_millis(10)),
                }
            }
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(serve)?;
        Ok(Self { wake, stop, thread: Some(thread) })
    }

    /// The TCP address, when it is one.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match self.wake {
            Address::Tcp(address) => Some(address),
            Address::Unix(_) => None,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A connection to ourselves ends the wait for the next one.
        match &self.wake {
            Address::Tcp(address) => {
                let _ = TcpStream::connect_timeout(address, Duration::from_millis(200));
            }
            Address::Unix(path) => {
                let _ = UnixStream::connect(path);
                let _ = std::fs::remove_file(path);
            }
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Connection {
    /// Bounds how long the next read may take.
    ///
    /// # Errors
    /// A time of zero.
    pub fn set_read_timeout(&self, limit: Duration) -> std::io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(limit)),
            Self::Unix(stream) => stream.set_read_timeout(Some(limit)),
        }
    }

    /// Bounds how long each write may take.
    ///
    /// # Errors
    /// A time of zero.
    pub fn set_write_timeout(&self, limit: Duration) -> std::io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_write_timeout(Some(limit)),
            Self::Unix(stream) => stream.set_write_timeout(Some(limit)),
        }
    }

    /// Ends the conversation so that the answer arrives: says that nothing more comes, then takes what the client
    /// may still send, within bounds. Closing with unread input would have the kernel reset the connection, and a
    /// reset discards what the client has not read.
    pub fn finish(mut self) {
        let _ = self.flush();
        let ended = match &self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
        // A client that is gone already needs no patience.
        if ended.is_err() {
            return;
        }
        let deadline = Instant::now() + LINGER;
        let mut rest = [0; 4096];
        for _ in 0..LINGER_READS {
            let left = deadline.saturating_duration_since(Instant::now());
            // A time of zero is refused by the socket, as it should be: the time is over.
            if self.set_read_timeout(left).is_err() || !matches!(self.read(&mut rest), Ok(1..)) {
                return;
            }
        }
    }

    /// The user of the process at the other end; only a unix socket tells.
    pub fn user(&self) -> Option<u32> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(stream) => {
                rustix::net::sockopt::socket_peercred(stream).ok().map(|cred| cred.uid.as_raw())
            }
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(buffer),
            Self::Unix(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
        }
    }
}

#[cfg(test)]
mod tests;
