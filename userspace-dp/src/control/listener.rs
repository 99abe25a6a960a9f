//! Where connections come from, and connections that are bounded in time.
//!
//! Every read and write ends with the deadline that the handler sets, however slowly the client sends or takes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

/// How long a client may go on sending after it has been answered.
const LINGER: Duration = Duration::from_millis(250);
/// Reads of 4 KiB that are thrown away then.
const LINGER_READS: usize = 64;
/// What one write gives to the kernel: within one call it would wait anew for each part of a unix socket's buffer.
const WRITE_MAX: usize = 16 * 1024;
/// Connections that may wait to be accepted, where the kernel allows as many.
const WAITING: i32 = 1024;

/// Who may open a unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenTo {
    /// Everybody: the handler decides by the caller's user.
    Everybody,
    /// The user of the gateway and the socket's group.
    Group,
}

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

    /// Listens at a path. Takes the place of a socket that nobody answers at, but of nothing else.
    ///
    /// # Errors
    /// The path cannot be used, or somebody answers there.
    pub fn unix(path: &Path, open_to: OpenTo) -> Result<Self> {
        let listener = bind_unix(path, open_to)
            .with_context(|| format!("cannot listen at {}", path.display()))?;
        Ok(Self::Unix(listener, path.to_owned()))
    }

    /// The next connection.
    pub(super) fn accept(&self) -> std::io::Result<Connection> {
        let stream = match self {
            Self::Tcp(listener) => Stream::Tcp(listener.accept()?.0),
            Self::Unix(listener, _) => Stream::Unix(listener.accept()?.0),
        };
        Ok(Connection { stream, deadline: Instant::now() })
    }

    /// The listening socket once more, to end the wait for the next connection.
    pub(super) fn second_handle(&self) -> std::io::Result<OwnedFd> {
        match self {
            Self::Tcp(listener) => listener.as_fd().try_clone_to_owned(),
            Self::Unix(listener, _) => listener.as_fd().try_clone_to_owned(),
        }
    }
}

fn bind_unix(path: &Path, open_to: OpenTo) -> Result<UnixListener> {
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
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    let mode = match open_to {
        OpenTo::Everybody => 0o666,
        OpenTo::Group => 0o660,
    };
    // Before anybody can connect.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    rustix::net::listen(&socket, WAITING)?;
    Ok(socket.into())
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

    /// The connection once more, to cut it.
    pub(super) fn second_handle(&self) -> std::io::Result<OwnedFd> {
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

    /// Ends the conversation with `words`, as far as they fit at once, and without patience for what is left to be
    /// read: who is refused holds nobody up.
    pub fn dismiss(self, words: &[u8]) {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let _ = match &self.stream {
            Stream::Tcp(stream) => rustix::net::send(stream, words, flags),
            Stream::Unix(stream) => rustix::net::send(stream, words, flags),
        };
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
