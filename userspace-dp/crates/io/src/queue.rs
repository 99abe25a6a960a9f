//! The four rings of one port and the frames in them.
//!
//! The AF_XDP and memory backends differ in who stands at the far ends of the rings; what happens
//! at this end is here, once. It turns frames into ring entries and back, checks what comes in and
//! keeps count, so that every frame it was given is accounted for at any time.

use std::mem;
use std::ptr::NonNull;
use std::sync::Arc;

use arrayvec::ArrayVec;

use crate::census::Census;
use crate::frame::Frame;
use crate::pool::FramePool;
use crate::port::{BURST, Burst, PortStatistics};
use crate::ring::{Consumer, Descriptor, Producer};
use crate::umem::Umem;

/// Our ends of a port's rings.
#[derive(Debug)]
pub(crate) struct Rings {
    pub fill: Producer<u64>,
    pub completion: Consumer<u64>,
    pub receive: Consumer<Descriptor>,
    pub transmit: Producer<Descriptor>,
}

/// The rings with the account of their frames. Dropping it retires the frames it owns.
#[derive(Debug)]
pub(crate) struct Queue {
    umem: Arc<Umem>,
    pub rings: Rings,
    /// Frames handed to the fill ring that did not come back by the receive ring.
    receiving: u32,
    /// Frames handed to the transmit ring that did not come back by the completion ring.
    transmitting: u32,
    /// Refused frames on their way back to the pool. Its capacity is the region's size.
    recycle: Vec<u32>,
    /// Inside a packet of several buffers.
    fragmented: bool,
    pub statistics: PortStatistics,
}

impl Queue {
    /// Rings that hold no frames yet.
    pub fn new(umem: &Arc<Umem>, rings: Rings) -> Self {
        Self {
            umem: Arc::clone(umem),
            rings,
            receiving: 0,
            transmitting: 0,
            recycle: Vec::with_capacity(umem.frames() as usize),
            fragmented: false,
            statistics: PortStatistics::default(),
        }
    }

    pub fn umem(&self) -> &Arc<Umem> {
        &self.umem
    }

    /// Frames queued for transmission that the other side has not given back.
    #[inline]
    pub fn transmitting(&self) -> u32 {
        self.transmitting
    }

    #[inline]
    pub fn receive(&mut self, burst: &mut Burst) -> usize {
        let umem = NonNull::from(&*self.umem);
        let frames = self.umem.frames();
        let shift = self.umem.frame_shift();
        let size = 1_u64 << shift;
        let before = burst.len();
        let mut bytes = 0;
        for entry in self.rings.receive.take(burst.remaining_capacity() as u32) {
            let index = entry.address >> shift;
            let start = entry.address & (size - 1);
            if index >= u64::from(frames) {
                // Names no frame: the one it should have named stays counted as the driver's.
                self.statistics.invalid += 1;
                continue;
            }
            self.receiving = self.receiving.saturating_sub(1);
            let continues = entry.options & libc::XDP_PKT_CONTD != 0;
            let fits = start + u64::from(entry.length) <= size;
            if continues || self.fragmented || !fits {
                self.statistics.invalid += u64::from(!fits);
                self.statistics.fragmented += u64::from(!continues && self.fragmented);
                self.fragmented = continues;
                self.recycle.push(index as u32);
                continue;
            }
            bytes += u64::from(entry.length);
            // SAFETY: the receive ring gave this frame back to us, index and window are checked.
            let frame =
                unsafe { Frame::new(umem, index as u32, start as u16, entry.length as u16) };
            // SAFETY: at most `remaining_capacity` entries were taken.
            unsafe { burst.push_unchecked(frame) };
        }
        let count = burst.len() - before;
        self.statistics.received += count as u64;
        self.statistics.received_bytes += bytes;
        count
    }

