//! A child process that ends with the value that stands for it.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A running child; its output goes to a log file. Dropped: told to end, and killed when it does not within a second.
#[derive(Debug)]
pub struct Background {
    child: Child,
    log: PathBuf,
}

impl Background {
    /// Starts the command with both outputs in `log`.
    ///
    /// # Errors
    /// When the log cannot be made or the program not be started.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| log.display().to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("{command:?} cannot be started"))?;
        Ok(Self { child, log: log.to_path_buf() })
    }

    /// Process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal; one that has ended already is left alone.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended in between; then nobody is there to signal, as its id is held until it is reaped.
            let _ = kill_process(pid, signal);
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                bail!("process {} still runs after {limit:?}\n{}", self.id(), self.log());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for its end and returns what it printed.
    ///
    /// # Errors
    /// When it still runs after `limit`, or ended with a failure.
    pub fn finish(&mut self, limit: Duration) -> Result<String> {
        let status = self.wait(limit)?;
        if status.success() { Ok(self.log()) } else { bail!("{status}\n{}", self.log()) }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if self.is_running() {
            self.signal(Signal::TERM);
            if self.wait(Duration::from_secs(1)).is_err() {
                // Both fail only for a child that is gone.
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.log());
        }
    }
}
