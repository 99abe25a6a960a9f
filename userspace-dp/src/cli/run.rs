//! `run`: load the configuration, then be the gateway.

use super::check::{refuse, tell};
use super::exit::Exit;
use super::{Daemon, complain};
use crate::source::Source;

/// Runs the gateway with the configuration of `source` until it is told to stop.
pub(super) fn run(source: &Source, daemon: Daemon) -> Exit {
    let loaded = match source.load() {
        Ok(loaded) => loaded,
        Err(rejected) => return refuse(&source.path, &rejected),
    };
    tell(&loaded.warnings);
    match daemon(source, loaded) {
        Ok(()) => Exit::Ok,
        Err(error) => {
            complain(&format!("{error:#}"));
            exit_of(&error)
        }
    }
}

/// A missing capability or permission anywhere in the chain of causes is told apart from other failures.
fn exit_of(error: &anyhow::Error) -> Exit {
    let denied = |cause: &(dyn std::error::Error + 'static)| {
        let cause = cause.downcast_ref::<std::io::Error>();
        cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::PermissionDenied)
    };
    if error.chain().any(denied) { Exit::NoPermission } else { Exit::Failed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_missing_capability_ends_with_no_permission_and_anything_else_with_failed() {
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let error = Err::<(), _>(denied).context("attaching to eth0").unwrap_err();
        assert_eq!(exit_of(&error), Exit::NoPermission);
        assert_eq!(exit_of(&anyhow::anyhow!("no such interface")), Exit::Failed);
    }
}