    #[inline]
    pub fn transmit(&mut self, burst: &mut Burst) -> usize {
        let umem = NonNull::from(&*self.umem);
        let mut foreign = ArrayVec::<Frame, BURST>::new();
        let mut writer = self.rings.transmit.reserve(burst.len() as u32);
        let (mut count, mut bytes) = (0_u32, 0);
        for frame in burst.drain(..writer.room() as usize) {
            if !frame.is_of(umem) {
                self.statistics.foreign += 1;
                foreign.push(frame);
            } else if frame.is_empty() {
                self.statistics.empty += 1;
                self.recycle.push(frame.into_index());
            } else {
                let length = u32::from(frame.length());
                writer.push(Descriptor { address: frame.address(), length, options: 0 });
                bytes += u64::from(length);
                count += 1;
                mem::forget(frame);
            }
        }
        drop(writer);
        if !foreign.is_empty() {
            foreign.extend(burst.drain(..));
            mem::swap(burst, &mut foreign);
        }
        self.transmitting += count;
        self.statistics.transmitted += u64::from(count);
        self.statistics.transmitted_bytes += bytes;
        count as usize
    }

    #[inline]
    pub fn reap(&mut self, pool: &mut FramePool) -> usize {
        if !Arc::ptr_eq(pool.umem(), &self.umem) {
            return 0;
        }
        let shift = self.umem.frame_shift();
        let frames = self.umem.frames();
        let mut count = 0;
        for address in self.rings.completion.take(self.transmitting) {
            let index = address >> shift;
            if index >= u64::from(frames) {
                self.statistics.invalid += 1;
                continue;
            }
            // SAFETY: the completion ring gave this frame back to us.
            unsafe { pool.put_index(index as u32) };
            count += 1;
        }
        self.transmitting -= count;
        self.statistics.completed += u64::from(count);
        for index in self.recycle.drain(..) {
            // SAFETY: `recycle` owns its frames.
            unsafe { pool.put_index(index) };
        }
        count as usize
    }

    #[inline]
    pub fn refill(&mut self, pool: &mut FramePool) -> usize {
        if !Arc::ptr_eq(pool.umem(), &self.umem) {
            return 0;
        }
        let shift = self.umem.frame_shift();
        let mut writer = self.rings.fill.reserve(pool.len() as u32);
        let count = writer.room();
        while writer.room() > 0
            && let Some(index) = pool.take_index()
        {
            writer.push(u64::from(index) << shift);
        }
        drop(writer);
        self.receiving += count;
        count as usize
    }

    /// Takes back all frames of rings that no packet reached, after their socket is closed.
    pub fn abandon(mut self, pool: &mut FramePool) {
        let shift = self.umem.frame_shift();
        let filled = mem::take(&mut self.receiving);
        for address in self.rings.fill.written(filled) {
            // SAFETY: `refill` took these frames from a pool, and nobody else has them.
            unsafe { pool.put_index((address >> shift) as u32) };
        }
    }

    pub fn census(&self) -> Census {
        let receive = self.rings.receive.pending().min(self.receiving);
        let fill = self.rings.fill.pending().min(self.receiving - receive);
        let completion = self.rings.completion.pending().min(self.transmitting);
        let transmit = self.rings.transmit.pending().min(self.transmitting - completion);
        Census {
            fill: u64::from(fill),
            receive: u64::from(receive),
            receive_driver: u64::from(self.receiving - receive - fill),
            transmit: u64::from(transmit),
            completion: u64::from(completion),
            transmit_driver: u64::from(self.transmitting - completion - transmit),
            recycle: self.recycle.len() as u64,
            ..Census::EMPTY
        }
    }

    /// Gives up all frames of the queue; how many there were. Someone else retires them.
    pub fn disown(&mut self) -> u32 {
        let owned = self.receiving + self.transmitting + self.recycle.len() as u32;
        (self.receiving, self.transmitting) = (0, 0);
        self.recycle.clear();
        owned
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let owned = self.disown();
        // SAFETY: the queue owned these frames, and its `Arc` keeps the region alive for the call.
        unsafe { Umem::retire(NonNull::from(&*self.umem), owned) };
    }
}
