//! Next hops: what workers miss and use is looked after by asking the kernel.

use clock::Time;
use pipeline::ControlEvent;
use tracing::warn;

use super::Gateway;

/// Events of one worker taken in one turn, so that a flood of them leaves time for everything else.
const EVENTS_PER_TURN: usize = 256;

impl Gateway {
    pub(super) fn take_events(&mut self, now: Time) {
        let numbers = self.running.maker.numbers();
        let ifindex =
            |interface| numbers.iter().find(|(_, id)| **id == interface).map(|(index, _)| *index);
        for events in &mut self.running.events {
            // What is left keeps the loop from waiting, so it comes back at once.
            for event in up_to(EVENTS_PER_TURN, events) {
                match event {
                    ControlEvent::NeighbourMissing(interface, address)
                    | ControlEvent::NeighbourUsed(interface, address) => {
                        if let Some(ifindex) = ifindex(interface) {
                            // A full table is counted by the keeper and shown with the neighbours.
                            let _ = self.keeper.used((ifindex, address), now);
                            self.keep_at = now;
                        }
                    }
                    // The membership host that reads them is not part of this build; the count remains.
                    ControlEvent::ApplicationMessage(_) => {}
                }
            }
        }
    }

    pub(super) fn keep_neighbours(&mut self, now: Time) {
        if now < self.keep_at {
            return;
        }
        let mut asks = Vec::new();
        let tables = self.running.mirror.tables();
        let state = |(ifindex, address)| {
            tables.neighbour(ifindex, address).map(|neighbour| neighbour.state)
        };
        self.keep_at = self.keeper.poll(now, state, &mut asks);
        for (ifindex, address) in asks {
            if let Err(error) = self.running.kernel.ask_neighbour(ifindex, address)
                && let Some(count) = self.failed_asks.note(now)
            {
                let error = error.to_string();
                warn!(%address, error, count, "the kernel does not look for neighbours");
            }
        }
    }
}

/// Takes what waits in `ring`, but no more than `most`.
fn up_to<T>(most: usize, ring: &mut rtrb::Consumer<T>) -> impl Iterator<Item = T> {
    std::iter::from_fn(|| ring.pop().ok()).take(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_takes_a_bounded_number_of_events_and_leaves_the_others_in_order() {
        let (mut workers_end, mut ring) = rtrb::RingBuffer::new(1024);
        for number in 0..700 {
            workers_end.push(number).unwrap();
        }
        let turn = |ring: &mut _| up_to(EVENTS_PER_TURN, ring).collect::<Vec<u32>>();
        assert_eq!(turn(&mut ring), (0..256).collect::<Vec<_>>());
        assert!(!ring.is_empty(), "so that the loop does not wait");
        assert_eq!(turn(&mut ring), (256..512).collect::<Vec<_>>());
        assert_eq!(turn(&mut ring), (512..700).collect::<Vec<_>>());
        assert!(turn(&mut ring).is_empty());
    }
}
