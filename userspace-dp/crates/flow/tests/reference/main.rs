//! The table against a reference: a list of flows, a map of keys, TCP in plain numbers that do not go around, and time by
//! looking at everything. Random packets, waits, removals and bursts go through both, and every answer is compared.
//!
//! proptest prints the seed and the smallest sequence that fails.

mod model;
mod packets;
mod run;
mod tcp;

use std::cell::RefCell;
use std::collections::BTreeSet;

use flow::{Departure, Phase, Verdict};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use self::packets::steps;
use self::run::{Course, run};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_table_with_room_does_what_the_reference_does(steps in steps(), seed: u64) {
        run(&Course { capacity: 64, evict: true, seed }, &steps, &mut BTreeSet::new())?;
    }

    #[test]
    fn a_table_that_is_always_full_and_evicts_does_what_the_reference_does(steps in steps(), seed: u64) {
        run(&Course { capacity: 4, evict: true, seed }, &steps, &mut BTreeSet::new())?;
    }

    #[test]
    fn a_table_that_is_always_full_and_refuses_does_what_the_reference_does(steps in steps(), seed: u64) {
        run(&Course { capacity: 4, evict: false, seed }, &steps, &mut BTreeSet::new())?;
    }
}

/// The same, with a fixed seed: so that the tests above are about something.
#[test]
fn every_verdict_phase_and_departure_occurs() {
    let seen = RefCell::new(BTreeSet::new());
    let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let courses = (steps(), any::<u64>(), prop_oneof![Just(4), Just(64)]);
    let result = runner.run(&courses, |(steps, seed, capacity)| {
        run(&Course { capacity, evict: true, seed }, &steps, &mut seen.borrow_mut())
    });
    assert!(result.is_ok(), "{result:?}");
    let verdicts = Verdict::ALL.iter().map(|verdict| verdict.name());
    let names = verdicts.chain(Phase::ALL.iter().map(|phase| phase.name()));
    let names = names.chain(Departure::ALL.iter().map(|departure| departure.name()));
    // A flow is never judged after it went, nor by another protocol's packet: the key forbids it.
    let missing: Vec<&str> = names
        .filter(|name| !matches!(*name, "gone" | "mismatch"))
        .filter(|name| !seen.borrow().contains(name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
