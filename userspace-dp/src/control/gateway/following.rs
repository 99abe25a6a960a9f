//! Following the kernel: its reports become snapshots, and addresses become the steering program's.

use std::time::Duration;

use anyhow::{Context, Result};
use clock::Time;
use tracing::warn;

use super::super::netlink::Changes;
use super::super::problems::Matter;
use super::Gateway;

/// How long changes of the kernel's tables are gathered before a snapshot is made of them.
pub(super) const GATHER: Duration = Duration::from_millis(5);

impl Gateway {
    /// Reads the kernel's reports; after a short gathering time a new snapshot shows them.
    pub(super) fn follow_kernel(&mut self, now: Time) -> Result<()> {
        let changes =
            self.running.mirror.process().context("the kernel's tables cannot be followed")?;
        for &neighbour in self.running.mirror.answered() {
            self.keeper.answered(neighbour);
        }
        if changes.contains(Changes::OVERRUN) {
            warn!(
                "the kernel's reports came faster than they were read; all tables were read again"
            );
        }
        if !changes.is_empty() {
            self.gathered |= changes;
            self.gathering_since.get_or_insert(now);
        }
        if self.gathering_since.is_some_and(|since| now.since(since) >= GATHER) {
            self.gathering_since = None;
            let changes = std::mem::replace(&mut self.gathered, Changes::NONE);
            let tables = self.running.mirror.tables();
            if self.running.maker.take_kernel(tables, changes, &self.loaded.config)? {
                if changes.intersects(Changes::ADDRESSES | Changes::ROUTES) {
                    self.steer();
                }
                self.publish();
            }
            if changes.intersects(Changes::LINKS | Changes::ADDRESSES) {
                // The tunnel's device may have gone down, or come up bare. What is refused is shown as a problem.
                let _ = self.route_peers();
            }
        }
        Ok(())
    }

    /// Tells the steering program our addresses. It keeps the old ones when it does not take the new ones; that is
    /// tried again from time to time.
    pub(super) fn steer(&mut self) {
        let refused = self.running.steer(&self.loaded.config).err();
        let problem =
            refused.map(|error| format!("the steering program is out of date: {error:#}"));
        self.problems.note(Matter::Steering, problem);
    }

    /// Publishes a snapshot of the present parts.
    pub(in crate::control) fn publish(&mut self) {
        let snapshot = self.running.maker.make();
        self.running.publisher.publish(snapshot);
        // A worker that sleeps may hold packets that wait for what is new.
        for worker in &self.running.workers {
            worker.waker.wake();
        }
        let current = self.running.publisher.current();
        self.observer.renew(|view| view.snapshot = current);
    }
}
