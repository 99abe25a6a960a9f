//! The `ringwall` binary: arguments in, a verb runs, an exit code out.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    ringwall::cli::main(ringwall::control::run)
}
