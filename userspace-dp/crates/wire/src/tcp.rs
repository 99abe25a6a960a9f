//! TCP (RFC 9293): header, flags, and the options a gateway reads or writes.

use core::fmt;

use crate::{Addresses, Malformed, NoRoom, checksum, protocol};

pub(crate) mod field {
    use core::ops::Range;
    pub const SOURCE_PORT: Range<usize> = 0..2;
    pub const DESTINATION_PORT: Range<usize> = 2..4;
    pub const SEQUENCE: Range<usize> = 4..8;
    pub const ACKNOWLEDGMENT: Range<usize> = 8..12;
    pub const FLAGS: usize = 13;
    pub const WINDOW: Range<usize> = 14..16;
    pub const CHECKSUM: Range<usize> = 16..18;
    pub const URGENT: Range<usize> = 18..20;
}

/// Bytes of a header without options.
pub const HEADER_LEN: usize = 20;
/// Bytes of the longest header.
pub const HEADER_LEN_MAX: usize = 60;

/// The eight flag bits of byte 13.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flags(pub u8);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronize sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push function.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgment field counts.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer counts.
    pub const URG: Self = Self(0x20);
    /// ECN echo (RFC 3168).
    pub const ECE: Self = Self(0x40);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: Self = Self(0x80);

    /// True if every flag of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// True if any flag of `other` is set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The flags of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (bit, name) in
            ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"].iter().enumerate()
        {
            if self.0 & (1 << bit) != 0 {
                write!(formatter, "{separator}{name}")?;
                separator = "|";
            }
        }
        Ok(())
    }
}

/// A verified TCP segment in a buffer.
#[derive(Clone, Copy)]
pub struct View<'a> {
    header: &'a [u8; HEADER_LEN],
    options: &'a [u8],
    payload: &'a [u8],
}

impl<'a> View<'a> {
    /// The segment that fills `segment`.
    #[inline(always)]
    pub fn new(segment: &'a [u8]) -> Result<Self, Malformed> {
        let header = segment.first_chunk::<HEADER_LEN>().ok_or(Malformed::TcpTruncated)?;
        let len = usize::from(header[12] >> 4) * 4;
        let (whole, payload) = segment.split_at_checked(len).ok_or(Malformed::TcpDataOffset)?;
        let options = whole.get(HEADER_LEN..).ok_or(Malformed::TcpDataOffset)?;
        Ok(Self { header, options, payload })
    }

    /// Source port.
    pub const fn source_port(&self) -> u16 {
        u16::from_be_bytes([self.header[0], self.header[1]])
    }

    /// Destination port.
    pub const fn destination_port(&self) -> u16 {
        u16::from_be_bytes([self.header[2], self.header[3]])
    }

    /// Sequence number.
    pub const fn sequence(&self) -> u32 {
        u32::from_be_bytes([self.header[4], self.header[5], self.header[6], self.header[7]])
    }

    /// Acknowledgment number; counts with [`Flags::ACK`].
    pub const fn acknowledgment(&self) -> u32 {
        u32::from_be_bytes([self.header[8], self.header[9], self.header[10], self.header[11]])
    }

    /// Bytes of the header, options included: 20 to 60.
    pub const fn header_len(&self) -> usize {
        HEADER_LEN + self.options.len()
    }

    /// The flags.
    pub const fn flags(&self) -> Flags {
        Flags(self.header[field::FLAGS])
    }

    /// Receive window, unscaled.
    pub const fn window(&self) -> u16 {
        u16::from_be_bytes([self.header[14], self.header[15]])
    }

    /// The options.
    pub const fn options(&self) -> Options<'a> {
        Options::new(self.options)
    }

    /// The data.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// How many sequence numbers the segment takes: its data, plus one each for SYN and FIN.
    pub const fn sequence_len(&self) -> u32 {
        let flags = self.flags();
        self.payload.len() as u32
            + flags.contains(Flags::SYN) as u32
            + flags.contains(Flags::FIN) as u32
    }
}

/// Option kinds.
pub mod option {
    /// End of options.
    pub const END: u8 = 0;
    /// Padding.
    pub const NOP: u8 = 1;
    /// Maximum segment size (RFC 9293).
    pub const MSS: u8 = 2;
    /// Window scale (RFC 7323).
    pub const WINDOW_SCALE: u8 = 3;
    /// Selective acknowledgments permitted (RFC 2018).
    pub const SACK_PERMITTED: u8 = 4;
    /// Timestamps (RFC 7323).
    pub const TIMESTAMPS: u8 = 8;
}

