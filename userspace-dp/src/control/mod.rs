//! The control thread: what it knows of the kernel and of the configuration, and what it tells the workers.

pub mod http;
pub mod neighbour_keeper;
pub mod netlink;
pub mod routing;
pub mod devices;
pub mod peers;
pub mod rules;
pub mod tunnel;
pub mod snapshots;
pub mod observer;
pub mod start;
pub mod gateway;
pub mod resolver;
pub mod reload;
pub mod socket;
pub mod link_statistics;
pub mod show;
