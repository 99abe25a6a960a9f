//! Rings: what taking packets from and handing packets to an AF_XDP socket costs in user space.
//!
//! Both sides run through their public calls over the rings of real sockets, ours on queue 0 and
//! xsk-rs's on queue 1 of one veth device without traffic; the bench plays the kernel through a
//! second mapping of the same rings, outside of the clock. Bursts of 64, eight per timed stretch,
//! each into memory of its own.
//!
//! * `rings.rx`: `Port::receive` against `RxQueue::consume`. Ours checks every descriptor, makes
//!   linear frame handles and counts packets and bytes; xsk-rs copies descriptors.
//! * `rings.tx`: `Port::transmit` against `TxQueue::produce`, likewise.
//!
//! Left out: system calls, the cost of lines that another core wrote (both sides alike find the
//! rings in their own cache), the packets' bytes, and the fill and completion rings.

mod peer;

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use io::af_xdp::{AfXdpPort, Attached, RingSizes, SocketConfig, ZeroCopy};
use io::ring::RingSize;
use io::testing::{FakeKernel, in_namespace, index_of, veth};
use io::{BURST, Burst, FramePool, HugePages, Port, Umem, UmemConfig};
use ringwall_benches::report::{Contender, Family, Sample, Unit};
use xsk_rs::FrameDesc;

use peer::Peer;

const STRETCH: usize = 8;
const FRAMES: u32 = (STRETCH * BURST) as u32;
/// Entries of the receive and transmit rings: small enough for the first-level cache.
const RING: u32 = 512;
const STRETCHES: usize = 400;
const LENGTH: u32 = 60;

fn main() {
    let family = Family::from_arguments("rings");
    if in_namespace(move || measure(family)).is_none() {
        eprintln!("rings: all figures left out: they need root");
    }
}

fn measure(mut family: Family) {
    veth("near", "far", 1500);
    let mut ours = Ours::open("near");
    let mut theirs = Theirs::open("near");
    let receive = Contender::new("ringwall", || ours.receive());
    let peer = Contender::new("xsk-rs", || theirs.receive());
    family.compare("rings.rx", Unit::NanosPerFrame, receive, vec![peer]);
    let transmit = Contender::new("ringwall", || ours.transmit());
    let peer = Contender::new("xsk-rs", || theirs.transmit());
    family.compare("rings.tx", Unit::NanosPerFrame, transmit, vec![peer]);
    family.finish();
    ours.audit();
}

/// The ring sizes of both sides; xsk-rs fixes those of fill and completion when it makes a region.
fn ring_sizes() -> RingSizes {
    let small = RingSize::new(RING).expect("a power of two");
    let large = RingSizes::USUAL.receive;
    RingSizes { receive: small, transmit: small, fill: large, completion: large }
}

/// Our port with a stand-in for the kernel.
struct Ours {
    umem: Arc<Umem>,
    pool: FramePool,
    port: AfXdpPort,
    kernel: FakeKernel,
    bursts: [Burst; STRETCH],
}

impl Ours {
    fn open(device: &str) -> Self {
        let config = UmemConfig { huge_pages: HugePages::Never, ..UmemConfig::with_frames(8192) };
        let (umem, mut pool) = Umem::new(config).expect("memory");
        let mut config =
            SocketConfig::new(index_of(device), 0, 1500, ZeroCopy::Off, Attached::Native);
        config.rings = ring_sizes();
        let port = AfXdpPort::open(&umem, &mut pool, &config).expect("a socket");
        // SAFETY: nothing uses the device, and nothing here wakes the kernel.
        let kernel = unsafe { FakeKernel::take_over(AsFd::as_fd(&port), ring_sizes()) };
        let kernel = kernel.expect("rings");
        let mut ours = Self { umem, pool, port, kernel, bursts: Default::default() };
        ours.first_lap();
        ours
    }

    /// Writes every slot of the receive ring once.
    fn first_lap(&mut self) {
        let headroom = u64::from(self.umem.headroom());
        while self.kernel.deliver(FRAMES, headroom, LENGTH) > 0 {}
        for _ in 0..self.port.census().receive / u64::from(FRAMES) {
            self.bursts.iter_mut().for_each(|burst| assert_eq!(self.port.receive(burst), BURST));
            self.return_all();
        }
    }

    /// Hands all received frames to the kernel again.
    fn return_all(&mut self) {
        for frame in self.bursts.iter_mut().flat_map(|burst| burst.drain(..)) {
            assert_eq!(frame.len(), LENGTH as usize);
            self.pool.put(frame);
        }
        self.port.refill(&mut self.pool);
    }

