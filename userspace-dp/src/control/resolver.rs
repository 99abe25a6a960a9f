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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn ask(names: &[&str]) -> std::sync::mpsc::Receiver<Resolved> {
        let (into, resolved) = channel();
        let name =
            |(index, name): (u32, &&str)| (PeerHandle::new(index, 0), (*name).to_owned(), 4000);
        resolve((0..).zip(names).map(name).collect(), Privileges::Retain, &into);
        resolved
    }

    #[test]
    fn a_name_that_resolves_is_told_with_its_port() {
        let told = ask(&["localhost"]).recv().unwrap();
        assert_eq!((told.peer, told.name.as_str()), (PeerHandle::new(0, 0), "localhost"));
        let address = told.address.unwrap();
        assert!(address.ip().is_loopback() && address.port() == 4000, "{address}");
    }

    #[test]
    fn a_name_that_does_not_resolve_is_told_and_holds_no_other_up() {
        let resolved = ask(&["not a name", "localhost"]);
        let (first, second) = (resolved.recv().unwrap(), resolved.recv().unwrap());
        assert_eq!((first.name.as_str(), first.address), ("not a name", None));
        assert!(second.address.is_some());
    }
}
