use std::thread;
use std::time::Duration;

use super::*;
use crate::memory::Station;
use crate::port::BURST;
use crate::testing::{
    PacketSocket, Steering, in_namespace, index_of, ip, keep_capabilities, locked_memory_limit,
    veth, wait_until,
};
use crate::umem::{HugePages, UmemConfig};

fn region(frames: u32) -> (Arc<Umem>, FramePool) {
    let config = UmemConfig { huge_pages: HugePages::Never, ..UmemConfig::with_frames(frames) };
    Umem::new(config).unwrap()
}

fn usual(name: &str, queue: u32, attached: Attached) -> SocketConfig {
    SocketConfig::new(index_of(name), queue, 1500, ZeroCopy::Auto, attached)
}

/// An Ethernet frame of a local experimental type with `body` and a number.
fn packet(number: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5];
    bytes.extend(number.to_be_bytes());
    bytes.extend((bytes.len()..length).map(|at| (at as u64 ^ number) as u8));
    bytes
}

/// What is one of ours: the kernel also sends packets of its own over a new link.
fn ours(bytes: &[u8]) -> bool {
    bytes.get(12..14) == Some(&[0x88, 0xb5])
}

type Host = Station<AfXdpPort>;

fn host(device: &str, queue: u32, attached: Attached) -> Host {
    let (umem, mut pool) = region(8192);
    let port = AfXdpPort::open(&umem, &mut pool, &usual(device, queue, attached)).unwrap();
    Station::new(port, pool)
}

fn audit(host: &Host) {
    (host.census() + host.umem().census()).audit(host.umem()).unwrap();
}

fn receive_ours(host: &mut Host, count: usize) -> Vec<Vec<u8>> {
    let mut got = Vec::new();
    wait_until("packets to arrive", || {
        got.extend(host.receive_all().into_iter().filter(|bytes| ours(bytes)));
        got.len() >= count
    });
    got
}

fn exchange(attached: Attached, queues: &[u32]) {
    veth("a", "b", 1500);
    let steering = [Steering::attach("a", attached, false), Steering::attach("b", attached, false)];
    for &queue in queues {
        let mut left = host("a", queue, attached);
        let mut right = host("b", queue, attached);
        steering[0].steer(queue, left.port());
        steering[1].steer(queue, right.port());
        assert!(!left.port().obtained().zero_copy);
        for (number, length) in [22, 60, 61, 590, 1514].into_iter().enumerate() {
            let sent = packet(number as u64, length);
            assert!(left.send(&sent).unwrap());
            assert_eq!(receive_ours(&mut right, 1), std::slice::from_ref(&sent));
            assert!(right.send(&sent).unwrap());
            assert_eq!(receive_ours(&mut left, 1), [sent]);
        }
        audit(&left);
        audit(&right);
    }
}

#[test]
fn packets_cross_on_every_queue_under_a_native_attachment() {
    in_namespace(|| exchange(Attached::Native, &[0, 1]));
}

#[test]
fn packets_cross_under_a_generic_attachment() {
    // veth tells its queues apart under a native attachment only.
    in_namespace(|| exchange(Attached::Generic, &[0]));
}

/// One turn of a worker that sends everything from `from` on to `to`.
fn forward(from: &mut AfXdpPort, to: &mut AfXdpPort, pool: &mut FramePool, burst: &mut Burst) {
    to.reap(pool);
    from.reap(pool);
    from.refill(pool);
    if burst.is_empty() {
        from.receive(burst);
    }
    to.transmit(burst);
    to.kick();
    from.kick();
}

