//! Fuzz targets as plain functions over bytes: a target panics when a promise is broken.
//!
//! Each file here is one target. `fuzz_targets/NAME.rs` hands it to libFuzzer (`scripts/test.sh --fuzz`), and
//! `tests/replay.rs` runs it over `corpus/NAME/`, with small changes, on every test run. A new target: a file here,
//! a row in [`TARGETS`], a file in `fuzz_targets/` with its `[[bin]]`, and a corpus of at least one entry.
#![forbid(unsafe_code)]

pub mod configuration;
pub mod frame;
pub mod packet;
pub mod pipeline;
pub mod rewrite;
pub mod wireguard_handshake;
pub mod wireguard_message;
pub mod wireguard_sessions;

#[allow(dead_code)]
#[path = "../../userspace-dp/crates/wire/tests/oracle/mod.rs"]
mod oracle;
#[path = "../../userspace-dp/crates/wire/tests/touch/mod.rs"]
mod touch;

/// A target: takes any bytes, panics when a promise is broken.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("configuration", configuration::run),
    ("frame", frame::run),
    ("packet", packet::run),
    ("pipeline", pipeline::run),
    ("rewrite", rewrite::run),
    ("wireguard_handshake", wireguard_handshake::run),
    ("wireguard_message", wireguard_message::run),
    ("wireguard_sessions", wireguard_sessions::run),
];
