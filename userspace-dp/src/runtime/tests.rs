//! The parts between threads: hand-off mesh and publication of snapshots.

mod mesh;
mod publish;