#[test]
fn two_devices_of_two_queues_share_one_region_and_account_for_every_frame() {
    const PACKETS: u64 = 120_000;
    in_namespace(|| {
        veth("x0", "x1", 1500);
        veth("y0", "y1", 1500);
        let steering: Vec<_> = ["x1", "y1", "y0"]
            .map(|device| Steering::attach(device, Attached::Native, false))
            .into();
        let (umem, mut pool) = region(16_384);
        let mut open = |device, queue, steering: &Steering| {
            let config = usual(device, queue, Attached::Native);
            let port = AfXdpPort::open(&umem, &mut pool, &config).unwrap();
            steering.steer(queue, &port);
            port
        };
        let mut left = [open("x1", 0, &steering[0]), open("x1", 1, &steering[0])];
        let mut right = [open("y1", 0, &steering[1]), open("y1", 1, &steering[1])];
        assert!(!left[0].obtained().shared);
        assert!(left[1].obtained().shared && right[0].obtained().shared);
        let mut source = [host("x0", 0, Attached::Native), host("x0", 1, Attached::Native)];
        let mut sink = [host("y0", 0, Attached::Native), host("y0", 1, Attached::Native)];
        for (queue, host) in (0..).zip(&mut sink) {
            steering[2].steer(queue, host.port());
        }

        let mut bursts = [Burst::new(), Burst::new()];
        let (mut sent, mut expected) = ([0, 1], [0, 1]);
        wait_until("all packets to be forwarded", || {
            for queue in [0, 1] {
                // A window that no ring on the way overruns: nothing may be lost.
                while sent[queue] < PACKETS && sent[queue] - expected[queue] < 2 * BURST as u64 {
                    assert!(source[queue].send(&packet(sent[queue], 60)).unwrap());
                    sent[queue] += 2;
                }
                let (from, to) = (&mut left[queue], &mut right[queue]);
                forward(from, to, &mut pool, &mut bursts[queue]);
                for bytes in sink[queue].receive_all().into_iter().filter(|bytes| ours(bytes)) {
                    assert_eq!(bytes, packet(expected[queue], 60));
                    expected[queue] += 2;
                }
            }
            let parts = left.iter().chain(&right).map(Port::census).sum::<Census>();
            let held = Census::held(bursts.iter().map(|burst| burst.len() as u64).sum());
            (parts + held + pool.census() + umem.census()).audit(&umem).unwrap();
            expected.iter().all(|&next| next >= PACKETS)
        });
        wait_until("every transmitted frame to come back", || {
            right.iter_mut().for_each(|port| {
                port.kick();
                port.reap(&mut pool);
            });
            right.iter().all(|port| port.census().transmit_driver + port.census().completion == 0)
        });
        for (port, to) in left.iter().zip(&right) {
            let (received, transmitted) = (port.statistics(), to.statistics());
            assert!(received.received >= PACKETS / 2);
            assert_eq!(received.received, transmitted.transmitted);
            assert_eq!(transmitted.transmitted, transmitted.completed);
            assert_eq!(received.invalid, 0);
            for counted in [received, transmitted] {
                let refused = counted.fill_descriptors_refused;
                assert_eq!((refused, counted.transmit_descriptors_refused), (0, 0));
            }
        }
        bursts.into_iter().flatten().for_each(|frame| pool.put(frame));
        source.iter().chain(&sink).for_each(audit);
        // Closing everything retires what is in the rings, and nothing is lost.
        drop((left, right));
        (pool.census() + umem.census()).audit(&umem).unwrap();
        assert_eq!(umem.census().lost, 0);
    });
}

/// Sockets whose modes differ cannot share a registration: here one takes large packets.
#[test]
fn frames_cross_between_sockets_that_could_not_share_a_registration() {
    in_namespace(|| {
        veth("x0", "x1", 1500);
        veth("y0", "y1", 1500);
        let steering = [
            Steering::attach("x1", Attached::Native, false),
            Steering::attach("y0", Attached::Native, false),
        ];
        let (umem, mut pool) = region(16_384);
        let config = usual("x1", 0, Attached::Native);
        let mut from = AfXdpPort::open(&umem, &mut pool, &config).unwrap();
        let config = SocketConfig { scatter_gather: true, ..usual("y1", 0, Attached::Native) };
        let mut to = AfXdpPort::open(&umem, &mut pool, &config).unwrap();
        assert!(!from.obtained().shared && !to.obtained().shared);
        let mut source = host("x0", 0, Attached::Native);
        let mut sink = host("y0", 0, Attached::Native);
        steering[0].steer(0, &from);
        steering[1].steer(0, sink.port());
        let mut burst = Burst::new();
        for number in 0..1000 {
            assert!(source.send(&packet(number, 200)).unwrap());
            let mut got = None;
            wait_until("the packet", || {
                forward(&mut from, &mut to, &mut pool, &mut burst);
                got = sink.receive().filter(|bytes| ours(bytes));
                got.is_some()
            });
            assert_eq!(got, Some(packet(number, 200)));
        }
        let parts = from.census() + to.census() + Census::held(burst.len() as u64);
        (parts + pool.census() + umem.census()).audit(&umem).unwrap();
        burst.drain(..).for_each(|frame| pool.put(frame));
    });
}

