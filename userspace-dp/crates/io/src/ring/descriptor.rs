//! The entries of the receive and transmit rings.

/// An entry of the receive and transmit rings: `struct xdp_desc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Descriptor {
    /// Offset of the packet's first byte in the region.
    pub address: u64,
    /// Bytes in the packet.
    pub length: u32,
    /// `XDP_PKT_CONTD` when the packet goes on in the next descriptor.
    pub options: u32,
}

impl Descriptor {
    /// The address; and the length in the low, the options in the high half of a word.
    #[inline]
    pub fn words(self) -> [u64; 2] {
        // SAFETY: three integers without padding, as many bytes as two words.
        let [address, other]: [u64; 2] = unsafe { core::mem::transmute(self) };
        [address, in_order(other)]
    }

    /// The reverse of `words`.
    #[inline]
    pub fn from_words([address, length_and_options]: [u64; 2]) -> Self {
        let words = [address, in_order(length_and_options)];
        // SAFETY: as above, and every bit pattern is a descriptor.
        unsafe { core::mem::transmute(words) }
    }
}

/// Exchanges the halves of a word where the first one in memory is the high one.
#[inline]
const fn in_order(word: u64) -> u64 {
    if cfg!(target_endian = "little") { word } else { word.rotate_left(32) }
}

const _: () = assert!(size_of::<Descriptor>() == size_of::<libc::xdp_desc>());
