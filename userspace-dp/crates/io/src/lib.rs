//! Frames and the ports they cross: AF_XDP, memory and pcap behind one trait.
