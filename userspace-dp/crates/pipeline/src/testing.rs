//! A gateway in a box: one worker, a small network around it, and the far ends of its tunnels.
//!
//! Unit tests, the simulation, fuzzing and benches build on it, so that all of them mean the same network. It
//! allocates freely and panics on nonsense; nothing of it is on the packet path.

mod network;
mod remote;
mod site;

pub use network::{
    DEFAULT_GATEWAY, GATEWAY_MAC, HOST_MAC, INNER_MTU, LAN, LAN_HOST, LAN_HOST6, LISTEN_PORT,
    Network, PEERS, PeerPlan, SERVER, SERVER6, VPN_ZONE, WAN, WAN_ADDRESS, WAN_ADDRESS6, interface,
    peer_handle, port,
};
pub use remote::{Remote, outer_datagram};
pub use site::{SITE_LIMITS, Sent, Site};
