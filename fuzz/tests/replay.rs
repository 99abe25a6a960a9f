//! Runs every fuzz target over its corpus and over small changes of each entry, without libFuzzer.

use ringwall_fuzz::TARGETS;
use std::fs;
use std::path::{Path, PathBuf};

/// Changes per entry: enough to touch most header bytes, few enough to stay within seconds.
const CHANGES: u64 = 300;

fn corpus(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let Ok(entries) = fs::read_dir(&folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// The `serial`-th change of `bytes`: some bits, bytes or the length, always the same for the same serial.
fn changed(bytes: &[u8], serial: u64) -> Vec<u8> {
    let mut state = serial.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % (bound.max(1) as u64)) as usize
    };
    let mut bytes = bytes.to_vec();
    for _ in 0..=draw(3) {
        let at = draw(bytes.len());
        match (draw(4), bytes.get_mut(at)) {
            (0, _) => bytes.truncate(at),
            (1, _) => bytes.insert(at, draw(256) as u8),
            (2, Some(byte)) => *byte ^= 1 << draw(8),
            (_, Some(byte)) => *byte = draw(256) as u8,
            (_, None) => {}
        }
    }
    bytes
}

#[test]
fn every_target_has_a_corpus() {
    for (name, _) in TARGETS {
        assert!(!corpus(name).is_empty(), "corpus/{name} is empty");
    }
}

#[test]
fn no_corpus_entry_nor_a_small_change_of_it_breaks_a_promise() {
    for (name, target) in TARGETS {
        for path in corpus(name) {
            let bytes = fs::read(&path).expect("a corpus entry");
            println!("{}", path.display());
            target(&bytes);
            for serial in 0..CHANGES {
                println!("change {serial}");
                target(&changed(&bytes, serial));
            }
        }
    }
}
