//! A number, or "choose one for me".

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;

/// A positive number, or `"auto"`: the gateway looks at the machine and chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Chosen at start.
    Auto,
    /// Chosen by the operator.
    Exactly(NonZeroU32),
}

impl Count {
    /// The operator's number, if there is one.
    #[must_use]
    pub const fn exactly(self) -> Option<u32> {
        match self {
            Self::Auto => None,
            Self::Exactly(count) => Some(count.get()),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Exactly(count) => write!(f, "{count}"),
        }
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Exactly(count) => serializer.serialize_u32(count.get()),
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct AutoOrNumber;
        impl Visitor<'_> for AutoOrNumber {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"auto\" or a whole number from 1")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Count, E> {
                match text {
                    "auto" => Ok(Count::Auto),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Count, E> {
                u32::try_from(number)
                    .ok()
                    .and_then(NonZeroU32::new)
                    .map(Count::Exactly)
                    .ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Count, E> {
                let number = i64::try_from(number)
                    .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))?;
                self.visit_i64(number)
            }
        }
        source.deserialize_any(AutoOrNumber)
    }
}

impl JsonSchema for Count {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1 }],
            "x-form": "\"auto\" or a whole number from 1"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        count: Count,
    }

    fn read(text: &str) -> Result<Count, String> {
        let text = format!("count = {text}");
        toml::from_str::<Holder>(&text).map(|h| h.count).map_err(|e| e.message().to_owned())
    }

    #[test]
    fn auto_and_positive_numbers_are_counts() {
        assert_eq!(read("\"auto\""), Ok(Count::Auto));
        assert_eq!(read("4").map(Count::exactly), Ok(Some(4)));
    }

    #[test]
    fn zero_negative_and_other_words_are_not() {
        for bad in ["0", "-1", "\"many\"", "1.5", "true", "9999999999"] {
            let error = read(bad).unwrap_err();
            assert!(error.ends_with("expected \"auto\" or a whole number from 1"), "{error}");
        }
    }
}
