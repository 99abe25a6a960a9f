//! The signals that the control loop waits for, as streams.

use std::io::Read;
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The signals.
pub(super) struct Signals {
    terminate: UnixStream,
    interrupt: UnixStream,
    hang_up: UnixStream,
}

impl Signals {
    /// Catches them from here on.
    pub(super) fn catch() -> Result<Self> {
        let (terminate, interrupt) = (signal(SIGTERM)?, signal(SIGINT)?);
        Ok(Self { terminate, interrupt, hang_up: signal(SIGHUP)? })
    }

    /// What becomes readable when one arrives.
    pub(super) fn streams(&self) -> [&UnixStream; 3] {
        [&self.terminate, &self.interrupt, &self.hang_up]
    }

    /// Whether the gateway is to end.
    pub(super) fn ask_to_end(&mut self) -> bool {
        arrived(&mut self.terminate) || arrived(&mut self.interrupt)
    }

    /// Whether the configuration is to be read again.
    pub(super) fn ask_to_reload(&mut self) -> bool {
        arrived(&mut self.hang_up)
    }
}

/// A stream that becomes readable when `number` arrives.
fn signal(number: i32) -> Result<UnixStream> {
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(number, writer)
        .with_context(|| format!("signal {number} cannot be caught"))?;
    Ok(reader)
}

/// Whether the signal has arrived since the last time.
fn arrived(signal: &mut UnixStream) -> bool {
    let mut bytes = [0; 16];
    signal.read(&mut bytes).is_ok_and(|count| count > 0)
}
