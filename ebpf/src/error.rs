//! What can go wrong on the control side, sorted by whose fault it is.
use std::io;

use aya::maps::MapError;
use aya::programs::ProgramError;

use crate::attach::AttachMode;
use crate::query::RunningMode;

/// Loading the program or changing a map failed. The maps keep what they held, unless the
/// description of the call says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum SteeringError {
    /// The caller asked for something that cannot be.
    #[error("{what}: {why}")]
    Invalid {
        /// The argument.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// More entries than the table holds; nothing was changed.
    #[error("{table} holds {capacity} entries, {wanted} are wanted")]
    Full {
        /// The table.
        table: &'static str,
        /// Its capacity.
        capacity: u32,
        /// Entries it would have to hold.
        wanted: usize,
    },
    /// The port is attached; drop its [`Attachment`](crate::Attachment) first.
    #[error("interface {ifindex} still has the program attached")]
    StillAttached {
        /// The interface.
        ifindex: u32,
    },
    /// The process lacks a capability.
    #[error("the kernel refused to load the XDP program: CAP_BPF and CAP_NET_ADMIN are needed")]
    NotPermitted,
    /// The embedded object could not be loaded: a kernel too old, or a defect.
    #[error("cannot load the XDP program: {0}")]
    Object(#[source] Box<aya::EbpfError>),
    /// The kernel's verifier or loader refused the program.
    #[error("cannot load the XDP program: {0}")]
    Program(#[source] Box<ProgramError>),
    /// A map the program should have is missing or of another kind: a defect.
    #[error("the XDP program has no map `{0}`")]
    NoMap(&'static str),
    /// A map operation failed.
    #[error("map `{map}`: {source}")]
    Map {
        /// The map.
        map: &'static str,
        /// What the kernel said.
        source: Box<MapError>,
    },
    /// The heartbeat map could not be mapped into the process.
    #[error("cannot map the heartbeats: {0}")]
    Heartbeats(#[source] io::Error),
}

/// Attaching to an interface failed; the interface is as it was, except where said.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// [`set_port`](crate::Steering::set_port) comes first: an attached but unregistered
    /// interface would pass everything to the kernel.
    #[error("interface {ifindex} is not registered")]
    NotRegistered {
        /// The interface.
        ifindex: u32,
    },
    /// The program is attached there already.
    #[error("the program is attached to interface {ifindex} already")]
    AlreadyAttached {
        /// The interface.
        ifindex: u32,
    },
    /// Another XDP program runs there.
    #[error(
        "interface {ifindex} runs another XDP program in {mode} mode: id {id}, {}",
        .name.as_deref().map_or_else(|| "name unknown".to_owned(), |name| format!("name `{name}`"))
    )]
    Foreign {
        /// The interface.
        ifindex: u32,
        /// The kernel's id of that program.
        id: u32,
        /// Its name, if this process may ask (`CAP_SYS_ADMIN`) and it has one.
        name: Option<String>,
        /// How it is attached.
        mode: RunningMode,
    },
    /// Replacing the foreign program failed; it still runs.
    #[error("cannot replace XDP program {id} on interface {ifindex}: {source}")]
    Replace {
        /// The interface.
        ifindex: u32,
        /// The program in the way.
        id: u32,
        /// What the kernel said.
        source: io::Error,
    },
    /// The driver does not offer this mode, or not with this MTU, these queues or offloads.
    #[error("interface {ifindex} refuses {mode} mode: {source}")]
    Refused {
        /// The interface.
        ifindex: u32,
        /// The mode asked for.
        mode: AttachMode,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel could not be asked what is attached.
    #[error("cannot ask for the XDP program of interface {ifindex}: {source}")]
    Query {
        /// The interface.
        ifindex: u32,
        /// What the kernel said.
        source: io::Error,
    },
}
