//! The control thread: what it knows of the kernel and of the configuration, and what it tells the workers.

mod allowed_ips;
pub mod channels;
#[cfg(test)]
mod configuration_in_use;
pub mod devices;
pub mod gateway;
pub mod http;
pub mod kernel_forwarding;
pub mod link_statistics;
pub mod listener;
pub mod logging;
pub mod metrics;
#[cfg(test)]
mod namespaces;
pub mod neighbour_keeper;
pub mod netlink;
pub mod observer;
pub mod peers;
pub mod problems;
pub mod reload;
pub mod resolver;
pub mod routing;
pub mod rules;
pub mod running;
pub mod server;
pub mod session_log;
pub mod show;
pub mod snapshots;
pub mod socket;
pub mod start;
#[cfg(test)]
mod testing;
pub mod tunnel;
pub mod tunnel_mtu;
pub mod vlan_tags;
pub mod watch;

pub use gateway::run;
