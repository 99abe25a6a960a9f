//! Addresses of this host, and the tunnel services on them.
use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::error::SteeringError;
use crate::keyset::KeySet;
use crate::layout::ServiceKey;

/// A tunnel endpoint whose packets a worker takes instead of the kernel: always address and
/// protocol and port together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// An address that is also among the local ones; otherwise the service has no effect.
    pub address: IpAddr,
    /// IP protocol: 17 for WireGuard, 4 or 41 for IP in IP.
    pub protocol: u8,
    /// Destination port, host order; 0 for protocols without ports.
    pub port: u16,
}

impl Service {
    /// A UDP service.
    pub const fn udp(address: IpAddr, port: u16) -> Self {
        Self { address, protocol: 17, port }
    }

    pub(crate) fn key(&self) -> ServiceKey {
        ServiceKey::new(self.address, self.protocol, self.port)
    }
}

/// The local addresses of both families.
pub(crate) struct Locals {
    pub v4: KeySet<[u8; 4]>,
    pub v6: KeySet<[u8; 16]>,
}

impl Locals {
    pub(crate) fn replace(&mut self, addresses: &[IpAddr]) -> Result<(), SteeringError> {
        let (mut v4, mut v6) = (BTreeSet::new(), BTreeSet::new());
        for address in addresses.iter().filter(|address| arrives_on_a_wire(**address)) {
            match address {
                IpAddr::V4(address) => v4.insert(address.octets()),
                IpAddr::V6(address) => v6.insert(address.octets()),
            };
        }
        self.v4.check(&v4)?;
        self.v6.check(&v6)?;
        self.v4.replace(&v4)?;
        self.v6.replace(&v6)
    }
}

/// Loopback and the unspecified address are everybody's, so a packet to them from a wire is a
/// forgery; as transit it ends at the worker.
fn arrives_on_a_wire(address: IpAddr) -> bool {
    !address.is_loopback() && !address.is_unspecified()
}
