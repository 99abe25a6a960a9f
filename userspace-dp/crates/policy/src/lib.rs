//! Zones and ordered rules: who may talk to whom.
#![forbid(unsafe_code)]
