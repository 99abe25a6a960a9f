//! What must live, and what should work: the watch over threads, and the problems that `status` shows.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use clock::Time;

use super::super::kernel_forwarding::{self, SETTINGS};
use super::super::problems::{self, Matter};
use super::Gateway;

/// How often it is looked for what the kernel does not report by itself.
const LOOK_EVERY: Duration = Duration::from_secs(10);

impl Gateway {
    /// What does not work and will not show elsewhere, one line each.
    pub(super) fn problem_lines(&self) -> Vec<String> {
        let names = self.resolver.unresolved();
        let names = names.map(|name| format!("the endpoint {name} does not resolve"));
        names.chain(self.problems.lines()).collect()
    }

    /// How long a worker may be silent. Less than the steering program bears, so that both act within the same second.
    pub(super) fn patience(&self) -> Duration {
        self.observer.heartbeat_timeout * 3 / 4
    }

    /// Makes sure that every thread lives.
    pub(super) fn judge(&self, now: Time) -> Result<()> {
        let patience = self.patience();
        for (number, worker) in self.running.workers.iter().enumerate() {
            if worker.thread.is_finished() {
                bail!("worker {number} has died");
            }
            let silent = self.watch.silence(worker.shared.last_beat(), now);
            if silent >= patience {
                bail!("worker {number} has been silent for {} ms", silent.as_millis());
            }
        }
        for helper in &self.running.helpers {
            if helper.thread.is_finished() {
                bail!("the thread {} has died", helper.name);
            }
        }
        Ok(())
    }

    /// Tries again what was refused, and looks for what the gateway cannot serve.
    pub(super) fn look_for_problems(&mut self, now: Time) {
        if self.problems.has(Matter::Steering) {
            self.steer();
        }
        if self.problems.has(Matter::TunnelRoutes) {
            // What is refused again remains the problem that it is.
            let _ = self.route_peers();
        }
        let left_out = problems::of_routes(self.running.maker.routes_report());
        self.problems.note(Matter::UnsupportedRoutes, left_out);
        if now.since(self.looked_at) < LOOK_EVERY {
            return;
        }
        self.looked_at = now;
        // Somebody may have removed a route, or added one that is not made automatically.
        let _ = self.route_peers();
        let refused = self.keeper.refused();
        let turned_away = problems::of_neighbours(self.refused_before, refused);
        self.problems.note(Matter::Neighbours, turned_away);
        self.refused_before = refused;
        let rules = self.running.mirror.routing_rules();
        let ignored = rules.map_or_else(
            |error| Some(format!("routing rules cannot be read: {error}")),
            problems::of_routing_rules,
        );
        self.problems.note(Matter::RoutingRules, ignored);
        let stripped = self.running.tags.look();
        self.problems.note(Matter::VlanTags, stripped);
        let devices = self.running.held.iter().map(|held| held.found.name.as_str());
        let forwards = kernel_forwarding::look(Path::new(SETTINGS), devices);
        self.problems.note(Matter::KernelForwarding, forwards);
    }
}
