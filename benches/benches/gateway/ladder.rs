//! The best rate over a ladder of offered loads: beyond its best load a gateway may deliver less than below it, so no
//! single load would be fair to all.

use crate::accounting::Meter;
use crate::frame::Frame;
use crate::generator::{Sink, send};
use anyhow::Result;
use lab::{Lab, Namespace};
use std::time::Duration;

/// Where frames come from, what they are, and where they are counted.
pub struct Path<'a> {
    pub lab: &'a Lab,
    pub source: &'a Namespace,
    pub frame: Frame,
    pub sink: &'a Sink<'a>,
}

/// What one load came to.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Frames per second at the far host.
    pub delivered: f64,
    /// CPU time of the whole machine per frame at the far host, generator included.
    pub cpu_per_frame: Duration,
}

impl Path<'_> {
    /// Offers `load` frames per second for `seconds`.
    pub fn offer(&self, load: u64, seconds: f64) -> Result<Outcome> {
        let before = self.sink.count()?;
        let meter = Meter::start()?;
        let sent = send(self.lab, self.source, &self.frame, load, seconds)?;
        let busy = meter.busy()?;
        // What is still queued counts too.
        std::thread::sleep(Duration::from_millis(50));
        let arrived = self.sink.count()? - before;
        Ok(Outcome {
            delivered: arrived as f64 / sent.elapsed.as_secs_f64(),
            cpu_per_frame: busy.div_f64(arrived.max(1) as f64),
        })
    }

    /// Offers each load in turn and returns the best rate delivered.
    pub fn best_of(&self, loads: &[u64], seconds: f64) -> Result<f64> {
        let mut best = 0.0_f64;
        for &load in loads {
            best = best.max(self.offer(load, seconds)?.delivered);
        }
        Ok(best)
    }
}
