//! The table of metric families: endpoint, documentation and dashboards all follow it.

use std::fmt;

use prometheus_client::metrics::MetricType;
use telemetry::{Reason, StageCounters, WorkerCounters};
use wireguard::HandshakeStatistics;

use super::{Samples, Scrape};
use crate::api::{Peer, Queue, RingLevel};
use crate::control::show;

/// One family.
pub(super) struct Family {
    /// Its name, without the suffix that its kind adds (`_total`, `_info`, `_bucket`).
    pub name: &'static str,
    /// Its labels; each takes few values, set by the configuration or by the program.
    pub labels: &'static [&'static str],
    /// One sentence for operators.
    pub help: &'static str,
    /// Where its samples come from.
    pub source: Source,
}

/// Where the samples of a family come from; all but the last are counters.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// A sample per worker.
    Worker(fn(&WorkerCounters) -> u64),
    /// A sample per worker and stage.
    Stage(fn(&StageCounters) -> u64),
    /// The same, of nanoseconds that become seconds.
    StageSeconds(fn(&StageCounters) -> u64),
    /// One sample, while there is a tunnel.
    Handshakes(fn(&HandshakeStatistics) -> u64),
    /// A sample per socket.
    Queue(fn(&Queue) -> u64),
    /// A sample per peer, while they are few enough.
    Peer(fn(&Peer) -> u64),
    /// Its kind, and a function of its own.
    Own(MetricType, fn(&Scrape<'_>, &mut Samples<'_>) -> fmt::Result),
}

use Source::{Handshakes, Own, Peer as OfPeer, Queue as OfQueue, Stage, StageSeconds, Worker};

const WORKER: &[&str] = &["worker"];
const STAGE: &[&str] = &["worker", "stage"];
const PEER: &[&str] = &["peer"];
const INTERFACE: &[&str] = &["interface"];
const QUEUE: &[&str] = &["interface", "queue"];
const RING: &[&str] = &["interface", "queue", "ring"];

const fn family(
    name: &'static str,
    labels: &'static [&'static str],
    source: Source,
    help: &'static str,
) -> Family {
    Family { name, labels, help, source }
}

