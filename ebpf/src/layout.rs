//! Keys and values of the maps, byte for byte as `xdp/layout.h` declares them.
//!
//! Addresses and ports are in network order, everything else in host order. No struct has
//! padding: the kernel compares keys whole. Sizes and offsets are asserted here and there.
use core::mem::{offset_of, size_of};
use std::net::IpAddr;

/// The one entry of `control`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Control {
    pub enabled: u32,
    pub transit_on_failure: u32,
    pub heartbeat_timeout_ns: u64,
    pub blocks: u32,
    pub reserved: u32,
}

pub(crate) const TRANSIT_DROP: u32 = 0;
pub(crate) const TRANSIT_PASS: u32 = 1;
pub(crate) const BLOCKS_IPV4: u32 = 1;
pub(crate) const BLOCKS_IPV6: u32 = 2;

/// Value of `ports`, by interface index.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PortValue {
    pub first_slot: u32,
    pub queues: u32,
    pub flags: u32,
}

pub(crate) const PORT_UNTAGGED: u32 = 1;

/// Key of `vlans`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct VlanKey {
    pub ifindex: u32,
    pub outer: u16,
    pub inner: u16,
}

pub(crate) const TAG_PRESENT: u16 = 0x8000;
pub(crate) const TAG_SERVICE: u16 = 0x1000;

/// Value of `slots`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotValue {
    pub worker_plus_one: u32,
}

/// Bytes of a line of `heartbeats`; the time is its first word.
pub(crate) const HEARTBEAT_SIZE: usize = 64;

/// Key of `services`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ServiceKey {
    pub address: [u8; 16],
    pub port: [u8; 2],
    pub protocol: u8,
    pub family: u8,
}

impl ServiceKey {
    pub(crate) fn new(address: IpAddr, protocol: u8, port: u16) -> Self {
        let mut bytes = [0; 16];
        let family = match address {
            IpAddr::V4(address) => {
                for (byte, octet) in bytes.iter_mut().zip(address.octets()) {
                    *byte = octet;
                }
                4
            }
            IpAddr::V6(address) => {
                bytes = address.octets();
                6
            }
        };
        Self { address: bytes, port: port.to_be_bytes(), protocol, family }
    }
}

/// Value of `blocked4` and `blocked6`; zero marks an allowed prefix.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockValue {
    pub until_ns: u64,
}

const _: () = {
    assert!(size_of::<Control>() == 24);
    assert!(offset_of!(Control, transit_on_failure) == 4);
    assert!(offset_of!(Control, heartbeat_timeout_ns) == 8);
    assert!(offset_of!(Control, blocks) == 16);
    assert!(size_of::<PortValue>() == 12);
    assert!(offset_of!(PortValue, queues) == 4);
    assert!(offset_of!(PortValue, flags) == 8);
    assert!(size_of::<VlanKey>() == 8);
    assert!(offset_of!(VlanKey, outer) == 4);
    assert!(offset_of!(VlanKey, inner) == 6);
    assert!(size_of::<SlotValue>() == 4);
    assert!(size_of::<ServiceKey>() == 20);
    assert!(offset_of!(ServiceKey, port) == 16);
    assert!(offset_of!(ServiceKey, protocol) == 18);
    assert!(offset_of!(ServiceKey, family) == 19);
    assert!(size_of::<BlockValue>() == 8);
};

macro_rules! plain_data {
    ($($name:ident),+) => {
        $(
            // SAFETY: `repr(C)` of integers without padding; every bit pattern is a value.
            unsafe impl aya::Pod for $name {}
        )+
    };
}
plain_data!(Control, PortValue, VlanKey, SlotValue, ServiceKey, BlockValue);
