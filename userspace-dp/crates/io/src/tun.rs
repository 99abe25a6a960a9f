//! A TUN device: whole IP packets to and from the kernel, without link headers.
//!
//! The slow-path thread owns it and moves packets between it and bounded rings; workers never
//! touch it, since every packet is a system call. Non-blocking. Addresses, MTU and link state are
//! set over netlink by the control thread. See the kernel's
//! `Documentation/networking/tuntap.rst`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

/// An open TUN device. It vanishes with this value.
#[derive(Debug)]
pub struct Tun {
    file: File,
    name: String,
}

impl Tun {
    /// Opens or creates the device `name` (at most 15 bytes, no slash; `%d` picks a free number).
    ///
    /// # Errors
    /// `InvalidInput` for an impossible name; else the kernel's answer: `PermissionDenied` without
    /// `CAP_NET_ADMIN`, `ResourceBusy` when another process has it open.
    pub fn open(name: &str) -> io::Result<Self> {
        let mut request = request(name)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open("/dev/net/tun")?;
        // SAFETY: TUNSETIFF reads and writes one `ifreq`, which lives through the call.
        let done = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
        if done < 0 {
            return Err(io::Error::last_os_error());
        }
        let bytes = request.ifr_name.map(|byte| byte.cast_unsigned());
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        let name = String::from_utf8_lossy(bytes.split_at(end).0).into_owned();
        Ok(Self { file, name })
    }

    /// The name the device got.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads one packet into `buffer`; its length, or `None` when none waits. A packet longer than
    /// the buffer is cut by the kernel: pass the device's MTU at least.
    ///
    /// # Errors
    /// The kernel's answer, for example when the device is down.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match (&self.file).read(buffer) {
            Ok(length) => Ok(Some(length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes one whole packet; `false` when the kernel has no room for it.
    ///
    /// # Errors
    /// `InvalidInput` from the kernel for what is no IP packet, or its other answers.
    pub fn write(&self, packet: &[u8]) -> io::Result<bool> {
        match (&self.file).write(packet) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The `ifreq` that asks for TUN `name` without packet information and offloads.
fn request(name: &str) -> io::Result<libc::ifreq> {
    let valid = !name.is_empty() && name.len() < libc::IFNAMSIZ && !name.contains(['/', '\0']);
    if !valid {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{name:?} is no interface name: 1 to 15 bytes without a slash"),
        ));
    }
    // SAFETY: an `ifreq` is integers and a union of them; zeroes are a value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (slot, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *slot = byte.cast_signed();
    }
    let flags = libc::IFF_TUN | libc::IFF_NO_PI;
    request.ifr_ifru.ifru_flags = flags as libc::c_short;
    Ok(request)
}

#[cfg(test)]
mod tests;
