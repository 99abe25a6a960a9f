//! The command line: one verb, one file per verb family.
//!
//! stdout carries data, stderr carries messages. Colour appears only on a terminal and never with `NO_COLOR`.

pub mod exit;

use clap::{Parser, Subcommand};
use exit::Exit;
use std::path::PathBuf;
use std::process::ExitCode;

/// Ringwall: a WireGuard gateway dataplane on AF_XDP.
#[derive(Debug, Parser)]
#[command(name = "ringwall", version, about)]
struct Arguments {
    /// Control socket of the daemon.
    #[arg(long, global = true, value_name = "PATH", default_value = "/run/ringwall/ringwall.sock")]
    socket: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {}

/// Parses the command line, runs the verb and says how it ended.
pub fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => match arguments.verb {},
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            // A closed stdout or stderr leaves nobody to tell.
            let _ = error.print();
            exit.into()
        }
    }
}
