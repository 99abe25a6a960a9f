//! Zones and ordered rules: who may talk to whom.
//!
//! Control compiles a [`PolicySpec`] (names and prefixes, as configured) to an immutable
//! [`Policy`] and publishes it in its snapshot; workers ask it with [`Policy::evaluate`]. An
//! evaluation reads only the policy and the question: it keeps no state, counts nothing, allocates
//! nothing and cannot fail. What follows from a decision (dropping, answering a reject, counting by
//! rule, flows) is the pipeline's.
//!
//! # What a decision promises
//!
//! The first rule that matches decides; without one the packet is denied, in both families.
//! Rules that name tunnel peers come before rules that do not, so that what is said about a peer
//! wins over what is said about everybody; within each of the two groups the configured order
//! counts.
//!
//! A packet does not always show what a rule asks for. **It is allowed only if every packet that it
//! could be part of would be allowed**: an allow rule must be proven, so a doubt passes it over; a
//! deny or reject rule must be ruled out, so a doubt makes it deny (silently: an answer would be a
//! guess). The doubts are:
//!
//! | rule asks for | in doubt on | certain no match on |
//! |---|---|---|
//! | zones, addresses, peers | nothing | whatever differs |
//! | a protocol | a later IPv6 fragment whose fragment header names an extension header; ICMP inside IPv6 and ICMPv6 inside IPv4 when the rule names that protocol | any other protocol |
//! | ports | a later fragment of TCP or UDP, or one in doubt about its protocol | protocols other than TCP and UDP |
//! | ICMP types | a later fragment of that ICMP, or one in doubt about its protocol | any other protocol |
//!
//! So a later fragment passes a rule without ports or types that allows its addresses and protocol
//! when no deny rule before it could concern the datagram, and nothing else. A first fragment shows
//! its ports and is matched like a whole packet.
#![forbid(unsafe_code)]

mod compile;
mod decision;
mod error;
mod policy;
mod query;
mod ranges;
mod spec;

pub use decision::{Action, Decision, RuleRef};
pub use error::PolicyError;
pub use policy::Policy;
pub use query::{Query, ZoneId};
pub use spec::{
    AddressItem, AddressMatch, IcmpTypeMatch, PeerMatch, PeerSpec, PolicySpec, PortMatch,
    ProtocolMatch, RuleSpec, SetSpec, ZoneMatch, ZoneSpec,
};
