//! Names of endpoints, resolved away from the control thread: the system's resolver may take seconds.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::Sender;
use std::time::Duration;

use tracing::warn;
use wireguard::PeerHandle;

use super::peers::NameToResolve;
use crate::runtime::privileges::Privileges;

/// What is known of the endpoint of a peer that is a name.
#[derive(Debug)]
pub struct Resolved {
    /// The peer.
    pub peer: PeerHandle,
    /// The name.
    pub name: String,
    /// Its first address; none so far.
    pub address: Option<SocketAddr>,
}

/// Pause before a name that did not resolve is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// Tries for one name: ten minutes.
const TRIES: usize = 60;

/// Resolves `names` on a thread of its own and sends what it finds, or that it did not; what cannot be resolved is
/// tried again. The thread ends when all are found, given up, or nobody listens any more.
pub fn resolve(mut names: Vec<NameToResolve>, privileges: Privileges, into: &Sender<Resolved>) {
    if names.is_empty() {
        return;
    }
    let into = into.clone();
    let resolve_all = move || {
        privileges.keep_none();
        for _ in 0..TRIES {
            let mut open = true;
            names.retain(|(peer, name, port)| {
                let address = first_address(name, *port);
                open &= into.send(Resolved { peer: *peer, name: name.clone(), address }).is_ok();
                address.is_none()
            });
            if names.is_empty() || !open {
                return;
            }
            std::thread::sleep(RETRY_AFTER);
        }
    };
    if let Err(error) = std::thread::Builder::new().name("rw-resolver".into()).spawn(resolve_all) {
        warn!(%error, "names of endpoints cannot be resolved");
    }
}

fn first_address(name: &str, port: u16) -> Option<SocketAddr> {
    (name, port).to_socket_addrs().ok()?.next()
}
