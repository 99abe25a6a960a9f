use super::*;

#[test]
fn only_what_begins_something_opens_a_flow() {
    let mut table = table(10);
    let late = NewFlow { content: segment(Flags::ACK, 1, 1), ..syn(1) };
    assert_eq!(table.open(late, at(0)), Err(NotOpened::NotOpening));
    assert!(!table.may_open(&late.opening, &late.content));
    let echo = |kind| Tuple { protocol: 1, ports: (7, kind), ..key(UDP, 1).tuple };
    let ping = |kind| {
        let opening = Key { zone: 1, tuple: echo(kind) };
        NewFlow { opening, answers: back(&opening), ..datagram(0) }
    };
    assert_eq!(table.open(ping(crate::ECHO_REPLY), at(0)), Err(NotOpened::NotOpening));
    open(&mut table, ping(crate::ECHO_REQUEST), at(0));
    open(&mut table, syn(1), at(0));
    let mismatched = NewFlow { content: Content::Datagram, ..syn(2) };
    assert_eq!(table.open(mismatched, at(0)), Err(NotOpened::NotOpening));
    assert_eq!(table.len(), 2);
}

#[test]
fn with_pickup_a_conversation_is_joined() {
    let on = FlowSettings { pickup: Pickup::On, ..settings(10) };
    let mut table = FlowTable::new(&on, hash_key(1), at(0));
    let id = open(&mut table, NewFlow { content: segment(Flags::ACK, 500, 900), ..syn(1) }, at(0));
    assert_eq!(table.view(id, at(0)).unwrap().phase, Phase::Tcp(crate::TcpPhase::Established));
    let answer = segment(Flags::ACK, 900, 500);
    assert_eq!(table.judge(id, Direction::Answers, &answer, at(1)), Verdict::InState);
}

#[test]
fn a_key_belongs_to_one_flow() {
    let mut table = table(10);
    let id = open(&mut table, datagram(1), at(0));
    let again = NotOpened::OpeningTaken(id, Direction::Opening);
    assert_eq!(table.open(datagram(1), at(0)), Err(again));
    let reversed = NewFlow { opening: back(&key(UDP, 1)), answers: key(UDP, 9), ..datagram(1) };
    assert_eq!(table.open(reversed, at(0)), Err(NotOpened::OpeningTaken(id, Direction::Answers)));
    let translated = NewFlow { answers: back(&key(UDP, 1)), ..datagram(2) };
    assert_eq!(table.open(translated, at(0)), Err(NotOpened::AnswersTaken(id, Direction::Answers)));
    let to_itself = NewFlow { answers: key(UDP, 3), ..datagram(3) };
    assert_eq!(table.open(to_itself, at(0)), Err(NotOpened::SameKeys));
    assert_eq!(table.len(), 1);
}

#[test]
fn a_full_table_gives_the_place_of_the_oldest_that_nobody_has_confirmed() {
    let mut table = table(3);
    let ids: Vec<FlowId> = (0..3).map(|number| open(&mut table, datagram(number), at(0))).collect();
    // The oldest is answered, and the next one talks on.
    table.judge(ids[0], Direction::Answers, &Content::Datagram, at(1));
    table.judge(ids[1], Direction::Opening, &Content::Datagram, at(2));
    for (new, gone) in [(10, 1), (11, 2), (12, 10)] {
        let opened = table.open(datagram(new), at(3)).unwrap();
        let removed = opened.made_room.unwrap();
        assert_eq!((removed.opening, removed.departure), (key(UDP, gone), Departure::Evicted));
        assert_eq!(removed.payload, [gone, gone + 1]);
        assert_eq!(table.find(&key(UDP, gone)), None);
        assert_eq!(table.departed(&key(UDP, gone), at(3)), Some(Departure::Evicted));
        assert_eq!(table.len(), 3);
    }
    for number in [11, 12] {
        let (id, _) = table.find(&key(UDP, number)).unwrap();
        table.judge(id, Direction::Answers, &Content::Datagram, at(4));
    }
    assert_eq!(table.open(datagram(20), at(4)), Err(NotOpened::Full));
    assert_eq!(table.count(Phase::Udp(Exchange::Replied)), 3);
}

