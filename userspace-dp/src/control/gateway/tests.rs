use super::*;

#[test]
fn a_turn_takes_a_bounded_number_of_events_and_leaves_the_others_in_order() {
    let (mut workers_end, mut ring) = rtrb::RingBuffer::new(1024);
    for number in 0..700 {
        workers_end.push(number).unwrap();
    }
    let turn = |ring: &mut _| up_to(EVENTS_PER_TURN, ring).collect::<Vec<u32>>();
    assert_eq!(turn(&mut ring), (0..256).collect::<Vec<_>>());
    assert!(!ring.is_empty(), "so that the loop does not wait");
    assert_eq!(turn(&mut ring), (256..512).collect::<Vec<_>>());
    assert_eq!(turn(&mut ring), (512..700).collect::<Vec<_>>());
    assert!(turn(&mut ring).is_empty());
}
