//! The configuration file: model, checks, errors that name the key.
#![forbid(unsafe_code)]
