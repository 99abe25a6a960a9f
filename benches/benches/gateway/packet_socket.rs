//! Sends frames through a packet socket, 64 per system call.

use crate::frame::Frame;
use anyhow::{Result, bail, ensure};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Frames per system call.
pub const BATCH: usize = 64;

/// A socket that puts frames on one interface, past its queueing discipline.
pub struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Opens it on the interface of this index.
    pub fn open(interface: u32) -> Result<Self> {
        // SAFETY: no pointers are involved.
        let raw = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) };
        ensure!(raw >= 0, "packet socket: {}", io::Error::last_os_error());
        // SAFETY: the kernel has just returned this descriptor, and nobody else owns it.
        let socket = Self(unsafe { OwnedFd::from_raw_fd(raw) });
        let bypass: libc::c_int = 1;
        // SAFETY: the option's value is an int that lives through the call, and its length is given.
        let result = unsafe {
            libc::setsockopt(
                raw,
                libc::SOL_PACKET,
                libc::PACKET_QDISC_BYPASS,
                std::ptr::from_ref(&bypass).cast(),
                size_of::<libc::c_int>() as u32,
            )
        };
        ensure!(result == 0, "packet socket: {}", io::Error::last_os_error());
        // SAFETY: all-zero bytes are a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_ifindex = interface.cast_signed();
        // SAFETY: the address lives through the call, and its length is given.
        let result = unsafe {
            libc::bind(
                raw,
                std::ptr::from_ref(&address).cast(),
                size_of::<libc::sockaddr_ll>() as u32,
            )
        };
        ensure!(result == 0, "packet socket: {}", io::Error::last_os_error());
        Ok(socket)
    }

    /// Sends up to [`BATCH`] frames; the answer is how many are dealt with, sent or lost.
    pub fn send(&self, frames: &mut [Frame]) -> Result<usize> {
        let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
        // SAFETY: all-zero bytes are valid message headers.
        let mut messages: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
        let count = frames.len().min(BATCH);
        for ((frame, vector), message) in frames.iter_mut().zip(&mut vectors).zip(&mut messages) {
            *vector = libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: frame.len() };
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: `count` messages are filled in; each points at one vector, each vector at one frame, and all of them
        // live through the call.
        let sent =
            unsafe { libc::sendmmsg(self.0.as_raw_fd(), messages.as_mut_ptr(), count as u32, 0) };
        let error = io::Error::last_os_error();
        match usize::try_from(sent) {
            Ok(sent) => Ok(sent),
            // A full queue at the far end: the frame is lost, as it would be on a wire.
            Err(_) if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(1),
            Err(_) => bail!("sending: {error}"),
        }
    }
}
