//! How every bench family measures and reports: interleaved rounds, medians, one line per figure and
//! peer on stdout, and all of it as JSON with the facts of the machine.
//!
//! A family is a `[[bench]]` target whose `main` makes a [`Family`], measures, and calls
//! [`Family::finish`]. Nothing but figures goes to stdout; what cannot be measured here is said on
//! stderr with [`Family::left_out`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What a figure counts, and with it which direction is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds per packet: a cost.
    NanosPerPacket,
    /// Nanoseconds per frame: a cost.
    NanosPerFrame,
    /// Nanoseconds: a cost.
    Nanos,
    /// Operations per second: a rate.
    PerSecond,
}

impl fmt::Display for Unit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NanosPerPacket => "ns/packet",
            Self::NanosPerFrame => "ns/frame",
            Self::Nanos => "ns",
            Self::PerSecond => "per_second",
        })
    }
}

/// One timed stretch of work.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// How long it took.
    pub elapsed: Duration,
    /// How many packets, frames or operations it did.
    pub items: u64,
}

impl Sample {
    /// Runs `work`, which does `items` things. Restore inputs before, not within.
    pub fn of(items: u64, work: impl FnOnce()) -> Self {
        let start = Instant::now();
        work();
        Self { elapsed: start.elapsed(), items }
    }

    fn value(self, unit: Unit) -> f64 {
        let items = self.items as f64;
        match unit {
            Unit::NanosPerPacket | Unit::NanosPerFrame | Unit::Nanos => {
                self.elapsed.as_nanos() as f64 / items
            }
            Unit::PerSecond => items / self.elapsed.as_secs_f64(),
        }
    }
}

/// Somebody who does the work of a figure: ours, or a peer.
pub struct Contender<'a> {
    name: String,
    run: Box<dyn FnMut() -> Sample + 'a>,
}

impl<'a> Contender<'a> {
    /// `run` does a fraction of a millisecond of work per call: short enough that a busy machine
    /// disturbs few rounds.
    pub fn new(name: &str, run: impl FnMut() -> Sample + 'a) -> Self {
        Self { name: name.to_owned(), run: Box::new(run) }
    }
}

/// One family of figures under way.
pub struct Family {
    name: &'static str,
    quick: bool,
    /// Parts of the names of the figures that were asked for; none means all.
    filters: Vec<String>,
    figures: Vec<Value>,
}

impl Family {
    /// A family by name; `--quick` among the program's arguments shortens it, and one that is no option restricts
    /// it to the figures whose name contains it.
    pub fn from_arguments(name: &'static str) -> Self {
        Self::new(name, std::env::args().skip(1))
    }

    fn new(name: &'static str, arguments: impl Iterator<Item = String>) -> Self {
        let (options, filters): (Vec<_>, Vec<_>) =
            arguments.partition(|argument| argument.starts_with("--"));
        let quick = options.iter().any(|option| option == "--quick");
        Self { name, quick, filters, figures: Vec::new() }
    }

