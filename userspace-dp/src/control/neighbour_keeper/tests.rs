use core::cell::RefCell;

use proptest::prelude::*;

use super::*;

fn key(last: u8) -> NeighbourKey {
    (1, IpAddr::from([192, 0, 2, last]))
}

fn at(seconds: u64) -> Time {
    Time::from_nanos(seconds * 1_000_000_000)
}

/// Polls with the same state for every neighbour; the asks and when to call again.
fn poll(
    keeper: &mut NeighbourKeeper,
    now: Time,
    state: Option<NeighbourState>,
) -> (Vec<NeighbourKey>, Time) {
    let mut asks = Vec::new();
    let next = keeper.poll(now, |_| state, &mut asks);
    (asks, next)
}

#[test]
fn a_missing_neighbour_is_asked_for_at_once_and_then_once_a_second_while_wanted() {
    let mut keeper = NeighbourKeeper::new(16);
    assert_eq!(keeper.used(key(1), at(10)), Noted::Kept);
    assert_eq!(poll(&mut keeper, at(10), None).0, [key(1)]);
    assert_eq!(poll(&mut keeper, at(10), None).0, []);
    let soon = at(10) + Duration::from_millis(400);
    keeper.used(key(1), soon);
    let (asks, next) = poll(&mut keeper, soon, None);
    assert_eq!((asks, next), (vec![], at(11)), "wanted again, but too soon");
    assert_eq!(poll(&mut keeper, at(11), Some(NeighbourState::Failed)).0, [key(1)]);
    assert_eq!(poll(&mut keeper, at(13), None).0, [], "nobody wanted it since");
}

#[test]
fn while_the_kernel_resolves_it_is_left_alone() {
    let mut keeper = NeighbourKeeper::new(16);
    keeper.used(key(1), at(10));
    assert_eq!(poll(&mut keeper, at(10), Some(NeighbourState::Incomplete)).0, []);
    assert_eq!(poll(&mut keeper, at(11), Some(NeighbourState::Incomplete)).0, []);
}

#[test]
fn a_stale_neighbour_in_use_is_confirmed_every_fifteen_seconds() {
    let mut keeper = NeighbourKeeper::new(16);
    let mut asked = Vec::new();
    for second in 100..160 {
        keeper.used(key(1), at(second));
        if !poll(&mut keeper, at(second), Some(NeighbourState::Stale)).0.is_empty() {
            asked.push(second);
        }
    }
    assert_eq!(asked, [100, 115, 130, 145]);
}

#[test]
fn entries_that_never_expire_or_are_fresh_are_never_asked_for() {
    for state in [
        NeighbourState::Permanent,
        NeighbourState::NoArp,
        NeighbourState::Reachable,
        NeighbourState::Delay,
        NeighbourState::Probe,
    ] {
        let mut keeper = NeighbourKeeper::new(16);
        for second in 0..120 {
            keeper.used(key(1), at(second));
            assert_eq!(poll(&mut keeper, at(second), Some(state)).0, [], "{state:?}");
        }
    }
}

#[test]
fn an_unused_neighbour_is_forgotten_after_a_minute_and_a_silent_one_after_seconds() {
    let mut keeper = NeighbourKeeper::new(16);
    keeper.used(key(1), at(0));
    let (_, next) = poll(&mut keeper, at(0), Some(NeighbourState::Reachable));
    assert_eq!(next, at(5), "it may become stale meanwhile");
    poll(&mut keeper, at(59), Some(NeighbourState::Stale));
    assert_eq!(keeper.len(), 1);
    assert_eq!(poll(&mut keeper, at(60), Some(NeighbourState::Stale)), (vec![], Time::NEVER));
    assert!(keeper.is_empty());
    keeper.used(key(2), at(100));
    poll(&mut keeper, at(100), None);
    poll(&mut keeper, at(105), None);
    assert!(keeper.is_empty());
}

#[test]
fn a_full_table_gives_up_silent_neighbours_before_it_turns_one_away() {
    let mut keeper = NeighbourKeeper::new(2);
    keeper.used(key(1), at(0));
    keeper.used(key(2), at(1));
    let mut asks = Vec::new();
    let only_first = |asked: NeighbourKey| (asked == key(1)).then_some(NeighbourState::Reachable);
    keeper.poll(at(1), only_first, &mut asks);
    assert_eq!(keeper.used(key(3), at(2)), Noted::Kept, "in the place of the silent one");
    assert_eq!((keeper.len(), keeper.refused()), (2, 0));
    poll(&mut keeper, at(2), Some(NeighbourState::Reachable));
    assert_eq!(keeper.used(key(4), at(2)), Noted::Full);
    assert_eq!(keeper.used(key(1), at(2)), Noted::Kept);
    assert_eq!((keeper.len(), keeper.refused()), (2, 1));
}

#[test]
fn a_scan_of_a_whole_link_does_not_become_a_flood_of_requests() {
    let mut keeper = NeighbourKeeper::new(100_000);
    for host in 0..50_000u32 {
        keeper.used((1, IpAddr::from((0x0a00_0000 + host).to_be_bytes())), at(5));
    }
    let (first, next) = poll(&mut keeper, at(5), None);
    assert_eq!(first.len(), ASKS_PER_SECOND as usize);
    assert_eq!(next, at(6));
    let (second, _) = poll(&mut keeper, at(5) + Duration::from_millis(999), None);
    assert_eq!(second, []);
    let (third, _) = poll(&mut keeper, at(6), None);
    assert_eq!(third.len(), ASKS_PER_SECOND as usize);
    assert!(third.iter().all(|ask| !first.contains(ask)), "the others get their turn");
}

proptest! {
    #[test]
    fn one_neighbour_is_never_asked_for_twice_within_a_second(
        events in prop::collection::vec((0..2000u64, 0..4u8, 0..9usize), 1..200),
    ) {
        const STATES: [Option<NeighbourState>; 9] = [
            None,
            Some(NeighbourState::None),
            Some(NeighbourState::Incomplete),
            Some(NeighbourState::Reachable),
            Some(NeighbourState::Stale),
            Some(NeighbourState::Delay),
            Some(NeighbourState::Probe),
            Some(NeighbourState::Failed),
            Some(NeighbourState::Permanent),
        ];
        let mut keeper = NeighbourKeeper::new(8);
        let mut now = at(1);
        let last: RefCell<BTreeMap<NeighbourKey, Time>> = RefCell::default();
        for (milliseconds, host, state) in events {
            now = now + Duration::from_millis(milliseconds);
            keeper.used(key(host), now);
            let mut asks = Vec::new();
            let next = keeper.poll(now, |_| STATES[state], &mut asks);
            prop_assert!(next > now);
            prop_assert!(asks.is_empty() || STATES[state] != Some(NeighbourState::Permanent));
            for ask in asks {
                if let Some(before) = last.borrow_mut().insert(ask, now) {
                    prop_assert!(now.since(before) >= ASK_INTERVAL);
                }
            }
        }
    }
}
