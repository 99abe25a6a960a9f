//! XDP programs of others: their names, and taking them off when the operator says so.
use std::io;
use std::os::fd::AsFd;

use crate::link;
use crate::query::{self, Attached};

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
