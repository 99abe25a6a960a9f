//! Values that are written as text in the file: how they are read, shown and described, stated once.
//!
//! A type that has `FromStr` (with [`Invalid`] as its error) and `Display` becomes a configuration value by
//! [`textual!`], which derives its serde forms and its JSON schema from them.

use std::fmt;

/// Why a text is not a value of its type, and what would be.
///
/// The `Display` form, `why, expected allowed`, is also the form of serde's own errors, so that the loader
/// can take either apart the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// What is wrong with the text.
    pub why: String,
    /// What would be right.
    pub allowed: String,
}

impl Invalid {
    /// States what is wrong and what would be right.
    pub fn new(why: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { why: why.into(), allowed: allowed.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, expected {}", self.why, self.allowed)
    }
}

impl std::error::Error for Invalid {}

/// Takes an error text of the form `why, expected allowed` apart.
pub(crate) fn split_expected(message: &str) -> (&str, Option<&str>) {
    match message.split_once(", expected ") {
        Some((why, allowed)) => (why, Some(allowed)),
        None => (message, None),
    }
}

/// Implements `Serialize`, `Deserialize` and `JsonSchema` for a type with `FromStr` and `Display`.
///
/// `$expecting` says what the value looks like, for a value of another TOML type; `$schema` are further
/// members of the JSON schema.
macro_rules! textual {
    ($type:ty, $name:literal, $expecting:literal, { $($schema:tt)* }) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $type;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                source.deserialize_str(Text)
            }
        }

        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "x-form": $expecting, $($schema)* })
            }
        }
    };
}
pub(crate) use textual;

/// The nearest of `known` to `given`, when it is near enough to be a slip.
pub(crate) fn nearest<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(given, name), name))
        .min()
        .filter(|(distance, name)| *distance <= 1 + name.chars().count() / 3)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_key_and_nonsense_finds_none() {
        let known = ["zero_copy", "zone", "queues"];
        assert_eq!(nearest("zerocopy", known), Some("zero_copy"));
        assert_eq!(nearest("queus", known), Some("queues"));
        assert_eq!(nearest("banana", known), None);
    }

    #[test]
    fn an_error_comes_apart_into_why_and_allowed() {
        let error = Invalid::new("no unit", "a duration").to_string();
        assert_eq!(split_expected(&error), ("no unit", Some("a duration")));
        assert_eq!(split_expected("broken"), ("broken", None));
    }
}
