//! A network namespace of a test's own, with veth pairs and a three-instruction XDP program.
//!
//! Needs root; tests say so when they are skipped. Nothing of it survives the test: the namespace
//! belongs to one thread and ends with it.

use std::ffi::CString;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::Umem;
use crate::af_xdp::{AfXdpPort, Attached, SocketConfig, ZeroCopy};
use crate::pool::FramePool;
use crate::umem::{HugePages, UmemConfig};
use std::sync::Arc;

/// Runs `test` in a fresh network namespace, or says that it is skipped.
pub fn in_namespace(test: impl FnOnce() + Send + 'static) {
    // SAFETY: asking for the user id touches no memory.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: needs root for a network namespace");
        return;
    }
    let thread = thread::spawn(move || {
        // SAFETY: detaches this thread alone from the namespace.
        let done = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        assert_eq!(done, 0, "no network namespace: {}", io::Error::last_os_error());
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `ip` with these words.
pub fn ip(words: &str) {
    let output = Command::new("ip").args(words.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A veth pair of two queues each, up, without addresses.
pub fn veth(left: &str, right: &str, mtu: u32) {
    let queues = "numrxqueues 2 numtxqueues 2";
    ip(&format!("link add name {left} {queues} type veth peer name {right} {queues}"));
    for name in [left, right] {
        ip(&format!("link set dev {name} addrgenmode none mtu {mtu}"));
        ip(&format!("link set dev {name} up"));
    }
}

pub fn index_of(name: &str) -> u32 {
    let name = CString::new(name).unwrap();
    // SAFETY: `name` ends with a zero.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    assert_ne!(index, 0, "{name:?}: {}", io::Error::last_os_error());
    index
}

pub fn region(frames: u32) -> (Arc<Umem>, FramePool) {
    let config = UmemConfig { huge_pages: HugePages::Never, ..UmemConfig::with_frames(frames) };
    Umem::new(config).unwrap()
}

pub fn config(name: &str, queue: u32, attached: Attached) -> SocketConfig {
    SocketConfig::new(index_of(name), queue, 1500, ZeroCopy::Auto, attached)
}

/// Waits until `done` says so; a test that waits longer has failed.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20), "still waiting: {what}");
        thread::yield_now();
    }
}

/// An attached program that sends every packet of a queue to the queue's socket, and to the kernel
/// where there is none. It is detached when this is dropped.
#[derive(Debug)]
pub struct Steering {
    sockets: OwnedFd,
    _link: OwnedFd,
}

impl Steering {
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

    pub fn steer(&self, queue: u32, port: &AfXdpPort) {
        self.set(queue, std::os::fd::AsFd::as_fd(port));
    }

    fn set(&self, queue: u32, socket: BorrowedFd<'_>) {
        let value = socket.as_raw_fd();
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

/// A packet socket: the kernel's own way to and from a device.
#[derive(Debug)]
pub struct PacketSocket(OwnedFd);

impl PacketSocket {
    pub fn open(device: &str) -> Self {
        let all = (libc::ETH_P_ALL as u16).to_be();
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: a new descriptor that nobody else owns; the address is a plain value.
        unsafe {
            let fd = libc::socket(libc::AF_PACKET, kind, i32::from(all));
            assert!(fd >= 0, "packet socket: {}", io::Error::last_os_error());
            let mut address: libc::sockaddr_ll = mem::zeroed();
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_protocol = all;
            address.sll_ifindex = index_of(device).cast_signed();
            let length = size_of_val(&address) as u32;
            let bound = libc::bind(fd, (&raw const address).cast(), length);
            assert_eq!(bound, 0, "{}", io::Error::last_os_error());
            Self(OwnedFd::from_raw_fd(fd))
        }
    }

    pub fn send(&self, packet: &[u8]) {
        let fd = self.0.as_raw_fd();
        // SAFETY: the kernel reads `packet` during the call.
        let sent = unsafe { libc::send(fd, packet.as_ptr().cast(), packet.len(), 0) };
        assert_eq!(sent, packet.len() as isize, "{}", io::Error::last_os_error());
    }

    pub fn receive(&self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 10_000];
        let fd = self.0.as_raw_fd();
        // SAFETY: the kernel writes into `buffer` during the call.
        let got = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        buffer.truncate(usize::try_from(got).ok()?);
        Some(buffer)
    }
}
