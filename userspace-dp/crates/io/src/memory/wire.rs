//! One direction of a cable: the kernel's part, played for what one end transmits.

use std::ptr::NonNull;
use std::sync::Arc;

use super::WhenFull;
use crate::frame::{Frame, Place};
use crate::ring::{Consumer, Descriptor, Producer};
use crate::umem::Umem;

/// The far ends of a port's rings.
pub(super) struct FarRings {
    pub fill: Consumer<u64>,
    pub completion: Producer<u64>,
    pub receive: Producer<Descriptor>,
    pub transmit: Consumer<Descriptor>,
}

impl FarRings {
    /// The halves that serve what the port sends and what it receives.
    pub fn split(self) -> (Sends, Receives) {
        let sends = Sends { transmit: self.transmit, completion: self.completion };
        (sends, Receives { fill: self.fill, receive: self.receive })
    }
}

#[derive(Debug)]
pub(super) struct Sends {
    transmit: Consumer<Descriptor>,
    completion: Producer<u64>,
}

#[derive(Debug)]
pub(super) struct Receives {
    fill: Consumer<u64>,
    receive: Producer<Descriptor>,
}

/// Carries packets from the rings of one port to those of another.
#[derive(Debug)]
pub(super) struct Wire {
    sends: Sends,
    receives: Receives,
    from: Arc<Umem>,
    to: Arc<Umem>,
    when_full: WhenFull,
}

/// What one run over the wire came to.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Packets that arrived.
    pub moved: u64,
    /// Packets dropped at the far end.
    pub dropped: u64,
    /// Whether packets are left that found no room.
    pub waiting: bool,
}

impl Wire {
    pub fn new(
        sends: Sends,
        receives: Receives,
        from: &Arc<Umem>,
        to: &Arc<Umem>,
        when_full: WhenFull,
    ) -> Self {
        Self { sends, receives, from: Arc::clone(from), to: Arc::clone(to), when_full }
    }

    /// Moves every packet that waits, as far as there is room.
    pub fn carry(&mut self) -> Carried {
        let mut carried = Carried::default();
        let waiting = self.sends.transmit.pending();
        let mut completion = self.sends.completion.reserve(waiting);
        let mut receive = self.receives.receive.reserve(waiting);
        let arriving = self.receives.fill.pending().min(receive.room()).min(completion.room());
        let leaving = match self.when_full {
            WhenFull::Wait => arriving.min(waiting),
            WhenFull::Drop => completion.room().min(waiting),
        };
        let mut fill = self.receives.fill.take(arriving.min(leaving));
        let room = self.to.frame_size() - usize::from(self.to.headroom());
        for entry in self.sends.transmit.take(leaving) {
            let sent = frame(&self.from, entry.address, entry.length);
            let fits = sent.len() <= room;
            let Some(empty) = fits.then(|| fill.next()).flatten() else {
                carried.dropped += 1;
                completion.push(sent.into_base());
                continue;
            };
            let (arrived, returned) = cross(sent, frame(&self.to, empty, 0), &self.to);
            let place = arrived.place();
            receive.push(Descriptor::from_words([place.address(), place.length()]));
            arrived.into_index();
            completion.push(returned.into_base());
            carried.moved += 1;
        }
        carried.waiting = leaving < waiting;
        carried
    }
}

/// The packet of `sent` in a frame of the far region, and the frame that goes back to the sender.
fn cross(sent: Frame, mut empty: Frame, to: &Umem) -> (Frame, Frame) {
    if sent.belongs_to(to) && sent.headroom() >= usize::from(to.headroom()) {
        return (sent, empty);
    }
    let copied = sent.copy_into(&mut empty);
    debug_assert_eq!(copied, Ok(()), "the length was checked");
    (empty, sent)
}

/// The frame that a ring entry names.
fn frame(umem: &Arc<Umem>, address: u64, length: u32) -> Frame {
    // SAFETY: entries of these rings are written by `Queue` and `Wire` only, from frames that they
    // own and give up, and with windows that lie inside them.
    unsafe { Frame::new(NonNull::from(&**umem), Place::new(address, u64::from(length))) }
}
