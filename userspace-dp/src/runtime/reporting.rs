//! A worker's report, gathered over as many turns as its peers need.
//!
//! A turn must stay short whoever asks and however many peers there are, so each adds a bounded number of them. What
//! has to agree with itself (frames, rings, hand-offs) is read in the last turn, at one point between two turns of
//! the loop. Each peer's numbers are of one moment, those of two peers perhaps some turns apart.

use io::Port;
use wireguard::{PeerHandle, PeerStatus};

use super::shared::WorkerReport;
use super::worker::Worker;

/// Places for peers looked at in one turn: some microseconds.
const PLACES_PER_TURN: usize = 64;

/// The report that a worker is asked for, as far as it has come.
#[derive(Default)]
pub struct Reporting {
    under_way: Option<Gathered>,
    /// How many peers the last one had: room for as many is taken at once.
    peers_before: usize,
}

struct Gathered {
    peers: Vec<(PeerHandle, PeerStatus)>,
    next_place: usize,
}

impl Reporting {
    /// Goes on with the report if one is wanted, and leaves it where the asker looks once it is whole. Whether there
    /// is more to do.
    pub fn go_on<P: Port>(&mut self, worker: &Worker<P>) -> bool {
        if !worker.shared.is_asked() {
            self.under_way = None;
            return false;
        }
        let room = self.peers_before + PLACES_PER_TURN;
        let mut gathered = self
            .under_way
            .take()
            .unwrap_or_else(|| Gathered { peers: Vec::with_capacity(room), next_place: 0 });
        if gathered.add(worker) {
            self.under_way = Some(gathered);
            return true;
        }
        self.peers_before = gathered.peers.len();
        worker.shared.tell(whole(worker, gathered.peers));
        false
    }
}

impl Gathered {
    /// Adds the peers of the next places; whether there are more places.
    fn add<P: Port>(&mut self, worker: &Worker<P>) -> bool {
        let snapshot = worker.snapshots.last();
        let sessions = worker.body.state.sessions();
        let places = snapshot.tunnel.peers.get(self.next_place..).unwrap_or_default();
        let now = places.get(..PLACES_PER_TURN).unwrap_or(places);
        let statuses = now.iter().flatten();
        self.peers.extend(statuses.filter_map(|peer| Some((peer.id, sessions.status(peer.id)?))));
        self.next_place += now.len();
        now.len() < places.len()
    }
}

fn whole<P: Port>(worker: &Worker<P>, peers: Vec<(PeerHandle, PeerStatus)>) -> WorkerReport {
    let body = &worker.body;
    WorkerReport {
        census: body.census(),
        queues: body.devices.iter().map(|device| device.report()).collect(),
        lent: body.seat.lent() as u64,
        borrowed: body.seat.owed() as u64,
        handoffs: body.seat.report(),
        peers,
    }
}
