//! The thread between rings and kernel, with a pair of datagram sockets in the kernel's place.

use std::os::unix::net::UnixDatagram;

use ::io::{HugePages, Umem, UmemConfig};

use super::super::mesh::mesh;
use super::super::wake::{Waker, wake_pair};
use super::*;

impl KernelSide for UnixDatagram {
    fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self.recv(buffer) {
            Ok(length) => Ok(Some(length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
    fn write(&self, packet: &[u8]) -> io::Result<bool> {
        match self.send(packet) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}

const FRAMES: usize = 32;

struct Scene {
    slow: SlowPath<UnixDatagram>,
    kernel: UnixDatagram,
    workers: Vec<(MeshSeat, FramePool)>,
    waker: Waker,
}

fn scene(workers: usize, ring: usize) -> Scene {
    let (tun, kernel) = UnixDatagram::pair().unwrap();
    tun.set_nonblocking(true).unwrap();
    kernel.set_nonblocking(true).unwrap();
    let frames = FRAMES * (workers + 1);
    let config =
        UmemConfig { huge_pages: HugePages::Never, ..UmemConfig::with_frames(frames as u32) };
    let (_umem, mut pool) = Umem::new(config).unwrap();
    let (sleeper, waker) = wake_pair().unwrap();
    let mut wakers: Vec<_> = (0..workers).map(|_| wake_pair().unwrap().1).collect();
    wakers.push(waker.clone());
    let mut seats = mesh(&wakers, ring);
    let seat = seats.pop().unwrap();
    let workers: Vec<_> = seats.into_iter().map(|seat| (seat, pool.split(FRAMES))).collect();
    let slow = SlowPath {
        tun,
        seat,
        sleeper,
        pool,
        counters: Arc::new(WorkerCounters::new()),
        workers: workers.iter().map(|_| Arc::new(WorkerShared::new(clock::Time::ZERO))).collect(),
        stop: Arc::new(AtomicBool::new(false)),
    };
    Scene { slow, kernel, workers, waker }
}

fn packet(last: u8) -> Vec<u8> {
    let mut packet = vec![0; 28];
    packet[0] = 0x45;
    packet[19] = last;
    packet
}

impl Scene {
    /// Worker `number` hands a packet over for the kernel.
    fn punt(&mut self, number: usize, bytes: &[u8]) -> bool {
        let slow = self.workers.len();
        let (seat, pool) = &mut self.workers[number];
        let Some(mut frame) = pool.take() else { return false };
        frame.fill(bytes).unwrap();
        let entry = Entry::Local;
        let packet = Ingress { frame, entry, arrived: Monotonic.now(), hops: 0 };
        seat.hand_over(slow, packet).map_err(|packet| pool.put(packet.frame)).is_ok()
    }

    fn taken_over(&mut self) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        for (seat, pool) in &mut self.workers {
            seat.take_over(64, |packet| {
                packets.push(packet.frame.data().to_vec());
                pool.put(packet.frame);
            });
            seat.settle(pool);
        }
        packets
    }

    /// Takes every frame home: one that is dropped with a ring is a leak, which the frame itself reports.
    fn end(mut self) {
        let SlowPath { seat, pool, .. } = &mut self.slow;
        seat.drain(|frame| pool.put(frame));
        for (seat, pool) in &mut self.workers {
            seat.drain(|frame| pool.put(frame));
        }
    }

    fn told_kernel(&self) -> Vec<Vec<u8>> {
        let mut buffer = [0; 2048];
        std::iter::from_fn(|| {
            self.kernel.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec())
        })
        .collect()
    }
}

#[test]
fn packets_go_both_ways_unchanged_and_in_order() {
    let mut scene = scene(2, 16);
    let to_kernel: Vec<_> = (0..5).map(packet).collect();
    to_kernel.iter().for_each(|bytes| assert!(scene.punt(1, bytes)));
    assert_eq!(scene.slow.move_to_kernel(), 5);
    assert_eq!(scene.told_kernel(), to_kernel);
    for _ in 0..3 {
        scene.kernel.send(&packet(9)).unwrap();
    }
    assert_eq!(scene.slow.move_from_kernel().unwrap(), 3);
    assert_eq!(scene.taken_over(), vec![packet(9); 3]);
    let counters = &scene.slow.counters;
    assert_eq!(
        (counters.punted.read(), counters.injected.read(), counters.dropped_total()),
        (5, 3, 0)
    );
    let to_kernel = scene.slow.workers.iter().map(|worker| worker.counters.punted.read());
    assert_eq!(to_kernel.collect::<Vec<_>>(), [0, 5]);
    scene.end();
}

/// A packet of nothing but its addresses.
fn between(source: &str, destination: &str) -> Vec<u8> {
    let octets = |text: &str| match text.parse().unwrap() {
        core::net::IpAddr::V4(address) => address.octets().to_vec(),
        core::net::IpAddr::V6(address) => address.octets().to_vec(),
    };
    let (source, destination) = (octets(source), octets(destination));
    let begins = if source.len() == 4 { vec![0x45; 12] } else { vec![0x60; 8] };
    [begins, source, destination].concat()
}

#[test]
fn what_is_for_a_link_only_goes_into_no_tunnel_and_is_counted() {
    let mut scene = scene(1, 64);
    let for_a_link = [
        between("fe80::1", "ff02::2"),
        between("::", "ff02::16"),
        between("::", "ff02::1:ff00:1"),
        between("fd00:8::1", "fe80::2"),
        between("fd00:8::1", "ff01::1"),
        between("10.8.0.1", "224.0.0.22"),
        between("10.8.0.1", "255.255.255.255"),
        between("169.254.3.4", "10.8.0.2"),
        between("10.8.0.1", "169.254.3.4"),
    ];
    let beyond = [
        between("fd00:8::1", "fd00:8::2"),
        between("fd00:8::1", "ff05::2"),
        between("10.8.0.1", "10.8.0.2"),
        between("10.8.0.1", "224.0.1.1"),
        vec![0x60; 39],
    ];
    for packet in for_a_link.iter().chain(&beyond) {
        scene.kernel.send(packet).unwrap();
    }
    assert_eq!(scene.slow.move_from_kernel().unwrap(), for_a_link.len() + beyond.len());
    assert_eq!(scene.taken_over(), beyond);
    let counters = &scene.slow.counters;
    assert_eq!(counters.dropped(Reason::LinkScope), for_a_link.len() as u64);
    assert_eq!(counters.dropped_total(), for_a_link.len() as u64);
    scene.end();
}

#[test]
fn a_kernel_without_room_loses_the_packet_and_it_is_counted() {
    let mut scene = scene(1, 16);
    let mut stuffed = 0u64;
    while scene.slow.tun.write(&packet(0)).unwrap() {
        stuffed += 1;
    }
    assert!(stuffed > 0);
    assert!(scene.punt(0, &packet(1)));
    scene.slow.move_to_kernel();
    assert_eq!(scene.slow.counters.dropped(Reason::SlowPathFull), 1);
    assert_eq!(scene.slow.counters.punted.read(), 0);
    assert_eq!(scene.slow.workers[0].counters.punted.read(), 0);
    scene.end();
}

#[test]
fn a_kernel_that_refuses_a_packet_is_counted_apart() {
    let mut scene = scene(1, 16);
    let (_, gone) = UnixDatagram::pair().unwrap();
    let kernel = std::mem::replace(&mut scene.kernel, gone);
    drop(kernel);
    assert!(scene.punt(0, &packet(1)));
    scene.slow.move_to_kernel();
    assert_eq!(scene.slow.counters.dropped(Reason::SlowPathError), 1);
    scene.end();
}

#[test]
fn a_worker_that_does_not_take_over_costs_packets_and_no_frames() {
    let mut scene = scene(1, 4);
    for _ in 0..10 {
        scene.kernel.send(&packet(0)).unwrap();
    }
    while scene.slow.move_from_kernel().unwrap() > 0 {}
    let counters = &scene.slow.counters;
    assert_eq!((counters.injected.read(), counters.dropped(Reason::HandOffRingFull)), (10, 6));
    assert_eq!(scene.taken_over().len(), 4);
    let SlowPath { seat, pool, .. } = &mut scene.slow;
    seat.settle(pool);
    assert_eq!(pool.len(), FRAMES);
    scene.end();
}

#[test]
fn without_a_free_frame_packets_wait_in_the_kernel() {
    let mut scene = scene(1, 64);
    let kept: Vec<_> = std::iter::from_fn(|| scene.slow.pool.take()).collect();
    scene.kernel.send(&packet(0)).unwrap();
    assert_eq!(scene.slow.move_from_kernel().unwrap(), 0);
    kept.into_iter().for_each(|frame| scene.slow.pool.put(frame));
    assert_eq!(scene.slow.move_from_kernel().unwrap(), 1);
    assert_eq!(scene.taken_over().len(), 1);
    scene.end();
}

#[test]
fn the_thread_is_woken_by_either_side_and_ends_with_its_frames() {
    let mut scene = scene(1, 16);
    let (stop, counters) = (Arc::clone(&scene.slow.stop), Arc::clone(&scene.slow.counters));
    let until = |what: &str, condition: &dyn Fn() -> bool| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !condition() {
            assert!(std::time::Instant::now() < deadline, "{what}");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    };
    assert!(scene.punt(0, &packet(1)));
    let Scene { slow, kernel, mut workers, waker } = scene;
    let thread = std::thread::spawn(move || slow.run());
    until("the packet does not reach the kernel", &|| counters.punted.read() == 1);
    kernel.send(&packet(2)).unwrap();
    until("the packet does not reach the worker", &|| counters.injected.read() == 1);
    stop.store(true, Ordering::Relaxed);
    waker.wake();
    thread.join().unwrap();
    let (seat, pool) = &mut workers[0];
    let mut arrived = 0;
    seat.take_over(64, |packet| {
        arrived += 1;
        pool.put(packet.frame);
    });
    assert_eq!(arrived, 1);
    seat.drain(|frame| pool.put(frame));
}

#[test]
fn packets_of_one_pair_of_addresses_go_to_one_worker_and_pairs_spread() {
    let worker = |last| worker_of(&packet(last), 4);
    assert_eq!(worker(7), worker(7));
    let used: std::collections::BTreeSet<_> = (0..=255).map(worker).collect();
    assert_eq!(used.len(), 4);
    assert_eq!(worker_of(&[], 4), 0);
}

/// A device that is there, but answers every read with one error.
struct Failing(UnixDatagram, i32);

impl AsFd for Failing {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl KernelSide for Failing {
    fn read(&self, _: &mut [u8]) -> io::Result<Option<usize>> {
        Err(io::Error::from_raw_os_error(self.1))
    }
    fn write(&self, _: &[u8]) -> io::Result<bool> {
        Ok(true)
    }
}

/// The slow path of `scene` with a device whose reads fail with `error`.
fn failing(scene: Scene, error: i32) -> SlowPath<Failing> {
    let SlowPath { tun, seat, sleeper, pool, counters, workers, stop } = scene.slow;
    SlowPath { tun: Failing(tun, error), seat, sleeper, pool, counters, workers, stop }
}

#[test]
fn a_device_that_was_deleted_ends_the_thread_and_one_that_is_down_does_not() {
    let deleted = rustix::io::Errno::BADFD.raw_os_error();
    // Nobody sets `stop`: it returns because of the device.
    failing(scene(1, 16), deleted).run();
    let down = rustix::io::Errno::IO.raw_os_error();
    let mut slow = failing(scene(1, 16), down);
    assert_eq!(slow.move_from_kernel().unwrap(), 0);
    assert_eq!(slow.pool.len(), FRAMES);
}
