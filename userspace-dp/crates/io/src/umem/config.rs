//! What a region is made of, and why it could not be.

/// The frame sizes AF_XDP accepts in its aligned mode on 4 KiB pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameSize {
    /// 2,048 bytes: half the memory, an MTU of at most about 1,770 less the headroom.
    Bytes2048,
    /// 4,096 bytes.
    Bytes4096,
}

impl FrameSize {
    /// The size in bytes.
    pub const fn bytes(self) -> usize {
        1 << self.shift()
    }

    pub(super) const fn shift(self) -> u32 {
        match self {
            Self::Bytes2048 => 11,
            Self::Bytes4096 => 12,
        }
    }
}

/// Which pages the region should stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HugePages {
    /// Reserved huge pages, or fail.
    Require,
    /// Reserved huge pages, else transparent ones, else ordinary ones.
    Prefer,
    /// Ordinary pages.
    Never,
}

/// Which pages the region was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// Reserved huge pages.
    Huge,
    /// Ordinary pages that the kernel may merge into huge ones.
    Transparent,
    /// Ordinary pages.
    Ordinary,
}

impl core::fmt::Display for Pages {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Huge => "huge",
            Self::Transparent => "transparent",
            Self::Ordinary => "ordinary",
        })
    }
}

/// What [`Umem::new`](crate::Umem::new) builds.
#[derive(Clone, Copy, Debug)]
pub struct UmemConfig {
    /// Number of frames, at least one.
    pub frames: u32,
    /// Size of each frame.
    pub frame_size: FrameSize,
    /// Bytes reserved in each frame for outer headers, beyond [`XDP_HEADROOM`](crate::XDP_HEADROOM).
    pub headroom: u16,
    /// Which pages to stand on.
    pub huge_pages: HugePages,
}

impl UmemConfig {
    /// `frames` frames of 4 KiB with 128 bytes of headroom, huge pages where there are some.
    pub const fn with_frames(frames: u32) -> Self {
        Self {
            frames,
            frame_size: FrameSize::Bytes4096,
            headroom: 128,
            huge_pages: HugePages::Prefer,
        }
    }
}

/// Why a region could not be built.
#[derive(Debug, thiserror::Error)]
pub enum UmemError {
    /// There is no region without frames.
    #[error("a UMEM needs at least one frame")]
    NoFrames,
    /// The headroom leaves no room for a packet.
    #[error(
        "a headroom of {headroom} bytes leaves no room for a packet in a frame of {frame_size}"
    )]
    Headroom {
        /// What was asked for.
        headroom: u16,
        /// Size of a frame.
        frame_size: usize,
    },
    /// Huge pages were required and could not be had.
    #[error("no {bytes} bytes of huge pages: {source} (reserve them with vm.nr_hugepages)")]
    HugePages {
        /// Size of the region.
        bytes: usize,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// The kernel gave no memory.
    #[error("cannot map {bytes} bytes for frames: {source}")]
    Map {
        /// Size of the region.
        bytes: usize,
        /// The kernel's answer.
        source: std::io::Error,
    },
}
