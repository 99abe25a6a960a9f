//! The four rings of one port and the frames in them.
//!
//! The AF_XDP and memory backends differ in who stands at the far ends of the rings; what happens
//! at this end is here, once. It turns frames into ring entries and back, checks what comes in and
//! keeps count, so that every frame it was given is accounted for at any time.

mod burst;

use std::mem::{self, MaybeUninit};
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;

use arrayvec::ArrayVec;

use crate::census::Census;
use crate::frame::{Frame, Place};
use crate::pool::FramePool;
use crate::port::{BURST, Burst, PortStatistics};
use crate::ring::{Consumer, Descriptor, Producer};
use crate::umem::Umem;
use burst::{Received, Sent, is_plain};

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
    /// Size of the region: where addresses end.
    end: u64,
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
            end: umem.size(),
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
        let before = burst.len();
        let entries = self.rings.receive.take(burst.remaining_capacity() as u32);
        let (first, second) = entries.runs();
        let count = first.len() + second.len();
        // SAFETY: so many slots follow the frames of the burst: `remaining_capacity` is no less.
        let slots = unsafe {
            let end = burst.as_mut_ptr().add(before).cast::<MaybeUninit<Frame>>();
            slice::from_raw_parts_mut(end, count)
        };
        let (first_slots, second_slots) = slots.split_at_mut(first.len());
        let mut sums = Received::default();
        sums.convert(first, first_slots, umem);
        sums.convert(second, second_slots, umem);
        let size = self.umem.frame_size() as u64;
        let mut all = first.iter().chain(second);
        let plain =
            sums.surely_plain(self.end, size) || all.all(|entry| is_plain(entry, self.end, size));
        if self.fragmented || !plain {
            drop(entries);
            return self.receive_doubtful(burst);
        }
        entries.finish();
        // SAFETY: the slots were just written, and without doubt: the receive ring gave these frames
        // back to us, and each packet lies inside of its frame.
        unsafe { burst.set_len(before + count) };
        self.receiving = self.receiving.saturating_sub(count as u32);
        self.statistics.received += count as u64;
        self.statistics.received_bytes += sums.bytes;
        count
    }

    /// As `receive`, one by one, among entries that may become no packet: broken ones, and packets
    /// of several buffers.
    #[cold]
    fn receive_doubtful(&mut self, burst: &mut Burst) -> usize {
        let umem = NonNull::from(&*self.umem);
        let shift = self.umem.frame_shift();
        let mut count = 0;
        while !burst.is_full()
            && let Some(entry) = self.rings.receive.take(1).next()
        {
            if entry.address >= self.end {
                // Names no frame: the one it should have named stays counted as the driver's.
                self.statistics.invalid += 1;
                continue;
            }
            self.receiving = self.receiving.saturating_sub(1);
            let size = 1 << shift;
            let start = entry.address & (size - 1);
            let fits = start + u64::from(entry.length) <= size;
            let continues = entry.options & libc::XDP_PKT_CONTD != 0;
            if fits && !continues && !self.fragmented {
                self.statistics.received += 1;
                self.statistics.received_bytes += u64::from(entry.length);
                let place = Place::new(entry.address, u64::from(entry.length));
                // SAFETY: the receive ring gave this frame back to us, and the packet lies inside.
                burst.push(unsafe { Frame::new(umem, place) });
                count += 1;
                continue;
            }
            self.statistics.fragmented += u64::from(self.fragmented && !continues);
            self.statistics.invalid += u64::from(!fits);
            self.fragmented = continues;
            self.recycle.push((entry.address >> shift) as u32);
        }
        count
    }

    #[inline]
    pub fn transmit(&mut self, burst: &mut Burst) -> usize {
        let umem = NonNull::from(&*self.umem);
        let mut writer = self.rings.transmit.reserve(burst.len() as u32);
        let count = writer.room();
        let (first, second) = writer.runs();
        let (first_frames, second_frames) = burst.split_at(first.len());
        let mut sums = Sent::NOTHING;
        sums.convert(first_frames, first);
        sums.convert(second_frames, second);
        if count > 0 && !sums.all_plain(umem) {
            drop(writer);
            return self.transmit_doubtful(burst);
        }
        writer.fill(count);
        drop(writer);
        // The ring owns them.
        forget_front(burst, count as usize);
        self.transmitting += count;
        self.statistics.transmitted += u64::from(count);
        self.statistics.transmitted_bytes += sums.bytes;
        count as usize
    }

    /// As `transmit`, one by one, among frames that cannot be sent: foreign ones stay in the burst,
    /// empty ones are recycled.
    #[cold]
    fn transmit_doubtful(&mut self, burst: &mut Burst) -> usize {
        let mut left = ArrayVec::<Frame, BURST>::new();
        let mut writer = self.rings.transmit.reserve(burst.len() as u32);
        let mut count = 0;
        for frame in burst.drain(..) {
            let place = frame.place();
            let (address, length) = (place.address(), place.length());
            if !frame.belongs_to(&self.umem) {
                self.statistics.foreign += 1;
                left.push(frame);
            } else if frame.is_empty() {
                self.statistics.empty += 1;
                self.recycle.push(frame.into_index());
            } else if writer.push(Descriptor::from_words([address, length])) {
                self.statistics.transmitted_bytes += length;
                count += 1;
                mem::forget(frame);
            } else {
                left.push(frame);
            }
        }
        drop(writer);
        mem::swap(burst, &mut left);
        self.transmitting += count;
        self.statistics.transmitted += u64::from(count);
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

/// Removes the first `count` frames of `burst`, at most all, without dropping them.
#[inline]
fn forget_front(burst: &mut Burst, count: usize) {
    let left = burst.len() - count;
    // SAFETY: the last `left` of the frames move to the front, none is there twice, and all are
    // below the length set at the end.
    unsafe {
        burst.set_len(0);
        if left > 0 {
            let first = burst.as_mut_ptr();
            first.copy_from(first.add(count), left);
            burst.set_len(left);
        }
    }
}
