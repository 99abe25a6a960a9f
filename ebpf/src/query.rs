//! Asks rtnetlink which XDP program an interface runs (`IFLA_XDP`), and takes one off.
//!
//! The answer is the kernel's: the bind mode of the sockets follows the mode found here, never
//! the mode that was asked for.
use core::fmt;
use std::io;
use std::os::fd::RawFd;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage, LinkXdp, XdpAttached};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

/// An XDP program on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The kernel's id of the program.
    pub program: u32,
    /// How it runs.
    pub mode: RunningMode,
}

/// How the kernel says a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunningMode {
    /// In the driver.
    Native,
    /// In the network stack, after the kernel made its own buffer.
    Generic,
    /// On the network card.
    Offloaded,
    /// Several programs in several modes.
    Several,
    /// A mode newer than this code.
    Unknown,
}

impl fmt::Display for RunningMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Offloaded => "offloaded",
            Self::Several => "more than one",
            Self::Unknown => "unknown",
        })
    }
}

/// The XDP program of an interface, in the network namespace of the calling thread.
///
/// # Errors
/// What the kernel answered; `ENODEV` when there is no such interface.
pub fn attached(ifindex: u32) -> io::Result<Option<Attached>> {
    let mut message = LinkMessage::default();
    message.header.index = ifindex;
    let answer = request(RouteNetlinkMessage::GetLink(message), 0)?;
    let Some(RouteNetlinkMessage::NewLink(link)) = answer else {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    };
    Ok(link.attributes.iter().find_map(|attribute| {
        if let LinkAttribute::Xdp(parts) = attribute { interpret(parts) } else { None }
    }))
}

/// Takes a program that netlink attached off the interface. `EBUSY` if a link holds it.
pub(crate) fn take_off(ifindex: u32, mode: RunningMode) -> io::Result<()> {
    set_program(ifindex, -1, mode)
}

/// Attaches a program by netlink, so that it outlives its process; -1 takes it off.
pub(crate) fn set_program(ifindex: u32, program: RawFd, mode: RunningMode) -> io::Result<()> {
    const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
    const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
    const XDP_FLAGS_HW_MODE: u32 = 1 << 3;
    let flags = match mode {
        RunningMode::Native => XDP_FLAGS_DRV_MODE,
        RunningMode::Generic => XDP_FLAGS_SKB_MODE,
        RunningMode::Offloaded => XDP_FLAGS_HW_MODE,
        RunningMode::Several | RunningMode::Unknown => {
            return Err(io::Error::from_raw_os_error(libc::EBUSY));
        }
    };
    let mut message = LinkMessage::default();
    message.header.index = ifindex;
    let parts = vec![LinkXdp::Fd(program), LinkXdp::Flags(flags)];
    message.attributes.push(LinkAttribute::Xdp(parts));
    request(RouteNetlinkMessage::SetLink(message), NLM_F_ACK).map(drop)
}

fn interpret(parts: &[LinkXdp]) -> Option<Attached> {
    let mode = parts.iter().find_map(|part| {
        if let LinkXdp::Attached(mode) = part { running_mode(*mode) } else { None }
    })?;
    // Several programs have no common id: the first of them stands for all.
    let program = parts.iter().find_map(|part| match part {
        LinkXdp::ProgId(id)
        | LinkXdp::DrvProgId(id)
        | LinkXdp::SkbProgId(id)
        | LinkXdp::HwProgId(id) => Some(*id),
        LinkXdp::Fd(_)
        | LinkXdp::Attached(_)
        | LinkXdp::Flags(_)
        | LinkXdp::ExpectedFd(_)
        | LinkXdp::Other(_)
        | _ => None,
    })?;
    Some(Attached { program, mode })
}

fn running_mode(mode: XdpAttached) -> Option<RunningMode> {
    match mode {
        XdpAttached::None => None,
        XdpAttached::Driver => Some(RunningMode::Native),
        XdpAttached::SocketBuffer => Some(RunningMode::Generic),
        XdpAttached::Hardware => Some(RunningMode::Offloaded),
        XdpAttached::Multiple => Some(RunningMode::Several),
        XdpAttached::Other(_) | _ => Some(RunningMode::Unknown),
    }
}

/// One request, one answer: a message, or nothing for an acknowledgement.
fn request(body: RouteNetlinkMessage, flags: u16) -> io::Result<Option<RouteNetlinkMessage>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(body));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;

    let (answer, _) = socket.recv_from_full()?;
    let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
    match answer.payload {
        NetlinkPayload::InnerMessage(body) => Ok(Some(body)),
        NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io()),
        NetlinkPayload::Error(_)
        | NetlinkPayload::Done(_)
        | NetlinkPayload::Noop
        | NetlinkPayload::Overrun(_)
        | _ => Ok(None),
    }
}
