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
fn one_that_answered_and_vanished_within_a_second_is_asked_for_again_at_once() {
    let mut keeper = NeighbourKeeper::new(16);
    let after = |milliseconds| at(10) + Duration::from_millis(milliseconds);
    keeper.used(key(1), at(10));
    assert_eq!(poll(&mut keeper, at(10), None).0, [key(1)]);
    keeper.answered(key(1));
    assert_eq!(poll(&mut keeper, after(300), None).0, [], "nobody wants it");
    keeper.used(key(1), after(400));
    assert_eq!(poll(&mut keeper, after(400), None).0, [key(1)]);
    keeper.used(key(1), after(800));
    assert_eq!(poll(&mut keeper, after(800), None).0, [], "this time it does not answer");
    assert_eq!(poll(&mut keeper, after(1400), None).0, [key(1)]);
}

#[test]
fn one_that_vanishes_while_it_is_confirmed_is_asked_for_at_once() {
    let mut keeper = NeighbourKeeper::new(16);
    keeper.used(key(1), at(10));
    assert_eq!(poll(&mut keeper, at(10), Some(NeighbourState::Stale)).0, [key(1)]);
    let soon = at(10) + Duration::from_millis(400);
    keeper.used(key(1), soon);
    assert_eq!(poll(&mut keeper, soon, Some(NeighbourState::Failed)).0, [key(1)]);
}

#[test]
fn one_that_answers_and_vanishes_without_end_is_asked_for_once_a_second_in_the_long_run() {
    let mut keeper = NeighbourKeeper::new(16);
    let mut asked = Vec::new();
    for number in 0..200u64 {
        let now = at(10) + Duration::from_millis(number * 100);
        keeper.used(key(1), now);
        if !poll(&mut keeper, now, None).0.is_empty() {
            asked.push(number * 100);
        }
        keeper.answered(key(1));
    }
    let (in_a_row, later) = asked.split_at(ASKS_IN_A_ROW as usize);
    assert_eq!(in_a_row, [0, 100, 200, 300, 400, 500, 600, 700]);
    assert_eq!(later[..3], [1000, 2000, 3000]);
    assert_eq!(asked.len(), 7 + 20);
}

#[test]
fn one_that_was_there_a_moment_ago_is_not_held_up_by_a_scan() {
    let mut keeper = NeighbourKeeper::new(1_000);
    keeper.used(key(1), at(5));
    assert_eq!(poll(&mut keeper, at(5), None).0, [key(1)]);
    keeper.answered(key(1));
    let soon = at(5) + Duration::from_millis(300);
    for host in 0..200 {
        keeper.used(scanned(host), soon);
    }
    keeper.used(key(1), soon);
    assert_eq!(poll(&mut keeper, soon, None).0.first(), Some(&key(1)));
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
    for host in 0..50_000 {
        keeper.used(scanned(host), at(5));
    }
    let (first, next) = poll(&mut keeper, at(5), None);
    assert_eq!(first.len(), ASKS_PER_WINDOW as usize);
    assert_eq!(next, at(5) + WINDOW);
    let (second, _) = poll(&mut keeper, at(5) + Duration::from_millis(99), None);
    assert_eq!(second, []);
    let (third, _) = poll(&mut keeper, at(5) + WINDOW, None);
    assert_eq!(third.len(), ASKS_PER_WINDOW as usize);
    assert!(third.iter().all(|ask| !first.contains(ask)), "the others get their turn");
}

fn scanned(host: u32) -> NeighbourKey {
    (2, IpAddr::from((0x0a00_0000 + host).to_be_bytes()))
}

#[test]
fn during_a_scan_known_neighbours_are_confirmed_and_wanted_ones_are_asked_for_every_second() {
    const GATEWAY: NeighbourKey = (3, IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1)));
    const WANTED: NeighbourKey = (2, IpAddr::V4(core::net::Ipv4Addr::new(10, 255, 0, 1)));
    const OTHER_LINK: NeighbourKey = (4, IpAddr::V4(core::net::Ipv4Addr::new(10, 9, 0, 1)));
    let state = |key| (key == GATEWAY).then_some(NeighbourState::Stale);
    let mut keeper = NeighbourKeeper::new(16_384);
    let (mut confirmed, mut wanted, mut other_link) = (vec![], vec![], vec![]);
    let mut asked_for_scan = 0;
    for millisecond in 0..60_000u64 {
        let now = at(100) + Duration::from_millis(millisecond);
        if millisecond % 5 == 0 {
            for number in 0..4 {
                keeper.used(scanned(millisecond as u32 / 5 * 4 + number), now);
            }
        }
        // A worker tells of a missing one in each of its epochs, and of a used one in each of the longer ones.
        if millisecond % 268 == 0 {
            keeper.used(WANTED, now);
        }
        if millisecond % 8_590 == 0 {
            keeper.used(GATEWAY, now);
        }
        if millisecond == 30_000 {
            keeper.used(OTHER_LINK, now);
        }
        let mut asks = Vec::new();
        keeper.poll(now, state, &mut asks);
        for ask in asks {
            match ask {
                GATEWAY => confirmed.push(millisecond),
                WANTED => wanted.push(millisecond),
                OTHER_LINK => other_link.push(millisecond),
                _ => asked_for_scan += 1,
            }
        }
    }
    assert_eq!(confirmed.len(), 4, "{confirmed:?}");
    for (number, &millisecond) in confirmed.iter().enumerate() {
        let due = number as u64 * 15_000;
        assert!((due..due + 500).contains(&millisecond), "confirmed at {confirmed:?} ms");
    }
    assert!(wanted[0] < 1_000, "asked for at {wanted:?} ms");
    for pair in wanted.windows(2) {
        assert!((1_000..1_400).contains(&(pair[1] - pair[0])), "asked for at {wanted:?} ms");
    }
    assert!(wanted.len() >= 45, "{} times in a minute", wanted.len());
    assert_eq!(other_link.len(), 1);
    assert!(other_link[0] <= 30_100, "one window at most: {other_link:?} ms");
    assert!(asked_for_scan > 60 * 400, "what is left is not wasted: {asked_for_scan}");
}

