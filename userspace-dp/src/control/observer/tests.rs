//! Readers get answers, and are not held up by who does not answer.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::control::testing::scene;
use io::Census;

fn report(lent: u64) -> WorkerReport {
    WorkerReport {
        census: Census::held(0),
        queues: Vec::new(),
        lent,
        borrowed: 0,
        handoffs: Vec::new(),
        peers: Vec::new(),
    }
}

#[test]
fn workers_that_turn_report_and_one_that_stands_still_is_left_out() {
    let scene = scene(3, "");
    let done = AtomicBool::new(false);
    let observer = &scene.observer;
    let told = std::thread::scope(|scope| {
        for number in [0, 2] {
            let (shared, done) = (&observer.workers[number].shared, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    if shared.is_asked() {
                        shared.tell(report(number as u64));
                    }
                    std::thread::yield_now();
                }
            });
        }
        let told = observer.reports();
        done.store(true, Ordering::Relaxed);
        told
    });
    let lent: Vec<_> =
        told.iter().map(|report| report.as_ref().map(|report| report.lent)).collect();
    assert_eq!(lent, [Some(0), None, Some(2)]);
}

#[test]
fn an_answer_to_an_earlier_question_is_not_taken_for_a_new_one() {
    let scene = scene(1, "");
    let shared = &scene.observer.workers[0].shared;
    shared.ask();
    shared.tell(report(1));
    shared.ask();
    assert!(shared.told().is_none());
    assert!(shared.is_asked());
}

#[test]
fn routes_are_what_control_answers_and_nothing_is_made_of_no_answer() {
    let scene = scene(1, "");
    let observer = Arc::clone(&scene.observer);
    let asking = std::thread::spawn(move || observer.routes().map(|routes| routes.len()));
    let reply = scene.routes_asked.recv().unwrap();
    reply.send(vec![("10.0.0.0/8".parse().unwrap(), Vec::new())]).unwrap();
    assert_eq!(asking.join().unwrap(), Some(1));
    assert_eq!(scene.observer.routes(), None, "control is there and does not answer");
    drop(scene.routes_asked);
    assert_eq!(scene.observer.routes(), None, "control has gone");
}

#[test]
fn asking_wakes_workers_that_sleep() {
    let scene = scene(2, "");
    scene.sleepers[1].announce();
    scene.observer.reports();
    let readable = |sleeper: &crate::runtime::wake::Sleeper| {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut waits = [PollFd::new(sleeper, PollFlags::IN)];
        poll(&mut waits, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
    };
    assert!(readable(&scene.sleepers[1]));
    assert!(!readable(&scene.sleepers[0]));
}

#[test]
fn a_renewed_view_is_seen_whole_and_an_old_one_stays_as_it_was() {
    let scene = scene(1, "");
    let before = scene.observer.view();
    scene.observer.renew(|view| {
        view.problems.push("a problem".into());
        view.tunnel.ifindex = 77;
    });
    let after = scene.observer.view();
    assert_eq!((before.problems.len(), before.tunnel.ifindex), (0, 9));
    assert_eq!((after.problems.len(), after.tunnel.ifindex), (1, 77));
}

#[test]
fn a_worker_is_alive_while_its_heart_beats_within_the_timeout() {
    let scene = scene(1, "");
    let worker = &scene.observer.workers[0];
    assert!(scene.observer.is_alive(worker));
    worker.shared.beat(Monotonic.now() - scene.observer.heartbeat_timeout * 2);
    assert!(!scene.observer.is_alive(worker));
}

/// Answers for worker 0 until `done`, each time a little late and with the number of the answer.
fn answer_late(shared: &WorkerShared, done: &AtomicBool) {
    let mut answers = 0;
    while !done.load(Ordering::Relaxed) {
        if shared.is_asked() {
            std::thread::sleep(Duration::from_millis(2));
            answers += 1;
            shared.tell(report(answers));
        }
        std::thread::yield_now();
    }
}

#[test]
fn two_who_ask_at_once_both_get_an_answer_and_no_count_falls_back() {
    let scene = scene(1, "");
    let (observer, done) = (&scene.observer, AtomicBool::new(false));
    let told: Vec<Vec<u64>> = std::thread::scope(|scope| {
        scope.spawn(|| answer_late(&observer.workers[0].shared, &done));
        let ask = || {
            let lent = || observer.reports()[0].as_ref().map_or(0, |report| report.lent);
            (0..20).map(|_| lent()).collect()
        };
        let asking = [scope.spawn(ask), scope.spawn(ask)];
        let told = asking.map(|thread| thread.join().unwrap()).into();
        done.store(true, Ordering::Relaxed);
        told
    });
    for told in told {
        assert!(told[0] > 0 && told.is_sorted_by(|before, after| before < after), "{told:?}");
    }
}

#[test]
fn of_a_worker_that_stands_still_the_last_report_remains() {
    let scene = scene(1, "");
    let (observer, done) = (&scene.observer, AtomicBool::new(false));
    let lent = || observer.reports()[0].as_ref().map(|report| report.lent);
    assert_eq!(lent(), None);
    std::thread::scope(|scope| {
        scope.spawn(|| answer_late(&observer.workers[0].shared, &done));
        assert_eq!(lent(), Some(1));
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(lent(), Some(1));
}
