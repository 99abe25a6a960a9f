//! The command line: one verb, one file per verb family.
//!
//! stdout carries data, stderr carries messages. Colour appears only on a terminal and never with `NO_COLOR`.
//! Every verb ends with one of the codes in [`exit`]; an error names what was given, what is allowed, and what
//! to do next.

mod check;
pub mod client;
mod colour;
pub mod exit;
mod format;
mod keys;
mod run;
mod show;
mod table;

use crate::api::Subject;
use crate::source::Source;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use exit::Exit;
use std::path::PathBuf;
use std::process::ExitCode;

/// What `run` hands over to: where its configuration comes from (for reloads) and the configuration. Returns when the
/// gateway was told to stop.
pub type Daemon = fn(&Source, config::Loaded) -> anyhow::Result<()>;

/// Ringwall: a WireGuard gateway dataplane on AF_XDP.
#[derive(Debug, Parser)]
#[command(
    name = "ringwall",
    version,
    about,
    after_help = "Exit codes: 0 ok, 1 failed, 2 usage, 69 daemon unreachable, 77 no permission, \
                  78 bad configuration."
)]
struct Arguments {
    /// Control socket of the daemon [default: /run/ringwall/ringwall.sock]; with `run` where it listens, in place of
    /// telemetry.control_socket.
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the gateway in the foreground until SIGTERM; SIGHUP reloads its configuration.
    Run {
        /// Configuration file; drop-ins are read from the directory beside it.
        #[arg(long, value_name = "FILE", default_value = "/etc/ringwall/ringwall.toml")]
        config: PathBuf,
    },
    /// Check a configuration, without root and without touching any interface.
    Check {
        /// Configuration file; drop-ins are read from the directory beside it.
        file: PathBuf,
        /// Print the result as JSON on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Show on one screen how the gateway does. Fails when no traffic passes.
    Status {
        /// Print the daemon's reply as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a table of what the gateway knows.
    Show {
        /// Which table.
        what: Subject,
        /// Show every row of `drops`, also the reasons at zero.
        #[arg(long)]
        all: bool,
        /// Print the daemon's reply as JSON, which always has every row.
        #[arg(long)]
        json: bool,
    },
    /// Put a fault into a worker, to test how the gateway fails.
    #[cfg(debug_assertions)]
    #[command(hide = true)]
    Fault {
        /// What is to happen.
        fault: crate::api::Fault,
        /// To which worker.
        worker: u32,
    },
    /// Print a new private key.
    Genkey,
    /// Read a private key from stdin, print its public key.
    Pubkey,
    /// Print a new preshared key.
    Genpsk,
    /// Print a shell's completions.
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

impl Arguments {
    /// The socket of the daemon that is asked.
    fn asked_socket(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| config::Telemetry::default().control_socket)
    }
}

/// Parses the command line, runs the verb and says how it ended. `daemon` is what `run` runs.
pub fn main(daemon: Daemon) -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => dispatch(arguments, daemon).into(),
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            // A closed stdout or stderr leaves nobody to tell.
            let _ = error.print();
            exit.into()
        }
    }
}

fn dispatch(arguments: Arguments, daemon: Daemon) -> Exit {
    let socket = &arguments.asked_socket();
    match arguments.verb {
        Verb::Run { config } => {
            run::run(&Source { path: config, control_socket: arguments.socket }, daemon)
        }
        Verb::Check { file, json } => check::check(&file, json),
        Verb::Status { json } => show::status(socket, json),
        Verb::Show { what, all, json } => show::show(socket, what, all, json),
        #[cfg(debug_assertions)]
        Verb::Fault { fault, worker } => show::fault(socket, fault, worker),
        Verb::Genkey => keys::genkey(),
        Verb::Pubkey => keys::pubkey(),
        Verb::Genpsk => keys::genpsk(),
        Verb::Completions { shell } => completions(shell),
    }
}

fn completions(shell: Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "ringwall", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// Writes data to stdout. A reader that went away is no error worth a message.
fn print(text: &str) -> Exit {
    use std::io::{ErrorKind, Write};
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Exit::Ok,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Exit::Ok,
        Err(error) => {
            complain(&format!("stdout: {error}"));
            Exit::Failed
        }
    }
}

/// Writes a message to stderr, under the program's name.
fn complain(message: &str) {
    use std::io::Write;
    // Nobody is left to tell when stderr is gone.
    let _ = writeln!(std::io::stderr(), "ringwall: {message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn run_listens_where_the_command_line_says() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("gateway.toml");
        let text = "version = 1\n[[interface]]\nname = \"eth0\"\nzone = \"lan\"\n[[zone]]\nname = \"lan\"\n";
        std::fs::write(&file, text).unwrap();
        let daemon: Daemon = |source, loaded| {
            let socket = PathBuf::from("/run/given.sock");
            assert_eq!(loaded.config.telemetry.control_socket, socket);
            assert_eq!(source.control_socket, Some(socket));
            Ok(())
        };
        let words = ["ringwall", "run", "--socket", "/run/given.sock", "--config"];
        let words = words.map(std::ffi::OsString::from).into_iter().chain([file.into()]);
        let arguments = Arguments::try_parse_from(words).unwrap();
        assert!(matches!(dispatch(arguments, daemon), Exit::Ok));
    }

    #[test]
    fn the_socket_is_where_the_configuration_puts_it_by_default() {
        let arguments = Arguments::try_parse_from(["ringwall", "status"]).unwrap();
        let usual = arguments.asked_socket();
        assert_eq!(usual, config::Telemetry::default().control_socket);
        let help = Arguments::command().render_long_help().to_string();
        assert!(help.contains(&format!("[default: {}]", usual.display())), "{help}");
    }
}