#[test]
fn missing_neighbours_are_asked_for_in_the_order_of_reports_and_interfaces_take_turns() {
    let mut keeper = NeighbourKeeper::new(1_000);
    for host in 0..200 {
        // Later reports have the lower addresses.
        keeper.used(scanned(200 - host), at(5) + Duration::from_millis(u64::from(host)));
    }
    keeper.used((7, scanned(1).1), at(5) + Duration::from_millis(199));
    let (asks, _) = poll(&mut keeper, at(6), None);
    assert_eq!(asks.len(), ASKS_PER_WINDOW as usize);
    assert_eq!(asks.iter().position(|ask| ask.0 == 7), Some(1));
    let hosts: Vec<_> = asks.into_iter().filter(|ask| ask.0 == 2).collect();
    assert_eq!(hosts, (0..hosts.len() as u32).map(|host| scanned(200 - host)).collect::<Vec<_>>());
}

#[test]
fn many_known_neighbours_leave_room_to_look_for_missing_ones() {
    let mut keeper = NeighbourKeeper::new(1_000);
    for host in 0..300 {
        keeper.used(scanned(host), at(5));
    }
    keeper.used(key(1), at(5));
    let state = |asked| (asked != key(1)).then_some(NeighbourState::Stale);
    let mut asks = Vec::new();
    keeper.poll(at(5), state, &mut asks);
    assert_eq!(asks.len(), ASKS_PER_WINDOW as usize);
    assert!(asks.contains(&key(1)));
}

#[test]
fn a_full_table_of_silent_neighbours_takes_each_new_one_in_and_keeps_those_that_answer() {
    let mut keeper = NeighbourKeeper::new(64);
    let state = |asked| (asked == key(1)).then_some(NeighbourState::Reachable);
    keeper.used(key(1), at(5));
    keeper.poll(at(5), state, &mut Vec::new());
    for host in 0..10_000 {
        assert_eq!(keeper.used(scanned(host), at(5)), Noted::Kept);
        assert!(keeper.len() <= 64);
        let sets = [keeper.looks.len(), keeper.silent.len() + 1];
        assert_eq!(sets, [keeper.len(); 2], "each entry stands in each set once");
    }
    assert!(keeper.entries.contains_key(&key(1)));
    assert!(keeper.entries.contains_key(&scanned(9_999)));
    assert_eq!(keeper.refused(), 0);
}

#[test]
fn failed_requests_become_one_line_in_a_while_that_says_how_many() {
    let mut failed = FailedAsks::NONE;
    let told: Vec<u64> = (0..60_000u64)
        .filter_map(|number| failed.note(at(3) + Duration::from_millis(number)))
        .collect();
    assert_eq!(told, [1, 10_000, 10_000, 10_000, 10_000, 10_000]);
}

proptest! {
    #[test]
    fn one_neighbour_is_asked_for_once_a_second_at_most_and_a_few_times_more_if_it_answers(
        events in prop::collection::vec((0..2000u64, 0..4u8, 0..9usize, any::<bool>()), 1..200),
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
        // When each was asked for, and whether it has answered since.
        let mut history: BTreeMap<NeighbourKey, (Vec<Time>, bool)> = BTreeMap::new();
        for (milliseconds, host, state, answers) in events {
            now = now + Duration::from_millis(milliseconds);
            keeper.used(key(host), now);
            if answers {
                keeper.answered(key(host));
                history.entry(key(host)).or_default().1 = true;
            }
            let valid = STATES[state].is_some_and(NeighbourState::is_valid);
            let mut asks = Vec::new();
            let next = keeper.poll(now, |_| STATES[state], &mut asks);
            prop_assert!(next > now);
            prop_assert!(asks.is_empty() || STATES[state] != Some(NeighbourState::Permanent));
            for ask in asks {
                let (asked, answered) = history.entry(ask).or_default();
                if let (Some(last), false) = (asked.last(), *answered) {
                    prop_assert!(now.since(*last) >= ASK_INTERVAL);
                }
                asked.push(now);
                for (earlier, since) in asked.iter().enumerate() {
                    let intervals = now.since(*since).as_secs() / ASK_INTERVAL.as_secs();
                    let most = u64::from(ASKS_IN_A_ROW) + intervals;
                    prop_assert!((asked.len() - earlier) as u64 <= most);
                }
                *answered = false;
            }
            for (_, answered) in history.values_mut() {
                *answered |= valid;
            }
        }
    }
}