#[test]
fn required_zero_copy_fails_with_the_drivers_reason_and_auto_steps_down_with_it() {
    in_namespace(|| {
        veth("a", "b", 1500);
        let (umem, mut pool) = region(8192);
        let auto = usual("a", 0, Attached::Native);
        let on = SocketConfig { zero_copy: ZeroCopy::On, ..auto };
        let error = AfXdpPort::open(&umem, &mut pool, &on).unwrap_err();
        let OpenError::ZeroCopy { queue: 0, reason: NoZeroCopy::Driver(ref source) } = error else {
            panic!("{error}")
        };
        assert_eq!(source.raw_os_error(), Some(libc::EOPNOTSUPP), "{error}");
        assert_eq!(pool.len(), 8192, "a failed open gives all frames back");

        let generic = SocketConfig { attached: Attached::Generic, ..on };
        let error = AfXdpPort::open(&umem, &mut pool, &generic).unwrap_err();
        assert!(
            matches!(error, OpenError::ZeroCopy { reason: NoZeroCopy::GenericAttachment, .. }),
            "{error}"
        );

        let port = AfXdpPort::open(&umem, &mut pool, &auto).unwrap();
        assert!(!port.obtained().zero_copy);
        assert!(matches!(port.obtained().no_zero_copy, Some(NoZeroCopy::Driver(_))));
        let off = SocketConfig { zero_copy: ZeroCopy::Off, queue: 1, ..auto };
        let port = AfXdpPort::open(&umem, &mut pool, &off).unwrap();
        assert!(port.obtained().no_zero_copy.is_none());
    });
}

#[test]
fn a_queue_that_was_just_closed_is_waited_for_and_one_in_use_is_named() {
    in_namespace(|| {
        veth("a", "b", 1500);
        let (umem, mut pool) = region(65_536);
        let config = SocketConfig {
            patience: Duration::from_millis(100),
            ..usual("a", 0, Attached::Native)
        };
        let held = AfXdpPort::open(&umem, &mut pool, &config).unwrap();
        let before = pool.len();
        let (other, mut other_pool) = region(8192);
        let error = AfXdpPort::open(&other, &mut other_pool, &config).unwrap_err();
        assert!(matches!(error, OpenError::Busy { queue: 0, .. }), "{error}");
        let error = AfXdpPort::open(&umem, &mut pool, &config).unwrap_err();
        assert!(matches!(error, OpenError::Busy { queue: 0, .. }), "{error}");
        assert_eq!((pool.len(), other_pool.len()), (before, 8192));
        drop(held);
        let patient = SocketConfig { patience: Duration::from_secs(5), ..config };
        for _ in 0..5 {
            drop(AfXdpPort::open(&umem, &mut pool, &patient).unwrap());
        }
    });
}

#[test]
fn an_mtu_beyond_a_frame_is_refused_with_the_largest_that_fits() {
    in_namespace(|| {
        veth("a", "b", 1500);
        let (umem, mut pool) = region(8192);
        let config = usual("a", 0, Attached::Native);
        let largest = umem.largest_mtu();
        let error =
            AfXdpPort::open(&umem, &mut pool, &SocketConfig { mtu: 9000, ..config }).unwrap_err();
        assert!(
            matches!(error, OpenError::Mtu { mtu: 9000, largest: l } if l == largest),
            "{error}"
        );
        AfXdpPort::open(&umem, &mut pool, &SocketConfig { mtu: largest, ..config }).unwrap();
    });
}

