//! `status` and `show`: ask the daemon, print its reply as it came (`--json`) or as tables.
//!
//! Each table has a file. A table's rows are all there, zeros included, in the order of the reply, so that two
//! of them can be compared line by line.

mod config;
mod drops;
mod interfaces;
mod peers;
mod rings;
mod routes;
mod runtime;
mod status;

use super::client::ask;
use super::colour::Paint;
use super::exit::Exit;
use super::{complain, print};
use crate::api::{Body, Health, Subject, Verb};
use std::path::Path;

/// The one-screen summary. Fails when no traffic passes.
pub(super) fn status(socket: &Path, json: bool) -> Exit {
    answered(socket, Verb::Status, json)
}

/// The table `what`.
pub(super) fn show(socket: &Path, what: Subject, json: bool) -> Exit {
    answered(socket, Verb::Show { what }, json)
}

/// Puts a fault into a worker of the daemon.
#[cfg(debug_assertions)]
pub(super) fn fault(socket: &Path, fault: crate::api::Fault, worker: u32) -> Exit {
    answered(socket, Verb::Fault { fault, worker }, false)
}

fn answered(socket: &Path, verb: Verb, json: bool) -> Exit {
    let answer = match ask(socket, verb) {
        Ok(answer) => answer,
        Err(error) => {
            complain(&error.to_string());
            return error.exit();
        }
    };
    if !answers(&answer.body, verb) {
        complain("the daemon answered another question");
        return Exit::Failed;
    }
    let text =
        if json { answer.line + "\n" } else { render(&answer.body, Paint::of(&std::io::stdout())) };
    print(&text).and(exit_of(&answer.body))
}

/// Whether `body` is the kind that `verb` asks for.
fn answers(body: &Body, verb: Verb) -> bool {
    match verb {
        Verb::Status => matches!(body, Body::Status(_)),
        #[cfg(debug_assertions)]
        Verb::Fault { .. } => matches!(body, Body::Status(_)),
        Verb::Show { what } => match what {
            Subject::Runtime => matches!(body, Body::Runtime(_)),
            Subject::Drops => matches!(body, Body::Drops(_)),
            Subject::Interfaces => matches!(body, Body::Interfaces(_)),
            Subject::Rings => matches!(body, Body::Rings(_)),
            Subject::Peers => matches!(body, Body::Peers(_)),
            Subject::Routes => matches!(body, Body::Routes(_)),
            Subject::Config => matches!(body, Body::Config(_)),
        },
    }
}

fn render(body: &Body, paint: Paint) -> String {
    match body {
        Body::Status(status) => status::render(status, paint),
        Body::Runtime(runtime) => runtime::render(runtime, paint),
        Body::Drops(drops) => drops::render(drops, paint),
        Body::Interfaces(interfaces) => interfaces::render(interfaces, paint),
        Body::Rings(rings) => rings::render(rings, paint),
        Body::Peers(peers) => peers::render(peers, paint),
        Body::Routes(routes) => routes::render(routes, paint),
        Body::Config(report) => config::render(report),
        // The client has turned a refusal into an error.
        Body::Error(refusal) => format!("{}\n", refusal.message),
    }
}

fn exit_of(body: &Body) -> Exit {
    match body {
        Body::Status(status) => match status.health {
            Health::Ok | Health::Degraded => Exit::Ok,
            Health::Down => Exit::Failed,
        },
        Body::Error(_) => Exit::Failed,
        Body::Runtime(_)
        | Body::Drops(_)
        | Body::Interfaces(_)
        | Body::Rings(_)
        | Body::Peers(_)
        | Body::Routes(_)
        | Body::Config(_) => Exit::Ok,
    }
}

/// A number in a cell.
fn cell(number: impl Into<u64>) -> String {
    number.into().to_string()
}

/// A number in a cell that may be absent.
fn optional(number: Option<u32>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

/// `yes` or `no` in a cell.
fn yes_or_no(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}
