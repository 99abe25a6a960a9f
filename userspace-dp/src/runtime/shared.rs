//! What a worker shares with the threads around it.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use clock::Time;
use crossbeam_utils::CachePadded;
use io::{Census, PortStatistics};
use pipeline::PortId;
use telemetry::WorkerCounters;
use wireguard::{PeerHandle, PeerStatus};

/// Words and counters of one worker that others read.
#[derive(Debug)]
pub struct WorkerShared {
    /// Its counters.
    pub counters: CachePadded<WorkerCounters>,
    /// The time of its latest turn, for the watchdog.
    heartbeat: CachePadded<AtomicU64>,
    /// Set when the gateway ends.
    pub stop: AtomicBool,
    /// Set by the worker when it has given everything back.
    pub ended: AtomicBool,
    /// A question about the worker's insides, which it answers between turns.
    asked: AtomicBool,
    answer: Mutex<Option<WorkerReport>>,
    fault: AtomicU8,
}

/// What only the worker itself knows, gathered when somebody asks.
#[derive(Clone, Debug)]
pub struct WorkerReport {
    /// Where its frames are.
    pub census: Census,
    /// Its queues.
    pub queues: Vec<QueueReport>,
    /// Frames handed to others that have not come back.
    pub lent: u64,
    /// Frames of others in hand.
    pub borrowed: u64,
    /// Its side of the hand-off mesh, by number of the other member.
    pub handoffs: Vec<LinkReport>,
    /// The peers that it owns.
    pub peers: Vec<(PeerHandle, PeerStatus)>,
}

/// One queue of a device.
#[derive(Clone, Copy, Debug)]
pub struct QueueReport {
    /// The device.
    pub port: PortId,
    /// The queue's number there.
    pub queue: u32,
    /// What passed.
    pub statistics: PortStatistics,
    /// Where its frames are.
    pub census: Census,
}

/// What went from one member of the mesh to another.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkReport {
    /// Packets handed over.
    pub handed_over: u64,
    /// Packets refused because the ring was full.
    pub refused: u64,
    /// Packets in the ring.
    pub waiting: usize,
    /// Packets that the ring can hold.
    pub capacity: usize,
}

/// A fault that a test puts into a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// None.
    None,
    /// The thread ends at once.
    Kill,
    /// The thread stands still.
    Stop,
}

impl WorkerShared {
    /// Nothing counted so far.
    pub fn new(now: Time) -> Self {
        Self {
            counters: WorkerCounters::new(),
            heartbeat: CachePadded::new(AtomicU64::new(now.as_nanos())),
            stop: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            answer: Mutex::new(None),
            fault: AtomicU8::new(0),
        }
    }

    /// Notes that the worker made a turn at `now`.
    #[inline]
    pub fn beat(&self, now: Time) {
        self.heartbeat.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// When the worker last made a turn.
    pub fn last_beat(&self) -> Time {
        Time::from_nanos(self.heartbeat.load(Ordering::Relaxed))
    }

    /// Asks the worker for a report.
    pub fn ask(&self) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.asked.store(true, Ordering::Release);
    }

    /// Whether a report is wanted; the worker looks once a turn, and answers some turns later if it has many peers.
    #[inline]
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// Leaves the report. The lock is only ever taken here and by the one who asked.
    pub fn tell(&self, report: WorkerReport) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
        self.asked.store(false, Ordering::Release);
    }

    /// The report, once it is there.
    pub fn told(&self) -> Option<WorkerReport> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Puts a fault into the worker.
    pub fn set_fault(&self, fault: Fault) {
        let code = match fault {
            Fault::None => 0,
            Fault::Kill => 1,
            Fault::Stop => 2,
        };
        self.fault.store(code, Ordering::Relaxed);
    }

    /// The fault that was put in.
    #[inline]
    pub fn fault(&self) -> Fault {
        match self.fault.load(Ordering::Relaxed) {
            1 => Fault::Kill,
            2 => Fault::Stop,
            _ => Fault::None,
        }
    }
}
