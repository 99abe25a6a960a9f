//! The test frame: 60 bytes, which a wire would pad to 64 with the checksum; UDP over IPv4 to the discard port.

use anyhow::{Context, Result, ensure};
use std::net::Ipv4Addr;

/// Bytes of a frame.
pub const LEN: usize = 60;
/// Where the UDP source port is; the generator varies it per frame.
pub const SOURCE_PORT_AT: i16 = 34;
/// The discard port.
pub const PORT: u16 = 9;

/// One frame, ready to be sent.
pub type Frame = [u8; LEN];

/// Builds the frame for one hop.
pub fn build(
    source_mac: [u8; 6],
    destination_mac: [u8; 6],
    source: Ipv4Addr,
    destination: Ipv4Addr,
) -> Frame {
    let mut frame = [0; LEN];
    frame[0..6].copy_from_slice(&destination_mac);
    frame[6..12].copy_from_slice(&source_mac);
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    let ip_len = (LEN - 14) as u16;
    frame[14..16].copy_from_slice(&[0x45, 0]);
    frame[16..18].copy_from_slice(&ip_len.to_be_bytes());
    frame[22..24].copy_from_slice(&[64, 17]);
    frame[26..30].copy_from_slice(&source.octets());
    frame[30..34].copy_from_slice(&destination.octets());
    let checksum = wire::checksum::Sum::of(&frame[14..34]).checksum();
    frame[24..26].copy_from_slice(&checksum.to_be_bytes());
    frame[34..36].copy_from_slice(&4000_u16.to_be_bytes());
    frame[36..38].copy_from_slice(&PORT.to_be_bytes());
    frame[38..40].copy_from_slice(&(ip_len - 20).to_be_bytes());
    // Without a UDP checksum, as IPv4 allows: source ports vary per frame.
    frame
}

/// `02:00:00:00:00:01` as bytes.
pub fn parse_mac(text: &str) -> Result<[u8; 6]> {
    let bytes: Result<Vec<u8>, _> =
        text.trim().split(':').map(|byte| u8::from_str_radix(byte, 16)).collect();
    bytes?.try_into().ok().with_context(|| format!("no MAC address: {text}"))
}

/// The frame as an argument of a command line.
pub fn to_hex(frame: &Frame) -> String {
    frame.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The frame from an argument of a command line.
pub fn from_hex(text: &str) -> Result<Frame> {
    ensure!(text.len() == 2 * LEN && text.is_ascii(), "no frame: {text}");
    let mut frame = [0; LEN];
    for (index, byte) in frame.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16)?;
    }
    Ok(frame)
}
