//! The last step to the wire: from a next hop to a link header in front of the packet.

use core::net::IpAddr;

use io::Frame;
use route::{InterfaceId, NextHop, Resolution};
use telemetry::Reason;
use wire::{Mac, ethernet, vlan};

use crate::packet::Verdict;
use crate::snapshot::{InterfaceKind, PortId, Snapshot};

/// The device and the link header for `packet` on its way to `hop`.
///
/// `destination` is where the packet goes; without a gateway it is the neighbour itself. Otherwise the verdict, which
/// is `AwaitNeighbour` or a drop.
pub(crate) fn resolve(
    packet: &[u8],
    hop: &NextHop,
    destination: IpAddr,
    snapshot: &Snapshot,
) -> Result<(PortId, ethernet::Repr), Verdict> {
    match snapshot.neighbours.resolve(hop, destination) {
        Resolution::Known(mac) => {
            header(hop.interface, mac, packet, snapshot).map_err(Verdict::Drop)
        }
        // A neighbour that failed is asked for again: it may have come back.
        Resolution::Pending | Resolution::Unknown | Resolution::Failed => {
            Err(match device(hop.interface, snapshot) {
                Ok(_) => Verdict::AwaitNeighbour(hop.interface, hop.gateway.unwrap_or(destination)),
                Err(reason) => Verdict::Drop(reason),
            })
        }
    }
}

/// Puts `header` in front of the packet in `frame`, which leaves by `port`.
#[inline]
pub(crate) fn put(frame: &mut Frame, port: PortId, header: &ethernet::Repr) -> Verdict {
    let room = frame.push_front(header.header_len()).map_err(|_| ());
    match room.and_then(|room| header.emit(room).map_err(|_| ())) {
        Ok(_) => Verdict::Forward(port),
        Err(()) => Verdict::Drop(Reason::NoHeadroom),
    }
}

/// Puts the link header from `interface` to `neighbour` in front of the IP packet in `frame`.
pub(crate) fn link_to(
    frame: &mut Frame,
    interface: InterfaceId,
    neighbour: Mac,
    snapshot: &Snapshot,
) -> Verdict {
    match header(interface, neighbour, frame.data(), snapshot) {
        Ok((port, header)) => put(frame, port, &header),
        Err(reason) => Verdict::Drop(reason),
    }
}

/// The link header of `packet`, an IP packet, and the device it leaves by.
pub(crate) fn header(
    interface: InterfaceId,
    neighbour: Mac,
    packet: &[u8],
    snapshot: &Snapshot,
) -> Result<(PortId, ethernet::Repr), Reason> {
    let (port, tags, mac) = device(interface, snapshot)?;
    let ethertype = match packet.first().map(|byte| byte >> 4) {
        Some(4) => ethernet::IPV4,
        Some(6) => ethernet::IPV6,
        Some(_) | None => return Err(Reason::Undecided),
    };
    Ok((port, ethernet::Repr { destination: neighbour, source: mac, tags, ethertype }))
}

fn device(
    interface: InterfaceId,
    snapshot: &Snapshot,
) -> Result<(PortId, vlan::Tags, Mac), Reason> {
    match snapshot.interface(interface).map(|interface| interface.kind) {
        Some(InterfaceKind::Port { port, vlan, mac }) => {
            let tags = vlan.map_or(vlan::Tags::NONE, |id| vlan::Tags::one(vlan::Tag(id)));
            Ok((port, tags, Mac(mac)))
        }
        Some(InterfaceKind::Unattached) | None => Err(Reason::EgressUnattached),
        Some(InterfaceKind::Tunnel) => Err(Reason::TunnelLoop),
    }
}
