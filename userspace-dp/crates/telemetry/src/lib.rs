//! Drop reasons, counters and histograms with a single writer each.
#![forbid(unsafe_code)]
