//! Benches of every packet-path part beside its peers.
//!
//! One `[[bench]]` target per family under `benches/`; each says at its top what it measures and what
//! it leaves out. What they share is here.

pub mod report;
