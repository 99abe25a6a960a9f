//! The client of the control socket: one request, one reply, no waiting forever.

use super::exit::Exit;
use crate::api::{Body, RefusalKind, Reply, Request, SCHEMA_VERSION, Verb};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the daemon may take for its whole answer before it counts as unreachable.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest reply that is read, in bytes: 100,000 peers need about 40 MB.
const LONGEST_REPLY: u64 = 256 << 20;

/// A reply, and the line it came in.
#[derive(Debug)]
pub struct Answer {
    /// The body.
    pub body: Body,
    /// The line, without its break.
    pub line: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody listens.
    #[error(
        "no daemon answers on {}: {cause}. Next: is `ringwall run` running (`pgrep -a ringwall`)? If its socket is elsewhere, name it with --socket",
        socket.display()
    )]
    Unreachable {
        /// The socket that was tried.
        socket: PathBuf,
        /// What the kernel said.
        cause: io::Error,
    },
    /// The socket may not be opened by this user, or the daemon refused this user.
    #[error("{message}. Next: run as root, or add your user id to security.control_read_uids")]
    NoPermission {
        /// What may not be done.
        message: String,
    },
    /// The daemon speaks another version.
    #[error(
        "the daemon speaks version {theirs}, this program version {SCHEMA_VERSION}. Next: use the daemon's own `ringwall`"
    )]
    OtherVersion {
        /// The daemon's version.
        theirs: u64,
    },
    /// The daemon did not understand the request.
    #[error(
        "the daemon did not understand the request: {message}. Next: use the daemon's own `ringwall`"
    )]
    NotUnderstood {
        /// What the daemon said.
        message: String,
    },
    /// The daemon answered that it failed, or something that is no answer.
    #[error("{message}")]
    Failed {
        /// What the daemon said, or what is wrong with its reply.
        message: String,
    },
}

impl NoAnswer {
    /// The exit code it ends a verb with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::NoPermission { .. } => Exit::NoPermission,
            Self::NotUnderstood { .. } => Exit::Usage,
            Self::OtherVersion { .. } | Self::Failed { .. } => Exit::Failed,
        }
    }
}

/// Asks the daemon that listens on `socket`.
///
/// # Errors
/// [`NoAnswer`] when there is none, or it is a refusal.
pub fn ask(socket: &Path, verb: Verb) -> Result<Answer, NoAnswer> {
    let line = exchange(socket, verb, PATIENCE).map_err(|cause| {
        if cause.kind() == ErrorKind::PermissionDenied {
            NoAnswer::NoPermission { message: format!("{} may not be opened", socket.display()) }
        } else {
            NoAnswer::Unreachable { socket: socket.to_owned(), cause }
        }
    })?;
    understand(line)
}

/// Sends the request line and reads the reply line.
fn exchange(socket: &Path, verb: Verb, patience: Duration) -> io::Result<String> {
    let deadline = Instant::now() + patience;
    // Connecting does not wait: a daemon whose queue of connections is full is as good as absent.
    let descriptor = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    connect(&descriptor, &SocketAddrUnix::new(socket)?)?;
    let mut stream = UnixStream::from(descriptor);
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(patience))?;
    let mut request = serde_json::to_vec(&Request::new(verb))?;
    request.push(b'\n');
    // A daemon that does not listen to this user may have hung up already; what it said can be read all the same.
    let sent = stream.write_all(&request);
    let mut reply = String::new();
    let answer = Answering { stream, deadline }.take(LONGEST_REPLY);
    if let Err(error) = BufReader::new(answer).read_line(&mut reply) {
        return Err(if error.kind() == ErrorKind::WouldBlock { late(patience) } else { error });
    }
    if reply.is_empty() {
        sent?;
        return Err(io::Error::new(ErrorKind::UnexpectedEof, "it hung up without a reply"));
    }
    Ok(reply)
}

fn late(patience: Duration) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, format!("it gave no whole answer within {patience:?}"))
}

/// The daemon's side, until the time is over: however slowly it trickles, no read begins the wait anew.
struct Answering {
    stream: UnixStream,
    deadline: Instant,
}

impl Read for Answering {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(buffer)
    }
}

/// Takes a reply line apart.
fn understand(mut line: String) -> Result<Answer, NoAnswer> {
    line.truncate(line.trim_end().len());
    #[derive(serde::Deserialize)]
    struct Version {
        schema_version: u64,
    }
    let failed = |error: serde_json::Error| NoAnswer::Failed {
        message: format!("the daemon's reply cannot be read: {error}"),
    };
    let theirs = serde_json::from_str::<Version>(&line).map_err(failed)?.schema_version;
    if theirs != u64::from(SCHEMA_VERSION) {
        return Err(NoAnswer::OtherVersion { theirs });
    }
    let mut reply = serde_json::from_str(&line).map_err(failed)?;
    defuse(&mut reply);
    let body = serde_json::from_value::<Reply>(reply).map_err(failed)?.body;
    let Body::Error(refusal) = body else { return Ok(Answer { body, line }) };
    let message = refusal.message;
    Err(match refusal.kind {
        RefusalKind::NoPermission => NoAnswer::NoPermission { message },
        RefusalKind::BadRequest => NoAnswer::NotUnderstood { message },
        RefusalKind::Failed => NoAnswer::Failed { message },
    })
}

/// Takes out of every text what a terminal would obey: names may come from far away.
fn defuse(value: &mut serde_json::Value) {
    use serde_json::Value::{Array, Bool, Null, Number, Object, String};
    match value {
        String(text) => {
            if text.contains(is_command) {
                *text = text.replace(is_command, "?");
            }
        }
        Array(values) => values.iter_mut().for_each(defuse),
        Object(fields) => fields.values_mut().for_each(defuse),
        Null | Bool(_) | Number(_) => {}
    }
}

fn is_command(character: char) -> bool {
    character.is_control() && !matches!(character, '\n' | '\t')
}

#[cfg(test)]
mod tests;
