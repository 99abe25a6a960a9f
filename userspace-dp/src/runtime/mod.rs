//! The worker threads and what holds them together: pinning, rings between threads, waking, publication of
//! snapshots, the slow path, and the guard against allocation on the packet path.

pub mod alloc_guard;
pub mod handshake;
pub mod mesh;
pub mod pin;
pub mod privileges;
pub mod publish;
pub mod reporting;
pub mod shared;
pub mod slow_path;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod wake;
pub mod worker;
pub mod worker_thread;
