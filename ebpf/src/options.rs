//! What the operator chooses about steering.
use core::time::Duration;

/// Settings of [`Steering::load`](crate::Steering::load).
#[derive(Clone, Debug)]
pub struct SteeringOptions {
    /// What happens to transit while no worker can take it.
    pub transit_on_failure: OnFailure,
    /// A worker whose heartbeat is older than this is taken for dead. The program reads a clock of
    /// tick resolution (up to 10 ms), so under 20 ms is refused.
    pub heartbeat_timeout: Duration,
    /// Accept frames that span several buffers (jumbo); needs kernel 5.18 and sockets bound with
    /// `XDP_USE_SG`, without which the kernel drops such frames at the socket.
    pub multi_buffer: bool,
    /// Table sizes.
    pub capacities: Capacities,
}

/// What happens to transit while the gateway is disabled, or the socket of the queue is missing,
/// or its worker is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Fail closed: the frame is dropped.
    Drop,
    /// Fail open: the kernel gets the frame and forwards it, unencrypted and without policy, if
    /// its own forwarding is on. Tunnel packets are dropped even so.
    Pass,
}

/// How many entries each table holds. Memory is taken at load, except for blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacities {
    /// Interfaces.
    pub ports: u32,
    /// Registered VLANs over all interfaces.
    pub vlans: u32,
    /// Sockets: one for each queue of each interface.
    pub slots: u32,
    /// Workers.
    pub workers: u32,
    /// Local addresses, for each family.
    pub locals: u32,
    /// Tunnel services, for both families together: room for one on each local address.
    pub services: u32,
    /// Blocked and allowed prefixes together, for each family.
    pub blocks: u32,
}

impl Default for Capacities {
    /// About 3 MB in all.
    fn default() -> Self {
        Self {
            ports: 64,
            vlans: 1024,
            slots: 1024,
            workers: 256,
            locals: 4096,
            services: 2 * 4096,
            blocks: 65_536,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Capacities;

    #[test]
    fn every_local_address_of_both_families_may_have_a_tunnel_service() {
        let Capacities { locals, services, .. } = Capacities::default();
        assert!(services >= 2 * locals);
    }
}
