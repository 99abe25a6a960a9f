//! Exit codes, the same for every verb.

use std::process::ExitCode;

/// How a verb ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Ok,
    /// It was understood and failed.
    Failed,
    /// The command line (or the request) was not understood.
    Usage,
    /// The daemon cannot be reached (`EX_UNAVAILABLE`).
    Unreachable,
    /// The user may not do this (`EX_NOPERM`).
    NoPermission,
    /// The configuration is bad (`EX_CONFIG`).
    BadConfiguration,
}

impl Exit {
    /// The process exit status.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unreachable => 69,
            Self::NoPermission => 77,
            Self::BadConfiguration => 78,
        }
    }

    /// This end, or `next` when this one is good.
    #[must_use]
    pub fn and(self, next: Self) -> Self {
        if self == Self::Ok { next } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
