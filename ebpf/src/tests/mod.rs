//! Tests of the program as the kernel runs it.
//!
//! Most give one frame to the loaded program by `BPF_PROG_TEST_RUN` and look at the action and at
//! the counters, of which exactly one may have moved. Those in `veth`, `vlan_offload`,
//! `process` and `privileges` attach it for real, in network namespaces of their own. All need root and say so
//! when they are skipped.

mod blocking;
mod cost;
mod ethernet;
mod failure;
mod frames;
mod ipv4;
mod ipv6;
mod layout;
mod local;
mod model;
mod namespace;
mod parser;
mod privileges;
mod process;
mod rig;
mod socket;
mod veth;
mod vlan_offload;
