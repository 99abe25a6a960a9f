//! Names of endpoints, resolved away from the control thread: the system's resolver may take seconds.
//!
//! A name that does not resolve is tried again for as long as a peer has it, ever more seldom. The log says when it
//! begins and when it ceases to fail, not each try.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{info, warn};
use wireguard::PeerHandle;

use super::peers::NameToResolve;
use crate::runtime::privileges::Privileges;

/// What is known of the endpoint of a peer that is a name.
#[derive(Debug)]
struct Resolved {
    asked: NameToResolve,
    /// Its first address; none so far.
    address: Option<SocketAddr>,
}

/// Pause before a name that did not resolve is tried again for the first time.
const RETRY_FIRST: Duration = Duration::from_secs(10);
/// The longest pause.
const RETRY_MAX: Duration = Duration::from_secs(300);

/// Control's side: what is wanted, and what became of it.
pub struct Resolver {
    privileges: Privileges,
    /// What peers have now; threads forget the rest.
    wanted: Arc<Mutex<HashSet<NameToResolve>>>,
    resolved: Receiver<Resolved>,
    into: Sender<Resolved>,
    /// The address of each that has been resolved.
    addresses: HashMap<NameToResolve, IpAddr>,
    /// Whether each name resolved when it was last tried.
    outcomes: BTreeMap<String, bool>,
}

impl Resolver {
    /// Nothing to resolve so far; threads keep no more than `privileges` say.
    pub fn new(privileges: Privileges) -> Self {
        let (into, resolved) = channel();
        let wanted = Arc::new(Mutex::new(HashSet::new()));
        Self {
            privileges,
            wanted,
            resolved,
            into,
            addresses: HashMap::new(),
            outcomes: BTreeMap::new(),
        }
    }

    /// Peers have the names in `all` from now on, of which `new` are to be resolved.
    pub fn resolve(&mut self, all: impl Iterator<Item = NameToResolve>, new: &[NameToResolve]) {
        let all: HashSet<NameToResolve> = all.collect();
        self.outcomes.retain(|known, _| all.iter().any(|(_, name, _)| name == known));
        self.addresses.retain(|asked, _| all.contains(asked));
        *lock(&self.wanted) = all;
        if new.is_empty() {
            return;
        }
        let (names, privileges) = (new.to_vec(), self.privileges);
        let (wanted, into) = (Arc::clone(&self.wanted), self.into.clone());
        let body = move || {
            privileges.keep_none();
            resolve_all(names, &wanted, &into);
        };
        if let Err(error) = std::thread::Builder::new().name("rw-resolver".into()).spawn(body) {
            warn!(error = error.to_string(), "names of endpoints cannot be resolved");
        }
    }

    /// The addresses found since the last call. Answers that came too late for the peer are left out.
    pub fn take(&mut self) -> Vec<(PeerHandle, SocketAddr)> {
        let mut found = Vec::new();
        while let Ok(Resolved { asked, address }) = self.resolved.try_recv() {
            if !lock(&self.wanted).contains(&asked) {
                continue;
            }
            self.note(&asked.1, address);
            let Some(address) = address else { continue };
            found.push((asked.0, address));
            self.addresses.insert(asked, address.ip());
        }
        found
    }

    /// Where a name has been found to lead.
    pub fn address(&self, asked: &NameToResolve) -> Option<IpAddr> {
        self.addresses.get(asked).copied()
    }

    /// The names that do not resolve.
    pub fn unresolved(&self) -> impl Iterator<Item = &str> {
        self.outcomes.iter().filter(|(_, resolved)| !**resolved).map(|(name, _)| name.as_str())
    }

    /// Logs a change; whether there was one.
    fn note(&mut self, name: &str, address: Option<SocketAddr>) -> bool {
        let before = self.outcomes.insert(name.to_owned(), address.is_some());
        if before == Some(address.is_some()) {
            return false;
        }
        match address {
            Some(address) => info!(%name, %address, "resolved"),
            None => warn!(%name, "the endpoint's name does not resolve; it is tried again"),
        }
        true
    }
}

