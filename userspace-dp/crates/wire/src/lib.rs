//! Packets as bytes: one validated parse to offsets, checksums, emitters, in-place rewrites.
//!
//! Everything that touches a header goes through here. [`parse`] (a frame from a ring) and
//! [`parse_ip`] (a packet that came out of a tunnel) check a packet once and return a [`Parsed`]:
//! offsets and small values, `Copy`, no borrow. Later stages never look at lengths again.
//!
//! Each protocol has a file of the same shape: field offsets, a `View` over bytes whose length was
//! checked when it was made (so that no accessor can panic), a `Repr` with `emit`, `Display`, tests.
//! An emitter is handed *exactly* the bytes of its layer, header and payload, payload already in
//! place: lengths and checksums follow from the slice.
//!
//! This crate never allocates outside [`build`] (packets for tests and tools), never logs, reads no
//! clock and knows no policy: what is legal but unwanted (options, odd flags) is reported, not judged.
#![forbid(unsafe_code)]

pub mod arp;
pub mod build;
pub mod checksum;
pub mod ecn;
pub mod ethernet;
pub mod extension;
pub mod icmpv4;
pub mod icmpv6;
pub mod ipip;
pub mod ipv4;
pub mod ipv6;
mod malformed;
mod parse;
mod parsed;
pub mod protocol;
pub mod rewrite;
pub mod tcp;
pub mod udp;
pub mod vlan;
pub mod wireguard;

pub use ecn::Ecn;
pub use ethernet::Mac;
pub use malformed::{Malformed, NoRoom};
pub use parse::{parse, parse_ip};
pub use parsed::{Addresses, Family, Fragment, Link, Parsed, Transport};
