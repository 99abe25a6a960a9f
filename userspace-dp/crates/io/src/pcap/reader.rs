//! Reads a whole capture: classic pcap of either byte order and resolution, or pcapng.
//!
//! Input is a file of unknown origin: every length is checked, nothing panics, and memory grows
//! only with the bytes that are really there.

use core::ops::Range;
use core::time::Duration;
use std::io;
use std::path::Path;

/// Link type of Ethernet.
pub(super) const ETHERNET: u16 = 1;
pub(super) const BLOCK_SECTION: u32 = 0x0a0d_0d0a;
pub(super) const BLOCK_INTERFACE: u32 = 1;
const BLOCK_SIMPLE_PACKET: u32 = 3;
pub(super) const BLOCK_ENHANCED_PACKET: u32 = 6;
pub(super) const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const CLASSIC_MICROSECONDS: u32 = 0xa1b2_c3d4;
const CLASSIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const OPTION_TIMESTAMP_RESOLUTION: u16 = 9;

/// Why a capture could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file could not be read.
    #[error("cannot read the capture: {0}")]
    Read(#[from] io::Error),
    /// The file is neither pcap nor pcapng.
    #[error("neither pcap nor pcapng")]
    Format,
    /// The file ends inside a record, or a length in it is impossible.
    #[error("the capture is broken at byte {at}")]
    Broken {
        /// Where in the file.
        at: usize,
    },
    /// The packets are not Ethernet frames.
    #[error("link type {0} is not Ethernet")]
    LinkType(u16),
}

/// A capture in memory.
#[derive(Debug, Default)]
pub struct Capture {
    bytes: Vec<u8>,
    packets: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    time: Duration,
    data: Range<usize>,
    original_length: usize,
}

/// A captured packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// When, since the epoch. Zero where the capture does not tell.
    pub time: Duration,
    /// What was captured of it.
    pub data: &'a [u8],
    /// How long it was.
    pub original_length: usize,
}

impl Capture {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        Self::parse(std::fs::read(path)?)
    }

    /// Reads a capture from memory.
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, CaptureError> {
        let cursor = Cursor { bytes: &bytes, at: 0, end: bytes.len(), big_endian: false };
        let packets = match cursor.peek().ok_or(CaptureError::Format)? {
            BLOCK_SECTION => blocks(cursor)?,
            CLASSIC_MICROSECONDS | CLASSIC_NANOSECONDS => classic(cursor)?,
            other => match other.swap_bytes() {
                CLASSIC_MICROSECONDS | CLASSIC_NANOSECONDS => {
                    classic(Cursor { big_endian: true, ..cursor })?
                }
                _ => return Err(CaptureError::Format),
            },
        };
        Ok(Self { bytes, packets })
    }

    /// How many packets there are.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// The packet at place `index`.
    pub fn packet(&self, index: usize) -> Option<Packet<'_>> {
        let entry = self.packets.get(index)?;
        let data = self.bytes.get(entry.data.clone())?;
        Some(Packet { time: entry.time, data, original_length: entry.original_length })
    }

    /// All packets in order.
    pub fn packets(&self) -> impl Iterator<Item = Packet<'_>> {
        (0..self.len()).filter_map(|index| self.packet(index))
    }
}

/// A reading position in the file, bounded by the end of what it is in.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
    big_endian: bool,
}