/// Every family, in the order of the endpoint.
#[rustfmt::skip]
pub(super) static FAMILIES: &[Family] = &[
    family("ringwall_build", &["version", "aead"], Own(MetricType::Info, build), "The running build, and the cipher backend that it chose."),
    family("ringwall_config_generation", &[], Own(MetricType::Gauge, generation), "Generation of the snapshot in effect."),
    family("ringwall_config_last_reload_success", &[], Own(MetricType::Gauge, last_reload), "Whether the last reload was applied; 1 before the first."),

    family("ringwall_worker_received_packets", WORKER, Worker(|c| c.received_packets.read()), "Frames taken from receive rings."),
    family("ringwall_worker_received_bytes", WORKER, Worker(|c| c.received_bytes.read()), "Bytes of those frames, link headers included."),
    family("ringwall_worker_transmitted_packets", WORKER, Worker(|c| c.transmitted_packets.read()), "Frames put on transmit rings."),
    family("ringwall_worker_transmitted_bytes", WORKER, Worker(|c| c.transmitted_bytes.read()), "Bytes of those frames, link headers included."),
    family("ringwall_worker_bursts", WORKER, Worker(|c| c.bursts.read()), "Bursts processed; received, taken over and injected packets per burst tell how busy the rings are."),
    family("ringwall_worker_turns", WORKER, Worker(|c| c.turns.read()), "Turns of the poll loop, empty ones included."),
    family("ringwall_worker_handed_over_packets", WORKER, Worker(|c| c.handed_over.read()), "Packets handed to other workers."),
    family("ringwall_worker_taken_over_packets", WORKER, Worker(|c| c.taken_over.read()), "Packets taken over from other workers."),
    family("ringwall_worker_punted_packets", WORKER, Worker(|c| c.punted.read()), "Packets that the kernel took through the tunnel device."),
    family("ringwall_worker_injected_packets", WORKER, Worker(|c| c.injected.read()), "Packets that the kernel sent through the tunnel device."),
    family("ringwall_worker_replies", WORKER, Worker(|c| c.replies.read()), "Replies built by the gateway: ICMP errors and TCP resets."),
    family("ringwall_worker_replies_limited", WORKER, Worker(|c| c.replies_limited.read()), "Replies that were due but over the reply rate."),
    family("ringwall_worker_handshakes_admitted", WORKER, Worker(|c| c.handshakes_admitted.read()), "Handshake messages that passed the gate."),
    family("ringwall_worker_cookie_replies", WORKER, Worker(|c| c.cookie_replies.read()), "Cookie replies sent."),
    family("ringwall_worker_commands", WORKER, Worker(|c| c.commands.read()), "Commands carried out for other threads."),
    family("ringwall_worker_events_lost", WORKER, Worker(|c| c.events_lost.read()), "Events that the control ring had no room for."),
    family("ringwall_worker_seconds", &["worker", "state"], Own(MetricType::Counter, worker_seconds), "Time of the poll loop by what a turn found: `busy` or `idle`, sleep included."),
    family("ringwall_worker_alive", WORKER, Own(MetricType::Gauge, worker_alive), "Whether the worker's heartbeat advances."),
    family("ringwall_worker_frames", &["worker", "state"], Own(MetricType::Gauge, worker_frames), "Frames of the worker outside its rings: `free`, `held` for a neighbour or a session, `owed` to others."),
    family("ringwall_worker_latency_seconds", WORKER, Own(MetricType::Histogram, latency), "Time from receive ring to transmit ring. The sum is exact to a sixteenth."),

    family("ringwall_stage_packets", STAGE, Stage(|s| s.packets.read()), "Packets that a stage looked at; a packet that goes to another worker to be opened is parsed at both, one to be sealed is counted by each later stage once."),
    family("ringwall_stage_timed_packets", STAGE, Stage(|s| s.timed_packets.read()), "Packets of the bursts whose stages were timed, a sample of all."),
    family("ringwall_stage_timed_seconds", STAGE, StageSeconds(|s| s.timed_nanos.read()), "Time of those bursts in the stage; divided by the timed packets it is the cost of a packet."),

    family("ringwall_drops", &["stage", "reason"], Own(MetricType::Counter, drops), "Packets dropped, by stage and reason; every dropped packet has exactly one reason."),

    family("ringwall_steering", &["exit"], Own(MetricType::Counter, steering), "Frames by exit of the steering program, all interfaces together."),
    family("ringwall_interface", &["interface", "mode", "zero_copy"], Own(MetricType::Info, interfaces), "Interfaces, and the mode that was got."),
    family("ringwall_interface_up", INTERFACE, Own(MetricType::Gauge, interface_up), "Whether the link is up with carrier."),
    family("ringwall_interface_stepped_down", INTERFACE, Own(MetricType::Gauge, interface_stepped_down), "Whether less than the best mode was got."),

    family("ringwall_queue_rx_dropped", QUEUE, OfQueue(|q| q.xdp.rx_dropped), "Packets for the queue's socket that the kernel dropped, for want of a frame or for their size."),
    family("ringwall_queue_rx_ring_full", QUEUE, OfQueue(|q| q.xdp.rx_ring_full), "Packets that the kernel dropped because the receive ring was full."),
    family("ringwall_queue_rx_fill_ring_empty_descs", QUEUE, OfQueue(|q| q.xdp.rx_fill_ring_empty_descs), "Times the kernel needed a frame and found the fill ring empty."),
    family("ringwall_queue_rx_invalid_descs", QUEUE, OfQueue(|q| q.xdp.rx_invalid_descs), "Descriptors that the kernel refused in the fill ring."),
    family("ringwall_queue_tx_invalid_descs", QUEUE, OfQueue(|q| q.xdp.tx_invalid_descs), "Descriptors that the kernel refused in the transmit ring."),
    family("ringwall_queue_tx_ring_empty_descs", QUEUE, OfQueue(|q| q.xdp.tx_ring_empty_descs), "Times the kernel looked for a packet to send and found none; no fault."),
    family("ringwall_queue_kicks", QUEUE, OfQueue(|q| q.kicks), "Times the kernel was woken for the queue."),
    family("ringwall_queue_ring_entries", RING, Own(MetricType::Gauge, ring_entries), "Descriptors in a ring of the queue: `rx`, `tx`, `fill` or `completion`."),
    family("ringwall_queue_ring_size", RING, Own(MetricType::Gauge, ring_sizes), "Descriptors that the ring can hold."),

    family("ringwall_wireguard_agreements", &[], Handshakes(|h| h.agreements), "Shared secrets computed with X25519."),
    family("ringwall_wireguard_initiations_sent", &[], Handshakes(|h| h.initiations_sent), "Handshake initiations sent, repeated ones included."),
    family("ringwall_wireguard_retries", &[], Handshakes(|h| h.retries), "Handshake initiations that were repeated."),
    family("ringwall_wireguard_accepted", &[], Handshakes(|h| h.accepted), "Sessions made as responder."),
    family("ringwall_wireguard_completed", &[], Handshakes(|h| h.completed), "Sessions made as initiator."),
    family("ringwall_wireguard_cookies_kept", &[], Handshakes(|h| h.cookies_kept), "Cookies received from loaded peers."),
    family("ringwall_wireguard_given_up", &[], Handshakes(|h| h.given_up), "Handshakes given up."),
    family("ringwall_wireguard_peers", &[], Own(MetricType::Gauge, peer_count), "Peers configured."),
    family("ringwall_wireguard_peer_received_packets", PEER, OfPeer(|p| p.rx_packets), "Data messages accepted from the peer."),
    family("ringwall_wireguard_peer_received_bytes", PEER, OfPeer(|p| p.rx_bytes), "Bytes of messages accepted from the peer, headers, padding, tags and handshakes included, as wg(8) counts them."),
    family("ringwall_wireguard_peer_transmitted_packets", PEER, OfPeer(|p| p.tx_packets), "Data messages sealed for the peer."),
    family("ringwall_wireguard_peer_transmitted_bytes", PEER, OfPeer(|p| p.tx_bytes), "Bytes of messages for the peer, headers, padding, tags and handshakes included, as wg(8) counts them."),
    family("ringwall_wireguard_peer_latest_handshake_timestamp_seconds", PEER, Own(MetricType::Gauge, latest_handshake), "When the newest session was made, in seconds since the Unix epoch; absent before the first."),
];

