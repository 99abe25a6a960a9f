//! `wire::parse` against smoltcp and strict etherparse: on every seed, on the committed fuzz corpus,
//! and on a million mutated frames. What they may answer differently is a table
//! (`oracle/disagreements.rs`); anything else fails.

mod mutate;
mod oracle;
mod seeds;
mod touch;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mutate::Randomness;
use oracle::{compare, disagreements::TABLE};

#[test]
fn all_three_agree_on_good_frames_but_for_the_table() {
    for (name, frame) in seeds::good() {
        assert!(wire::parse(&frame).is_ok(), "{name}: {:?}", wire::parse(&frame));
        compare(&frame).unwrap_or_else(|difference| panic!("{name}: {difference}"));
    }
}

#[test]
fn every_row_of_the_table_is_needed() {
    let frames = seeds::good().into_iter().chain(seeds::odd());
    let mut needed = BTreeSet::new();
    for (name, frame) in frames {
        let rows = compare(&frame).unwrap_or_else(|difference| panic!("{name}: {difference}"));
        needed.extend(rows);
    }
    for (number, row) in TABLE.iter().enumerate() {
        assert!(needed.contains(&number), "no frame needs: {} ({})", row.what, row.why);
    }
}

#[test]
fn every_truncation_of_every_seed_is_agreed_on() {
    for (name, frame) in seeds::good().into_iter().chain(seeds::odd()) {
        for len in 0..frame.len() {
            compare(&frame[..len]).unwrap_or_else(|difference| panic!("{name}: {difference}"));
        }
    }
}

#[test]
fn a_million_mutated_frames_are_agreed_on() {
    let frames: Vec<_> =
        seeds::good().into_iter().chain(seeds::odd()).map(|(_, frame)| frame).collect();
    let mut randomness = Randomness::new();
    let (mut accepted, mut total) = (0_u32, 0_u32);
    while total < 1_000_000 {
        let frame = mutate::frame(&frames, &mut randomness);
        compare(&frame).unwrap_or_else(|difference| panic!("{randomness}: {difference}"));
        accepted += u32::from(wire::parse(&frame).is_ok());
        total += 1;
    }
    // Both sides of the question must have been asked, or the test says nothing.
    assert!(accepted > total / 10 && accepted < total - total / 10, "{accepted} of {total}");
}

#[test]
fn after_a_parse_nothing_panics_and_rewrites_keep_the_packet_whole() {
    let frames: Vec<_> = seeds::good().into_iter().map(|(_, frame)| frame).collect();
    for frame in &frames {
        touch::everything(frame, wire::parse(frame).expect("a good seed"));
    }
    let mut randomness = Randomness::new();
    let mut touched = 0;
    while touched < 100_000 {
        let frame = mutate::frame(&frames, &mut randomness);
        if let Ok(parsed) = wire::parse(&frame) {
            touch::everything(&frame, parsed);
            touched += 1;
        }
    }
}

#[test]
fn the_committed_corpus_is_agreed_on_and_touched() {
    let frames = corpus("frame");
    assert!(frames.len() >= seeds::good().len() + seeds::odd().len());
    for (path, frame) in frames {
        compare(&frame).unwrap_or_else(|difference| panic!("{path:?}: {difference}"));
        if let Ok(parsed) = wire::parse(&frame) {
            touch::everything(&frame, parsed);
        }
    }
}

/// With `RINGWALL_BLESS` set, writes the seeds where the fuzzer starts from them.
#[test]
fn every_seed_is_in_the_committed_corpus() {
    for (name, frame) in seeds::good().into_iter().chain(seeds::odd()) {
        let path = corpus_folder("frame").join(name);
        if std::env::var_os("RINGWALL_BLESS").is_some() {
            std::fs::write(&path, &frame).expect("a writable corpus");
        }
        assert_eq!(std::fs::read(&path).ok().as_ref(), Some(&frame), "{}", path.display());
    }
}

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = corpus_folder(target);
    let entries = std::fs::read_dir(&folder).expect("the corpus is committed");
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    paths.map(|path| (path.clone(), std::fs::read(path).expect("a readable file"))).collect()
}

fn corpus_folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus").join(target)
}
