//! The rings and wakers between the threads, before they are handed out.

use std::io;

use anyhow::{Context, Result};
use pipeline::ControlEvent;
use rtrb::{Consumer, RingBuffer};

use crate::runtime::handshake::WorkerLink;
use crate::runtime::mesh::{MeshSeat, mesh};
use crate::runtime::wake::{Sleeper, Waker, wake_pair};
use crate::runtime::worker::Mailboxes;

/// All of them.
pub(super) struct Wiring {
    /// Each worker's ends.
    pub seats: Vec<WorkerSeat>,
    /// The handshake thread's ends.
    pub links: Vec<WorkerLink>,
    /// Control's ends.
    pub events: Vec<Consumer<ControlEvent>>,
    /// The slow path's place in the mesh.
    pub slow_path_seat: MeshSeat,
    /// How control sleeps and is woken.
    pub control: (Sleeper, Waker),
    /// How the handshake thread does.
    pub handshake: (Sleeper, Waker),
    /// How the slow path does.
    pub slow_path: (Sleeper, Waker),
}

/// A worker's ends.
pub(super) struct WorkerSeat {
    /// How it sleeps.
    pub sleeper: Sleeper,
    /// How it is woken.
    pub waker: Waker,
    /// Its place in the mesh.
    pub mesh: MeshSeat,
    /// Its rings to control and to the handshake thread.
    pub mailboxes: Mailboxes,
}

impl Wiring {
    /// The wiring of a gateway with so many workers.
    pub(super) fn new(limits: &config::Limits, workers: usize) -> Result<Self> {
        let (control, handshake, slow_path) = (wake_pair()?, wake_pair()?, wake_pair()?);
        let pairs = (0..workers).map(|_| wake_pair()).collect::<io::Result<Vec<_>>>()?;
        let mut wakers: Vec<Waker> = pairs.iter().map(|(_, waker)| waker.clone()).collect();
        wakers.push(slow_path.1.clone());
        let mut members = mesh(&wakers, limits.handoff_ring as usize);
        let slow_path_seat = members.pop().context("a mesh without the slow path")?;
        let mut wiring = Self {
            seats: Vec::new(),
            links: Vec::new(),
            events: Vec::new(),
            slow_path_seat,
            control,
            handshake,
            slow_path,
        };
        for ((sleeper, waker), mesh) in pairs.into_iter().zip(members) {
            wiring.add_worker(limits, sleeper, waker, mesh);
        }
        Ok(wiring)
    }

    fn add_worker(
        &mut self,
        limits: &config::Limits,
        sleeper: Sleeper,
        waker: Waker,
        mesh: MeshSeat,
    ) {
        let (to_worker, commands) = RingBuffer::new(limits.command_ring as usize);
        let (handshakes, from_worker) = RingBuffer::new(limits.handshake_queue as usize);
        let (events, to_control) = RingBuffer::new(limits.event_ring as usize);
        let mailboxes = Mailboxes {
            commands,
            handshakes,
            handshake_waker: self.handshake.1.clone(),
            events,
            control_waker: self.control.1.clone(),
        };
        let link = WorkerLink { commands: to_worker, events: from_worker, waker: waker.clone() };
        self.seats.push(WorkerSeat { sleeper, waker, mesh, mailboxes });
        self.links.push(link);
        self.events.push(to_control);
    }
}
