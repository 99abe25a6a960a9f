//! A host at the end of a cable, for tests: packets as byte strings.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::census::Census;
use crate::frame::NoRoom;
use crate::pool::FramePool;
use crate::port::{Burst, Kick, Port, PortStatistics};

/// A port with a pool of its own. Every call allocates: never on a packet path.
#[derive(Debug)]
pub struct Station<P> {
    port: P,
    pool: FramePool,
    received: VecDeque<Vec<u8>>,
}

impl<P: Port> Station<P> {
    /// A host behind `port`, with the frames of `pool`; half of them at most wait for packets.
    pub fn new(mut port: P, mut pool: FramePool) -> Self {
        let mut receiving = pool.split(pool.len() / 2);
        port.refill(&mut receiving);
        pool.move_from(&mut receiving, usize::MAX);
        Self { port, pool, received: VecDeque::new() }
    }

    /// Sends `packet`; `false` when there is no frame or no room in the ring.
    ///
    /// # Errors
    /// [`NoRoom`] when the packet is longer than a frame.
    pub fn send(&mut self, packet: &[u8]) -> Result<bool, NoRoom> {
        self.port.reap(&mut self.pool);
        let Some(mut frame) = self.pool.take() else { return Ok(false) };
        if let Err(error) = frame.fill(packet) {
            self.pool.put(frame);
            return Err(error);
        }
        let mut burst = Burst::new();
        burst.push(frame);
        let sent = self.port.transmit(&mut burst) == 1;
        burst.drain(..).for_each(|frame| self.pool.put(frame));
        self.port.kick();
        Ok(sent)
    }

    /// The next packet that arrived.
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        self.poll();
        self.received.pop_front()
    }

    /// All packets that arrived.
    pub fn receive_all(&mut self) -> Vec<Vec<u8>> {
        self.poll();
        self.received.drain(..).collect()
    }

    /// Turns the port once: completions, packets, refill of as many frames, wake-up.
    pub fn poll(&mut self) -> Kick {
        self.port.reap(&mut self.pool);
        let mut burst = Burst::new();
        while self.port.receive(&mut burst) > 0 {
            let mut spent = FramePool::empty(self.port.umem());
            for frame in burst.drain(..) {
                self.received.push_back(frame.data().to_vec());
                spent.put(frame);
            }
            self.port.refill(&mut spent);
            self.pool.move_from(&mut spent, usize::MAX);
        }
        self.port.kick()
    }

    /// What passed the port.
    pub fn statistics(&self) -> PortStatistics {
        self.port.statistics()
    }

    /// The frames of port and pool.
    pub fn census(&self) -> Census {
        self.port.census() + self.pool.census()
    }

    /// The port, for what a station does not offer.
    pub fn port(&mut self) -> &mut P {
        &mut self.port
    }

    /// The pool, to give frames to other parts of a test.
    pub fn pool(&mut self) -> &mut FramePool {
        &mut self.pool
    }

    /// The region of this station's frames.
    pub fn umem(&self) -> &Arc<crate::Umem> {
        self.port.umem()
    }
}
