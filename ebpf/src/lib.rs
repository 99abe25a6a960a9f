//! The XDP steering program, its loader and the map layouts both sides share.
