//! The three `bpf(2)` calls on links: create, find, detach.
//!
//! aya's own attach falls back to netlink when the kernel refuses a link, and a netlink
//! attachment outlives the process; a gateway's program must die with it. So links are made here,
//! and a refusal stays a refusal. Layouts: `union bpf_attr`, `struct bpf_link_info` in
//! `linux/bpf.h`.
use core::mem::{offset_of, size_of};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::attach::AttachMode;

const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_LINK_GET_FD_BY_ID: libc::c_int = 30;
const BPF_LINK_DETACH: libc::c_int = 34;

const BPF_XDP: u32 = 37;
const BPF_LINK_TYPE_XDP: u32 = 6;
const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;

/// `bpf_attr.link_create`, as far as XDP uses it.
#[repr(C)]
struct LinkCreate {
    program: u32,
    ifindex: u32,
    attach_type: u32,
    flags: u32,
}

/// `bpf_attr.link_detach` and the head of `bpf_attr` for an id.
#[repr(C)]
struct One {
    value: u32,
}

/// `bpf_attr.info`.
#[repr(C)]
struct InfoByFd {
    fd: u32,
    length: u32,
    info: u64,
}

/// `struct bpf_link_info` of an XDP link.
#[repr(C)]
#[derive(Default)]
struct LinkInfo {
    kind: u32,
    id: u32,
    program: u32,
    padding: u32,
    ifindex: u32,
    rest: [u32; 3],
}

const _: () = {
    assert!(size_of::<LinkCreate>() == 16);
    assert!(size_of::<InfoByFd>() == 16 && offset_of!(InfoByFd, info) == 8);
    assert!(size_of::<LinkInfo>() == 32 && offset_of!(LinkInfo, ifindex) == 16);
};

/// Calls `bpf(2)`; the kernel takes fields beyond `T` as zero.
fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_int> {
    // SAFETY: every `T` passed here is a prefix of `union bpf_attr` of the size given; pointers in
    // it refer to memory that lives through the call, with its length beside it.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, core::ptr::from_mut(attributes), size_of::<T>())
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    libc::c_int::try_from(result).map_err(|_| io::Error::from_raw_os_error(libc::EOVERFLOW))
}

fn owned(fd: libc::c_int) -> OwnedFd {
    // SAFETY: the kernel just returned it, close-on-exec, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().unsigned_abs()
}

/// Attaches the program to the interface. The attachment lives as long as the descriptor.
pub(crate) fn create(
    program: BorrowedFd<'_>,
    ifindex: u32,
    mode: AttachMode,
) -> io::Result<OwnedFd> {
    let flags = match mode {
        AttachMode::Native => XDP_FLAGS_DRV_MODE,
        AttachMode::Generic => XDP_FLAGS_SKB_MODE,
    };
    let program = number(program);
    bpf(BPF_LINK_CREATE, &mut LinkCreate { program, ifindex, attach_type: BPF_XDP, flags })
        .map(owned)
}

/// Takes the program off its interface at once, whoever else holds the link.
pub(crate) fn detach(link: BorrowedFd<'_>) -> io::Result<()> {
    bpf(BPF_LINK_DETACH, &mut One { value: number(link) }).map(drop)
}

/// The link that holds `program` on the interface, if it is held by one. `CAP_SYS_ADMIN`.
pub(crate) fn find(ifindex: u32, program: u32) -> Option<OwnedFd> {
    aya::programs::loaded_links()
        .filter_map(Result::ok)
        .filter(|link| link.program_id() == program)
        .filter_map(|link| bpf(BPF_LINK_GET_FD_BY_ID, &mut One { value: link.id() }).ok())
        .map(owned)
        .find(|link| interface(link).is_ok_and(|found| found == Some(ifindex)))
}

/// The interface of an XDP link; none for links of other kinds.
fn interface(link: &OwnedFd) -> io::Result<Option<u32>> {
    let mut info = LinkInfo::default();
    let mut request = InfoByFd {
        fd: link.as_raw_fd().unsigned_abs(),
        length: size_of::<LinkInfo>() as u32,
        info: core::ptr::from_mut(&mut info) as u64,
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut request)?;
    Ok((info.kind == BPF_LINK_TYPE_XDP).then_some(info.ifindex))
}
