//! The name of a key, from the root of the file: `wireguard.peer[2].allowed_ips[0]`.

use std::fmt;

/// A path through tables and arrays. The empty path is the file itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Key(Vec<Step>);

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Into a table, by key.
    Field(String),
    /// Into an array, by index.
    Index(usize),
}

impl Key {
    /// The key `name` at the top of the file.
    pub(crate) fn top(name: &str) -> Self {
        Self::default().field(name)
    }

    /// The key `name` in this table.
    #[must_use]
    pub(crate) fn field(&self, name: &str) -> Self {
        self.with(Step::Field(name.to_owned()))
    }

    /// The item `index` of this array.
    #[must_use]
    pub(crate) fn item(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    /// This path and one more step.
    #[must_use]
    pub(crate) fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// This path continued by `rest`.
    #[must_use]
    pub(crate) fn join(&self, rest: &Self) -> Self {
        Self(self.0.iter().chain(&rest.0).cloned().collect())
    }

    /// The path without its last step, and that step.
    pub(crate) fn split_last(&self) -> Option<(Self, &Step)> {
        self.0.split_last().map(|(last, rest)| (Self(rest.to_vec()), last))
    }

    /// The steps from the root.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Field(name) => {
                    let dot = if position == 0 { "" } else { "." };
                    if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
                        write!(f, "{dot}{name}")?;
                    } else {
                        write!(f, "{dot}{name:?}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_as_it_would_be_written() {
        let key = Key::top("wireguard").field("peer").item(2).field("allowed_ips").item(0);
        assert_eq!(key.to_string(), "wireguard.peer[2].allowed_ips[0]");
        assert_eq!(
            Key::top("set").field("a b").field("prefixes").to_string(),
            "set.\"a b\".prefixes"
        );
    }
}
