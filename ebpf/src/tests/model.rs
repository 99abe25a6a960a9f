//! The decision order once more, written from its description, and random frames against both.
use core::cell::RefCell;
use core::time::Duration;
use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use clock::{Clock, Monotonic};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::frames::{Ipv4, Ipv6, discovery, ethernet_to, extension, fragment6, udp4, udp6};
use super::rig::{FAR4, FAR6, LOCAL4, LOCAL6, PEER4, PEER6, Rig, WG, needs_root};
use crate::Exit;

const BLOCKED4: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const BLOCKED6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 1);

/// The datagrams to the tunnel service of which a first fragment came: addresses, identification, protocol.
type Datagrams = HashSet<Vec<u8>>;

/// What the description says about a frame on the rig's port.
fn model(frame: &[u8], datagrams: &mut Datagrams) -> Exit {
    link(frame, datagrams).unwrap_or_else(|exit| exit)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// `Ok` for what wants a socket, `Err` for every other exit.
fn link(frame: &[u8], datagrams: &mut Datagrams) -> Result<Exit, Exit> {
    let mut tags = Vec::new();
    let mut at = 12;
    let ether_type = loop {
        let ether_type = word(frame, at).ok_or(Exit::FrameTruncated)?;
        match ether_type {
            0x8100 | 0x88a8 if tags.len() == 2 => return Err(Exit::VlanUnsupported),
            0x9100 | 0x9200 | 0x9300 => return Err(Exit::VlanUnsupported),
            0x8100 | 0x88a8 => {
                let id = word(frame, at + 2).ok_or(Exit::FrameTruncated)? & 0xfff;
                tags.push((ether_type, id));
                at += 4;
            }
            other => break other,
        }
    };
    let registered = matches!(tags[..], [] | [(0x8100, 0 | 10)] | [(0x88a8, 20), (0x8100, 30)]);
    let group = frame[0] & 1 == 1;
    let kind = match ether_type {
        0x0800 => ipv4(&frame[at + 2..], group, datagrams)?,
        0x86dd => ipv6(&frame[at + 2..], group, datagrams)?,
        0x0806 => return Err(Exit::Arp),
        _ => return Err(Exit::NonIp),
    };
    if registered { Ok(kind) } else { Err(Exit::VlanUnregistered) }
}

fn port(protocol: u8, payload: &[u8]) -> Result<u16, Exit> {
    match protocol {
        6 | 17 => word(payload, 2).ok_or(Exit::TransportTruncated),
        _ => Ok(0),
    }
}

/// A piece of a datagram.
struct Piece {
    datagram: Vec<u8>,
    later: bool,
}

fn local(
    piece: Option<Piece>,
    protocol: u8,
    port: u16,
    datagrams: &mut Datagrams,
) -> Result<Exit, Exit> {
    match piece {
        Some(Piece { datagram, later: true }) => {
            if datagrams.contains(&datagram) {
                Ok(Exit::Tunnel)
            } else {
                Err(Exit::LocalFragment)
            }
        }
        Some(_) | None if (protocol, port) != (17, WG) => Err(Exit::Local),
        Some(Piece { datagram, later: false }) => {
            datagrams.insert(datagram);
            Ok(Exit::Tunnel)
        }
        None => Ok(Exit::Tunnel),
    }
}

fn ipv4(packet: &[u8], group: bool, datagrams: &mut Datagrams) -> Result<Exit, Exit> {
    let malformed = Exit::Ipv4Malformed;
    let first = *packet.first().ok_or(malformed)?;
    let header = usize::from(first & 15) * 4;
    let total = usize::from(word(packet, 2).ok_or(malformed)?);
    if first >> 4 != 4 || header < 20 || total < header || packet.len() < total {
        return Err(malformed);
    }
    let packet = &packet[..total];
    let fragment = word(packet, 6).ok_or(malformed)?;
    let later = fragment & 0x1fff != 0;
    let protocol = packet[9];
    let port = if later { 0 } else { port(protocol, &packet[header..])? };
    let address = |at: usize| -> Ipv4Addr {
        <[u8; 4]>::try_from(&packet[at..at + 4]).expect("four bytes").into()
    };
    let (source, destination) = (address(12), address(16));
    let piece = (fragment & 0x3fff != 0)
        .then(|| Piece { datagram: [&packet[12..20], &packet[4..6], &[protocol]].concat(), later });
    match destination {
        _ if source == BLOCKED4 => Err(Exit::Blocked),
        _ if destination.is_multicast() => Err(Exit::Multicast),
        _ if group || destination.is_broadcast() => Err(Exit::Broadcast),
        LOCAL4 => local(piece, protocol, port, datagrams),
        _ => Ok(Exit::Transit),
    }
}

fn ipv6(packet: &[u8], group: bool, datagrams: &mut Datagrams) -> Result<Exit, Exit> {
    let malformed = Exit::Ipv6Malformed;
    if packet.len() < 40 || packet[0] >> 4 != 6 {
        return Err(malformed);
    }
    let end = 40 + usize::from(word(packet, 4).ok_or(malformed)?);
    let packet = packet.get(..end).ok_or(malformed)?;
    let (mut protocol, mut rest) = (packet[6], &packet[40..]);
    let (mut fragment, mut later, mut walked) = (None, false, 0);
    while !later && matches!(protocol, 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140) {
        let in_frame = rest.len() >= 8;
        if walked == 8 {
            return Err(Exit::ExtensionChain);
        }
        if !in_frame {
            return Err(malformed);
        }
        let length = match protocol {
            44 => 8,
            51 => (usize::from(rest[1]) + 2) * 4,
            _ => (usize::from(rest[1]) + 1) * 8,
        };
        if protocol == 44 {
            fragment = Some(rest[4..8].to_vec());
            later = (u16::from_be_bytes([rest[2], rest[3]]) >> 3) != 0;
        }
        protocol = rest[0];
        rest = rest.get(length..).ok_or(malformed)?;
        walked += 1;
    }
    let port = if later { 0 } else { port(protocol, rest)? };
    let address = |at: usize| -> Ipv6Addr {
        <[u8; 16]>::try_from(&packet[at..at + 16]).expect("sixteen bytes").into()
    };
    let (source, destination) = (address(8), address(24));
    let on_link =
        destination.is_multicast() || destination.is_unicast_link_local() || destination == LOCAL6;
    let discovers = fragment.is_none() && protocol == 58 && packet[7] == 255;
    if discovers && on_link && rest.first().is_some_and(|kind| (133..=137).contains(kind)) {
        return Err(Exit::NeighbourDiscovery);
    }
    match destination {
        _ if source == BLOCKED6 => Err(Exit::Blocked),
        _ if destination.is_multicast() => Err(Exit::Multicast),
        _ if group => Err(Exit::Broadcast),
        LOCAL6 => {
            let datagram = |identification: Vec<u8>| [&packet[8..40], &identification].concat();
            let piece = fragment.map(|id| Piece { datagram: datagram(id), later });
            local(piece, protocol, port, datagrams)
        }
        _ if destination.is_unicast_link_local() => Err(Exit::LinkLocal),
        _ => Ok(Exit::Transit),
    }
}

fn ipv4_packet() -> impl Strategy<Value = Vec<u8>> {
    let source = prop_oneof![3 => Just(PEER4), 1 => Just(BLOCKED4)];
    let destination = prop_oneof![
        4 => Just(LOCAL4),
        3 => Just(FAR4),
        1 => Just(Ipv4Addr::new(224, 0, 0, 5)),
        1 => Just(Ipv4Addr::BROADCAST),
        1 => any::<u32>().prop_map(Ipv4Addr::from_bits),
    ];
    let port = prop_oneof![2 => Just(WG), 1 => any::<u16>()];
    let protocol = prop_oneof![3 => Just(17), 1 => Just(6), 1 => any::<u8>()];
    let fragment = prop_oneof![4 => Just(0), 1 => Just(0x2000), 1 => any::<u16>()];
    (source, destination, port, protocol, fragment, 0..=10_usize, kept()).prop_map(
        |(source, destination, port, protocol, fragment, words, kept)| {
            let options = vec![1; words * 4];
            let mut packet =
                Ipv4 { source, protocol, options, fragment, ..udp4(destination, port) };
            packet.payload.truncate(kept);
            packet.packet()
        },
    )
}

fn extension_header() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let kind = prop_oneof![
        Just(0_u8),
        Just(43),
        Just(60),
        Just(135),
        Just(139),
        Just(140),
        Just(51),
        Just(99)
    ];
    prop_oneof![
        4 => (kind, 1..=4_usize).prop_map(|(kind, eighths)| match kind {
            51 => {
                let length = u8::try_from(eighths * 2 - 2).unwrap_or(0);
                let mut bytes = vec![0; eighths * 8 - 1];
                bytes[0] = length;
                (51, bytes)
            }
            kind => extension(kind, eighths * 8),
        }),
        1 => (0..3_u16, any::<bool>()).prop_map(|(offset, more)| fragment6(offset, more)),
    ]
}

