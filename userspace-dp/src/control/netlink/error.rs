//! What can go wrong between the control thread and the kernel.

use std::io;

/// An exchange with the kernel failed. Nothing here is a peer's fault.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A netlink socket could not be made, read or written.
    #[error("netlink socket: cannot {action}: {source}")]
    Socket {
        /// What was being done.
        action: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The kernel understood the request and refused it.
    #[error("cannot {action}: {source}")]
    Refused {
        /// What was asked for.
        action: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel's answer cannot be read.
    #[error("the kernel's answer is malformed: {action}")]
    Malformed {
        /// What was asked for.
        action: &'static str,
    },
    /// A file below `/sys` cannot be used.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// `/sys` shows the devices of another network namespace.
    #[error(
        "/sys does not show this network namespace: interface {interface} is not index {index} there"
    )]
    ForeignSysfs {
        /// Name of the interface looked for.
        interface: String,
        /// Its index by netlink.
        index: u32,
    },
}

impl Error {
    /// The error number of a refusal, for callers that can live with some.
    pub fn refusal(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Refused { source, .. } => Some(source.kind()),
            Self::Socket { .. }
            | Self::Malformed { .. }
            | Self::File { .. }
            | Self::ForeignSysfs { .. } => None,
        }
    }
}
