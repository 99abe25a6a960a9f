//! Frames that cross the mesh come back as many, whatever is full.

use clock::Time;
use io::{FramePool, HugePages, Umem, UmemConfig};
use pipeline::{Entry, Ingress};
use proptest::prelude::*;

use crate::runtime::mesh::{MeshSeat, mesh};
use crate::runtime::wake::wake_pair;

const FRAMES: usize = 16;

struct Member {
    seat: MeshSeat,
    pool: FramePool,
}

impl Member {
    /// Frames that are here, or with somebody who owes one for it.
    fn accounted(&self) -> usize {
        self.pool.len() + self.seat.lent() - self.seat.owed()
    }
}

fn members(count: usize, capacity: usize) -> Vec<Member> {
    let config = UmemConfig {
        huge_pages: HugePages::Never,
        ..UmemConfig::with_frames((count * FRAMES) as u32)
    };
    let (_umem, mut pool) = Umem::new(config).unwrap();
    let wakers: Vec<_> = (0..count).map(|_| wake_pair().unwrap().1).collect();
    mesh(&wakers, capacity)
        .into_iter()
        .map(|seat| Member { seat, pool: pool.split(FRAMES) })
        .collect()
}

fn packet(member: &mut Member, mark: u8) -> Option<Ingress> {
    let mut frame = member.pool.take()?;
    frame.extend_back(1).unwrap()[0] = mark;
    Some(Ingress { frame, entry: Entry::Local, arrived: Time::ZERO, hops: 0 })
}

fn hand_over(members: &mut [Member], from: usize, to: usize, mark: u8) -> bool {
    let Some(packet) = packet(&mut members[from], mark) else { return false };
    match members[from].seat.hand_over(to, packet) {
        Ok(()) => true,
        Err(packet) => {
            members[from].pool.put(packet.frame);
            false
        }
    }
}

fn take_over(member: &mut Member, room: usize) -> Vec<u8> {
    let Member { seat, pool } = member;
    let mut marks = Vec::new();
    seat.take_over(room, |packet| {
        marks.push(packet.frame.data()[0]);
        pool.put(packet.frame);
    });
    marks
}

fn settle(member: &mut Member) {
    member.seat.settle(&mut member.pool);
}

#[test]
fn packets_arrive_in_order_and_as_many_empties_come_back() {
    let mut members = members(3, 8);
    (1..=5).for_each(|mark| assert!(hand_over(&mut members, 0, 2, mark)));
    assert_eq!((members[0].pool.len(), members[0].seat.lent()), (FRAMES - 5, 5));
    assert!(members[2].seat.has_arrivals() && !members[1].seat.has_arrivals());
    assert_eq!(take_over(&mut members[2], 64), [1, 2, 3, 4, 5]);
    assert_eq!(members[2].seat.owed(), 5);
    settle(&mut members[2]);
    settle(&mut members[0]);
    assert!(members.iter().all(|member| member.pool.len() == FRAMES));
    assert_eq!((members[0].seat.lent(), members[2].seat.owed()), (0, 0));
}

#[test]
fn a_full_ring_and_a_member_that_is_not_there_give_the_packet_back() {
    let mut members = members(2, 4);
    let done = (0..6).filter(|&mark| hand_over(&mut members, 0, 1, mark)).count();
    assert_eq!(done, 4);
    let report = members[0].seat.report()[1];
    assert_eq!((report.handed_over, report.refused, report.waiting, report.capacity), (4, 2, 4, 4));
    assert!(!hand_over(&mut members, 0, 0, 9), "to itself");
    assert!(!hand_over(&mut members, 0, 7, 9), "to nobody");
    assert_eq!(members[0].accounted(), FRAMES);
    take_over(&mut members[1], 64);
}

#[test]
fn who_has_no_frame_pays_as_soon_as_there_is_one() {
    let mut members = members(2, 8);
    assert!(hand_over(&mut members, 0, 1, 1));
    let kept: Vec<_> = std::iter::from_fn(|| members[1].pool.take()).collect();
    let mut held = None;
    members[1].seat.take_over(1, |packet| held = Some(packet.frame));
    settle(&mut members[1]);
    assert_eq!(members[1].seat.owed(), 1);
    kept.into_iter().for_each(|frame| members[1].pool.put(frame));
    settle(&mut members[1]);
    assert_eq!(members[1].seat.owed(), 0);
    members[1].pool.put(held.unwrap());
    settle(&mut members[0]);
    assert!(members.iter().all(|member| member.pool.len() == FRAMES));
}