fn ipv6_packet() -> impl Strategy<Value = Vec<u8>> {
    let source = prop_oneof![3 => Just(PEER6), 1 => Just(BLOCKED6)];
    let destination = prop_oneof![
        4 => Just(LOCAL6),
        3 => Just(FAR6),
        1 => Just(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)),
        1 => Just(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)),
        1 => any::<u128>().prop_map(Ipv6Addr::from_bits),
    ];
    let port = prop_oneof![2 => Just(WG), 1 => any::<u16>()];
    let protocol = prop_oneof![3 => Just(17), 1 => Just(6), 1 => any::<u8>()];
    let chain = prop::collection::vec(extension_header(), 0..=10);
    let discover = prop_oneof![3 => Just(None), 1 => (131..=139_u8).prop_map(Some)];
    (source, destination, port, protocol, chain, discover, kept()).prop_map(
        |(source, destination, port, protocol, extensions, discover, kept)| {
            let mut plain = match discover {
                Some(kind) => discovery(kind, destination),
                None => Ipv6 { protocol, ..udp6(destination, port) },
            };
            plain.payload.truncate(kept);
            Ipv6 { source, extensions, ..plain }.packet()
        },
    )
}

/// How much of the transport header and its data there is: mostly all.
fn kept() -> impl Strategy<Value = usize> {
    prop_oneof![9 => Just(24), 1 => 0..6_usize]
}

