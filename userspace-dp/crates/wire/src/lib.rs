//! Packets as bytes: one validated parse to offsets, checksums, emitters.
#![forbid(unsafe_code)]
