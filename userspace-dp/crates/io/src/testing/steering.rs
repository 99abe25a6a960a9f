//! A three-instruction XDP program: every packet of a queue to the queue's socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use super::index_of;
use crate::af_xdp::Attached;

/// An attached program that sends every packet of a queue to the queue's socket, and to the kernel
/// where there is none. It is detached when this is dropped.
#[derive(Debug)]
pub struct Steering {
    sockets: OwnedFd,
    _link: OwnedFd,
}

impl Steering {
    /// Attaches it to `device`; `fragments` lets packets of several buffers pass.
    pub fn attach(device: &str, attached: Attached, fragments: bool) -> Self {
        let sockets = create_map(4);
        let program = load_program(sockets.as_raw_fd(), fragments);
        let mode = match attached {
            Attached::Native => 1 << 2,
            Attached::Generic => 1 << 1,
        };
        let words = [program.as_raw_fd().cast_unsigned(), index_of(device), BPF_XDP, mode];
        let link = bpf(BPF_LINK_CREATE, &words).unwrap();
        Self { sockets, _link: link }
    }

    /// Sends the packets of `queue` to `socket`.
    pub fn steer(&self, queue: u32, socket: &impl AsFd) {
        let value = socket.as_fd().as_raw_fd();
        let update = MapUpdate {
            map: self.sockets.as_raw_fd().cast_unsigned(),
            padding: 0,
            key: (&raw const queue).addr() as u64,
            value: (&raw const value).addr() as u64,
            flags: 0,
        };
        // SAFETY: key and value are four bytes each, as the map was made, and live through the call.
        let done = unsafe { call(BPF_MAP_UPDATE_ELEM, &update) };
        assert!(done >= 0, "entering the socket: {}", io::Error::last_os_error());
    }
}

const BPF_MAP_CREATE: i64 = 0;
const BPF_MAP_UPDATE_ELEM: i64 = 2;
const BPF_PROG_LOAD: i64 = 5;
const BPF_LINK_CREATE: i64 = 28;
const BPF_MAP_TYPE_XSKMAP: u32 = 17;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_XDP: u32 = 37;
const BPF_F_XDP_HAS_FRAGS: u32 = 1 << 5;

#[repr(C)]
struct MapUpdate {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
struct ProgramLoad {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

fn create_map(entries: u32) -> OwnedFd {
    bpf(BPF_MAP_CREATE, &[BPF_MAP_TYPE_XSKMAP, 4, 4, entries]).unwrap()
}

/// `return bpf_redirect_map(&sockets, context->rx_queue_index, XDP_PASS)`.
fn load_program(map: i32, fragments: bool) -> OwnedFd {
    let map = u64::from(map.cast_unsigned());
    let code: [u64; 6] = [
        0x61 | (0x12 << 8) | (16 << 16),  // r2 = *(u32 *)(r1 + 16)
        0x18 | (0x11 << 8) | (map << 32), // r1 = map
        0,
        0xb7 | (0x03 << 8) | (2 << 32), // r3 = XDP_PASS
        0x85 | (51 << 32),              // call bpf_redirect_map
        0x95,                           // exit
    ];
    let license = c"GPL";
    let load = ProgramLoad {
        kind: BPF_PROG_TYPE_XDP,
        instructions: code.len() as u32,
        code: code.as_ptr().addr() as u64,
        license: license.as_ptr().addr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: if fragments { BPF_F_XDP_HAS_FRAGS } else { 0 },
    };
    bpf(BPF_PROG_LOAD, &load).unwrap()
}

/// A `bpf` call that yields a descriptor.
fn bpf<T>(command: i64, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the commands used here read `attributes` and what its addresses name, all of which
    // live through the call.
    let fd = unsafe { call(command, attributes) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

unsafe fn call<T>(command: i64, attributes: &T) -> i64 {
    // SAFETY: passed on from the caller.
    unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) }
}
