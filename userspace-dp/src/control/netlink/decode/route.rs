//! Routes and nexthop objects.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::super::message::{Malformed, address, attributes, number, split};
use super::super::model::{Hop, Nexthop, NexthopTarget, Route, RouteKind};
use super::super::uapi::*;

/// `struct rtmsg`: family, destination and source length, tos, table, protocol, scope, type, flags (4).
pub(super) fn route(payload: &[u8]) -> Result<Option<Route>, Malformed> {
    let (&[family, length, source_length, tos, table, protocol, scope, kind, f0, f1, f2, f3], rest) =
        split::<12>(payload)?;
    let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
    if (family != AF_INET && family != AF_INET6) || flags & RTM_F_CLONED != 0 {
        return Ok(None);
    }
    let mut route = Route {
        table: u32::from(table),
        destination: prefix(family, None, 0)?,
        source: prefix(family, None, 0)?,
        tos,
        metric: 0,
        kind: RouteKind::from_number(kind),
        protocol,
        scope,
        preferred_source: None,
        mtu: None,
        hops: Vec::new(),
        nexthop: None,
    };
    let (mut destination, mut source, mut only) = (None, None, HopParts::default());
    only.flags = flags;
    attributes(rest, |kind, value| {
        match kind {
            RTA_DST => destination = Some(address(family, value)?),
            RTA_SRC => source = Some(address(family, value)?),
            RTA_OIF => only.interface = number(value)?,
            RTA_PRIORITY => route.metric = number(value)?,
            RTA_PREFSRC => route.preferred_source = Some(address(family, value)?),
            RTA_METRICS => route.mtu = path_mtu(value)?,
            RTA_MULTIPATH => route.hops = multipath(family, value)?,
            RTA_TABLE => route.table = number(value)?,
            RTA_NH_ID => route.nexthop = Some(number(value)?),
            _ => only.attribute(family, kind, value)?,
        }
        Ok(())
    })?;
    route.destination = prefix(family, destination, length)?;
    route.source = prefix(family, source, source_length)?;
    if route.hops.is_empty() && only.interface != 0 {
        route.hops.push(only.finish());
    }
    Ok(Some(route))
}

fn prefix(family: u8, base: Option<IpAddr>, length: u8) -> Result<IpNet, Malformed> {
    let unspecified = match family {
        AF_INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        _ => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    IpNet::new(base.unwrap_or(unspecified), length).map(|net| net.trunc()).map_err(|_| Malformed)
}

fn path_mtu(metrics: &[u8]) -> Result<Option<u32>, Malformed> {
    let mut mtu = None;
    attributes(metrics, |kind, value| {
        if kind == RTAX_MTU {
            mtu = Some(number(value)?).filter(|&mtu| mtu != 0);
        }
        Ok(())
    })?;
    Ok(mtu)
}

/// A run of `struct rtnexthop`: length (2), flags, hops, index (4), attributes.
fn multipath(family: u8, mut bytes: &[u8]) -> Result<Vec<Hop>, Malformed> {
    let mut hops = Vec::new();
    while !bytes.is_empty() {
        let (&[l0, l1, flags, weight, i0, i1, i2, i3], _) = split::<8>(bytes)?;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let mut parts = HopParts {
            interface: u32::from_ne_bytes([i0, i1, i2, i3]),
            flags: u32::from(flags),
            weight: u16::from(weight),
            ..HopParts::default()
        };
        attributes(bytes.get(8..length).ok_or(Malformed)?, |kind, value| {
            parts.attribute(family, kind, value)
        })?;
        hops.push(parts.finish());
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Ok(hops)
}

/// What a hop is made of while its attributes are read.
#[derive(Default)]
struct HopParts {
    interface: u32,
    gateway: Option<IpAddr>,
    flags: u32,
    /// One less than the weight.
    weight: u16,
    encapsulated: bool,
}

impl HopParts {
    fn attribute(&mut self, family: u8, kind: u16, value: &[u8]) -> Result<(), Malformed> {
        match kind {
            RTA_GATEWAY => self.gateway = Some(address(family, value)?),
            RTA_VIA => {
                let (family, via) = split::<2>(value)?;
                let family = u8::try_from(u16::from_ne_bytes(*family)).map_err(|_| Malformed)?;
                self.gateway = Some(address(family, via)?);
            }
            RTA_ENCAP_TYPE => self.encapsulated = true,
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Hop {
        Hop {
            interface: self.interface,
            gateway: self.gateway,
            onlink: self.flags & RTNH_F_ONLINK != 0,
            weight: self.weight + 1,
            encapsulated: self.encapsulated,
        }
    }
}

/// `struct nhmsg`: family, scope, protocol, pad, flags (4).
pub(super) fn nexthop(payload: &[u8]) -> Result<Nexthop, Malformed> {
    let (&[family, _, _, _, f0, f1, f2, f3], rest) = split::<8>(payload)?;
    let (mut id, mut blackhole, mut group) = (0, false, None);
    let mut parts = HopParts { flags: u32::from_ne_bytes([f0, f1, f2, f3]), ..HopParts::default() };
    attributes(rest, |kind, value| {
        match kind {
            NHA_ID => id = number(value)?,
            NHA_GROUP => group = Some(nexthop_group(value)?),
            NHA_BLACKHOLE => blackhole = true,
            NHA_OIF => parts.interface = number(value)?,
            NHA_GATEWAY => parts.gateway = Some(address(family, value)?),
            NHA_ENCAP_TYPE => parts.encapsulated = true,
            _ => {}
        }
        Ok(())
    })?;
    let target = match group {
        Some(group) => NexthopTarget::Group(group),
        None if blackhole => NexthopTarget::Blackhole,
        None => NexthopTarget::Hop(parts.finish()),
    };
    if id == 0 { Err(Malformed) } else { Ok(Nexthop { id, target }) }
}

/// `struct nexthop_grp`: id (4), weight less one (low byte), its high byte, reserved (2).
fn nexthop_group(bytes: &[u8]) -> Result<Vec<(u32, u16)>, Malformed> {
    let (members, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(Malformed);
    }
    Ok(members
        .iter()
        .map(|&[a, b, c, d, low, high, ..]| {
            (u32::from_ne_bytes([a, b, c, d]), u16::from_be_bytes([high, low]).saturating_add(1))
        })
        .collect())
}
