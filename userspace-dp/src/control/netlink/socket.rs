//! Netlink sockets: one that listens to multicast groups and never blocks, one that asks and waits for the answer.
//!
//! The kernel handles a request while it is being sent, so waiting for its answer takes microseconds; the timeout
//! is for a kernel that never answers.

use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::NetlinkBuffer;
use netlink_sys::{Socket, SocketAddr};
use rustix::io::Errno;
use rustix::net::sockopt;

use super::error::Error;
use super::message::{HEADER, Request, number};
use super::uapi::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP,
};

/// The kernel fills at most 32 KiB per datagram when the reader offers more.
const DATAGRAM: usize = 64 * 1024;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// One message inside a datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'datagram> {
    pub kind: u16,
    pub flags: u16,
    pub payload: &'datagram [u8],
}

/// What one read of the listening socket brought.
pub(super) enum Read {
    /// A datagram, with its length.
    Datagram,
    /// Nothing to read.
    Empty,
    /// Messages were lost.
    Lost,
}

/// Listens to multicast groups.
pub(super) struct Listener {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Listener {
    /// A non-blocking socket in these groups, with this much room for what is not read yet.
    pub(super) fn open(protocol: isize, groups: &[u32], room: usize) -> Result<Self, Error> {
        let mut socket = Socket::new(protocol).map_err(socket_error("open"))?;
        socket.bind_auto().map_err(socket_error("bind"))?;
        socket.set_non_blocking(true).map_err(socket_error("make non-blocking"))?;
        // Going beyond the system's limit takes CAP_NET_ADMIN; without it the limit has to do.
        if sockopt::set_socket_recv_buffer_size_force(&socket, room).is_err() {
            sockopt::set_socket_recv_buffer_size(&socket, room)
                .map_err(|errno| socket_error("size the receive buffer")(errno.into()))?;
        }
        for &group in groups {
            // A kernel without nexthop objects has no group for them either.
            match socket.add_membership(group) {
                Err(error) if error.raw_os_error() != Some(Errno::INVAL.raw_os_error()) => {
                    return Err(socket_error("join a multicast group")(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(Self { socket, buffer: Vec::with_capacity(DATAGRAM) })
    }

    /// Reads one datagram; [`Listener::messages`] shows what is in it.
    pub(super) fn read(&mut self) -> Result<Read, Error> {
        match receive(&self.socket, &mut self.buffer) {
            Ok(true) => Ok(Read::Datagram),
            Ok(false) => Ok(Read::Lost),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Read::Empty),
            Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => {
                Ok(Read::Lost)
            }
            Err(error) => Err(socket_error("receive")(error)),
        }
    }

    /// The messages of the last datagram.
    pub(super) fn messages(&self) -> impl Iterator<Item = Message<'_>> {
        messages(&self.buffer).map(|(message, _)| message)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// How a dump ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dump {
    /// All of it, from one state of the kernel's table.
    Whole,
    /// All of it, but the table changed meanwhile and entries may be missing or doubled.
    Interrupted,
}

/// Asks and waits.
pub(super) struct Asker {
    protocol: isize,
    socket: Socket,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Asker {
    pub(super) fn open(protocol: isize) -> Result<Self, Error> {
        Ok(Self {
            protocol,
            socket: asking_socket(protocol)?,
            buffer: Vec::with_capacity(DATAGRAM),
            sequence: 0,
        })
    }

    /// Sends a request and waits for the kernel's word that it was done.
    pub(super) fn order(&mut self, request: Request, action: &'static str) -> Result<(), Error> {
        self.exchange(request, NLM_F_ACK, action, |_| {}).map(|_| ())
    }

    /// Sends a request and gives each message of the answer to `each`.
    pub(super) fn ask(
        &mut self,
        request: Request,
        action: &'static str,
        each: impl FnMut(Message<'_>),
    ) -> Result<(), Error> {
        self.exchange(request, NLM_F_ACK, action, each).map(|_| ())
    }

    /// Asks for a whole table.
    pub(super) fn dump(
        &mut self,
        request: Request,
        action: &'static str,
        each: impl FnMut(Message<'_>),
    ) -> Result<Dump, Error> {
        self.exchange(request, NLM_F_DUMP, action, each)
    }

    fn exchange(
        &mut self,
        request: Request,
        flags: u16,
        action: &'static str,
        each: impl FnMut(Message<'_>),
    ) -> Result<Dump, Error> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = request.with_flags(NLM_F_REQUEST | flags).finish(self.sequence);
        let result = match self.socket.send_to(&request, &SocketAddr::new(0, 0), 0) {
            Ok(_) => self.answer(action, each),
            Err(error) => Err(socket_error("send")(error)),
        };
        match &result {
            Ok(_) | Err(Error::Refused { .. }) => {}
            // An answer that was given up may still arrive, and a dump that is not read to its end blocks the
            // next one: start afresh.
            Err(_) => self.socket = asking_socket(self.protocol)?,
        }
        result
    }

    fn answer(
        &mut self,
        action: &'static str,
        mut each: impl FnMut(Message<'_>),
    ) -> Result<Dump, Error> {
        let mut dump = Dump::Whole;
        loop {
            match receive(&self.socket, &mut self.buffer) {
                Ok(true) => {}
                Ok(false) => return Err(Error::Malformed { action }),
                Err(error) => return Err(socket_error("receive an answer")(error)),
            }
            for (message, sequence) in messages(&self.buffer) {
                if sequence != self.sequence {
                    continue;
                }
                if message.flags & NLM_F_DUMP_INTR != 0 {
                    dump = Dump::Interrupted;
                }
                match message.kind {
                    NLMSG_NOOP => {}
                    NLMSG_ERROR | NLMSG_DONE => return verdict(message, action).map(|()| dump),
                    _ => each(message),
                }
            }
        }
    }
}

/// Both kinds of last message begin with a negative error number, or 0.
fn verdict(message: Message<'_>, action: &'static str) -> Result<(), Error> {
    match number(message.payload) {
        Ok(0) => Ok(()),
        Ok(code) => Err(Error::Refused {
            action,
            source: io::Error::from_raw_os_error((code as i32).wrapping_neg()),
        }),
        // A dump on an old kernel ends without a number.
        Err(_) if message.kind == NLMSG_DONE => Ok(()),
        Err(_) => Err(Error::Malformed { action }),
    }
}

fn asking_socket(protocol: isize) -> Result<Socket, Error> {
    let mut socket = Socket::new(protocol).map_err(socket_error("open"))?;
    socket.bind_auto().map_err(socket_error("bind"))?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(ANSWER_TIMEOUT))
        .map_err(|errno| socket_error("set a timeout")(errno.into()))?;
    Ok(socket)
}

/// Reads a datagram into `buffer`; false when it was longer than that. What does not come from the kernel is
/// skipped.
fn receive(socket: &Socket, buffer: &mut Vec<u8>) -> io::Result<bool> {
    loop {
        buffer.clear();
        match socket.recv_from(buffer, MSG_TRUNC) {
            Ok((length, sender)) if sender.port_number() == 0 => return Ok(length <= buffer.len()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Makes `recv` return the datagram's whole length (`recv(2)`).
const MSG_TRUNC: i32 = 0x20;

/// The messages of a datagram with their sequence numbers; a broken one ends it.
fn messages(mut datagram: &[u8]) -> impl Iterator<Item = (Message<'_>, u32)> {
    core::iter::from_fn(move || {
        if datagram.is_empty() {
            return None;
        }
        let header = NetlinkBuffer::new_checked(datagram).ok()?;
        let length = header.length() as usize;
        let message = Message {
            kind: header.message_type(),
            flags: header.flags(),
            payload: datagram.get(HEADER..length)?,
        };
        let sequence = header.sequence_number();
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((message, sequence))
    })
}

fn socket_error(action: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Socket { action, source }
}
