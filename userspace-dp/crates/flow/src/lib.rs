//! Flows: who talks to whom, in which state, and which fragments belong together.
//!
//! Each worker of the pipeline owns a [`FlowTable`] and a [`FragmentTable`]. A packet's [`Key`] leads to its flow;
//! [`FlowTable::judge`] says whether the packet belongs there by what its [`Content`] says; a packet without a flow that
//! may open one goes through routing, policy and translation, whose outcome the caller keeps in the flow as a payload
//! per direction. What was allowed once is not allowed for ever: the caller stamps its payload with the generation of
//! what it depends on and asks again when that is stale; nothing here knows of policy.
//!
//! ```text
//! Tuple::of(parsed) + zone = Key --find_burst--> flow, direction ----> judge(Content) --> Pass, Refuse
//!                                      |                                    |
//!                                      no flow <----- Miss: remove it ------+
//!                                      |
//!                       may_open? --> route, policy, translation --> open
//! ```
//!
//! What it must never do: panic or loop by what a packet contains, allocate after it was made, read a clock, or let a
//! packet through because something is full. Every hash over what senders choose is keyed ([`HashKey`]).
//!
//! The rules of TCP are those of RFC 9293, RFC 5961 (blind attacks), RFC 6191 and RFC 7323; timeouts follow RFC 4787 and
//! RFC 5382; fragments RFC 1858, RFC 3128, RFC 5722 and RFC 8200. Connections must pass the gateway in both directions: with one
//! direction unseen their segments are refused.
#![forbid(unsafe_code)]

mod content;
mod direction;
mod fragments;
mod hash;
mod key;
mod phase;
mod settings;
mod table;
mod tcp;
mod tick;
mod tuple;
mod verdict;

pub use content::{Content, Segment};
pub use direction::Direction;
pub use fragments::{Association, FragmentKey, FragmentRefusal, FragmentTable, Piece};
pub use hash::HashKey;
pub use key::Key;
pub use phase::{Exchange, Phase, TcpPhase};
pub use settings::{FlowSettings, OnExhausted, Pickup, Timeouts};
pub use table::{
    Cursor, Departure, FlowId, FlowTable, FlowView, NewFlow, NotOpened, Opened, Removed,
};
pub use tuple::{ECHO_REPLY, ECHO_REQUEST, Tuple};
pub use verdict::{Consequence, Verdict};
