//! The Ringwall daemon as a library: what the `ringwall` binary is made of.
//!
//! The binary in `main.rs` only dispatches to [`cli`]; everything else lives here so that tests and benches
//! can reach it.

pub mod api;
pub mod cli;
pub mod control;
pub mod runtime;
pub mod source;
