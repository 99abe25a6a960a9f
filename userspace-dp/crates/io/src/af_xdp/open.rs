//! Opening a socket: the ladder from what is wished for to what can be had.

use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::AfXdpPort;
use super::config::{Attached, SocketConfig, ZeroCopy};
use super::error::{NoZeroCopy, OpenError, Step};
use super::socket::{BindTo, Socket};
use crate::pool::FramePool;
use crate::queue::Queue;
use crate::umem::{Member, Umem};

/// Pause between two tries on a busy queue.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// What the kernel gave.
#[derive(Debug)]
pub struct Obtained {
    /// Whether the driver works on our frames directly.
    pub zero_copy: bool,
    /// Why not, where it was wished for.
    pub no_zero_copy: Option<NoZeroCopy>,
    /// Whether the socket uses the region's registration of an earlier socket. Otherwise the
    /// kernel holds the region once more for this one; frames cross between both kinds alike.
    pub shared: bool,
    /// Preferred busy polling.
    pub busy_polling: BusyPolling,
}

/// What became of the wish for busy polling.
#[derive(Debug)]
pub enum BusyPolling {
    /// There was none.
    NotAsked,
    /// It is on.
    Granted,
    /// The kernel refused, for want of `CAP_NET_ADMIN` or support.
    Refused(io::Error),
}

/// A way to get at frames and wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    ZeroCopy,
    Copy,
}

pub(super) fn open(
    umem: &Arc<Umem>,
    pool: &mut FramePool,
    config: &SocketConfig,
) -> Result<AfXdpPort, OpenError> {
    if !Arc::ptr_eq(umem, pool.umem()) {
        return Err(OpenError::ForeignPool);
    }
    let largest = umem.largest_mtu();
    if config.mtu > largest && !config.scatter_gather {
        return Err(OpenError::Mtu { mtu: config.mtu, largest });
    }
    let refused = |reason| OpenError::ZeroCopy { queue: config.queue, reason };
    let reason = match (config.zero_copy, config.attached) {
        (ZeroCopy::Off, Attached::Native | Attached::Generic) => None,
        (ZeroCopy::On, Attached::Generic) => return Err(refused(NoZeroCopy::GenericAttachment)),
        (ZeroCopy::Auto, Attached::Generic) => Some(NoZeroCopy::GenericAttachment),
        (ZeroCopy::On, Attached::Native) => {
            return match in_mode(umem, pool, config, Mode::ZeroCopy) {
                Ok(port) if port.obtained.zero_copy => Ok(port),
                Ok(port) => {
                    port.abandon(pool);
                    Err(refused(NoZeroCopy::NotGiven))
                }
                Err(error) => Err(lacks_zero_copy(error).map_or_else(|other| other, refused)),
            };
        }
        (ZeroCopy::Auto, Attached::Native) => match in_mode(umem, pool, config, Mode::ZeroCopy) {
            Ok(mut port) => {
                let given = port.obtained.zero_copy;
                port.obtained.no_zero_copy = (!given).then_some(NoZeroCopy::NotGiven);
                return Ok(port);
            }
            Err(error) => Some(lacks_zero_copy(error)?),
        },
    };
    let mut port = in_mode(umem, pool, config, Mode::Copy)?;
    port.obtained.no_zero_copy = reason;
    Ok(port)
}

/// Sorts a failed zero-copy bind: the driver's refusal, or an error that copy mode shares.
fn lacks_zero_copy(error: OpenError) -> Result<NoZeroCopy, OpenError> {
    if let OpenError::System { step: Step::Bind, queue, source } = error {
        return match source.raw_os_error() {
            Some(libc::ENODEV | libc::EPERM | libc::ENETDOWN) => {
                Err(OpenError::System { step: Step::Bind, queue, source })
            }
            _ => Ok(NoZeroCopy::Driver(source)),
        };
    }
    Err(error)
}

