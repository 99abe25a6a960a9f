//! How packets are grouped into bursts changes nothing about what becomes of them.

use proptest::prelude::*;
use telemetry::{Reason, Stage, WorkerCounters};
use wire::build::Packet;
use wire::tcp::Flags;

use super::with_port;
use crate::outbox::ControlEvent;
use crate::packet::{Arrivals, Entry, Ingress};
use crate::snapshot::{PortId, WorkerId};
use crate::stages::StageTimer;
use crate::testing::{
    LAN, LAN_HOST, LAN_HOST6, PEERS, Remote, SERVER, SERVER6, SITE_LIMITS, Sent, Site, WAN,
};

/// One packet of a random burst.
#[derive(Clone, Debug)]
struct Draft {
    kind: u8,
    peer: usize,
    length: usize,
    hop_limit: u8,
    destination: usize,
    flip: Option<usize>,
    twice: bool,
}

fn draft() -> impl Strategy<Value = Draft> {
    let flip = prop_oneof![6 => Just(None), 1 => (0..200usize).prop_map(Some)];
    (0..8u8, 0..4usize, 0..1480usize, 0..4u8, 0..8usize, flip, any::<bool>()).prop_map(
        |(kind, peer, length, hop_limit, destination, flip, twice)| {
            let hop_limit = if hop_limit == 0 { 1 } else { 64 };
            Draft { kind, peer, length, hop_limit, destination, flip, twice }
        },
    )
}

impl Draft {
    fn inner(&self, from: &str, from6: &str) -> Packet {
        let to = [
            SERVER,
            PEERS[self.peer].host,
            LAN_HOST,
            "10.67.0.1",
            "10.1.0.99",
            "127.0.0.1",
            "10.8.0.1",
            "10.69.0.2",
        ];
        let to6 = [
            SERVER6,
            PEERS[self.peer].host6,
            LAN_HOST6,
            "fd00:67::1",
            "ff02::1",
            "fd00:8::1",
            "fd00:1::1",
            "::1",
        ];
        let (from, to) = match self.kind % 2 {
            0 => (from, to[self.destination]),
            _ => (from6, to6[self.destination]),
        };
        let (from, to) = (with_port(from, 1000), with_port(to, [25, 23, 80][self.length % 3]));
        let packet = match self.kind % 3 {
            0 => Packet::tcp(from.as_str(), to.as_str(), Flags::SYN).mss(1460),
            1 => Packet::udp(from.as_str(), to.as_str()),
            _ => Packet::ping(from.as_str(), to.as_str(), 1, 1),
        };
        packet.payload_len(self.length.min(1400)).hop_limit(self.hop_limit)
    }

    /// The frames, with the device that they come by.
    fn frames(&self, remotes: &mut [Remote], site: &Site) -> (PortId, Vec<Vec<u8>>) {
        let plan = &PEERS[self.peer];
        let (port, mut frame) = if self.kind < 4 {
            (LAN, self.inner(LAN_HOST, LAN_HOST6).frame())
        } else {
            let inner = if self.length.is_multiple_of(11) {
                Vec::new()
            } else {
                self.inner(plan.host, plan.host6).ip()
            };
            let inner = inner.get(..1420).unwrap_or(&inner);
            let remote = self.peer % remotes.len();
            (WAN, remotes[remote].frame(inner, site.now))
        };
        // A peer roams to wherever its last packet says it is, so the outer addresses stay; a forged counter is
        // told as such or as a replay, depending on when the true one came.
        let first = if port == LAN { 12 } else { 78 };
        if let Some(bit) = self.flip
            && let Some(byte) = frame.get_mut(first + bit)
        {
            *byte ^= 1 << (bit % 8);
        }
        (port, if self.twice { vec![frame.clone(), frame] } else { vec![frame] })
    }
}

/// A timer that notes what it is told.
#[derive(Default)]
struct Notes(Vec<Option<Stage>>);

impl StageTimer for Notes {
    fn skip(&mut self) {
        self.0.push(None);
    }
    fn ended(&mut self, stage: Stage, _: usize, _: &WorkerCounters) {
        self.0.push(Some(stage));
    }
}