#[test]
fn a_packet_of_several_buffers_is_dropped_whole_and_counted() {
    in_namespace(|| {
        veth("a", "b", 9000);
        let steering = Steering::attach("b", Attached::Native, true);
        let (umem, mut pool) = region(8192);
        let config =
            SocketConfig { mtu: 9000, scatter_gather: true, ..usual("b", 0, Attached::Native) };
        let port = AfXdpPort::open(&umem, &mut pool, &config).unwrap();
        let mut right = Station::new(port, pool);
        steering.steer(0, right.port());
        steering.steer(1, right.port());
        let left = PacketSocket::open("a");
        let (small, large) = (packet(1, 1000), packet(2, 9000));
        for _ in 0..10 {
            left.send(&large);
            left.send(&small);
        }
        let got = receive_ours(&mut right, 10);
        assert!(got.iter().all(|bytes| *bytes == small));
        wait_until("the large packets to be counted", || {
            right.poll();
            right.statistics().fragmented == 10
        });
        audit(&right);
    });
}

#[test]
fn frames_of_another_region_stay_in_the_burst_and_cross_by_copy() {
    in_namespace(|| {
        veth("a", "b", 1500);
        let steering = Steering::attach("b", Attached::Native, false);
        let mut right = host("b", 0, Attached::Native);
        steering.steer(0, right.port());
        let (umem, mut pool) = region(8192);
        let config = usual("a", 0, Attached::Native);
        let mut port = AfXdpPort::open(&umem, &mut pool, &config).unwrap();
        let (_elsewhere, mut strangers) = region(4);
        let mut stranger = strangers.take().unwrap();
        stranger.fill(&packet(7, 100)).unwrap();
        let mut burst = Burst::from_iter([stranger]);
        assert_eq!(port.transmit(&mut burst), 0);
        assert_eq!((burst.len(), port.statistics().foreign), (1, 1));

        let stranger = burst.pop().unwrap();
        let mut copy = pool.take().unwrap();
        stranger.copy_into(&mut copy).unwrap();
        strangers.put(stranger);
        burst.push(copy);
        assert_eq!(port.transmit(&mut burst), 1);
        assert_eq!(port.kick(), Kick::Woken);
        assert_eq!(receive_ours(&mut right, 1), [packet(7, 100)]);
    });
}

#[test]
fn a_link_that_is_down_keeps_frames_queued_until_it_is_up() {
    in_namespace(|| {
        veth("a", "b", 1500);
        let steering = Steering::attach("b", Attached::Native, false);
        let mut left = host("a", 0, Attached::Native);
        let mut right = host("b", 0, Attached::Native);
        steering.steer(0, right.port());
        ip("link set dev a down");
        assert!(left.send(&packet(1, 60)).unwrap());
        assert_eq!(left.poll(), Kick::LinkDown);
        assert!(left.statistics().link_down > 0);
        assert_eq!(left.port().census().transmit, 1);
        ip("link set dev a up");
        wait_until("the carrier to return", || {
            left.poll();
            left.port().census().transmit == 0
        });
        audit(&left);
        assert!(left.send(&packet(2, 60)).unwrap());
        let got = receive_ours(&mut right, 1);
        assert_eq!(got.last(), Some(&packet(2, 60)));
    });
}

#[test]
fn busy_polling_is_granted_to_root_and_receives() {
    in_namespace(|| {
        veth("a", "b", 1500);
        let steering = Steering::attach("b", Attached::Native, false);
        let (umem, mut pool) = region(8192);
        let config =
            SocketConfig { busy_poll: Some(BusyPoll::USUAL), ..usual("b", 0, Attached::Native) };
        let port = AfXdpPort::open(&umem, &mut pool, &config).unwrap();
        assert!(matches!(port.obtained().busy_polling, BusyPolling::Granted));
        let mut right = Station::new(port, pool);
        steering.steer(0, right.port());
        let mut left = host("a", 0, Attached::Native);
        assert!(left.send(&packet(3, 64)).unwrap());
        wait_until("the packet", || {
            right.port().busy_poll();
            right.receive_all().iter().any(|bytes| *bytes == packet(3, 64))
        });
        assert_eq!(right.statistics().kick_failures, 0);
    });
}

