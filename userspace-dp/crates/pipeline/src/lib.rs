//! The packet path: a burst in, a verdict for each packet out.
#![forbid(unsafe_code)]
