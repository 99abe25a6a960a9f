//! Which peers come and go, for the log: a line when a peer's first session comes up after none, and one when its last
//! has ended.
//!
//! The control thread looks from time to time; no packet and no worker has a part in it. However many peers come at
//! once, a look writes a bounded number of lines and counts the rest.

use clock::Time;
use tracing::info;
use wireguard::{PeerHandle, REJECT_AFTER_TIME};

/// Peers named at one look.
const NAMED: usize = 16;

/// What was last known of every peer.
#[derive(Default)]
pub struct SessionLog {
    /// By place: who has a session there.
    up: Vec<Option<PeerHandle>>,
}

/// What became different since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    came: Names,
    went: Names,
}

/// Some by name, the rest by number.
#[derive(Debug, Default, PartialEq, Eq)]
struct Names {
    named: Vec<String>,
    more: usize,
}

impl Names {
    fn add(&mut self, name: &str) {
        if self.named.len() < NAMED {
            self.named.push(name.to_owned());
        } else {
            self.more += 1;
        }
    }
}

impl SessionLog {
    /// Compares with what was: each of `peers` with its name and its latest handshake.
    #[must_use]
    pub fn look<'a>(
        &mut self,
        peers: impl Iterator<Item = (PeerHandle, &'a str, Option<Time>)>,
        now: Time,
    ) -> Told {
        let mut told = Told::default();
        for (peer, name, latest) in peers {
            let place = peer.index() as usize;
            if place >= self.up.len() {
                self.up.resize(place + 1, None);
            }
            let Some(known) = self.up.get_mut(place) else { continue };
            let is_up = latest.is_some_and(|latest| now.since(latest) < REJECT_AFTER_TIME);
            match (*known == Some(peer), is_up) {
                (false, true) => told.came.add(name),
                (true, false) => told.went.add(name),
                (true, true) | (false, false) => {}
            }
            *known = is_up.then_some(peer);
        }
        told
    }
}

impl Told {
    /// Writes it to the log.
    pub fn log(&self) {
        for peer in &self.came.named {
            info!(peer, "connected");
        }
        if self.came.more > 0 {
            info!(peers = self.came.more, "more connected");
        }
        for peer in &self.went.named {
            info!(peer, "disconnected: its last session has ended");
        }
        if self.went.more > 0 {
            info!(peers = self.went.more, "more disconnected");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    fn names(names: &[&str]) -> Names {
        Names { named: names.iter().map(|&name| name.to_owned()).collect(), more: 0 }
    }

    #[test]
    fn a_peer_is_told_when_its_first_session_comes_and_when_its_last_has_ended_only() {
        let start = Time::ZERO + Duration::from_secs(1000);
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut log = SessionLog::default();
        let (one, two) = (PeerHandle::new(0, 1), PeerHandle::new(5, 1));
        let mut look = |first: Option<Time>, now| {
            log.look([(one, "one", first), (two, "two", None)].into_iter(), now)
        };
        assert_eq!(look(None, start), Told::default());
        let came = Told { came: names(&["one"]), ..Told::default() };
        assert_eq!(look(Some(start), after(1)), came);
        assert_eq!(look(Some(after(120)), after(121)), Told::default(), "a new key is no news");
        assert_eq!(look(Some(after(120)), after(299)), Told::default());
        let went = Told { went: names(&["one"]), ..Told::default() };
        assert_eq!(look(Some(after(120)), after(300)), went);
        assert_eq!(look(Some(after(120)), after(301)), Told::default());
        assert_eq!(look(Some(after(400)), after(401)), came);
    }

    #[test]
    fn the_next_peer_at_a_place_is_another_one() {
        let now = Time::ZERO + Duration::from_secs(1000);
        let mut log = SessionLog::default();
        let at = |generation, name| [(PeerHandle::new(3, generation), name, Some(now))].into_iter();
        assert_eq!(log.look(at(1, "old"), now).came, names(&["old"]));
        assert_eq!(log.look(at(2, "new"), now).came, names(&["new"]));
        assert_eq!(log.look(at(2, "new"), now), Told::default());
    }

    #[test]
    fn many_at_once_are_named_in_part_and_counted() {
        let now = Time::ZERO + Duration::from_secs(1000);
        let peers = (0..1000).map(|place| (PeerHandle::new(place, 1), "it", Some(now)));
        let told = SessionLog::default().look(peers, now);
        assert_eq!((told.came.named.len(), told.came.more), (NAMED, 1000 - NAMED));
    }
}
