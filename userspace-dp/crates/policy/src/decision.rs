//! What came out.

/// What to do with the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Let it pass.
    Allow,
    /// Drop it in silence.
    Deny,
    /// Drop it and say so to the sender.
    Reject,
}

/// Who decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleRef {
    /// The rule in this position of the configuration, from 0.
    Rule(u32),
    /// No rule matched.
    Default,
}

/// The answer to a [`Query`](crate::Query).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What to do.
    pub action: Action,
    /// Who said so.
    pub rule: RuleRef,
    /// Whether the rule wants this in the event stream.
    pub log: bool,
}

impl Decision {
    /// What happens when no rule matches.
    pub const DEFAULT: Self = Self { action: Action::Deny, rule: RuleRef::Default, log: false };

    /// Whether the packet may pass.
    pub const fn allows(self) -> bool {
        match self.action {
            Action::Allow => true,
            Action::Deny | Action::Reject => false,
        }
    }
}
