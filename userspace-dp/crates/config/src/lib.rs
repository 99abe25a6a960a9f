//! The configuration file: its model, its checks, and errors that name the key.
//!
//! [`Config::load`] reads a file and its drop-ins, [`Config::parse`] a text; both give a whole, checked
//! [`Config`] or every problem that was found, each a [`Diagnostic`] that names the key, the value, what is
//! allowed and where it stands. `ringwall check` prints them, the daemon refuses to start or reload with them.
//! [`Config::diff`] says what a reload would change and what needs a restart. [`reference()`] and [`schema()`]
//! derive the operator's manual and the JSON schema from the model.
//!
//! This crate reads files and nothing else: no network, no interface, no privilege. It never keeps half a
//! configuration, never prints a secret, and never guesses what an unknown key meant.
#![forbid(unsafe_code)]

mod check;
mod diagnostic;
mod diff;
mod findings;
mod key;
mod load;
mod model;
mod read;
mod reference;
mod routes;
mod schema;
mod source;
mod text;
mod values;

#[cfg(test)]
mod tests;

pub use diagnostic::{Diagnostic, Place, Rejected, Severity};
pub use diff::{Changed, Changes};
pub use load::{Checked, Loaded};
pub use model::{
    ANY_ZONE, Action, AeadBackend, Config, ForeignProgram, Gateway, HugePages, Interface,
    LOCAL_ZONE, Limits, LogFormat, LogLevel, Mode, OnStall, Peer, Policy, PollMode, Security, Set,
    Telemetry, TunnelRoutes, VERSION, Wireguard, ZeroCopy, Zone,
};
pub use reference::reference;
pub use routes::{Endpoints, Withheld};
pub use schema::{schema, to_toml};
pub use text::Invalid;
pub use values::{
    AddressMatch, Count, Duration, Endpoint, Host, InterfaceAddress, InterfaceName, Listen, Name,
    PortRange, Prefix, Protocol, PublicKey, Rate, Secret, Size,
};
