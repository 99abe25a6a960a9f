//! The corpora of the WireGuard targets hold at least these entries; a missing one is written.

use std::fs;
use std::path::Path;

use ringwall_fuzz::{wireguard_handshake, wireguard_sessions};

#[test]
fn the_seeds_are_in_the_corpora() {
    for (name, bytes) in wireguard_handshake::seeds() {
        keep("wireguard_handshake", name, &bytes);
    }
    for (name, bytes) in wireguard_sessions::seeds() {
        keep("wireguard_sessions", name, &bytes);
    }
}

fn keep(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let path = folder.join(name);
    if !path.exists() {
        fs::create_dir_all(&folder).expect("the corpus folder");
        fs::write(&path, bytes).expect("a seed");
    }
}
