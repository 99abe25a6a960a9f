//! Netlink messages of the `route` family into [`Update`]s for the tables.
//!
//! Standards: `rtnetlink(7)`, RFC 3549. Every function is total: what does not fit is [`Malformed`], what is not
//! meant for the mirror (bridge and multicast-router families, cached routes, wireless events) is `None`.

mod route;

use core::net::Ipv4Addr;

use super::message::{Malformed, address, attributes, number, short, split, text};
use super::model::{Address, Link, Neighbour, NeighbourState, OperationalState, Vlan};
use super::tables::{Placement, Update};
use super::uapi::*;
use route::{nexthop, route};

/// Decodes one message; `flags` are those of its header.
pub(super) fn decode(kind: u16, flags: u16, payload: &[u8]) -> Result<Option<Update>, Malformed> {
    Ok(match kind {
        RTM_NEWLINK => link(payload)?.map(Update::Link),
        RTM_DELLINK => link(payload)?.map(|link| Update::LinkGone(link.index)),
        RTM_NEWADDR => local_address(payload)?.map(Update::Address),
        RTM_DELADDR => local_address(payload)?.map(Update::AddressGone),
        RTM_NEWROUTE => {
            route(payload)?.map(|route| Update::Route(route, Placement::from_flags(flags)))
        }
        RTM_DELROUTE => route(payload)?.map(Update::RouteGone),
        RTM_NEWNEIGH => neighbour(payload)?.map(Update::Neighbour),
        RTM_DELNEIGH => neighbour(payload)?
            .map(|neighbour| Update::NeighbourGone(neighbour.interface, neighbour.address)),
        RTM_NEWNEXTHOP => Some(Update::Nexthop(nexthop(payload)?)),
        RTM_DELNEXTHOP => Some(Update::NexthopGone(nexthop(payload)?.id)),
        _ => None,
    })
}

/// `struct ifinfomsg`: family, pad, type (2), index (4), flags (4), change (4).
fn link(payload: &[u8]) -> Result<Option<Link>, Malformed> {
    let (&[family, _, _, _, i0, i1, i2, i3, f0, f1, f2, f3, ..], rest) = split::<16>(payload)?;
    // The bridge sends messages of its own family when a port joins or leaves; the device itself stays.
    if family != AF_UNSPEC {
        return Ok(None);
    }
    let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
    let mut link = Link {
        index: u32::from_ne_bytes([i0, i1, i2, i3]),
        name: String::new(),
        kind: None,
        mac: None,
        mtu: 0,
        up: flags & IFF_UP != 0,
        carrier: flags & IFF_LOWER_UP != 0,
        operational: OperationalState::Unknown,
        loopback: flags & IFF_LOOPBACK != 0,
        point_to_point: flags & IFF_POINTOPOINT != 0,
        no_arp: flags & IFF_NOARP != 0,
        parent: None,
        vlan: None,
        master: None,
        rx_queues: 1,
        tx_queues: 1,
        hardware: None,
    };
    let (mut partial, mut foreign_parent) = (false, false);
    let (mut bus, mut device) = (None, None);
    attributes(rest, |kind, value| {
        match kind {
            IFLA_ADDRESS => link.mac = value.try_into().ok(),
            IFLA_IFNAME => link.name = text(value),
            IFLA_MTU => link.mtu = number(value)?,
            IFLA_LINK => link.parent = Some(number(value)?).filter(|&index| index != 0),
            IFLA_LINK_NETNSID => foreign_parent = true,
            IFLA_MASTER => link.master = Some(number(value)?),
            IFLA_WIRELESS => partial = true,
            IFLA_OPERSTATE => link.operational = operational(value.first().copied()),
            IFLA_NUM_RX_QUEUES => link.rx_queues = number(value)?,
            IFLA_NUM_TX_QUEUES => link.tx_queues = number(value)?,
            IFLA_LINKINFO => (link.kind, link.vlan) = link_info(value)?,
            IFLA_PARENT_DEV_NAME => device = Some(text(value)),
            IFLA_PARENT_DEV_BUS_NAME => bus = Some(text(value)),
            _ => {}
        }
        Ok(())
    })?;
    // A device is its own parent's peer in another namespace, or has no device below it.
    if foreign_parent || link.parent == Some(link.index) {
        link.parent = None;
    }
    link.hardware = bus.zip(device);
    // Wireless events carry little more than the name; taking them would wipe the rest.
    Ok((!partial).then_some(link))
}

fn operational(value: Option<u8>) -> OperationalState {
    match value {
        Some(1) => OperationalState::NotPresent,
        Some(2) => OperationalState::Down,
        Some(3) => OperationalState::LowerLayerDown,
        Some(4) => OperationalState::Testing,
        Some(5) => OperationalState::Dormant,
        Some(6) => OperationalState::Up,
        Some(_) | None => OperationalState::Unknown,
    }
}

