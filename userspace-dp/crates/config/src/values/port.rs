//! Ports and protocols in policy rules.

use crate::text::Invalid;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// One port or an inclusive range of ports; a range never runs backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// The upper-layer protocol a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Every protocol.
    Any,
    /// TCP (6).
    Tcp,
    /// UDP (17).
    Udp,
    /// ICMP over IPv4 (1).
    Icmp,
    /// ICMPv6 (58).
    Icmpv6,
    /// Another protocol by its number.
    Number(u8),
}

const PORT_FORM: &str = "a port from 0 to 65535, or a range such as \"8000-8100\"";
const PROTOCOL_FORM: &str =
    "\"any\", \"tcp\", \"udp\", \"icmp\", \"icmpv6\", or a number from 0 to 255";

impl PortRange {
    /// Every port from `first` to `last`, both included; nothing when they are the wrong way round.
    #[must_use]
    pub const fn new(first: u16, last: u16) -> Option<Self> {
        if first <= last { Some(Self { first, last }) } else { None }
    }

    /// The ports, both ends included.
    #[must_use]
    pub const fn ports(self) -> RangeInclusive<u16> {
        self.first..=self.last
    }
}

impl Protocol {
    /// The number in the IP header; nothing for `any`.
    #[must_use]
    pub const fn number(self) -> Option<u8> {
        match self {
            Self::Any => None,
            Self::Tcp => Some(6),
            Self::Udp => Some(17),
            Self::Icmp => Some(1),
            Self::Icmpv6 => Some(58),
            Self::Number(number) => Some(number),
        }
    }

    /// Whether its packets carry ports that a rule can match.
    #[must_use]
    pub const fn has_ports(self) -> bool {
        matches!(self.number(), Some(6 | 17))
    }

    /// Whether its packets carry an ICMP type.
    #[must_use]
    pub const fn has_icmp_type(self) -> bool {
        matches!(self.number(), Some(1 | 58))
    }
}

impl FromStr for PortRange {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| {
            text.parse::<u16>()
                .map_err(|_| Invalid::new(format!("`{text}` is not a port"), PORT_FORM))
        };
        Self::new(port(first)?, port(last)?)
            .ok_or_else(|| Invalid::new("the range runs backwards", format!("\"{last}-{first}\"")))
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Tcp => f.write_str("tcp"),
            Self::Udp => f.write_str("udp"),
            Self::Icmp => f.write_str("icmp"),
            Self::Icmpv6 => f.write_str("icmpv6"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl Serialize for PortRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.first == self.last {
            serializer.serialize_u16(self.first)
        } else {
            serializer.collect_str(self)
        }
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Port;
        impl Visitor<'_> for Port {
            type Value = PortRange;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(PORT_FORM)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<PortRange, E> {
                let port = u16::try_from(number)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))?;
                Ok(PortRange { first: port, last: port })
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<PortRange, E> {
                text.parse().map_err(E::custom)
            }
        }
        source.deserialize_any(Port)
    }
}

impl Serialize for Protocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u8(*number),
            Self::Any | Self::Tcp | Self::Udp | Self::Icmp | Self::Icmpv6 => {
                serializer.collect_str(self)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct NameOrNumber;
        impl Visitor<'_> for NameOrNumber {
            type Value = Protocol;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(PROTOCOL_FORM)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Protocol, E> {
                match u8::try_from(number) {
                    Ok(6) => Ok(Protocol::Tcp),
                    Ok(17) => Ok(Protocol::Udp),
                    Ok(1) => Ok(Protocol::Icmp),
                    Ok(58) => Ok(Protocol::Icmpv6),
                    Ok(number) => Ok(Protocol::Number(number)),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Protocol, E> {
                match text {
                    "any" => Ok(Protocol::Any),
                    "tcp" => Ok(Protocol::Tcp),
                    "udp" => Ok(Protocol::Udp),
                    "icmp" => Ok(Protocol::Icmp),
                    "icmpv6" => Ok(Protocol::Icmpv6),
                    _ => Err(E::custom(Invalid::new("unknown protocol", PROTOCOL_FORM))),
                }
            }
        }
        source.deserialize_any(NameOrNumber)
    }
}

impl JsonSchema for PortRange {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "PortRange".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": 65535 },
                { "type": "string", "pattern": "^[0-9]{1,5}(-[0-9]{1,5})?$" }
            ],
            "x-form": PORT_FORM
        })
    }
}

impl JsonSchema for Protocol {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Protocol".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "enum": ["any", "tcp", "udp", "icmp", "icmpv6"] },
                { "type": "integer", "minimum": 0, "maximum": 255 }
            ],
            "x-form": PROTOCOL_FORM
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_range_reads_and_shows() {
        assert_eq!("443".parse::<PortRange>().unwrap().ports(), 443..=443);
        let range: PortRange = "8000-8100".parse().unwrap();
        assert_eq!(range.ports(), 8000..=8100);
        assert_eq!(range.to_string(), "8000-8100");
    }

    #[test]
    fn ranges_that_run_backwards_or_leave_the_space_are_refused() {
        for bad in ["", "-", "8100-8000", "1-", "-1", "65536", "a-b", "1-2-3", "80 - 90"] {
            assert!(bad.parse::<PortRange>().is_err(), "{bad:?}");
        }
        assert_eq!("9-5".parse::<PortRange>().unwrap_err().allowed, "\"5-9\"");
    }

    #[test]
    fn a_protocol_number_with_a_name_is_that_protocol() {
        #[derive(Deserialize)]
        struct Holder {
            protocol: Protocol,
        }
        let read = |text: &str| {
            toml::from_str::<Holder>(&format!("protocol = {text}")).map(|holder| holder.protocol)
        };
        assert_eq!(read("6").unwrap(), Protocol::Tcp);
        assert_eq!(read("\"icmpv6\"").unwrap().number(), Some(58));
        assert_eq!(read("47").unwrap(), Protocol::Number(47));
        assert!(read("256").is_err());
        assert!(read("\"gre\"").is_err());
    }
}