    /// Whether the figure was asked for.
    pub fn wants(&self, figure: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| figure.contains(filter))
    }

    /// True if the whole family should take less than a minute.
    pub const fn is_quick(&self) -> bool {
        self.quick
    }

    /// Measures `ours` against `peers` in interleaved rounds and prints one line per peer. Every
    /// round runs everybody once, each time in another order, so that drift hits all alike.
    pub fn compare(&mut self, figure: &str, unit: Unit, ours: Contender, peers: Vec<Contender>) {
        let budget = Duration::from_millis(if self.quick { 1500 } else { 8000 });
        let mut everybody: Vec<_> = std::iter::once(ours).chain(peers).collect();
        let mut values: Vec<Vec<f64>> = vec![Vec::new(); everybody.len()];
        for contender in &mut everybody {
            (contender.run)();
        }
        let start = Instant::now();
        let mut round = 0;
        while round < MINIMUM_ROUNDS || (start.elapsed() < budget && round < MAXIMUM_ROUNDS) {
            for turn in 0..everybody.len() {
                let index = (turn + round) % everybody.len();
                values[index].push((everybody[index].run)().value(unit));
            }
            round += 1;
        }
        let medians: Vec<f64> = values.into_iter().map(median).collect();
        let names = everybody.iter().map(|contender| contender.name.as_str());
        let peers: Vec<(&str, f64)> = names.zip(medians.iter().copied()).skip(1).collect();
        self.record(figure, medians[0], &unit.to_string(), &peers);
    }

    /// Records a figure that was measured elsewhere (a lab run), with its peers' values.
    pub fn record(&mut self, figure: &str, value: f64, unit: &str, peers: &[(&str, f64)]) {
        if peers.is_empty() {
            self.line(figure, value, unit, None);
        }
        for peer in peers {
            self.line(figure, value, unit, Some(*peer));
        }
    }

    /// Says why a peer or a figure is missing.
    pub fn left_out(&self, what: &str, why: &str) {
        eprintln!("{}: {what} left out: {why}", self.name);
    }

    fn line(&mut self, figure: &str, value: f64, unit: &str, peer: Option<(&str, f64)>) {
        let (name, ratio) = match peer {
            Some((name, theirs)) => (name, format!("{:.3}", value / theirs)),
            None => ("-", "-".to_owned()),
        };
        println!("figure {figure} {value:.3} {unit} peer {name} ratio {ratio}");
        self.figures.push(json!({
            "figure": figure,
            "value": value,
            "unit": unit,
            "peer": peer.map(|(name, _)| name),
            "peer_value": peer.map(|(_, theirs)| theirs),
            "ratio": peer.map(|(_, theirs)| value / theirs),
        }));
    }

    /// Writes `benches/results/FAMILY.json` (`FAMILY.quick.json` for a quick run). A run that was restricted to
    /// some figures leaves the record of the whole family alone.
    pub fn finish(self) {
        if !self.filters.is_empty() {
            eprintln!("{}: not the whole family, so not recorded", self.name);
            return;
        }
        let kind = if self.quick { ".quick" } else { "" };
        let path = results_folder().join(format!("{}{kind}.json", self.name));
        let report = json!({
            "family": self.name,
            "quick": self.quick,
            "commit": output_of("git", &["rev-parse", "HEAD"]),
            "machine": machine(),
            "figures": self.figures,
        });
        let text = serde_json::to_string_pretty(&report).expect("plain values");
        let written = std::fs::create_dir_all(results_folder())
            .and_then(|()| std::fs::write(&path, text + "\n"));
        if let Err(error) = written {
            eprintln!("{}: results not written to {}: {error}", self.name, path.display());
        }
    }
}

fn results_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("results")
}

fn machine() -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    json!({
        "cpu": model.map(|(_, name)| name),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()),
        "rustc": output_of("rustc", &["--version"]),
    })
}

fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

const MINIMUM_ROUNDS: usize = 11;
const MAXIMUM_ROUNDS: usize = 2001;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_one_disturbed_round() {
        assert_eq!(median(vec![3.0, 1000.0, 2.0]), 3.0);
    }

    #[test]
    fn arguments_that_are_no_options_name_the_figures_that_are_wanted() {
        let family =
            |arguments: &[&str]| Family::new("f", arguments.iter().map(ToString::to_string));
        let some = family(&["--bench", "seal", "--quick", "open"]);
        assert!(some.is_quick() && some.wants("f.seal.64") && some.wants("f.open"));
        assert!(!some.wants("f.mint"));
        assert!(family(&["--bench"]).wants("f.mint") && !family(&["--bench"]).is_quick());
    }

    #[test]
    fn costs_are_per_item_and_rates_per_second() {
        let sample = Sample { elapsed: Duration::from_micros(2), items: 1000 };
        assert_eq!(sample.value(Unit::NanosPerPacket), 2.0);
        assert_eq!(sample.value(Unit::PerSecond), 5e8);
    }
}
