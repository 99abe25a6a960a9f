//! Benches of every packet-path part beside its peers.
