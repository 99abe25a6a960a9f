//! The control thread: what it knows of the kernel and of the configuration, and what it tells the workers.

pub mod netlink;
