//! `status` and `show`: ask the daemon, print its reply as it came (`--json`) or as tables.
//!
//! Each table has a file. A table's rows are in the order of the reply, so that two of them can be compared line by
//! line. All are there, zeros included, save for `drops` without `--all`.

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
    let form = if json { Form::Json } else { Form::Tables(Rows::Telling) };
    answered(socket, Verb::Status, form)
}

/// Which rows of a table are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// Those that say something.
    Telling,
    /// Each one.
    All,
}

/// The table `what`; with `all` every row of it.
pub(super) fn show(socket: &Path, what: Subject, all: bool, json: bool) -> Exit {
    if all && what != Subject::Drops {
        complain("--all is for `show drops`: every other table is whole. Next: leave it out");
        return Exit::Usage;
    }
    let form = match (json, all) {
        (true, _) => Form::Json,
        (false, true) => Form::Tables(Rows::All),
        (false, false) => Form::Tables(Rows::Telling),
    };
    answered(socket, Verb::Show { what }, form)
}

/// How a reply is printed.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// As it came.
    Json,
    /// For people.
    Tables(Rows),
}

/// Puts a fault into a worker of the daemon.
#[cfg(debug_assertions)]
pub(super) fn fault(socket: &Path, fault: crate::api::Fault, worker: u32) -> Exit {
    answered(socket, Verb::Fault { fault, worker }, Form::Tables(Rows::Telling))
}

fn answered(socket: &Path, verb: Verb, form: Form) -> Exit {
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
    let text = match form {
        Form::Json => answer.line + "\n",
        Form::Tables(rows) => render(&answer.body, rows, Paint::of(&std::io::stdout())),
    };
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

fn render(body: &Body, rows: Rows, paint: Paint) -> String {
    match body {
        Body::Status(status) => status::render(status, paint),
        Body::Runtime(runtime) => runtime::render(runtime, paint),
        Body::Drops(drops) => drops::render(drops, rows, paint),
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