/// A frame that mostly makes sense, then perhaps some bytes changed and its end cut or padded.
pub(super) fn frame() -> impl Strategy<Value = Vec<u8>> {
    let packet = prop_oneof![
        4 => ipv4_packet().prop_map(|packet| (0x0800, packet)),
        4 => ipv6_packet().prop_map(|packet| (0x86dd, packet)),
        1 => (any::<u16>(), prop::collection::vec(any::<u8>(), 0..60)),
        1 => (Just(0x0806), prop::collection::vec(any::<u8>(), 28)),
    ];
    let protocol = prop_oneof![4 => Just(0x8100), 2 => Just(0x88a8), 1 => Just(0x9100)];
    let id = prop_oneof![Just(0_u16), Just(10), Just(20), Just(30), any::<u16>()];
    let tags = prop_oneof![
        3 => Just(Vec::new()),
        1 => Just(vec![(0x88a8, 20), (0x8100, 30)]),
        2 => prop::collection::vec((protocol, id), 0..4),
    ];
    let destination = prop_oneof![5 => Just([2, 0, 0, 0, 0, 1]), 1 => Just([0xff; 6])];
    let changes = prop_oneof![
        2 => Just(Vec::new()),
        1 => prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..3),
    ];
    let length = prop_oneof![6 => Just(None), 1 => (14..22_usize).prop_map(Some), 2 => (14..120_usize).prop_map(Some)];
    (destination, tags, packet, changes, length).prop_map(
        |(destination, tags, (ether_type, packet), changes, length)| {
            let mut frame = ethernet_to(destination, &tags, ether_type, &packet);
            for (index, value) in changes {
                let index = index.index(frame.len());
                frame[index] = value;
            }
            if let Some(length) = length {
                frame.resize(length.max(14), 0);
            }
            frame
        },
    )
}

#[test]
fn the_program_decides_as_the_description_says() {
    needs_root!();
    let mut rig = Rig::new();
    let until = Monotonic.now() + Duration::from_secs(600);
    rig.steering.block(std::net::IpAddr::V4(BLOCKED4).into(), until).expect("block");
    rig.steering.block(std::net::IpAddr::V6(BLOCKED6).into(), until).expect("block");
    let mut runner = TestRunner::new(Config { cases: 8_000, ..Config::default() });
    let seen = RefCell::new(HashSet::new());
    let datagrams = RefCell::new(Datagrams::new());
    runner
        .run(&frame(), |frame| {
            let exit = rig.run(&frame);
            seen.borrow_mut().insert(exit);
            let expected = model(&frame, &mut datagrams.borrow_mut());
            // The program remembers a datagram for a second only.
            let forgotten = exit == Exit::LocalFragment && expected == Exit::Tunnel;
            prop_assert!(exit == expected || forgotten, "{exit:?}, not {expected:?}");
            Ok(())
        })
        .expect("the program and the description agree");
    // All but the unregistered interface and what only happens on failure.
    let unseen: Vec<Exit> =
        Exit::ALL[1..18].iter().copied().filter(|exit| !seen.borrow().contains(exit)).collect();
    assert_eq!(unseen, []);
    assert!(seen.borrow().contains(&Exit::Transit));
}
