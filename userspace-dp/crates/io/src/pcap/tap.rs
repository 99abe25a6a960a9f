//! Records both directions of any port: what a failing test or simulation saw.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use super::{Direction, Recorder};
use crate::census::Census;
use crate::pool::FramePool;
use crate::port::{Burst, Kick, Port, PortStatistics};
use crate::umem::Umem;

/// `P` with a recorder beside it.
#[derive(Debug)]
pub struct Tap<P> {
    port: P,
    recorder: Recorder,
}

impl<P: Port> Tap<P> {
    /// Records everything that passes `port`.
    pub fn new(port: P, recorder: Recorder) -> Self {
        Self { port, recorder }
    }

    /// The port inside.
    pub fn inner(&mut self) -> &mut P {
        &mut self.port
    }

    /// Flushes the recording.
    ///
    /// # Errors
    /// The first error of the file.
    pub fn finish(&mut self) -> std::io::Result<()> {
        self.recorder.finish()
    }
}

impl<P: Port> Port for Tap<P> {
    fn receive(&mut self, burst: &mut Burst) -> usize {
        let count = self.port.receive(burst);
        let first = burst.len() - count;
        for frame in burst.iter().skip(first) {
            self.recorder.write(frame.data(), Direction::In);
        }
        count
    }

    /// Offers one packet at a time, to know which were taken, and stops at the first that was not.
    fn transmit(&mut self, burst: &mut Burst) -> usize {
        let mut left = Burst::new();
        let mut count = 0;
        for frame in burst.drain(..) {
            if left.iter().any(|refused| refused.belongs_to(self.port.umem())) {
                left.push(frame);
                continue;
            }
            let packet = frame.data().to_vec();
            let mut one = Burst::from_iter([frame]);
            if self.port.transmit(&mut one) == 1 {
                self.recorder.write(&packet, Direction::Out);
                count += 1;
            }
            left.extend(one);
        }
        *burst = left;
        count
    }

    fn reap(&mut self, pool: &mut FramePool) -> usize {
        self.port.reap(pool)
    }

    fn refill(&mut self, pool: &mut FramePool) -> usize {
        self.port.refill(pool)
    }

    fn kick(&mut self) -> Kick {
        self.port.kick()
    }

    fn busy_poll(&mut self) {
        self.port.busy_poll();
    }

    fn umem(&self) -> &Arc<Umem> {
        self.port.umem()
    }

    fn statistics(&self) -> PortStatistics {
        self.port.statistics()
    }

    fn census(&self) -> Census {
        self.port.census()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.port.as_fd()
    }
}