/// Opens in one mode, over the registration of an earlier socket in that mode if there is one.
fn in_mode(
    umem: &Arc<Umem>,
    pool: &mut FramePool,
    config: &SocketConfig,
    mode: Mode,
) -> Result<AfXdpPort, OpenError> {
    let zero_copy = mode == Mode::ZeroCopy;
    let alike = |member: &Member| {
        member.zero_copy == zero_copy && member.scatter_gather == config.scatter_gather
    };
    let earlier = umem.members().iter().filter(|member| alike(member)).find_map(Member::socket);
    if let Some(with) = earlier {
        match patiently(umem, pool, config, BindTo::Shared { with: &with }) {
            // Not every driver lets two devices share: then each registers the region itself.
            Err(OpenError::System { step: Step::Bind, .. }) => {}
            done => return done,
        }
    }
    let copy_or_not = if zero_copy { libc::XDP_ZEROCOPY } else { libc::XDP_COPY };
    let gather = if config.scatter_gather { libc::XDP_USE_SG } else { 0 };
    let flags = copy_or_not | gather | libc::XDP_USE_NEED_WAKEUP;
    patiently(umem, pool, config, BindTo::Own { flags })
}

/// Tries until the queue is free or patience is over. Each try is a new socket with new rings,
/// since a driver may have taken frames before it refused.
fn patiently(
    umem: &Arc<Umem>,
    pool: &mut FramePool,
    config: &SocketConfig,
    to: BindTo<'_>,
) -> Result<AfXdpPort, OpenError> {
    let begun = Instant::now();
    loop {
        match attempt(umem, pool, config, to) {
            Err(OpenError::System { step: Step::Bind, source, .. })
                if source.raw_os_error() == Some(libc::EBUSY) =>
            {
                let waited = begun.elapsed();
                if waited >= config.patience {
                    return Err(OpenError::Busy { queue: config.queue, waited });
                }
                thread::sleep(BUSY_PAUSE);
            }
            done => return done,
        }
    }
}

fn attempt(
    umem: &Arc<Umem>,
    pool: &mut FramePool,
    config: &SocketConfig,
    to: BindTo<'_>,
) -> Result<AfXdpPort, OpenError> {
    let failed = |step| move |source| OpenError::System { step, queue: config.queue, source };
    let socket = Arc::new(Socket::new().map_err(failed(Step::Socket))?);
    let shared = match to {
        BindTo::Own { .. } => {
            socket.register(umem).map_err(|source| match source.raw_os_error() {
                Some(libc::ENOBUFS) => OpenError::LockedMemory { bytes: umem.size() },
                _ => failed(Step::Region)(source),
            })?;
            false
        }
        BindTo::Shared { .. } => true,
    };
    let rings = socket.create_rings(config.rings).map_err(failed(Step::Rings))?;
    let mut queue = Queue::new(umem, rings);
    if queue.refill(pool) == 0 {
        return Err(OpenError::NoFrames { queue: config.queue });
    }
    socket.raise_send_budget();
    let busy_polling = match config.busy_poll.map(|wanted| socket.prefer_busy_poll(wanted)) {
        None => BusyPolling::NotAsked,
        Some(Ok(())) => BusyPolling::Granted,
        Some(Err(error)) => BusyPolling::Refused(error),
    };
    let bound = socket.bind(config, to).map_err(failed(Step::Bind));
    let mode = bound.and_then(|()| socket.is_zero_copy().map_err(failed(Step::Options)));
    let zero_copy = match mode {
        Ok(zero_copy) => zero_copy,
        Err(error) => {
            drop(socket);
            queue.abandon(pool);
            return Err(error);
        }
    };
    umem.enter(Member::new(&socket, zero_copy, config.scatter_gather));
    let obtained = Obtained { zero_copy, no_zero_copy: None, shared, busy_polling };
    Ok(AfXdpPort { socket, queue, obtained })
}
