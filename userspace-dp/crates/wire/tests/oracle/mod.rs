//! Two independent parsers asked the same question as `wire::parse`, and what they may answer
//! differently. Shared by the differential test, the fuzz target and the parse bench, so that the
//! peer that is timed is the peer that is proven to agree.

use wire::{Addresses, Fragment, Malformed, Parsed, Transport, vlan};

#[path = "disagreements.rs"]
pub mod disagreements;
#[path = "etherparse.rs"]
pub mod etherparse;
#[path = "smoltcp.rs"]
pub mod smoltcp;

/// All that a gateway asks a parser for, from any of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    pub addresses: Addresses,
    pub transport: Transport,
    pub fragment: Fragment,
    pub tags: vlan::Tags,
    pub protocol: u8,
    pub hop_limit: u8,
    pub traffic_class: u8,
    pub l3: u16,
    pub l4: u16,
    pub payload: u16,
    pub payload_end: u16,
    pub end: u16,
}

impl From<&Parsed> for Summary {
    fn from(parsed: &Parsed) -> Self {
        Self {
            addresses: parsed.addresses,
            transport: parsed.transport,
            fragment: parsed.fragment,
            tags: parsed.link.tags,
            protocol: parsed.protocol,
            hop_limit: parsed.hop_limit,
            traffic_class: parsed.traffic_class,
            l3: parsed.l3() as u16,
            l4: parsed.l4() as u16,
            payload: parsed.payload() as u16,
            payload_end: parsed.payload_range().end as u16,
            end: parsed.end() as u16,
        }
    }
}

/// Where an upper layer's payload lies within its segment, and what its header said.
#[derive(Clone, Copy)]
pub struct Upper {
    pub transport: Transport,
    pub header_len: usize,
    pub payload_end: usize,
}

impl Upper {
    /// Nothing is known above IP.
    pub fn opaque(transport: Transport, segment: &[u8]) -> Self {
        Self { transport, header_len: 0, payload_end: segment.len() }
    }
}

/// Asks all three about one frame. Returns which rows of the table of allowed disagreements were
/// needed; a disagreement outside the table is an error that tells all about it.
pub fn compare(frame: &[u8]) -> Result<Vec<usize>, String> {
    let parsed = wire::parse(frame);
    let ours = parsed.as_ref().map(Summary::from).map_err(|reason| *reason);
    let peers = [
        (disagreements::Peer::Smoltcp, smoltcp::parse(frame)),
        (disagreements::Peer::Etherparse, etherparse::parse(frame)),
    ];
    let mut rows = Vec::new();
    for (peer, theirs) in peers {
        if agree(&ours, &theirs) {
            continue;
        }
        match disagreements::allowed(peer, frame, &ours, &theirs) {
            Some(row) => rows.push(row),
            None => {
                return Err(format!("{peer:?}: {theirs:?}\nours: {ours:?}\nframe: {frame:02x?}"));
            }
        }
    }
    Ok(rows)
}

fn agree(ours: &Result<Summary, Malformed>, theirs: &Option<Summary>) -> bool {
    match (ours, theirs) {
        (Ok(ours), Some(theirs)) => ours == theirs,
        (Err(_), None) => true,
        (Ok(_), None) | (Err(_), Some(_)) => false,
    }
}
