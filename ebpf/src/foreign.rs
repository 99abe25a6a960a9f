//! XDP programs of others: their names, and taking them off when the operator says so.
use std::io;
use std::os::fd::AsFd;

use crate::link;
use crate::load::PROGRAMS;
use crate::query::{self, Attached, RunningMode};

/// A program that an interface runs before ours is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// The kernel's id of the program.
    pub id: u32,
    /// Its name, if this process may ask (`CAP_SYS_ADMIN`) and it has one.
    pub name: Option<String>,
    /// How it is attached.
    pub mode: RunningMode,
    /// Whether a process that lives holds the steering program there: it bears its name, and a link holds it, which
    /// is never pinned.
    pub steers: bool,
}

/// The program that an interface runs, in the network namespace of the calling thread. Changes nothing.
///
/// # Errors
/// What the kernel answered; `ENODEV` when there is no such interface.
pub fn present(ifindex: u32) -> io::Result<Option<Present>> {
    let Some(Attached { program: id, mode }) = query::attached(ifindex)? else { return Ok(None) };
    let name = name(id);
    let ours = name.as_deref().is_some_and(|name| PROGRAMS.contains(&name));
    let steers = ours && link::find(ifindex, id).is_some();
    Ok(Some(Present { id, name, mode, steers }))
}

/// The program's name, if it has one and this process may ask (`CAP_SYS_ADMIN`).
pub(crate) fn name(program: u32) -> Option<String> {
    aya::programs::loaded_programs()
        .filter_map(Result::ok)
        .find(|info| info.id() == program)
        .and_then(|info| info.name_as_str().map(str::to_owned))
        .filter(|name| !name.is_empty())
}

/// Takes the program off the interface, whether netlink or a link attached it.
pub(crate) fn evict(ifindex: u32, found: Attached) -> io::Result<()> {
    match query::take_off(ifindex, found.mode) {
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
            let link = link::find(ifindex, found.program).ok_or(error)?;
            link::detach(link.as_fd())
        }
        outcome => outcome,
    }
}
