//! Rounds of everybody against everybody: each round runs every contender once, each time in another order.

use anyhow::{Context, Result};
use ringwall_benches::report::Family;

/// One figure drawn from a round's result.
pub struct Figure<R> {
    pub name: &'static str,
    pub unit: &'static str,
    pub value: fn(&R) -> f64,
}

/// Runs the contenders, ours first in `contenders`, and records the medians of every figure. A peer that fails is left
/// out with a line on stderr; ours failing is an error.
pub fn measure<K, R>(
    family: &mut Family,
    rounds: usize,
    contenders: &[(&str, K)],
    run: impl Fn(&K) -> Result<R>,
    figures: &[Figure<R>],
) -> Result<()> {
    let mut results: Vec<Vec<R>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            let index = (round + turn) % contenders.len();
            let (name, kind) = &contenders[index];
            match run(kind) {
                Ok(result) => results[index].push(result),
                Err(error) if index > 0 => family.left_out(name, &format!("{error:#}")),
                Err(error) => return Err(error.context((*name).to_owned())),
            }
        }
    }
    for figure in figures {
        let mut medians = contenders.iter().zip(&results).map(|((name, _), results)| {
            (*name, median(results.iter().map(figure.value).collect()))
        });
        let (_, ours) = medians.next().context("nobody to measure")?;
        let peers: Vec<(&str, f64)> =
            medians.filter_map(|(name, value)| value.map(|value| (name, value))).collect();
        family.record(figure.name, ours.context("no round")?, figure.unit, &peers);
    }
    Ok(())
}

/// The middle one of the values; none where there are none.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
