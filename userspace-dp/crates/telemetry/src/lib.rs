//! What the gateway tells about itself: why packets were dropped, how many passed, how long they took.
//!
//! Workers write, control reads. Each counter has one writer, so a bump is a plain load and store
//! ([`Counter`]); a scrape never disturbs a worker. [`Reason`] is the one table of drops: the enum, the
//! documentation page and the Prometheus help all come from it. This crate knows no protocol: it
//! counts what it is told.
#![forbid(unsafe_code)]

mod counter;
mod histogram;
mod reason;
mod stage;
mod worker;

pub use counter::{Counter, Gauge};
pub use histogram::Histogram;
pub use reason::{Reason, Severity};
pub use stage::Stage;
pub use worker::{StageCounters, WorkerCounters};
