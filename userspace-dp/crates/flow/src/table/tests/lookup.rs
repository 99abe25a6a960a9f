use super::*;

#[test]
fn a_flow_is_found_by_both_of_its_keys_with_what_was_put_in() {
    let mut table = table(10);
    let opening = key(UDP, 1);
    // Translated: the answers go to another address and port than the opening packet came from.
    let mut answers = back(&opening);
    answers.tuple.ports.1 = 61_000;
    let id = open(&mut table, NewFlow { answers, ..datagram(1) }, at(0));
    assert_eq!(table.find(&opening), Some((id, Direction::Opening)));
    assert_eq!(table.find(&answers), Some((id, Direction::Answers)));
    assert_eq!(table.find(&back(&opening)), None);
    assert_eq!(table.find(&Key { zone: 2, ..opening }), None, "the same from another zone");
    assert_eq!(table.payload(id, Direction::Opening), Some(&1));
    *table.payload_mut(id, Direction::Answers).unwrap() = 77;
    let view = table.view(id, at(3)).unwrap();
    assert_eq!((view.opening, view.answers, *view.payload), (opening, answers, [1, 77]));
    assert_eq!(view.idle.as_secs(), 2, "steps of 134 ms");
}

#[test]
fn an_id_of_a_flow_that_is_gone_names_nothing() {
    let mut table = table(10);
    let old = open(&mut table, datagram(1), at(0));
    let removed = table.remove(old, Departure::Revoked, at(0)).unwrap();
    assert_eq!((removed.opening, removed.payload), (key(UDP, 1), [1, 2]));
    let new = open(&mut table, datagram(2), at(0));
    assert_eq!(new.index(), old.index(), "its place is used again");
    assert_eq!(table.remove(old, Departure::Revoked, at(0)), None);
    assert_eq!(table.judge(old, Direction::Opening, &Content::Datagram, at(0)), Verdict::Gone);
    assert_eq!(table.payload(old, Direction::Opening), None);
    assert_eq!(table.view(old, at(0)), None);
    assert_eq!(table.find(&key(UDP, 1)), None);
    assert_eq!(table.find(&key(UDP, 2)), Some((new, Direction::Opening)));
}

#[test]
fn a_burst_finds_what_one_by_one_finds() {
    let mut table = FlowTable::new(&settings(5000), hash_key(7), at(0));
    for number in 0..5000 {
        open(&mut table, datagram(number * 2), at(0));
    }
    let keys: Vec<Key> = (0..3000).map(|number| key(UDP, number * 7 % 10_000)).collect();
    let keys: Vec<Key> = keys.into_iter().flat_map(|key| [key, back(&key)]).collect();
    let mut found = vec![None; keys.len()];
    table.find_burst(&keys, &mut found);
    let single: Vec<_> = keys.iter().map(|key| table.find(key)).collect();
    assert_eq!(found, single);
    assert!(found.iter().any(Option::is_some) && found.iter().any(Option::is_none));
    let mut short = [None; 70];
    table.find_burst(&keys, &mut short);
    assert_eq!(short[..], single[..70], "the shorter of both counts");
    table.find_burst(&keys[..3], &mut short);
    table.find_burst(&[], &mut []);
}

#[test]
fn keys_that_collide_are_told_apart_and_too_many_are_refused_and_change_nothing() {
    // With secrets of zero only the ports count, and not all of them: what an attacker would make of a known key.
    let mut table: FlowTable<u32> =
        FlowTable::new(&settings(1000), HashKey::new([0; HashKey::WORDS]), at(0));
    let opened: Vec<_> =
        (0..100).map(|number| (number, table.open(datagram(number << 8), at(0)))).collect();
    let (ok, refused): (Vec<_>, Vec<_>) =
        opened.into_iter().partition(|(_, opened)| opened.is_ok());
    assert_eq!(ok.len(), 8, "sixteen keys in two buckets");
    assert!(refused.iter().all(|(_, opened)| *opened == Err(NotOpened::Crowded)));
    assert_eq!(table.len(), 8);
    for (number, opened) in ok {
        let id = opened.unwrap().id;
        let keys = [key(UDP, number << 8), back(&key(UDP, number << 8))];
        let expected = Direction::ALL.map(|direction| Some((id, direction)));
        assert_eq!(keys.map(|key| table.find(&key)), expected);
        let mut found = [None; 2];
        table.find_burst(&keys, &mut found);
        assert_eq!(found, expected);
    }
    for (number, _) in refused {
        assert_eq!(table.find(&key(UDP, number << 8)), None);
    }
}

#[test]
fn a_sweep_visits_every_flow_once_in_small_steps() {
    let mut table = table(200);
    let ids: Vec<FlowId> =
        (0..150).map(|number| open(&mut table, datagram(number), at(0))).collect();
    for id in ids.iter().step_by(3) {
        table.remove(*id, Departure::Revoked, at(0));
    }
    let (mut cursor, mut seen, mut steps) = (Cursor::START, Vec::new(), 0);
    while !table.is_swept(cursor) {
        let mut budget = 7;
        while let Some(id) = table.sweep(&mut cursor, &mut budget) {
            seen.push(id);
            // Taking out what is visited does not disturb the sweep.
            table.remove(id, Departure::Revoked, at(0));
        }
        steps += 1;
    }
    let expected: Vec<FlowId> =
        ids.into_iter().enumerate().filter(|(at, _)| at % 3 != 0).map(|(_, id)| id).collect();
    assert_eq!((seen, steps), (expected, 150_usize.div_ceil(7)));
    assert!(table.is_empty());
}