#[test]
fn at_the_end_what_is_on_its_way_is_taken_out() {
    let mut members = members(2, 8);
    (0..3).for_each(|mark| assert!(hand_over(&mut members, 0, 1, mark)));
    let Member { seat, pool } = &mut members[1];
    seat.drain(|frame| pool.put(frame));
    assert_eq!(members[1].pool.len(), FRAMES + 3);
    assert!(!members[1].seat.has_arrivals());
}

/// The marks are the members that the packets came from.
fn hand_over_marked(members: &mut [Member], from: usize, to: usize, packets: usize) {
    for _ in 0..packets {
        hand_over(members, from, to, from as u8);
    }
}

#[test]
fn a_member_that_keeps_its_ring_full_takes_no_more_than_its_share() {
    let mut members = members(4, 8);
    for turn in 0..4 {
        // Each keeps its ring full, and is paid in time.
        for from in 0..3 {
            hand_over_marked(&mut members, from, 3, 8);
        }
        let mut taken = take_over(&mut members[3], 6);
        taken.sort_unstable();
        assert_eq!(taken, [0, 0, 1, 1, 2, 2], "turn {turn}");
        (0..4).rev().for_each(|member| settle(&mut members[member]));
    }
    (0..8).for_each(|_| drop(take_over(&mut members[3], 64)));
}

#[test]
fn what_others_leave_of_their_shares_is_for_whoever_has_more() {
    let mut members = members(4, 8);
    hand_over_marked(&mut members, 0, 3, 8);
    hand_over_marked(&mut members, 1, 3, 1);
    let mut taken = take_over(&mut members[3], 6);
    taken.sort_unstable();
    assert_eq!(taken, [0, 0, 0, 0, 0, 1]);
    assert_eq!(take_over(&mut members[3], 6), [0; 3]);
}

#[test]
fn with_less_room_than_members_each_is_the_first_in_its_turn() {
    let mut members = members(4, 8);
    for from in 0..3 {
        hand_over_marked(&mut members, from, 3, 4);
    }
    let mut served = [0; 3];
    for _ in 0..4 {
        for from in take_over(&mut members[3], 1) {
            served[usize::from(from)] += 1;
        }
    }
    assert!(served.iter().all(|&packets| packets > 0), "{served:?}");
    drop(take_over(&mut members[3], 64));
}

#[derive(Clone, Debug)]
enum Step {
    HandOver(usize, usize),
    TakeOver(usize, usize),
    Settle(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let member = || 0..3usize;
    prop_oneof![
        (member(), member()).prop_map(|(from, to)| Step::HandOver(from, to)),
        (member(), 0..8usize).prop_map(|(member, room)| Step::TakeOver(member, room)),
        member().prop_map(Step::Settle),
    ]
}

#[test]
fn nothing_is_handed_to_a_member_that_gave_its_seat_up() {
    let mut members = members(2, 4);
    assert!(hand_over(&mut members, 0, 1, 7));
    assert_eq!(take_over(&mut members[1], 1).len(), 1);
    drop(members.pop());
    let free = members[0].pool.len();
    let refused = packet(&mut members[0], 8).unwrap();
    let Err(refused) = members[0].seat.hand_over(1, refused) else { panic!("taken by nobody") };
    members[0].pool.put(refused.frame);
    assert_eq!(members[0].pool.len(), free);
    assert_eq!(
        (members[0].seat.report()[1].handed_over, members[0].seat.report()[1].refused),
        (1, 1)
    );
}

proptest! {
    #[test]
    fn no_order_of_steps_loses_or_makes_a_frame(steps in prop::collection::vec(step(), 0..200)) {
        let mut members = members(3, 4);
        for step in steps {
            match step {
                Step::HandOver(from, to) => drop(hand_over(&mut members, from, to, 0)),
                Step::TakeOver(member, room) => drop(take_over(&mut members[member], room)),
                Step::Settle(member) => settle(&mut members[member]),
            }
        }
        for _ in 0..8 {
            for member in &mut members {
                take_over(member, 64);
                settle(member);
            }
        }
        for member in &members {
            prop_assert_eq!((member.pool.len(), member.seat.lent(), member.seat.owed()), (FRAMES, 0, 0));
        }
    }
}
