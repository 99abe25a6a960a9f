//! Addresses: prefixes, interface addresses, endpoints, listening addresses.

use crate::text::{Invalid, textual};
use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// A network: an address whose host bits are zero, and a prefix length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(IpNet);

/// An address of an interface with the length of its network's prefix; host bits are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceAddress(IpNet);

/// What an address in a rule is compared with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressMatch {
    /// A network.
    Prefix(Prefix),
    /// A named set, written `"@name"`.
    Set(String),
}

/// Where a peer is reached: a host and a UDP port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The host.
    pub host: Host,
    /// The port, never zero.
    pub port: u16,
}

/// An address, or a name to be resolved.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address.
    Address(IpAddr),
    /// A DNS name.
    Name(String),
}

/// Where the metrics endpoint listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Listen {
    /// A TCP address and port.
    Tcp(SocketAddr),
    /// A unix socket, written `"unix:/path"`.
    Unix(PathBuf),
    /// Nowhere, written `"off"`.
    Off,
}

const PREFIX_FORM: &str = "a network such as \"10.0.0.0/24\" or \"fd00:8::/64\"";
const ADDRESS_FORM: &str = "an address with its prefix length, such as \"10.8.0.1/24\"";
const ENDPOINT_FORM: &str =
    "\"host:port\" with a name or an address: \"vpn.example.net:51820\", \"[2001:db8::1]:51820\"";
const LISTEN_FORM: &str = "\"address:port\" such as \"127.0.0.1:9586\", \"unix:/path\", or \"off\"";

textual!(Prefix, "Prefix", "a network such as \"10.0.0.0/24\" or \"fd00:8::/64\"", {});
textual!(InterfaceAddress, "InterfaceAddress", "an address with its prefix length", {});
textual!(AddressMatch, "AddressMatch", "a network such as \"10.0.0.0/24\", or \"@set\"", {});
textual!(Endpoint, "Endpoint", "\"host:port\" such as \"vpn.example.net:51820\"", {});
textual!(Listen, "Listen", "\"address:port\", \"unix:/path\" or \"off\"", {});

impl Prefix {
    /// The network.
    #[must_use]
    pub const fn net(self) -> IpNet {
        self.0
    }
}

impl InterfaceAddress {
    /// The address together with its prefix length.
    #[must_use]
    pub const fn net(self) -> IpNet {
        self.0
    }

    /// The address alone.
    #[must_use]
    pub fn address(self) -> IpAddr {
        self.0.addr()
    }
}

impl Listen {
    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) | Self::Off => true,
        }
    }
}

impl FromStr for Prefix {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let net = network(text, PREFIX_FORM)?;
        if net.trunc() == net {
            Ok(Self(net))
        } else {
            Err(Invalid::new("host bits are set", format!("the network \"{}\"", net.trunc())))
        }
    }
}

impl FromStr for InterfaceAddress {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let net = network(text, ADDRESS_FORM)?;
        if !is_a_hosts(net.addr()) || net.addr().is_loopback() {
            return Err(Invalid::new("not an address an interface can have", ADDRESS_FORM));
        }
        match net {
            IpNet::V4(net) if net.prefix_len() < 31 => {
                let allowed =
                    format!("an address between {} and {}", net.network(), net.broadcast());
                if net.addr() == net.network() {
                    return Err(Invalid::new("the address of the network itself", allowed));
                }
                if net.addr() == net.broadcast() {
                    return Err(Invalid::new("the broadcast address of the network", allowed));
                }
            }
            IpNet::V4(_) | IpNet::V6(_) => {}
        }
        Ok(Self(net))
    }
}

impl FromStr for AddressMatch {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.strip_prefix('@') {
            Some("") => Err(Invalid::new("no set name after '@'", "the name of a [set.<name>]")),
            Some(set) => Ok(Self::Set(set.to_owned())),
            None => text.parse().map(Self::Prefix),
        }
    }
}

impl FromStr for Endpoint {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let split = text.rsplit_once(':');
        let (host, port) = split.ok_or_else(|| Invalid::new("no port", ENDPOINT_FORM))?;
        let port = match port.parse::<u16>() {
            Ok(0) => return Err(Invalid::new("port 0", "a port from 1 to 65535")),
            Ok(port) => port,
            Err(_) => return Err(Invalid::new(format!("`{port}` is not a port"), ENDPOINT_FORM)),
        };
        let host = host.parse()?;
        match host {
            Host::Address(address) if !is_a_hosts(address) => {
                Err(Invalid::new(format!("`{address}` is no host's address"), ENDPOINT_FORM))
            }
            Host::Address(_) | Host::Name(_) => Ok(Self { host, port }),
        }
    }
}

impl FromStr for Host {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let address = inside.parse().map(IpAddr::V6);
            return address.map(Self::Address).map_err(|_| {
                Invalid::new(format!("`{inside}` is not an IPv6 address"), ENDPOINT_FORM)
            });
        }
        if text.contains(':') {
            let allowed = format!("an IPv6 address in brackets: \"[{text}]:port\"");
            return Err(Invalid::new("an IPv6 address without brackets", allowed));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(IpAddr::V4(address)));
        }
        host_name(text).map(|()| Self::Name(text.to_owned()))
    }
}

impl FromStr for Listen {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "off" {
            return Ok(Self::Off);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.starts_with('/') {
                true => Ok(Self::Unix(path.into())),
                false => Err(Invalid::new("not an absolute path", LISTEN_FORM)),
            };
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.port() == 0 => {
                Err(Invalid::new("port 0", "a port from 1 to 65535"))
            }
            Ok(address) => Ok(Self::Tcp(address)),
            Err(_) => Err(Invalid::new("not an address and a port", LISTEN_FORM)),
        }
    }
}

/// An address and a prefix length, host bits untouched. Stricter than `IpNet`'s own reading, which takes
/// leading zeros that other programs read as octal.
fn network(text: &str, form: &str) -> Result<IpNet, Invalid> {
    let invalid = || Invalid::new("not an address with a prefix length", form);
    let Some((address, length)) = text.split_once('/') else {
        let single = IpNet::from(text.parse::<IpAddr>().map_err(|_| invalid())?);
        return Err(Invalid::new("no prefix length", format!("\"{single}\" for one address")));
    };
    let address = address.parse().map_err(|_| invalid())?;
    if length.len() > 3 || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid());
    }
    IpNet::new(address, length.parse().map_err(|_| invalid())?).map_err(|_| invalid())
}

/// Whether one host can have `address` on a network. An IPv4 address in the clothes of IPv6 (RFC 4291, section 2.5.5.2)
/// is on none.
fn is_a_hosts(address: IpAddr) -> bool {
    let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    let mapped = address.to_canonical() != address;
    !address.is_unspecified() && !address.is_multicast() && !broadcast && !mapped
}

/// RFC 1123 host names: labels of letters, digits and inner hyphens; the last one not all digits.
fn host_name(text: &str) -> Result<(), Invalid> {
    let allowed = "a host name: labels of 1 to 63 letters, digits or inner '-', joined by '.'";
    let name = text.strip_suffix('.').unwrap_or(text);
    let label_is_good = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or(name);
    if name.len() > 253
        || !name.split('.').all(label_is_good)
        || last.chars().all(|c| c.is_ascii_digit())
    {
        return Err(Invalid::new(format!("`{text}` is not a host name"), allowed));
    }
    Ok(())
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for AddressMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Set(name) => write!(f, "@{name}"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(address) => SocketAddr::new(*address, self.port).fmt(f),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Off => f.write_str("off"),
        }
    }
}

#[cfg(test)]
mod tests;