impl Cursor<'_> {
    fn broken(&self) -> CaptureError {
        CaptureError::Broken { at: self.at }
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.end
    }

    /// The next `count` bytes, which are skipped.
    fn range(&mut self, count: usize) -> Result<Range<usize>, CaptureError> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.end);
        let range = self.at..end.ok_or_else(|| self.broken())?;
        self.at = range.end;
        Ok(range)
    }

    /// What is inside the next `count` bytes, which are skipped.
    fn inside(&mut self, count: usize) -> Result<Self, CaptureError> {
        let range = self.range(count)?;
        Ok(Self { at: range.start, end: range.end, ..*self })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CaptureError> {
        let before = *self;
        let range = self.range(N)?;
        let bytes = self.bytes.get(range).and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or_else(|| before.broken())
    }

    fn u16(&mut self) -> Result<u16, CaptureError> {
        let bytes = self.array()?;
        Ok(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&mut self) -> Result<u32, CaptureError> {
        let bytes = self.array()?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn peek(mut self) -> Option<u32> {
        self.u32().ok()
    }
}

/// Reads the records of a classic capture.
fn classic(mut cursor: Cursor<'_>) -> Result<Vec<Entry>, CaptureError> {
    let nanoseconds = cursor.u32()? == CLASSIC_NANOSECONDS;
    cursor.range(16)?; // version, time zone, accuracy, limit
    let link_type = cursor.u32()? as u16; // above it: the length of a frame check sequence
    if link_type != ETHERNET {
        return Err(CaptureError::LinkType(link_type));
    }
    let mut packets = Vec::new();
    while !cursor.is_at_end() {
        let seconds = u64::from(cursor.u32()?);
        let fraction = u64::from(cursor.u32()?);
        let captured = cursor.u32()? as usize;
        let original_length = cursor.u32()? as usize;
        let fraction = if nanoseconds { fraction } else { fraction * 1_000 };
        let time = Duration::from_secs(seconds) + Duration::from_nanos(fraction);
        packets.push(Entry { time, data: cursor.range(captured)?, original_length });
    }
    Ok(packets)
}

/// What an interface block says about the packets that refer to it.
#[derive(Clone, Copy)]
struct Interface {
    /// Units of a timestamp per second.
    units: u64,
    /// The longest that packets were captured; zero for no limit.
    limit: usize,
}

/// Reads the blocks of a pcapng capture.
fn blocks(mut cursor: Cursor<'_>) -> Result<Vec<Entry>, CaptureError> {
    let mut packets = Vec::new();
    let mut interfaces: Vec<Interface> = Vec::new();
    while !cursor.is_at_end() {
        let start = cursor;
        if cursor.peek() == Some(BLOCK_SECTION) {
            // The magic tells the byte order of everything in the section, this block included.
            let mut ahead = cursor;
            ahead.range(8)?;
            cursor.big_endian = match ahead.array()? {
                magic if magic == BYTE_ORDER_MAGIC.to_le_bytes() => false,
                magic if magic == BYTE_ORDER_MAGIC.to_be_bytes() => true,
                _ => return Err(start.broken()),
            };
        }
        let kind = cursor.u32()?;
        let length = cursor.u32()? as usize;
        let body = length.checked_sub(12).filter(|_| length.is_multiple_of(4));
        let mut body = cursor.inside(body.ok_or_else(|| start.broken())?)?;
        if cursor.u32()? as usize != length {
            return Err(start.broken());
        }
        match kind {
            BLOCK_SECTION => interfaces.clear(),
            BLOCK_INTERFACE => interfaces.push(interface(&mut body)?),
            BLOCK_ENHANCED_PACKET => packets.push(enhanced_packet(&mut body, &interfaces)?),
            BLOCK_SIMPLE_PACKET => packets.push(simple_packet(&mut body, &interfaces)?),
            _ => {}
        }
    }
    Ok(packets)
}

fn interface(body: &mut Cursor<'_>) -> Result<Interface, CaptureError> {
    let link_type = body.u16()?;
    if link_type != ETHERNET {
        return Err(CaptureError::LinkType(link_type));
    }
    body.u16()?;
    let limit = body.u32()? as usize;
    let mut units = 1_000_000;
    while !body.is_at_end() {
        let option = body.u16()?;
        let length = usize::from(body.u16()?);
        let mut value = body.inside(length.next_multiple_of(4))?;
        match option {
            0 => break,
            OPTION_TIMESTAMP_RESOLUTION => {
                let [resolution] = value.array()?;
                let exponent = u32::from(resolution & 0x7f);
                let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
                units = base.checked_pow(exponent).ok_or_else(|| value.broken())?;
            }
            _ => {}
        }
    }
    Ok(Interface { units, limit })
}

fn enhanced_packet(body: &mut Cursor<'_>, interfaces: &[Interface]) -> Result<Entry, CaptureError> {
    let interface = body.u32()? as usize;
    let interface = interfaces.get(interface).ok_or_else(|| body.broken())?;
    let time = (u64::from(body.u32()?) << 32) | u64::from(body.u32()?);
    let captured = body.u32()? as usize;
    let original_length = body.u32()? as usize;
    let fraction = u128::from(time % interface.units) * 1_000_000_000;
    let nanos = (fraction / u128::from(interface.units)) as u64;
    let time = Duration::from_secs(time / interface.units) + Duration::from_nanos(nanos);
    Ok(Entry { time, data: body.range(captured)?, original_length })
}

/// A simple packet belongs to the first interface and carries no time.
fn simple_packet(body: &mut Cursor<'_>, interfaces: &[Interface]) -> Result<Entry, CaptureError> {
    let interface = interfaces.first().ok_or_else(|| body.broken())?;
    let original_length = body.u32()? as usize;
    let limit = if interface.limit == 0 { usize::MAX } else { interface.limit };
    let captured = original_length.min(limit);
    Ok(Entry { time: Duration::ZERO, data: body.range(captured)?, original_length })
}
