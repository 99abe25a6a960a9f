//! The end of the gateway, in order and within bounds.

use std::sync::atomic::Ordering;
use std::time::Duration;

use clock::{Clock, Monotonic};
use tracing::warn;

use super::super::running::Running;
use super::Gateway;

/// How long workers may take to end.
const END_WITHIN: Duration = Duration::from_millis(1500);

impl Gateway {
    /// Ends the gateway: transit stops, the program goes, then the workers, then their sockets.
    pub(super) fn end(self) {
        let (patience, began) = (self.patience(), Monotonic.now());
        let Running { mut steering, held, tags, channels, workers, helpers, stop, .. } =
            self.running;
        if let Err(error) = steering.enable(false) {
            warn!(error = error.to_string(), "steering cannot be disabled");
        }
        drop(held);
        stop.store(true, Ordering::Relaxed);
        for worker in &workers {
            worker.shared.stop.store(true, Ordering::Relaxed);
            worker.waker.wake();
        }
        for helper in &helpers {
            helper.waker.wake();
        }
        let deadline = began + END_WITHIN;
        let silent: Vec<bool> = workers
            .iter()
            .map(|worker| began.since(worker.shared.last_beat()) >= patience)
            .collect();
        let all_done = || {
            // One that stood still before would never end: it goes with the process.
            workers
                .iter()
                .zip(&silent)
                .all(|(worker, &silent)| silent || worker.thread.is_finished())
                && helpers.iter().all(|helper| helper.thread.is_finished())
        };
        while !all_done() && Monotonic.now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        for worker in workers.into_iter().filter(|worker| worker.thread.is_finished()) {
            // What a dead worker had to say was said by the watch.
            drop(worker.thread.join());
        }
        // Some drivers reset their queues for it: not while a socket is bound to one.
        drop(tags);
        drop(channels);
    }
}
