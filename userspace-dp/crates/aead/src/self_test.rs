//! Known answers that a backend must give before it is used.
//!
//! The answers were computed with the `chacha20poly1305` crate; a test recomputes them. The lengths cross the block
//! sizes of ChaCha20 (64) and Poly1305 (16), and several packets under different keys go through one call.

use crate::{Aead, KEY_LENGTH, Packet, TAG_LENGTH};

/// Payload lengths of the known answers.
pub(crate) const LENGTHS: [usize; 9] = [0, 1, 15, 16, 64, 65, 256, 1023, 1420];
const LONGEST: usize = 1420;

/// The tags of the known answers, in the order of [`LENGTHS`], read as big-endian numbers.
#[rustfmt::skip]
pub(crate) const TAGS: [u128; LENGTHS.len()] = [
    0x5cc659e9_518301de_73d01212_8debbfb3,
    0xabf8825f_7e1ee3f1_987422b0_0970243c,
    0x4824d858_106a7d8e_59a76390_c2fb2d7d,
    0x515e2198_11d8b1f7_8d884965_216398ae,
    0xfd1c214f_fbecb31f_e2c2deac_b3af5879,
    0x31948db4_ee7cb796_97a20de6_1705ff3d,
    0x3e2198ce_8fee0c8a_0fe37f02_8faef8f1,
    0xd66edaf6_4265fd37_37f37a84_91c74fd9,
    0x57da53f5_e5f676ae_8da64ff8_81b8fde2,
];

/// The key of known answer `position`.
pub(crate) fn key(position: usize) -> [u8; KEY_LENGTH] {
    core::array::from_fn(|i| (i * 7 + position * 31 + 1) as u8)
}

/// The counter of known answer `position`; some have high bits.
pub(crate) fn counter(position: usize) -> u64 {
    (position as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The payload byte `i` of known answer `position`.
pub(crate) fn byte(position: usize, i: usize) -> u8 {
    (i * 13 + position) as u8
}

/// Whether the backend seals to the known tags, opens what it sealed, and refuses a damaged packet.
pub(crate) fn passes(aead: &Aead) -> bool {
    let keys: [_; LENGTHS.len()] = core::array::from_fn(key);
    let mut buffers = [[0u8; LONGEST + TAG_LENGTH]; LENGTHS.len()];
    for (position, buffer) in buffers.iter_mut().enumerate() {
        for (i, slot) in buffer[..LENGTHS[position]].iter_mut().enumerate() {
            *slot = byte(position, i);
        }
    }
    let mut packets = batch(&keys, &mut buffers);
    aead.seal(&mut packets);
    let tags_match =
        packets.iter().zip(&TAGS).all(|(packet, tag)| packet.buffer.ends_with(&tag.to_be_bytes()));

    // Damage one packet in the middle: that one and no other must be refused, and yield nothing.
    let damaged = LENGTHS.len() / 2;
    packets[damaged].buffer[0] ^= 1;
    let failures = aead.open(&mut packets);
    let refused = failures.count() == 1 && failures.contains(damaged);
    let opened = packets.iter().enumerate().all(|(position, packet)| {
        let plain = packet.payload().iter().enumerate().all(|(i, b)| *b == byte(position, i));
        plain != (position == damaged)
    });
    tags_match && refused && opened
}

fn batch<'a>(
    keys: &'a [[u8; KEY_LENGTH]; LENGTHS.len()],
    buffers: &'a mut [[u8; LONGEST + TAG_LENGTH]; LENGTHS.len()],
) -> [Packet<'a>; LENGTHS.len()] {
    let mut position = 0;
    buffers.each_mut().map(|buffer| {
        let (key, length) = (&keys[position], LENGTHS[position] + TAG_LENGTH);
        position += 1;
        Packet { key, counter: counter(position - 1), buffer: &mut buffer[..length] }
    })
}
