//! ARP for IPv4 over Ethernet (RFC 826). The kernel speaks ARP for the gateway; this is for tests,
//! tools and backends without a kernel.

use core::fmt;
use core::net::Ipv4Addr;

use crate::{Mac, Malformed, NoRoom};

/// Bytes of an ARP packet for IPv4 over Ethernet.
pub const LEN: usize = 28;

/// Hardware Ethernet, protocol IPv4, lengths 6 and 4: the only kind there is.
const KIND: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// What an ARP packet wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Who has the target address?
    Request,
    /// The sender has the sender address.
    Reply,
    /// Something else.
    Other(u16),
}

impl Operation {
    const fn number(self) -> u16 {
        match self {
            Self::Request => 1,
            Self::Reply => 2,
            Self::Other(number) => number,
        }
    }

    const fn from_number(number: u16) -> Self {
        match number {
            1 => Self::Request,
            2 => Self::Reply,
            other => Self::Other(other),
        }
    }
}

/// An ARP packet in a buffer.
#[derive(Clone, Copy)]
pub struct View<'a>(&'a [u8; LEN]);

impl<'a> View<'a> {
    /// The packet at the front of `bytes` (behind the link header); link padding may follow.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let packet = bytes.first_chunk::<LEN>().ok_or(Malformed::ArpTruncated)?;
        if packet[..6] == KIND { Ok(Self(packet)) } else { Err(Malformed::ArpKind) }
    }

    /// Its values.
    pub const fn repr(&self) -> Repr {
        let [_, _, _, _, _, _, o, p, sender @ .., a, b, c, d, e, f, i, j, k, l] = *self.0;
        let [sa, sb, sc, sd, se, sf, si, sj, sk, sl] = sender;
        Repr {
            operation: Operation::from_number(u16::from_be_bytes([o, p])),
            sender_mac: Mac([sa, sb, sc, sd, se, sf]),
            sender: Ipv4Addr::new(si, sj, sk, sl),
            target_mac: Mac([a, b, c, d, e, f]),
            target: Ipv4Addr::new(i, j, k, l),
        }
    }
}

/// An ARP packet as values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// What it wants.
    pub operation: Operation,
    /// The sender's link address.
    pub sender_mac: Mac,
    /// The sender's IPv4 address.
    pub sender: Ipv4Addr,
    /// The target's link address; zero in a request.
    pub target_mac: Mac,
    /// The target's IPv4 address.
    pub target: Ipv4Addr,
}

impl Repr {
    /// Writes the packet to the front of `bytes` and returns its length.
    pub fn emit(&self, bytes: &mut [u8]) -> Result<usize, NoRoom> {
        let packet = bytes.first_chunk_mut::<LEN>().ok_or(NoRoom)?;
        packet[..6].copy_from_slice(&KIND);
        packet[6..8].copy_from_slice(&self.operation.number().to_be_bytes());
        packet[8..14].copy_from_slice(&self.sender_mac.0);
        packet[14..18].copy_from_slice(&self.sender.octets());
        packet[18..24].copy_from_slice(&self.target_mac.0);
        packet[24..28].copy_from_slice(&self.target.octets());
        Ok(LEN)
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operation {
            Operation::Request => {
                write!(formatter, "who has {}? tell {}", self.target, self.sender)
            }
            Operation::Reply => write!(formatter, "{} is at {}", self.sender, self.sender_mac),
            Operation::Other(number) => {
                write!(formatter, "operation {number} from {}", self.sender)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Repr = Repr {
        operation: Operation::Request,
        sender_mac: Mac([2, 0, 0, 0, 0, 1]),
        sender: Ipv4Addr::new(10, 0, 0, 1),
        target_mac: Mac::ZERO,
        target: Ipv4Addr::new(10, 0, 0, 2),
    };

    #[test]
    fn what_is_emitted_reads_back() {
        for operation in [Operation::Request, Operation::Reply, Operation::Other(9)] {
            let mut bytes = [0xaa; 46];
            let repr = Repr { operation, ..REQUEST };
            assert_eq!(repr.emit(&mut bytes), Ok(LEN));
            assert_eq!(View::new(&bytes).unwrap().repr(), repr);
        }
        assert_eq!(REQUEST.to_string(), "who has 10.0.0.2? tell 10.0.0.1");
    }

    #[test]
    fn short_packets_and_other_kinds_are_refused() {
        let mut bytes = [0; LEN];
        REQUEST.emit(&mut bytes).unwrap();
        assert_eq!(View::new(&bytes[..27]).err(), Some(Malformed::ArpTruncated));
        for at in 0..6 {
            let mut other = bytes;
            other[at] ^= 1;
            assert_eq!(View::new(&other).err(), Some(Malformed::ArpKind), "byte {at}");
        }
        assert_eq!(REQUEST.emit(&mut bytes[..27]), Err(NoRoom));
    }
}
