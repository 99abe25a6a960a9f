//! `[[zone]]`, `[set.<name>]`, `[[policy]]`: who may talk to whom.

use crate::values::{AddressMatch, Name, PortRange, Prefix, Protocol};
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// A zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Zone {
    /// The zone's name. `local` and `any` are taken.
    #[schemars(extend("x-example" = "lan", "x-failure" = "Two zones of one name are refused, and so are more than 254 zones; a zone without interface or tunnel is reported."))]
    pub name: Name,
}

/// A named set of networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Set {
    /// The networks, of both families as needed. An empty set matches nothing.
    #[schemars(extend("x-example" = ["10.20.0.0/16", "fd00:20::/48"], "x-failure" = "A network with host bits set is refused, naming the network."))]
    pub prefixes: Vec<Prefix>,
}

/// A policy rule. A key that is left out matches everything; a list matches when one of its items does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Policy {
    /// The rule's name.
    #[schemars(extend("x-example" = "vpn-to-servers", "x-failure" = "Two rules of one name are refused."))]
    pub name: Name,

    /// The zone that packets come from: a declared zone, `"local"`, or `"any"`. `"local"` is what the gateway itself
    /// sends into tunnels; what it sends elsewhere passes no rule here.
    #[schemars(extend("x-example" = "vpn", "x-failure" = "A zone that is not declared is refused."))]
    pub from: Name,

    /// The zone that packets go to: a declared zone, `"local"`, or `"any"`. `"local"` is the gateway itself, for
    /// traffic out of tunnels only: what else is for the gateway itself goes to its own kernel, past these rules, and
    /// is a matter of the host's firewall.
    #[schemars(extend("x-example" = "lan", "x-failure" = "A zone that is not declared is refused; a rule to `\"local\"` from a zone without tunnels has no effect and is reported."))]
    pub to: Name,

    /// Networks or sets that the source address is in.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), extend("x-example" = ["10.8.0.0/24", "@servers"], "x-failure" = "An empty list is refused: leave the key out to match every source."))]
    pub source: Vec<AddressMatch>,

    /// Networks or sets that the destination address is in.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), extend("x-example" = ["@servers"], "x-failure" = "An empty list is refused: leave the key out to match every destination."))]
    pub destination: Vec<AddressMatch>,

    /// The protocol.
    #[serde(default = "Policy::default_protocol")]
    #[schemars(extend("x-failure" = "Ports need `\"tcp\"` or `\"udp\"`, an ICMP type needs `\"icmp\"` or `\"icmpv6\"`; else the rule is refused."))]
    pub protocol: Protocol,

    /// Destination ports and port ranges.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), extend("x-example" = [443, "8000-8100"], "x-failure" = "An empty list is refused: leave the key out to match every port."))]
    pub destination_port: Vec<PortRange>,

    /// Source ports and port ranges.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), extend("x-example" = ["1024-65535"], "x-failure" = "An empty list is refused: leave the key out to match every port."))]
    pub source_port: Vec<PortRange>,

    /// ICMP or ICMPv6 types; 8 and 128 are the echo requests.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), extend("x-example" = [8], "x-unit" = "ICMP types", "x-failure" = "An empty list is refused: leave the key out to match every type."))]
    pub icmp_type: Vec<u8>,

    /// Names of tunnel peers that the packet must come from. Such a rule is tried before every rule without `peer`,
    /// also before one that denies and stands above it.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), extend("x-example" = ["branch-1"], "x-failure" = "A name that no peer has is refused. `check` warns of a rule that allows what a rule above it denies to all."))]
    pub peer: Vec<Name>,

    /// What happens to the packet: `allow` lets it pass, `deny` drops it silently, `reject` drops it and
    /// tells the sender.
    #[schemars(extend("x-example" = "allow", "x-failure" = "There is no default: each rule says what it does."))]
    pub action: Action,
}

/// What happens to a packet that a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Action {
    /// It passes.
    Allow,
    /// It is dropped silently.
    Deny,
    /// It is dropped and the sender is told.
    Reject,
}

impl Policy {
    const fn default_protocol() -> Protocol {
        Protocol::Any
    }
}

/// A list with at least one item. An empty one would read as "matches everything" and open a hole when a
/// generated list happens to be empty.
fn not_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    source: D,
) -> Result<Vec<T>, D::Error> {
    let list = Vec::deserialize(source)?;
    if list.is_empty() {
        return Err(D::Error::custom(
            "an empty list, expected at least one item; leave the key out to match everything",
        ));
    }
    Ok(list)
}
