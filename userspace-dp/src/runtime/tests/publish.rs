//! A snapshot lives exactly as long as somebody may use it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pipeline::{PeerOwners, Snapshot};

use crate::control::snapshots::{Fixed, SnapshotMaker};
use crate::runtime::publish::Publisher;

fn maker() -> SnapshotMaker {
    let owners = PeerOwners::new(0);
    SnapshotMaker::new(&Fixed {
        found: &[],
        tunnel: None,
        listen_port: 0,
        owners,
        gate: None,
        seed: 1,
    })
}

#[test]
fn a_worker_sees_the_newest_snapshot_at_its_next_reading() {
    let mut maker = maker();
    let mut publisher = Publisher::new(maker.make(), 1);
    let mut worker = publisher.subscribe(0);
    assert_eq!(worker.current().generation, 1);
    publisher.publish(maker.make());
    publisher.publish(maker.make());
    assert_eq!(worker.current().generation, 3);
    assert_eq!((publisher.current().generation, worker.last().generation), (3, 3));
}

#[test]
fn a_retired_snapshot_is_freed_when_the_last_worker_has_moved_past_it() {
    let mut maker = maker();
    let mut publisher = Publisher::new(maker.make(), 2);
    let mut workers = [publisher.subscribe(0), publisher.subscribe(1)];
    let first: std::sync::Weak<Snapshot> = Arc::downgrade(&publisher.current());
    workers.iter_mut().for_each(|worker| assert_eq!(worker.current().generation, 1));
    publisher.publish(maker.make());
    assert_eq!(publisher.collect(), 1, "both still use it");
    assert_eq!(workers[0].current().generation, 2);
    assert_eq!(publisher.collect(), 1, "one still uses it");
    assert!(first.upgrade().is_some());
    assert_eq!(workers[1].current().generation, 2);
    assert_eq!(publisher.collect(), 0);
    assert!(first.upgrade().is_none(), "it is still in memory");
}

#[test]
fn a_worker_that_never_read_holds_everything_back() {
    let mut maker = maker();
    let mut publisher = Publisher::new(maker.make(), 2);
    let mut reads = publisher.subscribe(0);
    let _never = publisher.subscribe(1);
    for _ in 0..3 {
        publisher.publish(maker.make());
        reads.current();
    }
    assert_eq!(publisher.collect(), 3);
}

#[test]
fn while_control_publishes_generations_only_grow_and_none_is_freed_by_a_worker() {
    let mut maker = maker();
    let mut publisher = Publisher::new(maker.make(), 2);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for number in 0..2 {
            let (mut worker, stop) = (publisher.subscribe(number), &stop);
            scope.spawn(move || {
                let mut last = 0;
                while !stop.load(Ordering::Relaxed) {
                    let generation = worker.current().generation;
                    assert!(generation >= last, "{generation} after {last}");
                    last = generation;
                }
            });
        }
        for _ in 0..1_000 {
            publisher.publish(maker.make());
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(publisher.current().generation, 1_001);
}
