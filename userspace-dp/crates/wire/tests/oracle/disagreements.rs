//! Where a peer may answer otherwise than `wire`, and why `wire` is right for a gateway. Each row is
//! a narrow condition on what both said; a disagreement that no row covers fails the test.

use wire::{Fragment, Malformed, Transport};

use super::Summary;

/// Who disagrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Smoltcp,
    Etherparse,
}

/// What a row is judged by.
pub struct Case<'a> {
    pub peer: Peer,
    pub frame: &'a [u8],
    pub ours: &'a Result<Summary, Malformed>,
    pub theirs: &'a Option<Summary>,
}

/// One allowed disagreement.
pub struct Row {
    /// What differs, in a few words.
    pub what: &'static str,
    /// Why `wire` answers as it does.
    pub why: &'static str,
    /// True if the case is of this kind.
    pub covers: fn(&Case) -> bool,
}

/// The first row that covers the case.
pub fn allowed(
    peer: Peer,
    frame: &[u8],
    ours: &Result<Summary, Malformed>,
    theirs: &Option<Summary>,
) -> Option<usize> {
    let case = Case { peer, frame, ours, theirs };
    TABLE.iter().position(|row| (row.covers)(&case))
}

/// Every allowed disagreement.
pub const TABLE: &[Row] = &[
    Row {
        what: "ports of a first fragment: read here, left out by the peers",
        why: "policy judges a datagram by its first fragment, so its header is read and must be whole",
        covers: |case| match (case.ours, case.theirs) {
            (Ok(ours), Some(theirs)) => {
                matches!(ours.fragment, Fragment::First { .. })
                    && *theirs
                        == Summary {
                            transport: Transport::Absent,
                            payload: ours.l4,
                            payload_end: ours.end,
                            ..*ours
                        }
            }
            (Ok(_), None) | (Err(_), _) => false,
        },
    },
    Row {
        what: "a first fragment too short for its upper header: refused here",
        why: "RFC 1858 and RFC 7112: tiny fragments hide ports from a filter",
        covers: |case| {
            refused_for(case, UPPER)
                && case
                    .theirs
                    .is_some_and(|theirs| matches!(theirs.fragment, Fragment::First { .. }))
        },
    },
    Row {
        what: "a fragment that is empty, misaligned or beyond the largest datagram: refused here",
        why: "RFC 791 and RFC 8200, section 4.5: it can only serve to confuse reassembly",
        covers: |case| {
            refused_for(case, &[Malformed::FragmentLength, Malformed::FragmentOverflow])
                && (case.theirs.is_some_and(|theirs| theirs.fragment != Fragment::None))
        },
    },
    Row {
        what: "extension chains: a bound of eight, order, at most one fragment header, RFC 5095: only here",
        why: "RFC 8200, section 4.1, and RFC 8504, section 5.3",
        covers: |case| {
            refused_for(
                case,
                &[
                    Malformed::Ipv6ExtensionChain,
                    Malformed::Ipv6ExtensionOrder,
                    Malformed::Ipv6SourceRoute,
                ],
            )
        },
    },
    Row {
        what: "mobility, HIP, Shim6, experiments: unclassifiable here, an upper layer to the peers",
        why: "RFC 7045 calls them extension headers; what is behind them is unknown",
        covers: |case| {
            refused_for(case, &[Malformed::Ipv6ExtensionUnknown])
                && case
                    .theirs
                    .is_some_and(|theirs| matches!(theirs.protocol, 135 | 139 | 140 | 253 | 254))
        },
    },
    Row {
        what: "a later IPv6 fragment whose fragment header names an extension header",
        why: "its data is the middle of a datagram: the peers walk on into it",
        covers: |case| match case.ours {
            Ok(ours) => {
                case.peer == Peer::Etherparse
                    && ours.addresses.family() == wire::Family::V6
                    && matches!(ours.fragment, Fragment::Later { .. })
                    && matches!(ours.protocol, 0 | 43 | 44 | 51 | 60)
            }
            Err(_) => false,
        },
    },
    Row {
        what: "ICMPv6 of unknown type, or shorter than its type demands: accepted here, refused by smoltcp",
        why: "bodies are the receiver's business; nothing behind the eight bytes is read",
        covers: |case| {
            case.peer == Peer::Smoltcp
                && case.theirs.is_none()
                && case.ours.is_ok_and(|ours| matches!(ours.transport, Transport::Icmpv6 { .. }))
        },
    },
    Row {
        what: "UDP length zero: refused here, read as \"to the end\" by etherparse",
        why: "RFC 2675 allows it in jumbograms only, which do not exist here",
        covers: |case| {
            case.peer == Peer::Etherparse
                && refused_for(case, &[Malformed::UdpLength])
                && case.theirs.is_some_and(|theirs| {
                    case.frame.get(usize::from(theirs.l4) + 4..usize::from(theirs.l4) + 6)
                        == Some(&[0, 0])
                })
        },
    },
    Row {
        what: "IPv6 payload length zero: an empty payload here, \"to the end\" to etherparse",
        why: "RFC 2675 again; link padding must not become payload",
        covers: |case| {
            let [high, low] = match (case.peer, ipv6_at(case)) {
                (Peer::Etherparse, Some(l3)) => match case.frame.get(l3 + 4..l3 + 6) {
                    Some(&[high, low]) => [high, low],
                    Some(_) | None => return false,
                },
                (Peer::Etherparse, None) | (Peer::Smoltcp, _) => return false,
            };
            [high, low] == [0, 0]
        },
    },
    Row {
        what: "authentication header over IPv4: an opaque protocol here, walked by etherparse",
        why: "policy sees protocol 51; ports behind it are not what the gateway was asked to judge",
        covers: |case| {
            case.peer == Peer::Etherparse
                && case.ours.is_ok_and(|ours| {
                    matches!(ours.addresses, wire::Addresses::V4 { .. }) && ours.protocol == 51
                })
        },
    },
    Row {
        what: "ICMP over IPv6 and ICMPv6 over IPv4: opaque here, read by etherparse",
        why: "no such thing exists; a rule about ICMP must not match it",
        covers: |case| {
            case.peer == Peer::Etherparse
                && case.ours.is_ok_and(|ours| matches!(ours.transport, Transport::Other(1 | 58)))
        },
    },
    Row {
        what: "ICMP timestamps of another length than 20: accepted here, refused by etherparse",
        why: "bodies are the receiver's business",
        covers: |case| {
            case.peer == Peer::Etherparse
                && case.theirs.is_none()
                && case.ours.is_ok_and(|ours| {
                    matches!(ours.transport, Transport::Icmp { kind: 13 | 14, code: 0, .. })
                })
        },
    },
    Row {
        what: "IGMP: an opaque protocol here, checked by etherparse",
        why: "multicast goes to the kernel",
        covers: |case| {
            case.peer == Peer::Etherparse
                && case.theirs.is_none()
                && case.ours.is_ok_and(|ours| ours.transport == Transport::Other(2))
        },
    },
    Row {
        what: "the tag type 0x9100 (before 802.1ad): not IP here, a tag to etherparse",
        why: "the XDP program knows two tag types, and both ends of the path must agree",
        covers: |case| {
            case.peer == Peer::Etherparse
                && refused_for(case, &[Malformed::NotIp])
                && [12, 16].iter().any(|at| case.frame.get(*at..at + 2) == Some(&[0x91, 0x00]))
        },
    },
];

/// Reasons that come from an upper layer.
const UPPER: &[Malformed] = &[
    Malformed::UdpTruncated,
    Malformed::UdpLength,
    Malformed::TcpTruncated,
    Malformed::TcpDataOffset,
    Malformed::IcmpTruncated,
    Malformed::Icmpv6Truncated,
];

fn refused_for(case: &Case, reasons: &[Malformed]) -> bool {
    case.theirs.is_some() && matches!(case.ours, Err(reason) if reasons.contains(reason))
}

/// Where the IPv6 header begins, if either side found one.
fn ipv6_at(case: &Case) -> Option<usize> {
    let found = case.ours.ok().or(*case.theirs)?;
    matches!(found.addresses, wire::Addresses::V6 { .. }).then_some(usize::from(found.l3))
}
