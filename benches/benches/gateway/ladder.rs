//! The best rate over a ladder of offered loads: beyond its best load a gateway may deliver less than below it, so no
//! single load would be fair to all.

use crate::accounting::Meter;
use crate::frame::Frame;
use crate::generator::{self, Sink, Source};
use anyhow::Result;
use lab::{Lab, Namespace};
use std::time::{Duration, Instant};

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
    /// Offers `load` frames per second and looks at what arrives during `seconds` of it.
    pub fn offer(&self, source: Source, load: u64, seconds: f64) -> Result<Outcome> {
        let _sending = generator::start(self.lab, self.source, source, &self.frame, load)?;
        let (before, meter, begin) = (self.sink.count()?, Meter::start()?, Instant::now());
        std::thread::sleep(Duration::from_secs_f64(seconds));
        let (busy, arrived) = (meter.busy()?, self.sink.count()? - before);
        Ok(Outcome {
            delivered: arrived as f64 / begin.elapsed().as_secs_f64(),
            cpu_per_frame: busy.div_f64(arrived.max(1) as f64),
        })
    }

    /// Offers each load in turn and returns the best rate delivered.
    pub fn best_of(&self, source: Source, loads: &[u64], seconds: f64) -> Result<f64> {
        let mut best = 0.0_f64;
        for &load in loads {
            best = best.max(self.offer(source, load, seconds)?.delivered);
        }
        Ok(best)
    }
}