fn link_info(info: &[u8]) -> Result<(Option<String>, Option<Vlan>), Malformed> {
    let (mut kind, mut data) = (None, None);
    attributes(info, |attribute, value| {
        match attribute {
            IFLA_INFO_KIND => kind = Some(text(value)),
            IFLA_INFO_DATA => data = Some(value),
            _ => {}
        }
        Ok(())
    })?;
    let vlan = match (kind.as_deref(), data) {
        (Some("vlan"), Some(data)) => vlan(data)?,
        _ => None,
    };
    Ok((kind, vlan))
}

fn vlan(data: &[u8]) -> Result<Option<Vlan>, Malformed> {
    let (mut id, mut protocol) = (None, 0x8100);
    attributes(data, |attribute, value| {
        match attribute {
            IFLA_VLAN_ID => id = Some(short(value)?),
            // The one number of this message in network byte order.
            IFLA_VLAN_PROTOCOL => protocol = u16::from_be(short(value)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(id.map(|id| Vlan { id, protocol }))
}

/// `struct ifaddrmsg`: family, prefix length, flags, scope, index (4).
fn local_address(payload: &[u8]) -> Result<Option<Address>, Malformed> {
    let (&[family, prefix_length, short_flags, _, i0, i1, i2, i3], rest) = split::<8>(payload)?;
    if family != AF_INET && family != AF_INET6 {
        return Ok(None);
    }
    let (mut far, mut near, mut broadcast) = (None, None, None);
    let mut flags = u32::from(short_flags);
    attributes(rest, |kind, value| {
        match kind {
            IFA_ADDRESS => far = Some(address(family, value)?),
            IFA_LOCAL => near = Some(address(family, value)?),
            IFA_BROADCAST => broadcast = value.first_chunk::<4>().map(|&b| Ipv4Addr::from(b)),
            IFA_FLAGS => flags = number(value)?,
            _ => {}
        }
        Ok(())
    })?;
    // IFA_ADDRESS is the other end of a point-to-point address and otherwise the address itself.
    let own = near.or(far).ok_or(Malformed)?;
    let undecided = flags & IFA_F_TENTATIVE != 0 && flags & (IFA_F_OPTIMISTIC | IFA_F_NODAD) == 0;
    Ok(Some(Address {
        interface: u32::from_ne_bytes([i0, i1, i2, i3]),
        address: own,
        prefix_length,
        peer: far.filter(|far| *far != own),
        broadcast,
        secondary: flags & IFA_F_SECONDARY != 0,
        tentative: undecided || flags & IFA_F_DADFAILED != 0,
    }))
}

/// `struct ndmsg`: family, pad (3), index (4), state (2), flags, type.
fn neighbour(payload: &[u8]) -> Result<Option<Neighbour>, Malformed> {
    let (&[family, _, _, _, i0, i1, i2, i3, s0, s1, flags, _], rest) = split::<12>(payload)?;
    if (family != AF_INET && family != AF_INET6) || flags & NTF_PROXY != 0 {
        return Ok(None);
    }
    let (mut destination, mut mac) = (None, None);
    attributes(rest, |kind, value| {
        match kind {
            NDA_DST => destination = Some(address(family, value)?),
            NDA_LLADDR => mac = value.try_into().ok(),
            _ => {}
        }
        Ok(())
    })?;
    let state = neighbour_state(u16::from_ne_bytes([s0, s1]));
    // The kernel makes such entries for multicast, broadcast and loopback destinations and never reports them.
    let usable = |mac: [u8; 6]| mac[0] & 1 == 0 && mac != [0; 6];
    if state == NeighbourState::NoArp && !mac.is_some_and(usable) {
        return Ok(None);
    }
    Ok(Some(Neighbour {
        interface: u32::from_ne_bytes([i0, i1, i2, i3]),
        address: destination.ok_or(Malformed)?,
        mac: mac.filter(|_| state.is_valid()),
        state,
        router: flags & NTF_ROUTER != 0,
    }))
}

/// The kernel keeps one bit at a time; an unknown one counts as not resolved.
const fn neighbour_state(bits: u16) -> NeighbourState {
    match bits {
        NUD_INCOMPLETE => NeighbourState::Incomplete,
        NUD_REACHABLE => NeighbourState::Reachable,
        NUD_STALE => NeighbourState::Stale,
        NUD_DELAY => NeighbourState::Delay,
        NUD_PROBE => NeighbourState::Probe,
        NUD_FAILED => NeighbourState::Failed,
        NUD_NOARP => NeighbourState::NoArp,
        NUD_PERMANENT => NeighbourState::Permanent,
        _ => NeighbourState::None,
    }
}

#[cfg(test)]
mod tests;
