//! What Prometheus is told: every count of the gateway under a stable name, in base units, with bounded labels.
//!
//! The families stand in one table (`families`); the text format is the library's. A scrape runs on the
//! endpoint's thread and only reads: counters where they are, the view that control renews, and the workers' own reports.

mod families;
#[cfg(test)]
mod page;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use telemetry::WorkerCounters;
use wireguard::HandshakeStatistics;

use super::http::Health;
use super::observer::{Observer, View, WatchedWorker};
use super::show;
use crate::api::{Peer, Queue};
use families::{FAMILIES, Family, Source};

/// What the endpoint tells about one gateway.
pub struct Exporter {
    observer: Arc<Observer>,
    registry: Registry,
}

impl Exporter {
    /// The endpoint's view of `observer`.
    pub fn new(observer: Arc<Observer>) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Gatherer(Arc::clone(&observer))));
        Self { observer, registry }
    }
}

impl Health for Exporter {
    fn metrics(&self) -> String {
        let mut text = String::with_capacity(64 * 1024);
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            // A string takes everything, so this is what a bug of ours looks like: better nothing than half.
            Err(fmt::Error) => "# EOF\n".to_owned(),
        }
    }

    fn healthy(&self) -> Result<(), String> {
        let observer = &self.observer;
        let dead = observer.workers.iter().position(|worker| !observer.is_alive(worker));
        dead.map_or(Ok(()), |number| Err(format!("worker {number} is silent")))
    }

    fn ready(&self) -> Result<(), String> {
        self.healthy()?;
        let view = self.observer.view();
        if view.devices.iter().any(|device| device.link_up) || view.devices.is_empty() {
            Ok(())
        } else {
            Err("no interface has a link".into())
        }
    }
}

/// Gathers everything anew at each scrape.
struct Gatherer(Arc<Observer>);

impl fmt::Debug for Gatherer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Gatherer")
    }
}

impl Collector for Gatherer {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let scrape = Scrape::new(&self.0);
        FAMILIES.iter().try_for_each(|family| scrape.write(family, &mut encoder))
    }
}

/// One scrape: what is asked for once and used by several families.
struct Scrape<'a> {
    observer: &'a Observer,
    view: View,
    /// The sockets of the workers.
    queues: Vec<Queue>,
    /// Peers with series of their own: all, or none when there are too many.
    peers: Vec<Peer>,
    handshakes: Option<HandshakeStatistics>,
}

impl<'a> Scrape<'a> {
    fn new(observer: &'a Observer) -> Self {
        let view = observer.view();
        let series = view.loaded.config.telemetry.per_peer_series as usize;
        let shown = !view.peers.is_empty() && view.peers.len() <= series;
        let reports = observer.reports();
        let queues = show::queues(&reports, &view);
        let peers = if shown { show::peer_rows(&reports, &view) } else { Vec::new() };
        let handshakes = observer.client.as_ref().and_then(|client| client.statistics().ok());
        Self { observer, view, queues, peers, handshakes }
    }

    fn write(&self, family: &Family, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (name, help, kind) = (family.name, family.help, family.kind());
        let encoder = encoder.encode_descriptor(name, help, None, kind)?;
        let mut samples = Samples { encoder, labels: family.labels };
        match family.source {
            Source::Worker(read) => {
                self.workers(|number, counters| samples.counter(&[number], read(counters)))
            }
            Source::Stage(read) => {
                self.stages(|labels, counters| samples.counter(labels, read(counters)))
            }
            Source::StageSeconds(read) => self.stages(|labels, counters| {
                samples.counter(labels, families::seconds(read(counters)))
            }),
            Source::Handshakes(read) => match &self.handshakes {
                Some(statistics) => samples.counter(&[], read(statistics)),
                None => Ok(()),
            },
            Source::Queue(read) => self.queues.iter().try_for_each(|queue| {
                samples.counter(&[&queue.interface, &queue.queue.to_string()], read(queue))
            }),
            Source::Peer(read) => {
                self.peers.iter().try_for_each(|peer| samples.counter(&[&peer.name], read(peer)))
            }
            Source::Own(_, write) => write(self, &mut samples),
        }
    }

    fn workers(&self, mut write: impl FnMut(&str, &WorkerCounters) -> fmt::Result) -> fmt::Result {
        self.numbered().try_for_each(|(number, worker)| write(&number, &worker.shared.counters))
    }

    fn stages(
        &self,
        mut write: impl FnMut(&[&str], &telemetry::StageCounters) -> fmt::Result,
    ) -> fmt::Result {
        self.workers(|number, counters| {
            telemetry::Stage::ALL
                .iter()
                .try_for_each(|&stage| write(&[number, stage.name()], counters.stage(stage)))
        })
    }

    fn numbered(&self) -> impl Iterator<Item = (String, &WatchedWorker)> {
        self.observer
            .workers
            .iter()
            .enumerate()
            .map(|(number, worker)| (number.to_string(), worker))
    }
}

/// The samples of one family; each gives its labels' values in the family's order.
struct Samples<'a> {
    encoder: MetricEncoder<'a>,
    labels: &'static [&'static str],
}

impl Samples<'_> {
    fn counter(&mut self, values: &[&str], value: impl EncodeCounterValue) -> fmt::Result {
        self.labelled(values, |encoder| encoder.encode_counter::<NoLabelSet, _, u64>(&value, None))
    }

    fn gauge(&mut self, values: &[&str], value: impl EncodeGaugeValue) -> fmt::Result {
        self.labelled(values, |encoder| encoder.encode_gauge(&value))
    }

    fn info(&mut self, values: &[&str]) -> fmt::Result {
        let labels = self.pairs(values);
        self.encoder.encode_info(&labels)
    }

    /// `buckets`: upper bound and count of each, the last one without a bound.
    fn histogram(&mut self, values: &[&str], sum: f64, buckets: &[(f64, u64)]) -> fmt::Result {
        let count = buckets.iter().map(|(_, count)| count).sum();
        self.labelled(values, |encoder| {
            encoder.encode_histogram::<NoLabelSet>(sum, count, buckets, None)
        })
    }

    fn labelled(
        &mut self,
        values: &[&str],
        write: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let labels = self.pairs(values);
        if labels.is_empty() {
            write(&mut self.encoder)
        } else {
            write(&mut self.encoder.encode_family(&labels)?)
        }
    }

    fn pairs<'v>(&self, values: &[&'v str]) -> Vec<(&'static str, &'v str)> {
        debug_assert_eq!(self.labels.len(), values.len());
        self.labels.iter().copied().zip(values.iter().copied()).collect()
    }
}

impl Family {
    fn kind(&self) -> MetricType {
        match self.source {
            Source::Worker(_) | Source::Stage(_) | Source::StageSeconds(_) => MetricType::Counter,
            Source::Handshakes(_) | Source::Queue(_) | Source::Peer(_) => MetricType::Counter,
            Source::Own(kind, _) => kind,
        }
    }
}
