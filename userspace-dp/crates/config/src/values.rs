//! The values that keys take: each a type that cannot hold a wrong one.

mod address;
mod count;
mod crypto;
mod name;
mod port;
mod units;

pub use address::{AddressMatch, Endpoint, Host, InterfaceAddress, Listen, Prefix};
pub use count::Count;
pub use crypto::{PublicKey, Secret};
pub use name::{InterfaceName, Name};
pub use port::{PortRange, Protocol};
pub use units::{Duration, Rate, Size};