#[test]
fn what_waited_before_a_burst_is_no_cost_of_its_stages() {
    let mut site = Site::new();
    let mut remote = site.connect(0);
    let frame =
        site.frame(&remote.frame(&Packet::ping(PEERS[0].host, LAN_HOST, 1, 1).ip(), site.now));
    let mut arrivals = Arrivals::new();
    arrivals.push(Ingress { frame, entry: Entry::Port(WAN), arrived: site.now, hops: 0 });
    let mut notes = Notes::default();
    site.process_with(&mut arrivals, &mut notes);
    use Stage::{Classify, Detunnel, Egress, Forward, Parse, Policy};
    let (skip, ended) = (None, Some);
    let expected = [
        skip,
        ended(Parse),
        ended(Classify),
        ended(Detunnel),
        skip,
        ended(Policy),
        ended(Forward),
        ended(Egress),
    ];
    assert_eq!(notes.0, expected);
    assert_eq!(site.sent().len(), 1);
}

/// Everything that a gateway did with some packets.
struct Outcome {
    sent: Vec<Sent>,
    punted: Vec<Vec<u8>>,
    handed_off: Vec<(WorkerId, Entry, Vec<u8>)>,
    drops: Vec<(Reason, u64)>,
    events: Vec<ControlEvent>,
    held: usize,
    unanswered: u64,
}

/// Everything that a gateway does with these packets, in bursts of `size`.
fn outcome(drafts: &[Draft], size: usize) -> Outcome {
    let mut site = Site::of(WorkerId(0), 2, SITE_LIMITS);
    // Three peers have sessions here, the fourth belongs to another worker.
    let mut remotes = [site.connect(0), site.connect(1)];
    site.adopt(2);
    site.snapshot.tunnel.owners.claim(3, WorkerId(1));
    let arrivals: Vec<(PortId, Vec<Vec<u8>>)> =
        drafts.iter().map(|draft| draft.frames(&mut remotes, &site)).collect();
    let mut sent = Vec::new();
    for port in [LAN, WAN] {
        let of_port = arrivals.iter().filter(|arrival| arrival.0 == port);
        let frames: Vec<Vec<u8>> = of_port.flat_map(|arrival| arrival.1.clone()).collect();
        for burst in frames.chunks(size) {
            sent.extend(site.receive(port, burst.iter().cloned()));
        }
    }
    sent.sort_by_key(|sent| sent.port);
    site.assert_frames_complete();
    let packets = site.counters.stage(Stage::Parse).packets.read();
    assert_eq!(packets, arrivals.iter().map(|arrival| arrival.1.len() as u64).sum::<u64>() + 2);
    // Stages tell control in their own order.
    let mut events: Vec<ControlEvent> = site.out.events.iter().copied().collect();
    events.sort_by_key(|event| format!("{event:?}"));
    Outcome {
        sent,
        punted: site.punted(),
        handed_off: site.handed_off(),
        drops: site.drops(),
        events,
        held: site.state.frames_held(),
        unanswered: site.counters.replies_limited.read(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_burst_and_its_packets_one_by_one_come_to_the_same(
        drafts in proptest::collection::vec(draft(), 1..40)
    ) {
        let whole = outcome(&drafts, 64);
        for size in [1, 7] {
            let parts = outcome(&drafts, size);
            // Two sources that share a slot of the reply budget, whose hash is drawn anew each time.
            prop_assume!(whole.unanswered == 0 && parts.unanswered == 0);
            // The short ones first, so that a failure can be read.
            prop_assert_eq!(&whole.drops, &parts.drops);
            prop_assert_eq!(&whole.events, &parts.events);
            prop_assert_eq!(whole.held, parts.held);
            prop_assert_eq!(&whole.handed_off, &parts.handed_off);
            prop_assert_eq!(&whole.punted, &parts.punted);
            prop_assert_eq!(whole.sent.len(), parts.sent.len());
            for (one, other) in whole.sent.iter().zip(&parts.sent) {
                prop_assert_eq!(one.parsed(), other.parsed());
                prop_assert!(one == other, "{:?}", one.parsed());
            }
        }
    }
}
