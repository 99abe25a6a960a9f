//! Writes pcapng: one section, one Ethernet interface, nanosecond timestamps.

use core::fmt;
use core::time::Duration;
use std::io::{self, Write};

use super::reader::{
    BLOCK_ENHANCED_PACKET, BLOCK_INTERFACE, BLOCK_SECTION, BYTE_ORDER_MAGIC, ETHERNET,
};

/// Option: the resolution of timestamps as a power of ten.
const OPTION_TIMESTAMP_RESOLUTION: u16 = 9;
/// Option of a packet: its direction in the two lowest bits.
const OPTION_PACKET_FLAGS: u16 = 2;

/// Which way a recorded packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It was received.
    In,
    /// It was transmitted.
    Out,
}

/// An open recording. The first error ends it; `finish` tells.
pub struct Recorder {
    output: Box<dyn Write + Send>,
    /// The time since the epoch.
    clock: Box<dyn FnMut() -> Duration + Send>,
    error: Option<io::Error>,
    block: Vec<u8>,
}

impl Recorder {
    /// Begins a recording; `clock` tells the time since the epoch, real or virtual. Pass a buffered
    /// writer.
    pub fn new(
        output: impl Write + Send + 'static,
        clock: impl FnMut() -> Duration + Send + 'static,
    ) -> Self {
        let mut recorder = Self {
            output: Box::new(output),
            clock: Box::new(clock),
            error: None,
            block: Vec::with_capacity(4096),
        };
        let mut section = Vec::new();
        section.extend(BYTE_ORDER_MAGIC.to_le_bytes());
        section.extend([1, 0, 0, 0]); // version 1.0
        section.extend(u64::MAX.to_le_bytes()); // length of the section: unknown
        recorder.write_block(BLOCK_SECTION, &section);
        let mut interface = Vec::new();
        interface.extend(ETHERNET.to_le_bytes());
        interface.extend([0; 6]); // reserved, and no limit on the packets' length
        interface.extend(OPTION_TIMESTAMP_RESOLUTION.to_le_bytes());
        interface.extend([1, 0, 9, 0, 0, 0]); // length 1, 10^-9, padding
        interface.extend([0; 4]); // end of options
        recorder.write_block(BLOCK_INTERFACE, &interface);
        recorder
    }

    /// Records `packet`.
    pub fn write(&mut self, packet: &[u8], direction: Direction) {
        let time = u64::try_from((self.clock)().as_nanos()).unwrap_or(u64::MAX);
        let length = (packet.len() as u32).to_le_bytes();
        let mut body = core::mem::take(&mut self.block);
        body.clear();
        body.extend([0; 4]); // the interface
        body.extend(((time >> 32) as u32).to_le_bytes());
        body.extend((time as u32).to_le_bytes());
        body.extend(length); // captured
        body.extend(length); // on the wire
        body.extend(packet);
        body.resize(body.len().next_multiple_of(4), 0);
        let flags: u32 = match direction {
            Direction::In => 1,
            Direction::Out => 2,
        };
        body.extend(OPTION_PACKET_FLAGS.to_le_bytes());
        body.extend(4_u16.to_le_bytes());
        body.extend(flags.to_le_bytes());
        body.extend([0; 4]); // end of options
        self.write_block(BLOCK_ENHANCED_PACKET, &body);
        self.block = body;
    }

    /// Flushes the recording.
    ///
    /// # Errors
    /// The first error since it began.
    pub fn finish(&mut self) -> io::Result<()> {
        self.error.take().map_or(Ok(()), Err)?;
        self.output.flush()
    }

    /// Writes a block whose body is a multiple of four bytes.
    fn write_block(&mut self, kind: u32, body: &[u8]) {
        if self.error.is_some() {
            return;
        }
        let length = (body.len() as u32 + 12).to_le_bytes();
        let parts = [&kind.to_le_bytes()[..], &length, body, &length];
        let written = parts.iter().try_for_each(|part| self.output.write_all(part));
        self.error = written.err();
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("error", &self.error).finish_non_exhaustive()
    }
}
