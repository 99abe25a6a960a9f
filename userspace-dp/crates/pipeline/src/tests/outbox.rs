//! What waits for a device, and what is said about it once the device has it.

use clock::Time;
use io::memory::{CableConfig, WhenFull, cable};
use io::ring::RingSize;
use io::{Umem, UmemConfig};
use telemetry::WorkerCounters;

use crate::outbox::{Outbox, Sink};
use crate::packet::Outgoing;
use crate::snapshot::PortId;

#[test]
fn each_packet_of_a_burst_is_told_with_its_own_arrival() {
    let (umem, mut pool) = Umem::new(UmemConfig::with_frames(16)).expect("memory");
    let (far, _far_pool) = Umem::new(UmemConfig::with_frames(16)).expect("memory");
    let ring_size = RingSize::new(4).expect("a power of two");
    let (mut near, _far) = cable(&umem, &far, CableConfig { ring_size, when_full: WhenFull::Drop });
    let counters = WorkerCounters::new();
    let mut out = Outbox::new(1, 8);
    for (arrived, length) in [(1, 100), (1, 60), (2, 70), (9, 80), (9, 90)] {
        let mut frame = pool.take().expect("a frame");
        frame.extend_back(length).expect("room");
        let outgoing = Outgoing { frame, arrived: Time::from_nanos(arrived) };
        out.transmit(PortId(0), outgoing, &mut Sink { pool: &mut pool, counters: &counters });
    }
    let mut told = Vec::new();
    out.flush(PortId(0), &mut near, Time::from_nanos(10), |arrived, packets, bytes| {
        told.push((arrived.as_nanos(), packets, bytes));
    });
    assert_eq!(told, [(1, 2, 160), (2, 1, 70), (9, 1, 80)], "the ring holds four");
    let left = out.pop(PortId(0)).expect("the fifth");
    assert_eq!((left.arrived, left.frame.len()), (Time::from_nanos(9), 90));
    pool.put(left.frame);
}