/// Nanoseconds as seconds.
pub(super) fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

fn build(scrape: &Scrape<'_>, samples: &mut Samples<'_>) -> fmt::Result {
    samples.info(&[env!("CARGO_PKG_VERSION"), scrape.observer.aead.name()])
}

fn generation(scrape: &Scrape<'_>, samples: &mut Samples<'_>) -> fmt::Result {
    samples.gauge(&[], scrape.view.snapshot.generation)
}

fn last_reload(scrape: &Scrape<'_>, samples: &mut Samples<'_>) -> fmt::Result {
    let applied = scrape.view.reload.as_ref().is_none_or(|reload| reload.applied);
    samples.gauge(&[], u64::from(applied))
}

fn worker_seconds(scrape: &Scrape<'_>, samples: &mut Samples<'_>) -> fmt::Result {
    scrape.workers(|number, counters| {
        [("busy", &counters.busy_nanos), ("idle", &counters.idle_nanos)]
            .into_iter()
            .try_for_each(|(state, nanos)| samples.counter(&[number, state], seconds(nanos.read())))
    })
}

fn worker_alive(scrape: &Scrape<'_>, samples: &mut Samples<'_>) -> fmt::Result {
    scrape.numbered().try_for_each(|(number, worker)| {
        samples.gauge(&[&number], u64::from(scrape.observer.is_alive(worker)))
    })
}

fn worker_frames(scrape: &Scrape<'_>, samples: &mut Samples<'_>) -> fmt::Result {
    scrape.workers(|number, counters| {
        let states = [
            ("free", &counters.frames_free),
            ("held", &counters.frames_held),
            ("owed", &counters.frames_owed),
        ];
        states
            .into_iter()
            .try_for_each(|(state, frames)| samples.gauge(&[number, state], frames.read()))
    })
}

