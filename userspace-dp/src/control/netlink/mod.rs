//! The control thread's view of the kernel, over netlink.
//!
//! The kernel's tables are the truth: [`Mirror`] copies links, addresses, routes and neighbours and follows their
//! changes, [`Kernel`] asks for the few things that the gateway wants done, [`Ethtool`] and [`Sysfs`] know about
//! devices. `control::routing` compiles the mirror for the workers.
//!
//! Called by the control thread only. Never on the packet path; never creates, changes or removes what somebody
//! else made. Standards: `netlink(7)`, `rtnetlink(7)`, RFC 3549.
#![forbid(unsafe_code)]

mod actions;
mod decode;
mod device;
mod error;
mod ethtool;
mod message;
mod mirror;
mod model;
mod socket;
mod tables;
mod uapi;

pub use actions::{DeviceRoute, Kernel, ROUTE_PROTOCOL};
pub use device::{NapiSettings, Sysfs};
pub use error::Error;
pub use ethtool::{Channels, Ethtool, Features};
pub use mirror::{Mirror, MirrorStatistics, Options};
pub use model::{
    Address, Changes, Hop, Link, Neighbour, NeighbourState, Nexthop, NexthopTarget,
    OperationalState, Route, RouteKind, TABLE_LOCAL, TABLE_MAIN, Vlan,
};
pub use tables::{Applied, Moment, Placement, Tables, Update};

#[cfg(test)]
pub(super) mod testing;
