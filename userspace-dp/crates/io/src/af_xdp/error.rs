//! Why a socket could not be opened as asked.

use core::time::Duration;
use std::io;

/// Why a socket works in copy mode.
#[derive(Debug, thiserror::Error)]
pub enum NoZeroCopy {
    /// The steering program is not in the driver.
    #[error("the steering program is attached in generic mode")]
    GenericAttachment,
    /// The driver has none, or refuses this queue or these frames.
    #[error("{}", refusal(.0))]
    Driver(io::Error),
    /// The kernel bound the socket but reports copy mode.
    #[error("the kernel bound the socket in copy mode")]
    NotGiven,
}

/// What a driver's refusal means.
fn refusal(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EOPNOTSUPP) => {
            "the driver has none, as is to be expected of veth and most virtual devices".to_owned()
        }
        _ => format!("the driver refuses it: {error}"),
    }
}

/// Why [`super::AfXdpPort::open`] failed. The operator can mend the first group.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Packets of this MTU do not fit a frame.
    #[error("an MTU of {mtu} does not fit a frame: the largest that fits is {largest}")]
    Mtu {
        /// The device's MTU.
        mtu: u32,
        /// The largest MTU that fits.
        largest: u32,
    },
    /// Zero-copy was required.
    #[error("zero-copy on queue {queue} is required and cannot be had: {reason}")]
    ZeroCopy {
        /// The queue.
        queue: u32,
        /// Why not.
        reason: NoZeroCopy,
    },
    /// Another socket has the queue.
    #[error("queue {queue} is still in use by another AF_XDP socket after {waited:?}")]
    Busy {
        /// The queue.
        queue: u32,
        /// How long it was tried.
        waited: Duration,
    },
    /// The kernel may not pin the region's memory.
    #[error(
        "the kernel refuses to pin {bytes} bytes of frames: take fewer frames, grant CAP_IPC_LOCK, \
         or raise the limit on locked memory"
    )]
    LockedMemory {
        /// Size of the region.
        bytes: u64,
    },
    /// The pool gave no frame for the fill ring.
    #[error("no free frames for the fill ring of queue {queue}")]
    NoFrames {
        /// The queue.
        queue: u32,
    },
    /// A step of the set-up failed.
    #[error("{step} of queue {queue} failed: {source}")]
    System {
        /// Which step.
        step: Step,
        /// The queue.
        queue: u32,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The pool is of another region than the socket: a mistake of the caller.
    #[error("the pool's frames are of another region")]
    ForeignPool,
}

/// A step of the set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Creating the socket.
    Socket,
    /// Registering the region.
    Region,
    /// Creating or mapping the rings.
    Rings,
    /// Binding to the queue.
    Bind,
    /// Asking for the mode after the bind.
    Options,
}

impl core::fmt::Display for Step {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Socket => "creating the AF_XDP socket",
            Self::Region => "registering the UMEM",
            Self::Rings => "setting up the rings",
            Self::Bind => "binding",
            Self::Options => "reading the mode",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_without_zero_copy_is_an_expected_step_and_another_refusal_is_quoted() {
        let said = |code| NoZeroCopy::Driver(io::Error::from_raw_os_error(code)).to_string();
        assert!(said(libc::EOPNOTSUPP).contains("expected of veth"), "{}", said(libc::EOPNOTSUPP));
        assert!(said(libc::EINVAL).contains("os error 22"), "{}", said(libc::EINVAL));
    }
}
