//! A queue whose faults can be changed while a worker owns it.

use std::cell::RefCell;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::sync::Arc;

use io::memory::MemoryPort;
use io::{Burst, Census, Faults, Faulty, FramePool, Kick, Port, PortStatistics, Umem};

/// A worker's queue.
pub(super) type Queue = Box<dyn Port>;

/// Changes the faults.
pub(super) type FaultHandle = Rc<RefCell<Faulty<MemoryPort>>>;

struct Shared(FaultHandle, Arc<Umem>);

/// `near` with faults that `seed` draws, and the handle that sets them; it works without fault until they are.
pub(super) fn faulty(
    near: MemoryPort,
    umem: &Arc<Umem>,
    frames: FramePool,
    seed: u64,
) -> (Queue, FaultHandle) {
    let faulty = Faulty::new(near, Faults::NONE, Faults::NONE, seed, frames);
    let shared = Rc::new(RefCell::new(faulty));
    (Box::new(Shared(Rc::clone(&shared), Arc::clone(umem))), shared)
}

impl Port for Shared {
    fn receive(&mut self, burst: &mut Burst) -> usize {
        self.0.borrow_mut().receive(burst)
    }
    fn transmit(&mut self, burst: &mut Burst) -> usize {
        self.0.borrow_mut().transmit(burst)
    }
    fn reap(&mut self, pool: &mut FramePool) -> usize {
        self.0.borrow_mut().reap(pool)
    }
    fn refill(&mut self, pool: &mut FramePool) -> usize {
        self.0.borrow_mut().refill(pool)
    }
    fn kick(&mut self) -> Kick {
        self.0.borrow_mut().kick()
    }
    fn umem(&self) -> &Arc<Umem> {
        &self.1
    }
    fn statistics(&self) -> PortStatistics {
        self.0.borrow().statistics()
    }
    fn census(&self) -> Census {
        self.0.borrow().census()
    }
    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