fn lock(wanted: &Mutex<HashSet<NameToResolve>>) -> MutexGuard<'_, HashSet<NameToResolve>> {
    wanted.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tries `names` until each is found or no longer wanted, or nobody listens any more.
fn resolve_all(
    mut names: Vec<NameToResolve>,
    wanted: &Mutex<HashSet<NameToResolve>>,
    into: &Sender<Resolved>,
) {
    let mut pause = RETRY_FIRST;
    loop {
        let mut open = true;
        names.retain(|asked| {
            if !open || !lock(wanted).contains(asked) {
                return false;
            }
            let address = first_address(&asked.1, asked.2);
            open = into.send(Resolved { asked: asked.clone(), address }).is_ok();
            address.is_none()
        });
        if names.is_empty() || !open {
            return;
        }
        std::thread::sleep(pause);
        pause = longer(pause);
    }
}

/// The pause after `pause`.
fn longer(pause: Duration) -> Duration {
    pause.saturating_mul(2).min(RETRY_MAX)
}

fn first_address(name: &str, port: u16) -> Option<SocketAddr> {
    (name, port).to_socket_addrs().ok()?.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerHandle = PeerHandle::new(0, 0);

    fn asked(name: &str) -> NameToResolve {
        (PEER, name.to_owned(), 4000)
    }

    /// A resolver with which these names are wanted, and no thread at work.
    fn resolver(names: &[&str]) -> Resolver {
        let mut resolver = Resolver::new(Privileges::Retain);
        resolver.resolve(names.iter().map(|name| asked(name)), &[]);
        resolver
    }

    fn answer(resolver: &mut Resolver, name: &str, address: Option<&str>) -> usize {
        let address = address.map(|address| address.parse().unwrap());
        resolver.into.send(Resolved { asked: asked(name), address }).unwrap();
        resolver.take().len()
    }

    #[test]
    fn a_name_that_resolves_is_told_with_its_port_though_another_does_not() {
        let names = [asked("not a name"), asked("localhost")];
        let mut resolver = Resolver::new(Privileges::Retain);
        resolver.resolve(names.iter().cloned(), &names);
        let (first, second) =
            (resolver.resolved.recv().unwrap(), resolver.resolved.recv().unwrap());
        assert_eq!((first.asked, first.address), (asked("not a name"), None));
        assert_eq!(second.asked, asked("localhost"));
        let address = second.address.unwrap();
        assert!(address.ip().is_loopback() && address.port() == 4000, "{address}");
        assert!(resolver.take().is_empty());
    }

    #[test]
    fn a_name_that_no_peer_has_any_more_is_neither_taken_nor_tried_again() {
        let mut resolver = resolver(&["a.example"]);
        assert_eq!(answer(&mut resolver, "b.example", Some("192.0.2.1:4000")), 0);
        assert_eq!(answer(&mut resolver, "a.example", Some("192.0.2.1:4000")), 1);
        // It returns although the name will never resolve, and says nothing about it.
        resolve_all(vec![asked("not a name")], &resolver.wanted, &resolver.into);
        assert!(resolver.resolved.try_recv().is_err());
    }

    #[test]
    fn only_a_change_of_what_becomes_of_a_name_is_logged() {
        let mut resolver = resolver(&["a.example"]);
        let address = "192.0.2.1:4000".parse().ok();
        let told = [None, None, address, address, None].map(|it| resolver.note("a.example", it));
        assert_eq!(told, [true, false, true, false, true]);
        assert_eq!(resolver.unresolved().collect::<Vec<_>>(), ["a.example"]);
        resolver.resolve(std::iter::empty(), &[]);
        assert_eq!(resolver.unresolved().count(), 0);
    }

    #[test]
    fn pauses_grow_to_five_minutes_and_no_further() {
        let pauses: Vec<u64> =
            std::iter::successors(Some(RETRY_FIRST), |&pause| Some(longer(pause)))
                .take(8)
                .map(|pause| pause.as_secs())
                .collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 300, 300, 300]);
    }
}
