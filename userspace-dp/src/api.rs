//! The control socket's language: what a client asks and what the daemon answers.
//!
//! One connection carries one request, a line of JSON, and one reply, a line of JSON:
//!
//! ```text
//! {"v":1,"verb":"show","what":"peers"}
//! {"schema_version":1,"peers":{"taken_at_unix":1700000000,"peers":[...]}}
//! ```
//!
//! The server in `control` and the client in [`crate::cli::client`] share these types; `ringwall show --json`
//! prints a reply as it came. Secrets never enter a reply. Numbers are raw counters in base units that never
//! reset (packets, bytes, nanoseconds, seconds since the Unix epoch): rates and ratios are the reader's
//! arithmetic over two replies. Fields may be added within one `schema_version`; a reader ignores what it
//! does not know.

mod rows;

#[cfg(test)]
mod tests;

pub use rows::{
    ConfigReport, Drop, Drops, FrameState, Handoff, Health, Interface, Interfaces, Latency,
    LinkStatistics, Peer, Peers, Queue, Reload, RingLevel, Rings, Route, Routes, Runtime,
    StageCost, Status, SteeringExit, WorkerFrames, WorkerRuntime, XdpStatistics,
};

use serde::{Deserialize, Serialize};

/// Version of the request line this build speaks.
pub const REQUEST_VERSION: u32 = 1;
/// Version of the reply's shape; a client refuses any other.
pub const SCHEMA_VERSION: u32 = 1;
/// Longest request line the server reads, in bytes, newline included.
pub const MAX_REQUEST: usize = 4096;

/// One request: a version and a verb.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Must be [`REQUEST_VERSION`].
    pub v: u32,
    /// What is asked.
    #[serde(flatten)]
    pub verb: Verb,
}

impl Request {
    /// A request in this build's version.
    #[must_use]
    pub fn new(verb: Verb) -> Self {
        Self { v: REQUEST_VERSION, verb }
    }
}

/// What is asked of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum Verb {
    /// The one-screen summary.
    Status,
    /// One table.
    Show {
        /// Which table.
        what: Subject,
    },
    /// Puts a fault into a worker, to test how the gateway fails; only in builds for development.
    #[cfg(debug_assertions)]
    Fault {
        /// What is to happen.
        fault: Fault,
        /// To which worker.
        worker: u32,
    },
}

/// A fault that a test puts into a worker.
#[cfg(debug_assertions)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Its thread ends.
    KillWorker,
    /// Its thread stands still.
    StopWorker,
}

/// The tables `show` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Cost per worker and stage: packets, packets per burst, time per packet, busy share, latency.
    Runtime,
    /// Drop reasons with their counters: those that occurred and those that never should, or each one with --all.
    Drops,
    /// Interfaces: what was asked for, what was got, link counters, exits of the steering program.
    Interfaces,
    /// Ring levels, XDP statistics, the frame census and hand-offs.
    Rings,
    /// WireGuard peers.
    Peers,
    /// The routes and neighbours the workers use.
    Routes,
    /// The configuration in effect, defaults filled in, without secrets.
    Config,
}

/// One reply: a version and exactly one body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// [`SCHEMA_VERSION`] of the daemon that answered.
    pub schema_version: u32,
    /// The answer, under a key that names it.
    #[serde(flatten)]
    pub body: Body,
}

impl Reply {
    /// A reply in this build's version.
    #[must_use]
    pub fn new(body: Body) -> Self {
        Self { schema_version: SCHEMA_VERSION, body }
    }

    /// A refusal in this build's version.
    #[must_use]
    pub fn refusal(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self::new(Body::Error(Refusal { kind, message: message.into() }))
    }
}

/// The body of a reply; the variant's name in snake case is its key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Answer to `status`.
    Status(Box<Status>),
    /// Answer to `show runtime`.
    Runtime(Runtime),
    /// Answer to `show drops`.
    Drops(Drops),
    /// Answer to `show interfaces`.
    Interfaces(Interfaces),
    /// Answer to `show rings`.
    Rings(Rings),
    /// Answer to `show peers`.
    Peers(Peers),
    /// Answer to `show routes`.
    Routes(Routes),
    /// Answer to `show config`.
    Config(ConfigReport),
    /// The request was not carried out.
    Error(Refusal),
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Whose fault it is; decides the client's exit code.
    pub kind: RefusalKind,
    /// One line for the operator.
    pub message: String,
}

/// Whose fault a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// The request could not be understood (exit code 2).
    BadRequest,
    /// The caller's user may not ask this (exit code 77).
    NoPermission,
    /// The daemon could not answer (exit code 1).
    Failed,
}
