//! The control socket: where `ringwall status` and `ringwall show` ask.
//!
//! A unix socket; each connection is one line of request and one line of reply (see [`crate::api`]), bounded in
//! bytes and time, answered on a thread of its own. Who may ask is decided by the caller's user as the kernel tells
//! it, not by the socket's file mode; who may not is told so and dismissed, without a thread or patience.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::listener::{Connection, Listener, OpenTo};
use super::observer::Observer;
use super::server::{Server, Service};
use super::show;
use crate::api::{MAX_REQUEST, REQUEST_VERSION, RefusalKind, Reply, Request, Verb};
use crate::runtime::privileges::Privileges;

/// How long a client may take to ask, or to take the answer.
const TIMEOUT: Duration = Duration::from_secs(2);

struct Answering {
    observer: Arc<Observer>,
    readers: Vec<u32>,
    #[cfg_attr(not(debug_assertions), expect(dead_code, reason = "nothing can be changed so far"))]
    changers: Vec<u32>,
}

/// Listens at `path` and answers from `observer` until the server is dropped.
///
/// # Errors
/// The path cannot be used, or another gateway answers there.
pub fn serve(path: &Path, security: &config::Security, observer: Arc<Observer>) -> Result<Server> {
    let listener = Listener::unix(path, OpenTo::Everybody).context("telemetry.control_socket")?;
    let own = [0, rustix::process::geteuid().as_raw()];
    let answering = Answering {
        observer,
        readers: [&own[..], &security.control_read_uids, &security.control_change_uids].concat(),
        changers: [&own[..], &security.control_change_uids].concat(),
    };
    Server::start("rw-control", listener, Privileges::of(security), answering)
}

impl Service for Answering {
    fn refuse(&self, connection: &Connection) -> Option<Vec<u8>> {
        let refusal = match connection.user() {
            Some(caller) if self.readers.contains(&caller) => return None,
            Some(caller) => no_permission(caller),
            None => nobody_known(),
        };
        // Without words it is refused all the same.
        Some(as_line(&refusal).unwrap_or_default())
    }

    fn answer(&self, connection: Connection) {
        // A client that went away concerns nobody else.
        let _ = self.converse(connection);
    }
}

/// A reply as it is sent.
fn as_line(reply: &Reply) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec(reply)?;
    text.push(b'\n');
    Ok(text)
}

fn nobody_known() -> Reply {
    Reply::refusal(RefusalKind::NoPermission, "the kernel does not say who asks")
}

impl Answering {
    fn converse(&self, mut connection: Connection) -> Result<()> {
        connection.allow(TIMEOUT);
        let reply = match connection.user() {
            None => nobody_known(),
            Some(caller) => self.listen(&mut connection, caller),
        };
        connection.allow(TIMEOUT);
        connection.write_all(&as_line(&reply)?)?;
        connection.finish();
        Ok(())
    }

    /// Reads the request and answers it.
    fn listen(&self, connection: &mut Connection, caller: u32) -> Reply {
        let mut line = String::new();
        let read = BufReader::new(connection.take(MAX_REQUEST as u64)).read_line(&mut line);
        match read {
            Ok(_) if line.ends_with('\n') => self.reply(&line, caller),
            Ok(_) | Err(_) => Reply::refusal(
                RefusalKind::BadRequest,
                format!("a request is one line of at most {MAX_REQUEST} bytes within {TIMEOUT:?}"),
            ),
        }
    }

    fn reply(&self, line: &str, caller: u32) -> Reply {
        let request: Request = match serde_json::from_str(line) {
            Ok(request) => request,
            Err(error) => return Reply::refusal(RefusalKind::BadRequest, error.to_string()),
        };
        if request.v != REQUEST_VERSION {
            let why =
                format!("request version {}; this gateway speaks {REQUEST_VERSION}", request.v);
            return Reply::refusal(RefusalKind::BadRequest, why);
        }
        let allowed = match request.verb {
            Verb::Status | Verb::Show { .. } => &self.readers,
            #[cfg(debug_assertions)]
            Verb::Fault { .. } => &self.changers,
        };
        if !allowed.contains(&caller) {
            return no_permission(caller);
        }
        match request.verb {
            Verb::Status => show::status(&self.observer),
            Verb::Show { what } => show::show(&self.observer, what),
            #[cfg(debug_assertions)]
            Verb::Fault { fault, worker } => show::put_fault(&self.observer, fault, worker),
        }
    }
}

fn no_permission(caller: u32) -> Reply {
    let why = format!("user {caller} may not ask this; see `security` in the configuration");
    Reply::refusal(RefusalKind::NoPermission, why)
}

#[cfg(test)]
mod tests;
