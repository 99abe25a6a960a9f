//! A port with faults: drops, duplicates, reorders, corrupts, stalls, and claims to be full.
//!
//! Wraps any [`Port`], so that tests and simulations put it between the gateway and its cable. All
//! choices come from one seed, so a run repeats exactly; print the seed when a test fails.

mod random;

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::census::Census;
use crate::frame::Frame;
use crate::pool::FramePool;
use crate::port::{BURST, Burst, Kick, Port, PortStatistics};
use crate::umem::Umem;
use random::Random;

/// A probability in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartsPerMillion(pub u32);

impl PartsPerMillion {
    /// It never happens.
    pub const NEVER: Self = Self(0);
    /// It happens every time.
    pub const ALWAYS: Self = Self(1_000_000);
}

/// How often each fault befalls one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// A packet vanishes.
    pub drop: PartsPerMillion,
    /// A packet comes twice.
    pub duplicate: PartsPerMillion,
    /// A packet is held back behind those that follow it in the same and the next call.
    pub reorder: PartsPerMillion,
    /// One bit of a packet flips.
    pub corrupt: PartsPerMillion,
    /// Per call: nothing passes in this and up to 15 further calls. For transmit that is a full
    /// ring, for receive a link that is quiet.
    pub stall: PartsPerMillion,
}

impl Faults {
    /// No faults.
    pub const NONE: Self = Self {
        drop: PartsPerMillion::NEVER,
        duplicate: PartsPerMillion::NEVER,
        reorder: PartsPerMillion::NEVER,
        corrupt: PartsPerMillion::NEVER,
        stall: PartsPerMillion::NEVER,
    };
}

/// The longest stall, in calls.
const LONGEST_STALL: u64 = 16;

/// `P` with faults.
#[derive(Debug)]
pub struct Faulty<P> {
    port: P,
    random: Random,
    receiving: Path,
    transmitting: Path,
    /// Frames for duplicates, and those of dropped packets until the next `reap`.
    spare: FramePool,
    /// How many spare frames to keep.
    reserve: usize,
}

/// One direction.
#[derive(Debug)]
struct Path {
    faults: Faults,
    /// Packets past the faults, in the order in which they go on.
    ready: VecDeque<Frame>,
    /// Packets held back.
    late: VecDeque<Frame>,
    stalled_calls: u64,
}

impl<P: Port> Faulty<P> {
    /// `port` with faults in both directions. `spare`, a pool of the port's region, feeds the
    /// duplicates; when it is empty nothing is duplicated.
    pub fn new(port: P, receive: Faults, transmit: Faults, seed: u64, spare: FramePool) -> Self {
        let reserve = spare.len();
        Self {
            port,
            random: Random::from_seed(seed),
            receiving: Path::new(receive),
            transmitting: Path::new(transmit),
            spare,
            reserve,
        }
    }

    /// Changes the faults: a test lets a storm pass and then checks that everything recovers.
    pub fn set_faults(&mut self, receive: Faults, transmit: Faults) {
        self.receiving.faults = receive;
        self.transmitting.faults = transmit;
    }

    /// The port inside.
    pub fn inner(&mut self) -> &mut P {
        &mut self.port
    }

    /// Hands what is ready for transmission to the port.
    fn flush(&mut self) {
        let mut burst = Burst::new();
        while !self.transmitting.ready.is_empty() {
            self.transmitting.emit(&mut burst);
            let sent = self.port.transmit(&mut burst);
            self.transmitting.put_back(&mut burst);
            if sent == 0 {
                break;
            }
        }
    }
}

impl Path {
    fn new(faults: Faults) -> Self {
        Self { faults, ready: VecDeque::new(), late: VecDeque::new(), stalled_calls: 0 }
    }

    fn stalls(&mut self, random: &mut Random) -> bool {
        if self.stalled_calls > 0 {
            self.stalled_calls -= 1;
            return true;
        }
        if random.happens(self.faults.stall) {
            self.stalled_calls = random.below(LONGEST_STALL);
            return true;
        }
        false
    }

