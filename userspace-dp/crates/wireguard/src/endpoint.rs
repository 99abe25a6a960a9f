//! Where a peer is: its address and port, and the address of ours that it reaches us at.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use wire::Addresses;

/// The two ends of the outer path to a peer.
///
/// Addresses are held as IPv6 numbers, IPv4 ones mapped, so an IPv4-mapped address and its plain form are the same
/// value and comparing two endpoints is three integer comparisons. `local` is unspecified until a packet arrived.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    remote: u128,
    local: u128,
    port: u16,
}

const UNSPECIFIED: u128 = 0;

impl Endpoint {
    /// The path between `remote` and our address `local`.
    #[inline]
    pub fn new(remote: SocketAddr, local: IpAddr) -> Self {
        Self { remote: number(remote.ip()), local: number(local), port: remote.port() }
    }

    /// The path to a configured address, not used so far.
    pub fn configured(remote: SocketAddr) -> Self {
        Self { remote: number(remote.ip()), local: UNSPECIFIED, port: remote.port() }
    }

    /// The peer's address and port, IPv4-mapped addresses as plain IPv4.
    #[inline]
    pub fn remote(&self) -> SocketAddr {
        SocketAddr::new(address(self.remote), self.port)
    }

    /// Our address, if a packet has shown which one.
    #[inline]
    pub fn local(&self) -> Option<IpAddr> {
        (self.local != UNSPECIFIED).then(|| address(self.local))
    }

    /// Source and destination of a packet that came by this path; `None` for a path that none can have come by.
    pub(crate) fn addresses(&self) -> Option<Addresses> {
        Addresses::new(self.remote().ip(), self.local()?)
    }

    /// The same path with our address left to routing.
    pub fn without_local(self) -> Self {
        Self { local: UNSPECIFIED, ..self }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({} from {:?})", self.remote(), self.local())
    }
}

#[inline]
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => 0xffff_0000_0000 | u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

#[inline]
fn address(number: u128) -> IpAddr {
    Ipv6Addr::from(number).to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_mapped_address_is_the_ipv4_address() {
        let local: IpAddr = "10.0.0.1".parse().unwrap();
        let mapped = Endpoint::new("[::ffff:192.0.2.7]:51820".parse().unwrap(), local);
        let plain = Endpoint::new("192.0.2.7:51820".parse().unwrap(), local);
        assert_eq!(mapped, plain);
        assert_eq!(mapped.remote(), "192.0.2.7:51820".parse().unwrap());
        assert_eq!(plain.local(), Some(local));
    }

    #[test]
    fn each_part_tells_two_paths_apart() {
        let of = |remote: &str, local: &str| {
            Endpoint::new(remote.parse().unwrap(), local.parse().unwrap())
        };
        let path = of("[2001:db8::1]:1", "2001:db8::2");
        assert_ne!(path, of("[2001:db8::3]:1", "2001:db8::2"));
        assert_ne!(path, of("[2001:db8::1]:2", "2001:db8::2"));
        assert_ne!(path, of("[2001:db8::1]:1", "2001:db8::4"));
        assert_ne!(path, path.without_local());
        assert_eq!(path.without_local(), Endpoint::configured(path.remote()));
        assert_eq!(path.without_local().local(), None);
    }
}
