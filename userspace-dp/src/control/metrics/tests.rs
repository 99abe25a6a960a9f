//! The endpoint's text, read back as a scraper reads it.

use std::collections::{BTreeMap, BTreeSet};

use io::{Census, PortStatistics};
use pipeline::PortId;

use super::*;
use crate::control::testing::{Scene, peers, scene};
use crate::runtime::shared::{QueueReport, WorkerReport};
use telemetry::{Reason, Stage};

/// A family as the text shows it.
#[derive(Default)]
struct Shown {
    kind: String,
    help: String,
    /// Full name, labels as written, value.
    samples: Vec<(String, String, f64)>,
}

fn text(scene: &Scene) -> String {
    Exporter::new(Arc::clone(&scene.observer)).metrics()
}

/// Reads the text; panics over everything that the format does not allow.
fn parse(text: &str) -> BTreeMap<String, Shown> {
    let mut families: BTreeMap<String, Shown> = BTreeMap::new();
    let body = text.strip_suffix("# EOF\n").expect("the end is marked");
    let mut current = String::new();
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a help text");
            current = name.to_owned();
            assert!(!families.contains_key(name), "{name} comes twice");
            families.entry(current.clone()).or_default().help = help.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert_eq!(name, current, "the type stands under its help");
            families.get_mut(name).unwrap().kind = kind.to_owned();
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let labels = labels.strip_suffix('}').unwrap_or(labels);
            assert!(name.starts_with(&current), "{name} stands among {current}");
            let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
            let sample = (name.to_owned(), labels.to_owned(), value);
            families.get_mut(&current).unwrap().samples.push(sample);
        }
    }
    families
}

fn value(families: &BTreeMap<String, Shown>, family: &str, labels: &str) -> f64 {
    let samples = &families[family].samples;
    let found = samples.iter().find(|(_, shown, _)| shown == labels);
    found.unwrap_or_else(|| panic!("{family} has no {{{labels}}}: {samples:?}")).2
}

#[test]
fn every_family_of_the_table_has_help_a_type_and_the_suffix_of_its_type() {
    let scene = scene(2, &peers(2));
    let families = parse(&text(&scene));
    assert_eq!(families.len(), FAMILIES.len());
    for family in FAMILIES {
        let shown = &families[family.name];
        assert_eq!(
            (shown.help.as_str(), shown.kind.as_str()),
            (family.help, family.kind().as_str())
        );
        let suffixes: &[&str] = match family.kind() {
            MetricType::Counter => &["_total"],
            MetricType::Gauge => &[""],
            MetricType::Info => &["_info"],
            MetricType::Histogram => &["_sum", "_count", "_bucket"],
            MetricType::Unknown => &[],
        };
        for (name, labels, _) in &shown.samples {
            let suffix = name.strip_prefix(family.name).unwrap();
            assert!(suffixes.contains(&suffix), "{name} of type {}", shown.kind);
            let keys: Vec<_> =
                labels.split(',').filter_map(|label| Some(label.split_once('=')?.0)).collect();
            let keys: Vec<_> = keys.into_iter().filter(|key| *key != "le").collect();
            assert_eq!(keys, family.labels, "{name}");
        }
    }
}