/// Walks options as (offset of the option's data within the option bytes, kind, data), padding
/// skipped. Ends at an end marker, at the end of the bytes, or at an option whose length is impossible.
#[derive(Clone)]
pub struct Options<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Options<'a> {
    /// The options in `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = (usize, u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let kind = *self.bytes.get(self.at)?;
            match kind {
                option::END => return None,
                option::NOP => self.at += 1,
                kind => {
                    let start = self.at;
                    let len = usize::from(*self.bytes.get(start + 1)?);
                    let data = self.bytes.get(start + 2..start.checked_add(len)?)?;
                    self.at = start + len;
                    return Some((start + 2, kind, data));
                }
            }
        }
    }
}

/// A TCP header to emit, with the options a gateway sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgment number.
    pub acknowledgment: u32,
    /// Flags.
    pub flags: Flags,
    /// Receive window, unscaled.
    pub window: u16,
    /// Maximum segment size option.
    pub mss: Option<u16>,
    /// Window scale option, 0 to 14.
    pub window_scale: Option<u8>,
    /// Selective-acknowledgments-permitted option.
    pub sack_permitted: bool,
    /// Timestamps option: value and echo reply.
    pub timestamps: Option<(u32, u32)>,
}

impl Repr {
    /// Bytes of the header with its options, padded to four.
    pub const fn header_len(&self) -> usize {
        let mss = if self.mss.is_some() { 4 } else { 0 };
        let scale = if self.window_scale.is_some() { 4 } else { 0 };
        let timestamps = if self.timestamps.is_some() { 12 } else { 0 };
        let sack = if self.sack_permitted { 4 } else { 0 };
        HEADER_LEN + mss + scale + timestamps + sack
    }

    /// Writes the header to the front of `segment`, which is the whole segment, data in place, with
    /// its checksum, and returns the header's length.
    pub fn emit(&self, segment: &mut [u8], addresses: &Addresses) -> Result<usize, NoRoom> {
        let len = self.header_len();
        let header = segment.get_mut(..len).ok_or(NoRoom)?;
        header[field::SOURCE_PORT].copy_from_slice(&self.source_port.to_be_bytes());
        header[field::DESTINATION_PORT].copy_from_slice(&self.destination_port.to_be_bytes());
        header[field::SEQUENCE].copy_from_slice(&self.sequence.to_be_bytes());
        header[field::ACKNOWLEDGMENT].copy_from_slice(&self.acknowledgment.to_be_bytes());
        header[12] = (len as u8 / 4) << 4;
        header[field::FLAGS] = self.flags.0;
        header[field::WINDOW].copy_from_slice(&self.window.to_be_bytes());
        header[field::CHECKSUM].copy_from_slice(&[0, 0]);
        header[field::URGENT].copy_from_slice(&[0, 0]);
        self.emit_options(&mut header[HEADER_LEN..]);
        let sum = checksum::of_segment(addresses, protocol::TCP, segment);
        segment[field::CHECKSUM].copy_from_slice(&sum.to_be_bytes());
        Ok(len)
    }

    /// Writes each option, padded to four bytes with no-operations in front.
    fn emit_options(&self, bytes: &mut [u8]) {
        let mut at = 0;
        let mut put = |option: &[u8]| {
            bytes[at..at + option.len()].copy_from_slice(option);
            at += option.len();
        };
        if let Some(mss) = self.mss {
            let [high, low] = mss.to_be_bytes();
            put(&[option::MSS, 4, high, low]);
        }
        if self.sack_permitted {
            put(&[option::NOP, option::NOP, option::SACK_PERMITTED, 2]);
        }
        if let Some((value, echo)) = self.timestamps {
            put(&[option::NOP, option::NOP, option::TIMESTAMPS, 10]);
            put(&value.to_be_bytes());
            put(&echo.to_be_bytes());
        }
        if let Some(scale) = self.window_scale {
            put(&[option::NOP, option::WINDOW_SCALE, 3, scale]);
        }
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "tcp {} > {} ", self.source_port, self.destination_port)?;
        write!(formatter, "[{}] seq {} ack {}", self.flags, self.sequence, self.acknowledgment)
    }
}

#[cfg(test)]
mod tests;