#[test]
fn a_table_that_refuses_evicts_nobody_but_who_is_overdue() {
    let refuse = FlowSettings { on_exhausted: OnExhausted::Refuse, ..settings(2) };
    let mut table = FlowTable::new(&refuse, hash_key(1), at(0));
    open(&mut table, datagram(1), at(0));
    open(&mut table, datagram(2), at(20));
    assert_eq!(table.open(datagram(3), at(29)), Err(NotOpened::Full));
    let opened = table.open(datagram(3), at(31)).unwrap();
    assert_eq!(opened.made_room.map(|gone| gone.departure), Some(Departure::Expired));
    assert_eq!(table.open(datagram(4), at(31)), Err(NotOpened::Full));
}

#[test]
fn a_flood_of_openings_pushes_out_openings_and_no_conversation() {
    let mut table = table(100);
    let talking: Vec<FlowId> =
        (0..50).map(|number| open(&mut table, datagram(number), at(0))).collect();
    for id in &talking {
        table.judge(*id, Direction::Answers, &Content::Datagram, at(0));
    }
    for number in 1000..11_000 {
        let _ = table.open(syn(number), at(1)).unwrap();
    }
    assert_eq!(table.len(), 100);
    for id in talking {
        assert_eq!(
            table.judge(id, Direction::Opening, &Content::Datagram, at(2)),
            Verdict::InState
        );
    }
}

#[test]
fn flows_are_counted_by_phase() {
    let mut table = table(10);
    let id = open(&mut table, syn(1), at(0));
    let steps = [
        (Direction::Opening, Flags::SYN, 100, 0, "tcp_syn_sent"),
        (Direction::Answers, Flags::SYN.with(Flags::ACK), 700, 101, "tcp_syn_received"),
        (Direction::Opening, Flags::ACK, 101, 701, "tcp_established"),
        (Direction::Opening, Flags::FIN.with(Flags::ACK), 101, 701, "tcp_half_closed"),
        (Direction::Answers, Flags::FIN.with(Flags::ACK), 701, 101, "tcp_last_ack"),
        (Direction::Answers, Flags::ACK, 702, 102, "tcp_last_ack"),
        (Direction::Opening, Flags::ACK, 102, 702, "tcp_time_wait"),
        (Direction::Answers, Flags::RST, 702, 0, "tcp_reset"),
    ];
    for (direction, flags, sequence, acknowledgment, name) in steps {
        let verdict = table.judge(id, direction, &segment(flags, sequence, acknowledgment), at(1));
        assert!(matches!(verdict, Verdict::InState | Verdict::Closes), "{name}: {verdict:?}");
        for phase in Phase::ALL {
            assert_eq!(table.count(phase), u32::from(phase.name() == name), "{phase} in {name}");
        }
    }
    table.remove(id, Departure::Closed, at(1));
    assert!(Phase::ALL.iter().all(|phase| table.count(*phase) == 0));
}

#[test]
fn a_packet_of_another_protocol_than_the_flow_is_refused() {
    let mut table = table(10);
    let udp = open(&mut table, datagram(1), at(0));
    let tcp = open(&mut table, syn(1), at(0));
    let segment = segment(Flags::ACK, 1, 1);
    assert_eq!(table.judge(udp, Direction::Opening, &segment, at(0)), Verdict::Mismatch);
    assert_eq!(table.judge(tcp, Direction::Opening, &Content::Datagram, at(0)), Verdict::Mismatch);
}

#[test]
fn a_capacity_out_of_range_becomes_one_in_it() {
    assert_eq!(table(0).capacity(), 1);
}
