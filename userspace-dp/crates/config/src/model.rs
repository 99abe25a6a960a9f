//! The configuration as values: one struct per section, in the order of the reference file.
//!
//! The doc comments of the fields are the operator's manual: the reference file and the JSON schema are
//! generated from them. Next to the prose each field says what happens when it is wrong (`x-failure`), in
//! which unit plain numbers are (`x-unit`), whether a reload takes it over (`x-reload`; without it a change
//! needs a restart), and an example where there is no default (`x-example`).

mod gateway;
mod interface;
mod limits;
mod policy;
mod telemetry;
mod wireguard;

pub use gateway::{Gateway, HugePages, OnStall, PollMode};
pub use interface::{ForeignProgram, Interface, Mode, ZeroCopy};
pub use limits::Limits;
pub use policy::{Action, Policy, Set, Zone};
pub use telemetry::{LogFormat, LogLevel, Security, Telemetry};
pub use wireguard::{AeadBackend, Peer, TunnelRoutes, Wireguard};

use crate::values::Name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the file format that this build reads.
pub const VERSION: u32 = 1;

/// A zone that always exists: the gateway itself.
pub const LOCAL_ZONE: &str = "local";

/// The word that stands for every zone in a rule.
pub const ANY_ZONE: &str = "any";

/// The configuration of a Ringwall gateway.
///
/// The file is read whole or not at all: an unknown key, a bad value or an impossible combination is an
/// error that names the key, and what runs keeps running. Durations, sizes and rates are strings with units.
/// Secrets are only ever named by the path of a file. Files in the directory beside this one that has its
/// name with `.d` in place of `.toml` are merged in name order: tables are merged, arrays of tables are
/// appended, and a key that is set twice is an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The version of this file's format.
    #[schemars(
        range(min = 1, max = 1),
        extend("x-example" = 1, "x-unit" = "version", "x-failure" = "Another version is refused; nothing is guessed.")
    )]
    pub version: u32,

    /// The gateway as a whole: threads, memory, polling.
    #[serde(default)]
    pub gateway: Gateway,

    /// A network interface that Ringwall takes over; repeat the section for each one. Packets for the
    /// gateway itself that are not tunnel traffic still reach the kernel.
    #[serde(default)]
    pub interface: Vec<Interface>,

    /// The WireGuard tunnel service. Without this section there are no tunnels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wireguard: Option<Wireguard>,

    /// A zone: a name for a set of interfaces and tunnels that rules treat alike; repeat the section for each
    /// one. The zone `local`, the gateway itself, always exists and is not declared.
    #[serde(default)]
    #[schemars(extend("x-reload" = true, "x-more" = [{ "name": "vpn" }]))]
    pub zone: Vec<Zone>,

    /// Named sets of networks, used in rules as `"@name"`.
    #[serde(default)]
    #[schemars(extend("x-reload" = true))]
    pub set: BTreeMap<Name, Set>,

    /// A policy rule; repeat the section for each one. Rules with `peer` are tried first, then those without,
    /// each group in the order of the file. The first that matches decides, and what no rule matches is denied.
    #[serde(default)]
    #[schemars(extend("x-reload" = true))]
    pub policy: Vec<Policy>,

    /// Sizes of tables and queues, and rates. Each is fixed at start; what does not fit is dropped and
    /// counted, never let through.
    #[serde(default)]
    pub limits: Limits,

    /// Metrics, control socket, logs.
    #[serde(default)]
    pub telemetry: Telemetry,

    /// What the process may do and who may ask it.
    #[serde(default)]
    pub security: Security,
}