    fn receive(&mut self) -> Sample {
        let mut elapsed = Duration::ZERO;
        for _ in 0..STRETCHES {
            assert_eq!(self.kernel.deliver_again(FRAMES), FRAMES);
            let start = Instant::now();
            for burst in &mut self.bursts {
                self.port.receive(burst);
            }
            elapsed += start.elapsed();
            self.return_all();
        }
        Sample { elapsed, items: (STRETCHES * STRETCH * BURST) as u64 }
    }

    fn transmit(&mut self) -> Sample {
        let mut elapsed = Duration::ZERO;
        for _ in 0..STRETCHES {
            for burst in &mut self.bursts {
                while !burst.is_full() {
                    let mut frame = self.pool.take().expect("frames");
                    frame.extend_back(LENGTH as usize).expect("room");
                    burst.push(frame);
                }
            }
            let frames = self.bursts.iter().flatten();
            let sent: Vec<u64> = frames.map(|frame| u64::from(frame.index().0) << 12).collect();
            let start = Instant::now();
            for burst in &mut self.bursts {
                self.port.transmit(burst);
            }
            elapsed += start.elapsed();
            assert_eq!(self.kernel.send_all(sent.into_iter()), FRAMES as usize);
            assert_eq!(self.port.reap(&mut self.pool), FRAMES as usize);
        }
        Sample { elapsed, items: (STRETCHES * STRETCH * BURST) as u64 }
    }

    fn audit(&self) {
        let all = self.pool.census() + self.port.census() + self.umem.census();
        all.audit(&self.umem).expect("every frame accounted for");
    }
}

/// A socket of xsk-rs with a stand-in for the kernel.
struct Theirs {
    peer: Peer,
    kernel: FakeKernel,
    bursts: [[FrameDesc; BURST]; STRETCH],
}

impl Theirs {
    fn open(device: &str) -> Self {
        let mut peer = Peer::open(device, 1, FRAMES, RING);
        // SAFETY: nothing uses the device, and nothing here wakes the kernel.
        let kernel = unsafe { FakeKernel::take_over(peer.as_fd(), ring_sizes()) };
        let mut frames = std::mem::take(&mut peer.frames).into_iter();
        let mut bursts = std::array::from_fn(|_| std::array::from_fn(|_| frames.next().unwrap()));
        for frame in bursts.as_flattened_mut() {
            peer.write(frame, &[0; LENGTH as usize]);
        }
        let mut theirs = Self { peer, kernel: kernel.expect("rings"), bursts };
        for _ in 0..RING / FRAMES {
            theirs.fill();
            assert_eq!(theirs.kernel.deliver(FRAMES, 0, LENGTH), FRAMES);
            theirs.consume();
        }
        theirs
    }

    /// Hands all frames to the kernel.
    fn fill(&mut self) {
        // SAFETY: all frames are in our hands: the last stretch received them again.
        let filled = unsafe { self.peer.fill.produce(self.bursts.as_flattened()) };
        assert_eq!(filled, FRAMES as usize);
    }

    #[inline]
    fn consume(&mut self) {
        for burst in &mut self.bursts {
            // SAFETY: the frames that `burst` names are with the kernel, to be overwritten here.
            unsafe { self.peer.receive.consume(burst) };
        }
    }

    fn receive(&mut self) -> Sample {
        let mut elapsed = Duration::ZERO;
        for _ in 0..STRETCHES {
            self.fill();
            assert_eq!(self.kernel.deliver_again(FRAMES), FRAMES);
            let start = Instant::now();
            self.consume();
            elapsed += start.elapsed();
            let whole = |frame: &FrameDesc| frame.lengths().data() == LENGTH as usize;
            assert!(self.bursts.as_flattened().iter().all(whole));
        }
        Sample { elapsed, items: (STRETCHES * STRETCH * BURST) as u64 }
    }

    fn transmit(&mut self) -> Sample {
        let mut elapsed = Duration::ZERO;
        let mut completed = [self.bursts[0][0]; FRAMES as usize];
        for _ in 0..STRETCHES {
            let start = Instant::now();
            for burst in &self.bursts {
                // SAFETY: all frames are in our hands: the last stretch completed them.
                unsafe { self.peer.transmit.produce(burst) };
            }
            elapsed += start.elapsed();
            let sent = self.bursts.as_flattened().iter().map(|frame| frame.addr() as u64);
            assert_eq!(self.kernel.send_all(sent), FRAMES as usize);
            // SAFETY: `completed` names frames only to be overwritten.
            let count = unsafe { self.peer.completion.consume(&mut completed) };
            assert_eq!(count, FRAMES as usize);
        }
        Sample { elapsed, items: (STRETCHES * STRETCH * BURST) as u64 }
    }
}
