//! A running `ringwall`, driven as an operator drives it: a file, signals, the control socket.

use crate::background::Background;
use crate::network::{Lab, Namespace, output_of};
use crate::settings::{GatewaySettings, control_socket};
use crate::wait_until;
use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

/// How long a start may take: attaching and binding retries included.
const START_LIMIT: Duration = Duration::from_secs(20);

/// The gateway process in its namespace.
#[derive(Debug)]
pub struct RingwallGateway {
    process: Background,
    program: PathBuf,
    namespace: Namespace,
    directory: PathBuf,
}

impl RingwallGateway {
    /// Starts `program run` in `namespace` and waits until it says that it is ready.
    ///
    /// # Errors
    /// When it ends or does not become ready; its log is part of the error.
    pub fn start(
        program: &Path,
        lab: &Lab,
        namespace: &Namespace,
        settings: &GatewaySettings,
    ) -> Result<Self> {
        let directory = lab.path(&format!("{namespace}"));
        std::fs::create_dir_all(&directory)?;
        let configuration = settings.write(&directory)?;
        let mut command = namespace.command(&program.display().to_string());
        command.arg("run").arg("--config").arg(configuration);
        let log = lab.path(&format!("{namespace}.log"));
        let mut gateway = Self {
            process: Background::start(&mut command, &log)?,
            program: program.to_path_buf(),
            namespace: namespace.clone(),
            directory,
        };
        gateway.await_ready()?;
        Ok(gateway)
    }

    fn await_ready(&mut self) -> Result<()> {
        let (process, namespace) = (&mut self.process, &self.namespace);
        wait_until("the gateway is ready", START_LIMIT, || {
            !process.is_running()
                || namespace.run("curl -fsS --max-time 1 http://127.0.0.1:9586/readyz").is_ok()
        })
        .with_context(|| self.process.log())?;
        ensure!(self.process.is_running(), "the gateway ended:\n{}", self.process.log());
        Ok(())
    }

    /// Runs a verb of the command line against this gateway and returns its standard output.
    ///
    /// # Errors
    /// When the verb fails.
    pub fn verb(&self, line: &str) -> Result<String> {
        let mut command = Command::new("timeout");
        command.args(["-k", "1", "20"]).arg(&self.program);
        command.arg("--socket").arg(control_socket(&self.directory));
        output_of(command.args(line.split_whitespace()), line)
    }

    /// Runs a verb with `--json` and returns the body found under `key`.
    ///
    /// # Errors
    /// When the verb fails or answers something else.
    pub fn json(&self, line: &str, key: &str) -> Result<Value> {
        let mut reply: Value = serde_json::from_str(&self.verb(&format!("{line} --json"))?)?;
        reply
            .get_mut(key)
            .map(Value::take)
            .with_context(|| format!("{line}: no {key} in the reply"))
    }

    /// Packets dropped for `reason`.
    ///
    /// # Errors
    /// When the gateway does not answer, or knows no such reason.
    pub fn drops(&self, reason: &str) -> Result<u64> {
        let table = self.json("show drops", "drops")?;
        let rows = table["drops"].as_array().context("show drops: no rows")?;
        rows.iter()
            .find(|row| row["reason"] == reason)
            .and_then(|row| row["count"].as_u64())
            .with_context(|| format!("show drops: no reason {reason}"))
    }

    /// A counter or gauge of the metrics endpoint, summed over its labels.
    ///
    /// # Errors
    /// When the endpoint does not answer, or has no such series.
    pub fn metric(&self, name: &str) -> Result<u64> {
        let page = self.namespace.run("curl -fsS --max-time 5 http://127.0.0.1:9586/metrics")?;
        let samples = page.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let family = series.split('{').next()?;
            if family == name { value.parse::<u64>().ok() } else { None }
        });
        let samples = samples.collect::<Vec<_>>();
        ensure!(!samples.is_empty(), "no metric {name}:\n{page}");
        Ok(samples.iter().sum())
    }

    /// Writes `settings` over the configuration, sends SIGHUP, and waits until the gateway has dealt with it.
    /// Answers whether they were applied.
    ///
    /// # Errors
    /// When the gateway reports nothing within 10 seconds.
    pub fn reload(&self, settings: &GatewaySettings) -> Result<bool> {
        settings.write(&self.directory)?;
        self.reload_file()
    }

    /// Writes any text over the configuration and reloads as [`Self::reload`] does.
    ///
    /// # Errors
    /// When the gateway reports nothing within 10 seconds.
    pub fn reload_text(&self, text: &str) -> Result<bool> {
        std::fs::write(self.directory.join("gateway.toml"), text)?;
        self.reload_file()
    }

    fn reload_file(&self) -> Result<bool> {
        let report = || self.json("status", "status").map(|status| status["reload"].clone());
        let before = report()?;
        // Reports are dated in whole seconds: two of them must not look alike.
        std::thread::sleep(Duration::from_millis(if before.is_null() { 0 } else { 1100 }));
        self.signal(Signal::HUP);
        let mut after = Value::Null;
        wait_until("the gateway reports its reload", Duration::from_secs(10), || {
            after = report().unwrap_or(Value::Null);
            !after.is_null() && after != before
        })?;
        after["applied"].as_bool().context("status: no reload.applied")
    }

    /// Sends a signal to the gateway.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for the gateway's end.
    ///
    /// # Errors
    /// When it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.process.wait(limit)
    }

    /// Whether the gateway runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}
