//! WireGuard without I/O and without a clock: handshakes, sessions, replay windows, timers, cookies.
#![forbid(unsafe_code)]
