//! Longest-prefix match and neighbours for the packet path.
#![forbid(unsafe_code)]
