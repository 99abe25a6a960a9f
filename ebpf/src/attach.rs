//! Attaching the program to an interface, directly by `bpf_link`: no dispatcher in between.
use core::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::error::AttachError;
use crate::query::{self, Attached, RunningMode};
use crate::{foreign, link};

/// Where the program shall run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachMode {
    /// In the driver, before the kernel makes a buffer of its own.
    Native,
    /// In the network stack: any driver, slower, always copying.
    Generic,
}

impl fmt::Display for AttachMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}

/// What to do about an XDP program that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignProgram {
    /// Fail, naming it.
    Refuse,
    /// Take it off first. Between the two the interface runs no program, and it stays off when
    /// attaching fails afterwards. `CAP_SYS_ADMIN` when a link holds it.
    Replace,
}

/// The program on one interface. Dropping it takes the program off, at once; so does the end of
/// the process, however it ends. Drop it before the sockets of the interface are closed.
#[derive(Debug)]
#[must_use = "dropping the attachment takes the program off the interface"]
pub struct Attachment {
    link: OwnedFd,
    ifindex: u32,
    mode: RunningMode,
    _alive: Arc<()>,
}

impl Attachment {
    /// The interface.
    pub const fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// The mode the kernel says the program runs in. Sockets may be bound with zero copy only if
    /// it is [`RunningMode::Native`].
    pub const fn mode(&self) -> RunningMode {
        self.mode
    }

    /// Takes the program off the interface, as dropping does.
    pub fn detach(self) {}
}

impl Drop for Attachment {
    fn drop(&mut self) {
        // Closing the descriptor would do it too, but later when somebody else holds the link.
        // Fails only if the interface is gone, and the program with it.
        drop(link::detach(self.link.as_fd()));
    }
}

/// The program to attach.
pub(crate) struct Candidate<'a> {
    pub fd: BorrowedFd<'a>,
    pub id: u32,
}

/// Attaches `program` to the interface and asks the kernel what it made of it.
pub(crate) fn attach(
    program: &Candidate<'_>,
    ifindex: u32,
    mode: AttachMode,
    foreign: ForeignProgram,
    alive: Arc<()>,
) -> Result<Attachment, AttachError> {
    let query =
        || query::attached(ifindex).map_err(|source| AttachError::Query { ifindex, source });
    if let Some(found) = query()? {
        if found.program == program.id {
            return Err(AttachError::AlreadyAttached { ifindex });
        }
        make_room(ifindex, found, foreign)?;
    }
    let link = link::create(program.fd, ifindex, mode).map_err(|source| AttachError::Refused {
        ifindex,
        mode,
        source,
    })?;
    let mode = query()?.map_or(RunningMode::Unknown, |attached| attached.mode);
    Ok(Attachment { link, ifindex, mode, _alive: alive })
}

fn make_room(ifindex: u32, found: Attached, foreign: ForeignProgram) -> Result<(), AttachError> {
    let id = found.program;
    match foreign {
        ForeignProgram::Refuse => {
            let name = foreign::name(id);
            Err(AttachError::Foreign { ifindex, id, name, mode: found.mode })
        }
        ForeignProgram::Replace => foreign::evict(ifindex, found)
            .map_err(|source| AttachError::Replace { ifindex, id, source }),
    }
}
