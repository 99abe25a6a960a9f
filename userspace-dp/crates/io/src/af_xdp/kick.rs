//! When to wake the kernel, and what its answers mean.
//!
//! Transmission is woken by `sendto`, receiving by `recvfrom`, each only when its ring asks
//! (`XDP_USE_NEED_WAKEUP`). In copy mode the kernel always asks: it sends inside the call, a
//! bounded number of packets each time.

use std::io;

use super::socket::Socket;
use crate::port::Kick;
use crate::queue::Queue;

/// Most calls per kick in copy mode. An old kernel sends 32 packets per call.
const MOST_SENDS: usize = 16;

pub(super) fn kick(socket: &Socket, queue: &mut Queue, zero_copy: bool) -> Kick {
    let transmit = if queue.transmitting() == 0 || !queue.rings.transmit.needs_wakeup() {
        Kick::NotNeeded
    } else if zero_copy {
        count(socket.wake_transmit(), queue)
    } else {
        send_all(socket, queue)
    };
    let receive = if queue.rings.fill.needs_wakeup() {
        count(socket.wake_receive(), queue)
    } else {
        Kick::NotNeeded
    };
    // What went wrong, or else happened, on the transmit side counts first.
    if transmit == Kick::NotNeeded { receive } else { transmit }
}

/// Calls until the kernel took the whole transmit ring or takes no more.
fn send_all(socket: &Socket, queue: &mut Queue) -> Kick {
    let mut kick = Kick::NotNeeded;
    let mut waiting = queue.rings.transmit.pending();
    for _ in 0..MOST_SENDS {
        if waiting == 0 {
            break;
        }
        kick = count(socket.wake_transmit(), queue);
        let left = queue.rings.transmit.pending();
        if left >= waiting {
            break;
        }
        waiting = left;
    }
    kick
}

/// Counts the kernel's answer to a wake-up and names it.
pub(super) fn count(answer: io::Result<()>, queue: &mut Queue) -> Kick {
    let kick = classify(answer);
    let statistics = &mut queue.statistics;
    statistics.kicks += 1;
    match kick {
        Kick::NotNeeded | Kick::Woken => {}
        Kick::BackPressure => statistics.back_pressure += 1,
        Kick::LinkDown => statistics.link_down += 1,
        Kick::Failed => statistics.kick_failures += 1,
    }
    kick
}

fn classify(answer: io::Result<()>) -> Kick {
    let Err(error) = answer else { return Kick::Woken };
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EBUSY | libc::ENOBUFS | libc::EINTR | libc::ENOMEM) => {
            Kick::BackPressure
        }
        Some(libc::ENETDOWN | libc::ENXIO | libc::ENODEV) => Kick::LinkDown,
        _ => Kick::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_kernel_is_back_pressure_and_no_failure() {
        for errno in [libc::EAGAIN, libc::EBUSY, libc::ENOBUFS, libc::ENOMEM, libc::EINTR] {
            let answer = Err(io::Error::from_raw_os_error(errno));
            assert_eq!(classify(answer), Kick::BackPressure, "errno {errno}");
        }
    }

    #[test]
    fn a_link_that_is_down_or_gone_is_told_from_a_failure() {
        for errno in [libc::ENETDOWN, libc::ENXIO, libc::ENODEV] {
            assert_eq!(classify(Err(io::Error::from_raw_os_error(errno))), Kick::LinkDown);
        }
        assert_eq!(classify(Err(io::Error::from_raw_os_error(libc::EBADF))), Kick::Failed);
        assert_eq!(classify(Ok(())), Kick::Woken);
    }
}
