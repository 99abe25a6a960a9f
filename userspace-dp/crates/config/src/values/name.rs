//! Names: of peers, zones, sets, rules, and of kernel interfaces.

use crate::text::{Invalid, textual};
use std::fmt;
use std::str::FromStr;

/// A name the operator gives: 1 to 63 letters, digits, `-`, `_` or `.`, beginning with a letter or digit.
///
/// Names appear in metric labels, log fields and tables, hence the narrow alphabet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// A kernel interface name: 1 to 15 bytes without `/`, `:`, `%` or white space, and neither `.` nor `..`. A name with
/// `%d` is a pattern to the kernel: the device would get another name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName(String);

const NAME_FORM: &str =
    "1 to 63 letters, digits, '-', '_' or '.', beginning with a letter or a digit";
const INTERFACE_FORM: &str =
    "an interface name: 1 to 15 bytes without '/', ':', '%' or white space";

textual!(Name, "Name", "a name such as \"branch-7\"", {
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
});
textual!(InterfaceName, "InterfaceName", "an interface name such as \"eth0\"", {
    "pattern": r"^[^\s/:%]{1,15}$"
});

impl Name {
    /// A name that stands in the source and is known to be right.
    pub(crate) fn known(name: &'static str) -> Self {
        Self(name.to_owned())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl InterfaceName {
    /// A name that stands in the source and is known to be right.
    pub(crate) fn known(name: &'static str) -> Self {
        Self(name.to_owned())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if begins && text.len() <= 63 && text.chars().all(inside) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("not a name", NAME_FORM))
        }
    }
}

impl FromStr for InterfaceName {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let forbidden =
            |c: char| matches!(c, '/' | ':' | '%') || c.is_whitespace() || c.is_control();
        if (1..=15).contains(&text.len())
            && !text.contains(forbidden)
            && text != "."
            && text != ".."
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("not an interface name", INTERFACE_FORM))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_labels_and_tables() {
        for good in ["a", "branch-7", "7.example_x"] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", "-x", "a b", "a/b", "é", "x\n", &"x".repeat(64)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn interface_names_are_those_the_kernel_takes() {
        for good in ["eth0", "enp1s0f0np0", "eth0.100", "ringwall0"] {
            assert_eq!(good.parse::<InterfaceName>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "a/b", "eth 0", "eth0:1", "wg%d", "sixteen-bytes-xx"] {
            assert!(bad.parse::<InterfaceName>().is_err(), "{bad:?}");
        }
    }
}