#[test]
fn names_are_in_base_units_and_in_the_alphabet() {
    for family in FAMILIES {
        let name = family.name;
        assert!(name.starts_with("ringwall_"), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        let scaled = [
            "_ms",
            "_us",
            "_ns",
            "milliseconds",
            "microseconds",
            "nanos",
            "kilobytes",
            "percent",
            "ratio_",
        ];
        assert!(!scaled.iter().any(|unit| name.contains(unit)), "{name} is not in base units");
        assert!(!name.ends_with("_total"), "{name}: the suffix is the library's");
        assert!(
            family.help.ends_with('.') || family.help.contains(". "),
            "{name}: {}",
            family.help
        );
    }
}

#[test]
fn every_reason_has_a_series_with_what_all_threads_dropped() {
    let scene = scene(2, "");
    for (position, reason) in (1..).zip(Reason::all()) {
        scene.observer.workers[0].shared.counters.count_drop(reason, position);
        scene.observer.workers[1].shared.counters.count_drop(reason, 1_000);
        scene.observer.slow_path.count_drop(reason, 10_000);
        scene.observer.handshakes.count_drop(reason, 100_000);
    }
    let families = parse(&text(&scene));
    assert_eq!(families["ringwall_drops"].samples.len(), Reason::all().len());
    for (position, reason) in (1..).zip(Reason::all()) {
        let labels = format!("stage=\"{}\",reason=\"{}\"", reason.stage().name(), reason.name());
        assert_eq!(value(&families, "ringwall_drops", &labels), f64::from(111_000 + position));
    }
}

#[test]
fn each_worker_and_stage_shows_its_own_count_in_seconds_where_it_is_time() {
    let scene = scene(2, "");
    let counters = &scene.observer.workers[1].shared.counters;
    counters.received_packets.add(5);
    counters.busy_nanos.add(1_500_000_000);
    counters.stage(Stage::Egress).timed_nanos.add(2_000);
    let families = parse(&text(&scene));
    let of = |family: &str, labels: &str| value(&families, family, labels);
    assert_eq!(of("ringwall_worker_received_packets", "worker=\"0\""), 0.0);
    assert_eq!(of("ringwall_worker_received_packets", "worker=\"1\""), 5.0);
    assert_eq!(of("ringwall_worker_seconds", "worker=\"1\",state=\"busy\""), 1.5);
    assert_eq!(of("ringwall_stage_timed_seconds", "worker=\"1\",stage=\"egress\""), 2e-6);
    assert_eq!(families["ringwall_stage_packets"].samples.len(), 2 * Stage::COUNT);
}

#[test]
fn latency_is_a_cumulative_histogram_that_counts_every_packet_once() {
    let scene = scene(1, "");
    let latency = &scene.observer.workers[0].shared.counters.latency;
    latency.record(500, 1);
    latency.record(3_000, 10);
    latency.record(5_000_000_000, 2);
    let families = parse(&text(&scene));
    let buckets: Vec<f64> = families["ringwall_worker_latency_seconds"]
        .samples
        .iter()
        .filter(|(name, _, _)| name.ends_with("_bucket"))
        .map(|(_, _, count)| *count)
        .collect();
    assert!(buckets.is_sorted());
    assert_eq!(buckets.first(), Some(&1.0));
    assert_eq!((buckets[1], buckets[2]), (1.0, 11.0));
    assert_eq!(buckets[buckets.len() - 2..], [11.0, 13.0]);
    let of = |suffix: &str| {
        let samples = &families["ringwall_worker_latency_seconds"].samples;
        samples.iter().find(|(name, _, _)| name.ends_with(suffix)).unwrap().2
    };
    assert_eq!(of("_count"), 13.0);
    assert!((9.0..=10.1).contains(&of("_sum")), "{}", of("_sum"));
}

#[test]
fn peers_have_series_up_to_the_configured_number_and_none_above() {
    let families = |allowed: u32| {
        let telemetry = format!("[telemetry]\nper_peer_series = {allowed}\n");
        parse(&text(&scene(1, &(peers(3) + &telemetry))))
    };
    let (few, many) = (families(3), families(2));
    let peers = |families: &BTreeMap<String, Shown>| {
        families["ringwall_wireguard_peer_received_bytes"].samples.len()
    };
    assert_eq!((peers(&few), peers(&many)), (3, 0));
    assert_eq!(value(&many, "ringwall_wireguard_peers", ""), 3.0);
}

/// A worker's report of one queue of the second device, everything counted with a number of its own.
fn report_of_a_queue(queue: u32) -> WorkerReport {
    let statistics = PortStatistics {
        receive_dropped: 1,
        receive_ring_full: 2,
        fill_ring_empty: 3,
        fill_descriptors_refused: 4,
        transmit_descriptors_refused: 5,
        transmit_ring_empty: 6,
        kicks: 7,
        ..PortStatistics::default()
    };
    let census = Census { receive: 11, transmit: 12, fill: 13, completion: 14, ..Census::EMPTY };
    WorkerReport {
        census,
        queues: vec![QueueReport { port: PortId(1), queue, statistics, census }],
        lent: 0,
        borrowed: 0,
        handoffs: Vec::new(),
        peers: Vec::new(),
    }
}

#[test]
fn each_socket_shows_what_the_kernel_counts_for_it_and_how_full_its_rings_are() {
    let scene = scene(2, "");
    let families = std::thread::scope(|scope| {
        let endpoint = Exporter::new(Arc::clone(&scene.observer));
        let scrape = scope.spawn(move || endpoint.metrics());
        for (queue, worker) in (0..).zip(&scene.observer.workers) {
            while !worker.shared.is_asked() {
                std::thread::yield_now();
            }
            worker.shared.tell(report_of_a_queue(queue));
        }
        parse(&scrape.join().unwrap())
    });
    let expected = [
        ("rx_dropped", 1.0),
        ("rx_ring_full", 2.0),
        ("rx_fill_ring_empty_descs", 3.0),
        ("rx_invalid_descs", 4.0),
        ("tx_invalid_descs", 5.0),
        ("tx_ring_empty_descs", 6.0),
        ("kicks", 7.0),
    ];
    for queue in 0..2 {
        let labels = format!("interface=\"eth1\",queue=\"{queue}\"");
        for (name, count) in expected {
            assert_eq!(value(&families, &format!("ringwall_queue_{name}"), &labels), count);
        }
        let configured = &scene.observer.view().loaded.config.interface[1];
        for (ring, entries, size) in [
            ("rx", 11.0, configured.rx_ring),
            ("tx", 12.0, configured.tx_ring),
            ("fill", 13.0, configured.fill_ring),
            ("completion", 14.0, configured.completion_ring),
        ] {
            let labels = format!("{labels},ring=\"{ring}\"");
            assert_eq!(value(&families, "ringwall_queue_ring_entries", &labels), entries);
            assert_eq!(value(&families, "ringwall_queue_ring_size", &labels), f64::from(size));
        }
    }
}

#[test]
fn no_series_has_a_label_that_traffic_can_choose() {
    let scene = scene(2, &peers(2));
    let bounded: BTreeSet<&str> = [
        "worker",
        "state",
        "stage",
        "reason",
        "exit",
        "interface",
        "mode",
        "zero_copy",
        "version",
        "aead",
        "peer",
        "queue",
        "ring",
    ]
    .into();
    for family in FAMILIES {
        let unknown = family.labels.iter().find(|label| !bounded.contains(*label));
        assert_eq!(unknown, None, "{}", family.name);
    }
    let before = text(&scene).lines().count();
    for worker in &scene.observer.workers {
        Reason::all().for_each(|reason| worker.shared.counters.count_drop(reason, 1));
        worker.shared.counters.latency.record(123_456, 7);
    }
    assert_eq!(text(&scene).lines().count(), before, "traffic made new series");
}

#[test]
fn labels_are_escaped() {
    let scene = scene(1, "");
    scene.observer.renew(|view| view.devices[0].mode = "a\"b\\c\nd".into());
    assert!(text(&scene).contains(r#"mode="a\"b\\c\nd""#));
}

#[test]
fn a_silent_worker_makes_the_gateway_unhealthy_and_a_gateway_without_links_is_not_ready() {
    let scene = scene(2, "");
    let endpoint = Exporter::new(Arc::clone(&scene.observer));
    assert_eq!((endpoint.healthy(), endpoint.ready()), (Ok(()), Ok(())));
    scene.observer.renew(|view| view.devices.iter_mut().for_each(|device| device.link_up = false));
    assert_eq!(endpoint.healthy(), Ok(()));
    assert!(endpoint.ready().unwrap_err().contains("link"));
    scene.observer.workers[1].shared.beat(clock::Time::ZERO);
    assert!(endpoint.healthy().unwrap_err().contains("worker 1"));
    assert_eq!(value(&parse(&endpoint.metrics()), "ringwall_worker_alive", "worker=\"1\""), 0.0);
}
