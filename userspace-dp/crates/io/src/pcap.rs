//! Captures as ports: replay a file into the pipeline, record what comes out.
//!
//! A tool for tests and for reproducing what an operator saw, not for a packet path: recording
//! writes to a file inside `transmit`. Reads classic pcap and pcapng, writes pcapng; Ethernet only.
//! See draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.

mod reader;
mod tap;
mod writer;

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::census::Census;
use crate::pool::FramePool;
use crate::port::{Burst, Kick, Port, PortStatistics};
use crate::umem::Umem;

pub use reader::{Capture, CaptureError, Packet};
pub use tap::Tap;
pub use writer::{Direction, Recorder};

/// A port whose far end is a pair of files.
#[derive(Debug)]
pub struct PcapPort {
    umem: Arc<Umem>,
    replay: Capture,
    /// The next packet to replay.
    next: usize,
    record: Option<Recorder>,
    /// Frames for packets to come.
    filled: FramePool,
    /// Frames of packets written.
    sent: FramePool,
    statistics: PortStatistics,
}

impl PcapPort {
    /// Replays `replay`, as fast as packets are received, and records to `record` what is
    /// transmitted.
    pub fn new(umem: &Arc<Umem>, replay: Capture, record: Option<Recorder>) -> Self {
        Self {
            umem: Arc::clone(umem),
            replay,
            next: 0,
            record,
            filled: FramePool::empty(umem),
            sent: FramePool::empty(umem),
            statistics: PortStatistics::default(),
        }
    }

    /// Packets of the capture that are still to come.
    pub fn remaining(&self) -> usize {
        self.replay.len() - self.next
    }

    /// Ends the recording; what of it failed, if anything did.
    ///
    /// # Errors
    /// The first error of the file.
    pub fn finish(&mut self) -> std::io::Result<()> {
        self.record.as_mut().map_or(Ok(()), Recorder::finish)
    }
}

impl Port for PcapPort {
    fn receive(&mut self, burst: &mut Burst) -> usize {
        let before = burst.len();
        while !burst.is_full()
            && let Some(packet) = self.replay.packet(self.next)
            && let Some(mut frame) = self.filled.take()
        {
            self.next += 1;
            // What the capture cut short is not what was on the wire.
            if packet.data.len() < packet.original_length || frame.fill(packet.data).is_err() {
                self.statistics.receive_dropped += 1;
                self.filled.put(frame);
                continue;
            }
            self.statistics.received += 1;
            self.statistics.received_bytes += packet.data.len() as u64;
            burst.push(frame);
        }
        burst.len() - before
    }

    fn transmit(&mut self, burst: &mut Burst) -> usize {
        let mut foreign = Burst::new();
        let mut count = 0;
        for frame in burst.drain(..) {
            if !frame.belongs_to(&self.umem) {
                self.statistics.foreign += 1;
                foreign.push(frame);
                continue;
            }
            if frame.is_empty() {
                self.statistics.empty += 1;
            } else {
                if let Some(record) = &mut self.record {
                    record.write(frame.data(), Direction::Out);
                }
                count += 1;
                self.statistics.transmitted_bytes += frame.len() as u64;
            }
            self.sent.put(frame);
        }
        self.statistics.transmitted += count as u64;
        *burst = foreign;
        count
    }

    fn reap(&mut self, pool: &mut FramePool) -> usize {
        let count = pool.move_from(&mut self.sent, usize::MAX);
        self.statistics.completed = self.statistics.transmitted;
        count
    }

    fn refill(&mut self, pool: &mut FramePool) -> usize {
        // As many as one burst takes: a file has no use for more.
        let wanted = crate::port::BURST.saturating_sub(self.filled.len());
        self.filled.move_from(pool, wanted)
    }

    fn kick(&mut self) -> Kick {
        Kick::NotNeeded
    }

    fn umem(&self) -> &Arc<Umem> {
        &self.umem
    }

    fn statistics(&self) -> PortStatistics {
        self.statistics
    }

    fn census(&self) -> Census {
        let fill = self.filled.len() as u64;
        Census { fill, completion: self.sent.len() as u64, ..Census::EMPTY }
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

#[cfg(test)]
mod tests;