/// Upper bounds of the latency buckets: powers of two from a microsecond to a second.
const LATENCY_POWERS: std::ops::RangeInclusive<u32> = 10..=30;

fn latency(scrape: &Scrape<'_>, samples: &mut Samples<'_>) -> fmt::Result {
    scrape.workers(|number, counters| {
        let bound = |power: u32| seconds(1 << power);
        let mut buckets: Vec<_> = LATENCY_POWERS.map(|power| (bound(power), 0)).collect();
        buckets.push((f64::INFINITY, 0));
        let mut sum = 0.0;
        for (nanos, count) in counters.latency.read() {
            // The histogram's parts never straddle a power of two, so each falls into one bucket whole.
            let value = seconds(nanos);
            if let Some((_, bucket)) = buckets.iter_mut().find(|(bound, _)| value < *bound) {
                *bucket += count;
            }
            sum += value * count as f64;
        }
        samples.histogram(&[number], sum, &buckets)
    })
}

fn drops(scrape: &Scrape<'_>, samples: &mut Samples<'_>) -> fmt::Result {
    Reason::all().try_for_each(|reason| {
        let labels = [reason.stage().name(), reason.name()];
        samples.counter(&labels, show::dropped(scrape.observer, reason))
    })
}

fn steering(scrape: &Scrape<'_>, samples: &mut Samples<'_>) -> fmt::Result {
    scrape.view.exits.iter().try_for_each(|&(exit, packets)| samples.counter(&[exit], packets))
}

fn interfaces(scrape: &Scrape<'_>, samples: &mut Samples<'_>) -> fmt::Result {
    scrape.view.devices.iter().try_for_each(|device| {
        let zero_copy = if device.zero_copy { "true" } else { "false" };
        samples.info(&[&device.found.name, &device.mode, zero_copy])
    })
}

fn interface_up(scrape: &Scrape<'_>, samples: &mut Samples<'_>) -> fmt::Result {
    scrape
        .view
        .devices
        .iter()
        .try_for_each(|device| samples.gauge(&[&device.found.name], u64::from(device.link_up)))
}

fn interface_stepped_down(scrape: &Scrape<'_>, samples: &mut Samples<'_>) -> fmt::Result {
    scrape.view.devices.iter().try_for_each(|device| {
        let stepped_down = u64::from(device.stepped_down.is_some());
        samples.gauge(&[&device.found.name], stepped_down)
    })
}

fn ring_entries(scrape: &Scrape<'_>, samples: &mut Samples<'_>) -> fmt::Result {
    rings(scrape, samples, |ring| ring.level)
}

fn ring_sizes(scrape: &Scrape<'_>, samples: &mut Samples<'_>) -> fmt::Result {
    rings(scrape, samples, |ring| ring.size)
}

fn rings(
    scrape: &Scrape<'_>,
    samples: &mut Samples<'_>,
    read: fn(RingLevel) -> u32,
) -> fmt::Result {
    scrape.queues.iter().try_for_each(|queue| {
        let rings = [
            ("rx", queue.rx),
            ("tx", queue.tx),
            ("fill", queue.fill),
            ("completion", queue.completion),
        ];
        let number = queue.queue.to_string();
        rings.into_iter().try_for_each(|(name, ring)| {
            samples.gauge(&[&queue.interface, &number, name], u64::from(read(ring)))
        })
    })
}

fn peer_count(scrape: &Scrape<'_>, samples: &mut Samples<'_>) -> fmt::Result {
    samples.gauge(&[], scrape.view.peers.len() as u64)
}

fn latest_handshake(scrape: &Scrape<'_>, samples: &mut Samples<'_>) -> fmt::Result {
    let made = |peer: &'_ Peer| peer.latest_handshake_unix.map(|at| (peer.name.clone(), at));
    scrape.peers.iter().filter_map(made).try_for_each(|(peer, at)| samples.gauge(&[&peer], at))
}
