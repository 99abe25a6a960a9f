//! Frames that wait: for a session with their peer, or for their next hop to answer.
//!
//! A slab of fixed size holds them in linked queues, one per peer or next hop, so that a burst for
//! one absent peer cannot take more than its share and nothing is allocated. A frame leaves by being taken;
//! the store never drops one by itself.

use clock::Time;
use io::Frame;

/// No node: the end of a queue.
const NIL: u32 = u32::MAX;

/// A frame and what its owner noted about it.
#[derive(Debug)]
pub struct HeldFrame<N> {
    /// The frame.
    pub frame: Frame,
    /// When it came in.
    pub arrived: Time,
    /// The owner's note.
    pub note: N,
}

/// A queue of held frames. It lives outside the store, which owns the frames.
#[derive(Debug)]
pub struct HeldQueue {
    head: u32,
    tail: u32,
    length: u32,
}

impl HeldQueue {
    /// A queue without frames.
    pub const EMPTY: Self = Self { head: NIL, tail: NIL, length: 0 };

    /// How many frames wait in it.
    pub const fn len(&self) -> usize {
        self.length as usize
    }

    /// Whether none waits.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// The store of all held frames of one worker.
#[derive(Debug)]
pub struct HeldFrames<N> {
    nodes: Box<[Node<N>]>,
    free: u32,
    held: u32,
}

#[derive(Debug)]
struct Node<N> {
    content: Option<HeldFrame<N>>,
    next: u32,
}

impl<N> HeldFrames<N> {
    /// A store for `capacity` frames.
    pub fn new(capacity: usize) -> Self {
        let capacity = u32::try_from(capacity).unwrap_or(NIL - 1).min(NIL - 1);
        let nodes = (1..=capacity)
            .map(|next| Node { content: None, next: if next == capacity { NIL } else { next } })
            .collect();
        Self { nodes, free: if capacity == 0 { NIL } else { 0 }, held: 0 }
    }

    /// How many frames wait in all queues together.
    pub const fn len(&self) -> usize {
        self.held as usize
    }

    /// Whether there is no room for another one.
    pub const fn is_full(&self) -> bool {
        self.free == NIL
    }

    /// Appends to `queue`; gives the frame back when the store is full.
    pub fn push(&mut self, queue: &mut HeldQueue, held: HeldFrame<N>) -> Result<(), HeldFrame<N>> {
        let index = self.free;
        let Some(node) = self.nodes.get_mut(index as usize) else { return Err(held) };
        self.free = node.next;
        *node = Node { content: Some(held), next: NIL };
        if let Some(tail) = self.nodes.get_mut(queue.tail as usize) {
            tail.next = index;
        } else {
            queue.head = index;
        }
        queue.tail = index;
        queue.length += 1;
        self.held += 1;
        Ok(())
    }

    /// Takes the oldest frame of `queue`.
    pub fn pop(&mut self, queue: &mut HeldQueue) -> Option<HeldFrame<N>> {
        let index = queue.head;
        let node = self.nodes.get_mut(index as usize)?;
        let content = node.content.take();
        queue.head = node.next;
        node.next = self.free;
        self.free = index;
        if queue.head == NIL {
            queue.tail = NIL;
        }
        queue.length -= 1;
        self.held -= 1;
        content
    }

    /// The oldest frame of `queue`.
    pub fn front(&self, queue: &HeldQueue) -> Option<&HeldFrame<N>> {
        self.nodes.get(queue.head as usize)?.content.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use io::{Umem, UmemConfig};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn queues_behave_like_queues_and_no_frame_is_lost(
            steps in proptest::collection::vec((0..3usize, any::<bool>()), 1..200)
        ) {
            let (_umem, mut pool) = Umem::new(UmemConfig::with_frames(8)).unwrap();
            let mut store = HeldFrames::new(6);
            let mut queues = [HeldQueue::EMPTY, HeldQueue::EMPTY, HeldQueue::EMPTY];
            let mut model = [const { VecDeque::new() }; 3];
            for (number, (which, push)) in steps.into_iter().enumerate() {
                if push {
                    let frame = pool.take().unwrap();
                    let held = HeldFrame { frame, arrived: Time::ZERO, note: number };
                    match store.push(&mut queues[which], held) {
                        Ok(()) => model[which].push_back(number),
                        Err(held) => {
                            prop_assert_eq!(store.len(), 6);
                            pool.put(held.frame);
                        }
                    }
                } else {
                    let got = store.pop(&mut queues[which]);
                    prop_assert_eq!(got.as_ref().map(|held| held.note), model[which].pop_front());
                    if let Some(held) = got {
                        pool.put(held.frame);
                    }
                }
                prop_assert_eq!(store.len(), model.iter().map(VecDeque::len).sum::<usize>());
                prop_assert_eq!(queues[which].len(), model[which].len());
            }
            for queue in &mut queues {
                while let Some(held) = store.pop(queue) {
                    pool.put(held.frame);
                }
            }
            prop_assert_eq!(pool.len(), 8);
        }
    }
}