    /// Passes `packets` through the faults.
    fn admit(&mut self, packets: &mut Burst, random: &mut Random, spare: &mut FramePool) {
        let overdue = self.late.len();
        for mut frame in packets.drain(..) {
            if random.happens(self.faults.drop) {
                spare.put(frame);
                continue;
            }
            if random.happens(self.faults.corrupt) && !frame.is_empty() {
                let at = random.below(frame.len() as u64 * 8) as usize;
                if let Some(byte) = frame.data_mut().get_mut(at / 8) {
                    *byte ^= 1 << (at % 8);
                }
            }
            if random.happens(self.faults.duplicate)
                && let Some(mut twin) = spare.take()
            {
                match frame.copy_into(&mut twin) {
                    Ok(()) => self.ready.push_back(twin),
                    Err(_) => spare.put(twin),
                }
            }
            if random.happens(self.faults.reorder) {
                self.late.push_back(frame);
            } else {
                self.ready.push_back(frame);
            }
        }
        self.ready.extend(self.late.drain(..overdue));
    }

    /// Moves what is ready into `burst`, as far as it fits.
    fn emit(&mut self, burst: &mut Burst) -> usize {
        let count = self.ready.len().min(burst.remaining_capacity());
        burst.extend(self.ready.drain(..count));
        count
    }

    fn put_back(&mut self, burst: &mut Burst) {
        for frame in burst.drain(..).rev() {
            self.ready.push_front(frame);
        }
    }

    fn frames(&self) -> u64 {
        (self.ready.len() + self.late.len()) as u64
    }
}

impl<P: Port> Port for Faulty<P> {
    fn receive(&mut self, burst: &mut Burst) -> usize {
        if self.receiving.stalls(&mut self.random) {
            return 0;
        }
        let mut arrived = Burst::new();
        self.port.receive(&mut arrived);
        self.receiving.admit(&mut arrived, &mut self.random, &mut self.spare);
        self.receiving.emit(burst)
    }

    fn transmit(&mut self, burst: &mut Burst) -> usize {
        if self.transmitting.stalls(&mut self.random) || self.transmitting.ready.len() >= BURST {
            return 0;
        }
        let umem = Arc::clone(self.port.umem());
        let (mut ours, mut foreign) = (Burst::new(), Burst::new());
        for frame in burst.drain(..) {
            if frame.belongs_to(&umem) { ours.push(frame) } else { foreign.push(frame) }
        }
        *burst = foreign;
        let count = ours.len();
        self.transmitting.admit(&mut ours, &mut self.random, &mut self.spare);
        self.flush();
        count
    }

    fn reap(&mut self, pool: &mut FramePool) -> usize {
        let reaped = self.port.reap(pool);
        let surplus = self.spare.len().saturating_sub(self.reserve);
        let missing = self.reserve.saturating_sub(self.spare.len());
        // Dropped packets' frames go back; those that went out as duplicates are replaced.
        let returned = pool.move_from(&mut self.spare, surplus);
        self.spare.move_from(pool, missing);
        reaped + returned
    }

    fn refill(&mut self, pool: &mut FramePool) -> usize {
        self.port.refill(pool)
    }

    fn kick(&mut self) -> Kick {
        let overdue = self.transmitting.late.len();
        self.transmitting.ready.extend(self.transmitting.late.drain(..overdue));
        self.flush();
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
        let recycle =
            self.receiving.frames() + self.transmitting.frames() + self.spare.len() as u64;
        self.port.census() + Census { recycle, ..Census::EMPTY }
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.port.as_fd()
    }
}

impl<P> Drop for Faulty<P> {
    fn drop(&mut self) {
        for path in [&mut self.receiving, &mut self.transmitting] {
            path.ready.drain(..).chain(path.late.drain(..)).for_each(|frame| self.spare.put(frame));
        }
    }
}

#[cfg(test)]
mod tests;
