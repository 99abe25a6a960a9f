//! A problem in a configuration, told so that it can be mended without a manual.

use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// One problem: which key, what was given, what is wrong, what is allowed, where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether the configuration is refused for it.
    pub severity: Severity,
    /// The key, such as `wireguard.peer[2].allowed_ips[0]`; empty when it is about a file as a whole.
    pub key: String,
    /// The value as it stands in the file; absent when there is none, or it may be a secret.
    pub value: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub allowed: Option<String>,
    /// Where it stands; absent for a file that could not be read.
    #[serde(flatten)]
    pub place: Option<Place>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The line's text, what may be a secret cut off.
    pub excerpt: String,
    /// How many characters of the line it is about.
    pub width: usize,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// The configuration works, but probably not as meant.
    Warning,
}

/// A configuration that was refused: every problem found, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", summary(.diagnostics))]
pub struct Rejected {
    /// The problems; at least one is an error.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether the main file could not be read for lack of permission.
    pub no_permission: bool,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// The problem with an excerpt of the file, over several lines, without a final line break.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.severity)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        let margin = match &self.place {
            Some(place) => place.excerpt_of(f)?,
            None => 1,
        };
        if let Some(value) = &self.value {
            write!(f, "\n{:margin$} = given:   {value}", "")?;
        }
        if let Some(allowed) = &self.allowed {
            write!(f, "\n{:margin$} = allowed: {allowed}", "")?;
        }
        Ok(())
    }
}

impl Place {
    /// Writes the place and its line with a caret line below; returns the width of the margin.
    fn excerpt_of(&self, f: &mut fmt::Formatter<'_>) -> Result<usize, fmt::Error> {
        let margin = self.line.to_string().len();
        write!(f, "\n{:margin$}--> {}:{}:{}", "", self.file.display(), self.line, self.column)?;
        write!(f, "\n{:margin$} |\n{} | {}", "", self.line, self.excerpt)?;
        // Tabs stay tabs, so that the caret stands below what it means.
        let before = self.excerpt.chars().take(self.column.saturating_sub(1));
        let indent: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        write!(f, "\n{:margin$} | {indent}{}", "", "^".repeat(self.width.max(1)))?;
        Ok(margin)
    }
}

/// One line for logs and error chains: the first error and how many more there are.
fn summary(diagnostics: &[Diagnostic]) -> String {
    let mut errors = diagnostics.iter().filter(|one| one.severity == Severity::Error);
    let Some(first) = errors.next() else {
        return "the configuration was refused".to_owned();
    };
    let mut text = String::new();
    if let Some(place) = &first.place {
        text = format!("{}:{}:{}: ", place.file.display(), place.line, place.column);
    }
    if !first.key.is_empty() {
        text = format!("{text}{}: ", first.key);
    }
    text.push_str(&first.message);
    match errors.count() {
        0 => text,
        1 => format!("{text} (and 1 more error)"),
        more => format!("{text} (and {more} more errors)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            key: "wireguard.peer[0].allowed_ips[0]".into(),
            value: Some("\"10.8.0.5/24\"".into()),
            message: "host bits are set".into(),
            allowed: Some("the network \"10.8.0.0/24\"".into()),
            place: Some(Place {
                file: "ringwall.toml".into(),
                line: 41,
                column: 16,
                excerpt: "allowed_ips = [\"10.8.0.5/24\"]".into(),
                width: 13,
            }),
        }
    }

    #[test]
    fn a_diagnostic_shows_the_line_with_a_caret_under_the_value() {
        let expected = r#"error: wireguard.peer[0].allowed_ips[0]: host bits are set
  --> ringwall.toml:41:16
   |
41 | allowed_ips = ["10.8.0.5/24"]
   |                ^^^^^^^^^^^^^
   = given:   "10.8.0.5/24"
   = allowed: the network "10.8.0.0/24""#;
        assert_eq!(sample().to_string(), expected);
    }

    #[test]
    fn a_refusal_in_one_line_names_the_first_error_and_counts_the_others() {
        let warning = Diagnostic { severity: Severity::Warning, ..sample() };
        let one = Rejected { diagnostics: vec![warning, sample()], no_permission: false };
        let expected = "ringwall.toml:41:16: wireguard.peer[0].allowed_ips[0]: host bits are set";
        assert_eq!(one.to_string(), expected);
        let two = Rejected { diagnostics: vec![sample(), sample()], no_permission: false };
        assert_eq!(two.to_string(), format!("{expected} (and 1 more error)"));
    }

    #[test]
    fn in_json_the_place_stands_beside_the_key() {
        let json = serde_json::to_value(sample()).unwrap();
        assert_eq!(json["severity"], "error");
        assert_eq!((&json["line"], &json["column"]), (&41.into(), &16.into()));
    }
}
