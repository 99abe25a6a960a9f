//! A member of the mesh without a single free frame must not lose sight of those that come back to it.

use clock::Time;
use io::{Umem, UmemConfig};
use pipeline::testing::WAN;
use pipeline::{Entry, Ingress};
use ringwall::runtime::mesh::mesh;
use ringwall::runtime::wake::wake_pair;

#[test]
fn who_owes_one_and_has_nothing_still_collects_what_another_pays_back() {
    let (_umem, mut pool) = Umem::new(UmemConfig::with_frames(2)).expect("memory");
    let wakers: Vec<_> = (0..3).map(|_| wake_pair().expect("an event descriptor").1).collect();
    let mut seats = mesh(&wakers, 4);
    let mut pools = [pool.split(1), pool.split(1), pool.split(0)];
    let packet = |frame| Ingress { frame, entry: Entry::Port(WAN), arrived: Time::ZERO, hops: 0 };

    // The first member lends its only frame to the second, which lends its own to the third and passes the borrowed
    // one on as well.
    let frame = pools[0].take().expect("a frame");
    assert!(seats[0].hand_over(1, packet(frame)).is_ok());
    let mut borrowed = None;
    assert_eq!(seats[1].take_over(1, |packet| borrowed = Some(packet.frame)), 1);
    let own = pools[1].take().expect("a frame");
    for frame in [own].into_iter().chain(borrowed) {
        assert!(seats[1].hand_over(2, packet(frame)).is_ok());
    }
    seats[1].settle(&mut pools[1]);
    assert_eq!((seats[1].owed(), pools[1].len()), (1, 0), "it cannot pay now");

    // The third is done with both and pays them back.
    let third = &mut pools[2];
    assert_eq!(seats[2].take_over(2, |packet| third.put(packet.frame)), 2);
    seats[2].settle(&mut pools[2]);
    assert_eq!(seats[2].owed(), 0);

    seats[1].settle(&mut pools[1]);
    assert_eq!((seats[1].owed(), seats[1].lent(), pools[1].len()), (0, 0, 1));
    seats[0].settle(&mut pools[0]);
    assert_eq!((seats[0].lent(), pools[0].len()), (0, 1));
}
