//! The hand-off mesh: a bounded ring for every ordered pair of frame-owning threads.
//!
//! Whoever hands a frame over gets an empty one back through the return ring, so that pools never drain.
//! A receiver whose pool is empty, or whose return ring is full, owes the frame and pays on a later turn.
//! Members `0..workers` are the workers; the last is the slow path. Both rings are SPSC: one thread pushes,
//! one pops, nobody waits.

use io::{Frame, FramePool};
use pipeline::Ingress;
use rtrb::{Consumer, Producer, RingBuffer};

use super::shared::LinkReport;
use super::wake::Waker;

/// One member's side of the mesh.
pub struct MeshSeat {
    /// By the other member's number; `None` at our own.
    links: Vec<Option<Link>>,
    /// The member that comes first the next time.
    first: usize,
}

struct Link {
    forward: Producer<Ingress>,
    empties: Consumer<Frame>,
    arrivals: Consumer<Ingress>,
    repay: Producer<Frame>,
    owed: usize,
    lent: usize,
    handed_over: u64,
    refused: u64,
    touched: bool,
    waker: Waker,
}

/// Seats for `wakers.len()` members, with rings of `capacity` frames each way.
pub fn mesh(wakers: &[Waker], capacity: usize) -> Vec<MeshSeat> {
    let members = wakers.len();
    let seat = |_| MeshSeat { links: (0..members).map(|_| None).collect(), first: 0 };
    let mut seats: Vec<MeshSeat> = (0..members).map(seat).collect();
    for lower in 0..members {
        for upper in lower + 1..members {
            let (to_upper, from_lower) = RingBuffer::new(capacity);
            let (to_lower, from_upper) = RingBuffer::new(capacity);
            let (upper_repays, lower_empties) = RingBuffer::new(capacity);
            let (lower_repays, upper_empties) = RingBuffer::new(capacity);
            let lower_link =
                Link::new(to_upper, lower_empties, from_upper, lower_repays, &wakers[upper]);
            let upper_link =
                Link::new(to_lower, upper_empties, from_lower, upper_repays, &wakers[lower]);
            seats[lower].links[upper] = Some(lower_link);
            seats[upper].links[lower] = Some(upper_link);
        }
    }
    seats
}

impl Link {
    fn new(
        forward: Producer<Ingress>,
        empties: Consumer<Frame>,
        arrivals: Consumer<Ingress>,
        repay: Producer<Frame>,
        waker: &Waker,
    ) -> Self {
        Self {
            forward,
            empties,
            arrivals,
            repay,
            owed: 0,
            lent: 0,
            handed_over: 0,
            refused: 0,
            touched: false,
            waker: waker.clone(),
        }
    }
}

impl MeshSeat {
    /// Hands `packet` to `member`; gives it back when the ring is full, when there is no such member, or when the
    /// member has given its seat up: nobody would ever take the packet over.
    pub fn hand_over(&mut self, member: usize, packet: Ingress) -> Result<(), Ingress> {
        let Some(link) = self.links.get_mut(member).and_then(Option::as_mut) else {
            return Err(packet);
        };
        if link.forward.is_abandoned() {
            link.refused += 1;
            return Err(packet);
        }
        match link.forward.push(packet) {
            Ok(()) => {
                link.touched = true;
                link.lent += 1;
                link.handed_over += 1;
                Ok(())
            }
            Err(rtrb::PushError::Full(packet)) => {
                link.refused += 1;
                Err(packet)
            }
        }
    }

    /// Takes up to `room` packets that others handed over, oldest first within each link. Whoever has some gets a
    /// share of the room, and each member is the first to get one in its turn: who keeps its ring full delays the
    /// others and does not stop them.
    pub fn take_over(&mut self, room: usize, mut take: impl FnMut(Ingress)) -> usize {
        self.take_over_with_member(room, |_, packet| take(packet))
    }

    /// The same; `take` is told who handed the packet over.
    pub fn take_over_with_member(
        &mut self,
        room: usize,
        mut take: impl FnMut(usize, Ingress),
    ) -> usize {
        let busy = self.links.iter().flatten().filter(|link| !link.arrivals.is_empty()).count();
        if busy == 0 {
            return 0;
        }
        let mut taken = 0;
        // What some leave of their shares is for whoever has more.
        for share in [(room / busy).max(1), room] {
            for (member, link) in in_turn(&mut self.links, self.first) {
                for _ in 0..share.min(room - taken) {
                    let Ok(packet) = link.arrivals.pop() else { break };
                    link.owed += 1;
                    taken += 1;
                    take(member, packet);
                }
            }
        }
        self.first = (self.first + 1) % self.links.len();
        taken
    }

    /// Collects the empties that came back, and pays what is owed as far as the pool and the rings allow.
    pub fn settle(&mut self, pool: &mut FramePool) {
        for link in self.links.iter_mut().flatten() {
            while let Ok(frame) = link.empties.pop() {
                link.lent -= 1;
                pool.put(frame);
            }
        }
        for (_, link) in in_turn(&mut self.links, self.first) {
            while link.owed > 0 && !link.repay.is_full() {
                let Some(frame) = pool.take() else { return };
                match link.repay.push(frame) {
                    Ok(()) => link.owed -= 1,
                    Err(rtrb::PushError::Full(frame)) => {
                        pool.put(frame);
                        break;
                    }
                }
            }
        }
    }

    /// Wakes the members that were handed something since the last call.
    pub fn wake_touched(&mut self) {
        for link in self.links.iter_mut().flatten() {
            if core::mem::take(&mut link.touched) {
                link.waker.wake();
            }
        }
    }

    /// Whether a packet waits to be taken over.
    pub fn has_arrivals(&self) -> bool {
        self.links.iter().flatten().any(|link| !link.arrivals.is_empty())
    }

    /// Frames that this member owes to others.
    pub fn owed(&self) -> usize {
        self.links.iter().flatten().map(|link| link.owed).sum()
    }

    /// Frames handed to others that have not come back.
    pub fn lent(&self) -> usize {
        self.links.iter().flatten().map(|link| link.lent).sum()
    }

    /// What went to each other member, by its number.
    pub fn report(&self) -> Vec<LinkReport> {
        let report = |link: &Link| LinkReport {
            handed_over: link.handed_over,
            refused: link.refused,
            waiting: link.forward.buffer().capacity() - link.forward.slots(),
            capacity: link.forward.buffer().capacity(),
        };
        self.links.iter().map(|link| link.as_ref().map(report).unwrap_or_default()).collect()
    }

    /// Frames in the rings towards this member, packets and empties: its share of what is in the mesh.
    pub fn incoming(&self) -> usize {
        self.links.iter().flatten().map(|link| link.arrivals.slots() + link.empties.slots()).sum()
    }

    /// Takes everything out of the incoming rings, for the end: packets and empties alike.
    pub fn drain(&mut self, mut retire: impl FnMut(Frame)) {
        for link in self.links.iter_mut().flatten() {
            while let Ok(packet) = link.arrivals.pop() {
                retire(packet.frame);
            }
            while let Ok(frame) = link.empties.pop() {
                retire(frame);
            }
        }
    }
}

/// The links with their members, `first` and those behind it before the others.
fn in_turn(links: &mut [Option<Link>], first: usize) -> impl Iterator<Item = (usize, &mut Link)> {
    let (before, rest) = links.split_at_mut(first.min(links.len()));
    let rest = (first..).zip(rest);
    rest.chain((0..).zip(before)).filter_map(|(member, link)| Some((member, link.as_mut()?)))
}