#[test]
fn closing_sockets_under_load_leaves_the_device_to_the_kernel() {
    in_namespace(|| {
        veth("a", "b", 1500);
        let steering = Steering::attach("b", Attached::Native, false);
        let mut left = host("a", 0, Attached::Native);
        let mut right = host("b", 0, Attached::Native);
        steering.steer(0, right.port());
        for number in 0..500 {
            left.send(&packet(number, 60)).unwrap();
        }
        drop(steering);
        drop((left, right));
        let (left, right) = (PacketSocket::open("a"), PacketSocket::open("b"));
        for (from, to) in [(&left, &right), (&right, &left)] {
            from.send(&packet(9, 60));
            wait_until("the kernel to deliver", || {
                std::iter::from_fn(|| to.receive()).any(|bytes| bytes == packet(9, 60))
            });
        }
    });
}

#[test]
fn a_port_works_in_another_thread_than_the_one_that_opened_it() {
    in_namespace(|| {
        veth("a", "b", 1500);
        let steering = Steering::attach("b", Attached::Native, false);
        let mut right = host("b", 0, Attached::Native);
        steering.steer(0, right.port());
        let mut left = host("a", 0, Attached::Native);
        let sender = thread::spawn(move || {
            for number in 0..100 {
                assert!(left.send(&packet(number, 60)).unwrap());
            }
            left
        });
        let got = receive_ours(&mut right, 100);
        assert_eq!(got, (0..100).map(|number| packet(number, 60)).collect::<Vec<_>>());
        audit(&sender.join().unwrap());
    });
}

#[test]
fn three_capabilities_suffice_and_memory_beyond_the_lock_limit_is_named() {
    const NET_ADMIN: u32 = 12;
    const NET_RAW: u32 = 13;
    const BPF: u32 = 39;
    in_namespace(|| {
        veth("a", "b", 1500);
        let devices = [usual("a", 0, Attached::Native), usual("b", 0, Attached::Native)];
        let Some(limit) = locked_memory_limit().filter(|limit| *limit < 1 << 30) else {
            println!("skipped: no limit on locked memory here");
            return;
        };
        keep_capabilities(&[NET_ADMIN, NET_RAW, BPF]);
        let (large, mut large_pool) = region((limit / 4096 + 1) as u32);
        let error = AfXdpPort::open(&large, &mut large_pool, &devices[0]).unwrap_err();
        assert!(matches!(error, OpenError::LockedMemory { bytes } if bytes > limit), "{error}");
        let (umem, mut pool) = region(256);
        let steering = Steering::attach("b", Attached::Native, false);
        let mut left = AfXdpPort::open(&umem, &mut pool.split(128), &devices[0]).unwrap();
        let right = AfXdpPort::open(&umem, &mut pool.split(64), &devices[1]).unwrap();
        let mut right = Station::new(right, pool.split(32));
        steering.steer(0, right.port());
        let mut frame = pool.take().unwrap();
        frame.fill(&packet(1, 60)).unwrap();
        assert_eq!(left.transmit(&mut Burst::from_iter([frame])), 1);
        left.kick();
        assert_eq!(receive_ours(&mut right, 1), [packet(1, 60)]);
    });
}

#[test]
fn a_device_that_does_not_exist_or_a_pool_of_another_region_is_an_error() {
    in_namespace(|| {
        let (umem, mut pool) = region(64);
        let mut config = SocketConfig::new(4242, 0, 1500, ZeroCopy::Auto, Attached::Native);
        let error = AfXdpPort::open(&umem, &mut pool, &config).unwrap_err();
        assert!(matches!(error, OpenError::System { step: Step::Bind, .. }), "{error}");
        let (_other, mut other_pool) = region(64);
        let error = AfXdpPort::open(&umem, &mut other_pool, &config).unwrap_err();
        assert!(matches!(error, OpenError::ForeignPool), "{error}");
        veth("a", "b", 1500);
        config.interface_index = index_of("a");
        let mut empty = FramePool::empty(&umem);
        let error = AfXdpPort::open(&umem, &mut empty, &config).unwrap_err();
        assert!(matches!(error, OpenError::NoFrames { queue: 0 }), "{error}");
        assert_eq!(pool.len(), 64);
    });
}
