//! `show drops`: every reason, zero rows included.

use telemetry::Reason;

use super::taken_at;
use crate::api::{Drop, Drops};
use crate::control::observer::Observer;

pub(super) fn drops(observer: &Observer) -> Drops {
    let row = |reason: Reason| Drop {
        stage: reason.stage().name().into(),
        reason: reason.name().into(),
        severity: reason.severity().name().into(),
        count: dropped(observer, reason),
        help: reason.help().into(),
    };
    Drops { taken_at_unix: taken_at(), drops: Reason::all().map(row).collect() }
}

/// Packets dropped for `reason` by all threads.
pub(crate) fn dropped(observer: &Observer, reason: Reason) -> u64 {
    let workers: u64 =
        observer.workers.iter().map(|worker| worker.shared.counters.dropped(reason)).sum();
    workers + observer.slow_path.dropped(reason) + observer.handshakes.dropped(reason)
}
