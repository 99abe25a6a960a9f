//! What must add up: frames, and packets that were dropped or lost.

use io::Census;
use ringwall::runtime::mesh::MeshSeat;
use telemetry::Reason;

use super::World;

impl World {
    /// Every frame of the gateway is in exactly one place.
    pub fn audit(&self) {
        let members: Census = self.members.iter().map(|member| member.body.census()).sum();
        let seats = self.members.iter().map(|member| &member.body.seat);
        let in_mesh: usize =
            seats.map(MeshSeat::incoming).sum::<usize>() + self.slow_path.incoming();
        let all = self.umem.census()
            + members
            + self.slow_path_pool.census()
            + Census::held(in_mesh as u64);
        all.audit(&self.umem).expect("every frame is somewhere");
        assert_eq!(all.lost, 0);
        let owed: usize = self.members.iter().map(|member| member.body.seat.owed()).sum();
        let lent: usize = self.members.iter().map(|member| member.body.seat.lent()).sum();
        assert!(owed <= lent + self.slow_path.lent(), "nobody owes what nobody lent");
    }

    /// Packets that workers dropped, by reason.
    pub fn drops(&self) -> Vec<(Reason, u64)> {
        let of = |reason| {
            let workers = self.members.iter().map(|member| member.shared.counters.dropped(reason));
            workers.sum::<u64>() + self.handshake_counters.dropped(reason)
        };
        Reason::all().map(|reason| (reason, of(reason))).filter(|(_, count)| *count > 0).collect()
    }

    /// Packets that workers dropped.
    pub fn dropped(&self) -> u64 {
        self.drops().iter().map(|(_, count)| count).sum()
    }

    /// Packets handed from worker to worker.
    pub fn handed_over(&self) -> u64 {
        self.members.iter().map(|member| member.shared.counters.handed_over.read()).sum()
    }

    /// Packets that workers got from each other, and from the kernel.
    pub fn taken_over_and_injected(&self) -> (u64, u64) {
        let counters = || self.members.iter().map(|member| &member.shared.counters);
        let taken_over = counters().map(|counters| counters.taken_over.read()).sum();
        (taken_over, counters().map(|counters| counters.injected.read()).sum())
    }

    /// Packets that found no room at either end of a cable.
    pub fn lost_on_cables(&self) -> u64 {
        let devices = self.members.iter().flat_map(|member| &member.body.devices);
        let near: u64 = devices.map(|device| device.queue.statistics().fill_ring_empty).sum();
        near + self
            .stations
            .values()
            .map(|station| station.statistics().fill_ring_empty)
            .sum::<u64>()
    }

    /// Stops the gateway as the daemon does: everything goes back, and nothing is missing.
    pub fn end(mut self) {
        for member in &mut self.members {
            member.drain();
        }
        for member in &mut self.members {
            member.drain();
        }
        let pool = &mut self.slow_path_pool;
        self.slow_path.drain(|frame| pool.put(frame));
        for member in &mut self.members {
            member.drain();
        }
        self.audit();
        let held: u64 = self.members.iter().map(|member| member.body.census().held).sum();
        assert_eq!(held, 0, "nothing waits any more");
    }
}
