//! Colour for terminals, and only for them.

use std::io::IsTerminal;

/// Paints text, or leaves it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    /// With escape sequences.
    Colour,
    /// As it is.
    Plain,
}

/// What a text is, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// A table's head.
    Head,
    /// All is well.
    Good,
    /// Worth a look.
    Warn,
    /// Broken.
    Bad,
}

impl Paint {
    /// For `stream`: colour on a terminal, unless `NO_COLOR` is set to anything, or the terminal is dumb.
    pub(super) fn of(stream: &impl IsTerminal) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if stream.is_terminal() && !set("NO_COLOR") && !dumb { Self::Colour } else { Self::Plain }
    }

    /// `text` in its tone.
    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Head => "1",
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "31",
        };
        match self {
            Self::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_gets_no_escape_sequences() {
        let (_reader, writer) = std::io::pipe().unwrap();
        assert_eq!(Paint::of(&std::os::fd::OwnedFd::from(writer)), Paint::Plain);
        assert_eq!(Paint::Plain.paint(Tone::Bad, "x"), "x");
        assert_eq!(Paint::Colour.paint(Tone::Bad, "x"), "\x1b[31mx\x1b[0m");
    }
}
