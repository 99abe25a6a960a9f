//! A packet socket: the kernel's own way to and from a device.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::index_of;

/// Bound to one device, for whole frames, without blocking.
#[derive(Debug)]
pub struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Binds to `device`.
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

    /// Sends one frame.
    pub fn send(&self, packet: &[u8]) {
        let fd = self.0.as_raw_fd();
        // SAFETY: the kernel reads `packet` during the call.
        let sent = unsafe { libc::send(fd, packet.as_ptr().cast(), packet.len(), 0) };
        assert_eq!(sent, packet.len() as isize, "{}", io::Error::last_os_error());
    }

    /// The next frame that arrived or left.
    pub fn receive(&self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 10_000];
        let fd = self.0.as_raw_fd();
        // SAFETY: the kernel writes into `buffer` during the call.
        let got = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        buffer.truncate(usize::try_from(got).ok()?);
        Some(buffer)
    }
}
