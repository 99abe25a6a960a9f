//! Whole-file behaviour.
