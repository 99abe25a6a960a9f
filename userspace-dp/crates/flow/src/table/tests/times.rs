use super::*;

/// Opens one flow of a protocol, lets `answers` packets come back, and says after how many seconds of silence it goes.
fn lifetime(protocol: u8, answers: usize) -> u64 {
    let mut table = table(10);
    let opening = Key { tuple: Tuple { protocol, ..key(protocol, 1).tuple }, ..key(protocol, 1) };
    let content = Content::Datagram;
    let new = NewFlow { opening, answers: back(&opening), content, payload: [0, 0] };
    let id = open(&mut table, new, at(100));
    for _ in 0..answers {
        assert_eq!(table.judge(id, Direction::Answers, &content, at(100)), Verdict::InState);
    }
    (0..).find(|seconds| !expired(&mut table, at(100 + seconds)).is_empty()).unwrap()
}

#[test]
fn each_protocol_has_its_time() {
    assert_eq!(lifetime(UDP, 0), 31);
    assert_eq!(lifetime(UDP, 1), 121);
    assert_eq!((lifetime(1, 0), lifetime(1, 1)), (31, 31));
    assert_eq!((lifetime(50, 0), lifetime(50, 1)), (121, 121));
}

#[test]
fn a_flow_goes_never_early_and_at_most_two_steps_late() {
    let mut table = table(10);
    let step = Timeouts::STEP;
    let refused = segment(Flags::ACK, 0, 0);
    for (round, offset) in (1..).zip([0, 1, 70_000_000, 134_217_727]) {
        let start = at(round * 50) + Duration::from_nanos(offset);
        let id = open(&mut table, datagram(1), start);
        let deadline = start + Duration::from_secs(30);
        assert_eq!(expired(&mut table, deadline), []);
        let verdict = table.judge(id, Direction::Opening, &refused, deadline);
        assert_eq!(verdict, Verdict::Mismatch, "not overdue, and not refreshed");
        assert_eq!(expired(&mut table, deadline + step * 2).len(), 1);
    }
}

#[test]
fn a_clock_that_steps_back_costs_nothing() {
    let mut table = table(10);
    open(&mut table, datagram(1), at(50));
    assert_eq!(expired(&mut table, at(81)).len(), 1);
    open(&mut table, datagram(1), at(50));
    let mut budget = 100;
    assert_eq!(
        table.expire(at(60), &mut budget).map(|gone| gone.departure),
        Some(Departure::Expired)
    );
    assert!(budget > 90);
}

#[test]
fn packets_keep_a_flow_and_silence_ends_it_whatever_the_wheel_has_seen() {
    let mut table = table(10);
    let id = open(&mut table, datagram(1), at(0));
    for seconds in 1..100 {
        let verdict = table.judge(id, Direction::Opening, &Content::Datagram, at(seconds * 29));
        assert_eq!(verdict, Verdict::InState);
        if seconds % 7 == 0 {
            assert_eq!(expired(&mut table, at(seconds * 29)), []);
        }
    }
    let last = 99 * 29;
    // Nobody has looked at the wheel, and still it is over.
    let verdict = table.judge(id, Direction::Opening, &Content::Datagram, at(last + 31));
    assert_eq!(verdict, Verdict::Expired);
    let gone = expired(&mut table, at(last + 31));
    assert_eq!((gone.len(), gone[0].departure), (1, Departure::Expired));
}

#[test]
fn tcp_lives_long_and_ends_soon() {
    let mut table = table(10);
    let id = open(&mut table, syn(1), at(0));
    let say = |table: &mut FlowTable<u32>, direction, flags, sequence, acknowledgment, now| {
        let content = segment(flags, sequence, acknowledgment);
        assert_eq!(table.judge(id, direction, &content, at(now)), Verdict::InState);
    };
    let (syn_ack, fin) = (Flags::SYN.with(Flags::ACK), Flags::FIN.with(Flags::ACK));
    say(&mut table, Direction::Answers, syn_ack, 700, 101, 19);
    assert_eq!(expired(&mut table, at(38)), []);
    say(&mut table, Direction::Opening, Flags::ACK, 101, 701, 38);
    let silent = 2 * 3600 + 4 * 60;
    assert_eq!(expired(&mut table, at(38 + silent)), []);
    say(&mut table, Direction::Answers, Flags::ACK, 701, 101, 38 + silent);
    let now = 38 + 2 * silent;
    say(&mut table, Direction::Opening, fin, 101, 701, now);
    say(&mut table, Direction::Answers, fin, 701, 102, now);
    say(&mut table, Direction::Opening, Flags::ACK, 102, 702, now);
    assert_eq!(expired(&mut table, at(now + 5)), []);
    let gone = expired(&mut table, at(now + 6));
    assert_eq!((gone.len(), gone[0].departure), (1, Departure::Closed));
    assert_eq!(table.departed(&key(TCP, 1), at(now + 7)), Some(Departure::Closed));
    assert_eq!(table.departed(&back(&key(TCP, 1)), at(now + 7)), Some(Departure::Closed));
}

#[test]
fn a_reset_ends_a_flow_at_once() {
    let mut table = table(10);
    let id = open(&mut table, syn(1), at(10));
    let refusal = segment(Flags::RST.with(Flags::ACK), 0, 101);
    assert_eq!(table.judge(id, Direction::Answers, &refusal, at(11)), Verdict::Closes);
    let gone = expired(&mut table, at(11) + Timeouts::STEP);
    assert_eq!((gone.len(), gone[0].departure), (1, Departure::Closed));
}

#[test]
fn the_late_are_told_from_the_strange_for_a_while() {
    let mut table = table(10);
    open(&mut table, datagram(1), at(0));
    assert_eq!(table.departed(&key(UDP, 1), at(0)), None, "it is there");
    expired(&mut table, at(40));
    assert_eq!(table.departed(&key(UDP, 1), at(41)), Some(Departure::Expired));
    assert_eq!(table.departed(&back(&key(UDP, 1)), at(41)), Some(Departure::Expired));
    assert_eq!(table.departed(&key(UDP, 2), at(41)), None);
    assert_eq!(table.departed(&key(UDP, 1), at(102)), None);
}

#[test]
fn a_turn_does_no_more_than_its_budget_and_the_next_goes_on() {
    let mut table = table(1000);
    for number in 0..1000 {
        open(&mut table, datagram(number), at(0));
    }
    let mut turns = 0;
    while !table.is_empty() {
        let mut budget = 64;
        while table.expire(at(60), &mut budget).is_some() {}
        turns += 1;
    }
    assert_eq!(turns, 16);
}

#[test]
fn the_next_expiry_is_when_there_is_something_to_look_at() {
    let mut table = table(10);
    assert_eq!(table.next_expiry(at(5)), Time::NEVER);
    open(&mut table, datagram(1), at(5));
    let next = table.next_expiry(at(6));
    assert!(next > at(35) && next < at(36), "{next:?}");
    assert_eq!(expired(&mut table, next - Duration::from_nanos(1)), []);
    assert_eq!(expired(&mut table, next).len(), 1);
    open(&mut table, datagram(1), at(40));
    assert_eq!(table.next_expiry(at(500)), at(500));
}

#[test]
fn a_table_made_late_in_the_machines_life_keeps_time() {
    let years = at(3 * 365 * 86_400);
    let mut table: FlowTable<u32> = FlowTable::new(&settings(10), hash_key(1), years);
    open(&mut table, datagram(1), years);
    assert_eq!(expired(&mut table, years + Duration::from_secs(30)), []);
    assert_eq!(expired(&mut table, years + Duration::from_secs(31)).len(), 1);
}
