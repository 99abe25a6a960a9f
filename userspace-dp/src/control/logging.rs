//! Where log lines go and what they look like. Only the control side logs; a worker never does.

use std::io::IsTerminal;
use std::sync::OnceLock;

use config::{LogFormat, LogLevel, Telemetry};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

/// The level in effect, to be changed by a reload.
static LEVEL: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

/// Starts logging to stderr. A second call, as tests make, keeps the first.
pub fn start(telemetry: &Telemetry) {
    let (level, handle) = reload::Layer::new(filter(telemetry.log_level));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .with_target(false);
    let lines: Box<dyn Layer<_> + Send + Sync> = match telemetry.log_format {
        LogFormat::Json => lines.json().boxed(),
        // The journal stamps lines itself.
        LogFormat::Auto if std::env::var_os("JOURNAL_STREAM").is_some() => {
            lines.without_time().boxed()
        }
        LogFormat::Auto | LogFormat::Text => lines.boxed(),
    };
    // Somebody may have started it before; that is as good.
    if tracing_subscriber::registry().with(level).with(lines).try_init().is_ok() {
        let _ = LEVEL.set(handle);
    }
}

/// Logs from `level` on.
pub fn set_level(level: LogLevel) {
    if let Some(handle) = LEVEL.get() {
        // The layer lives as long as the process.
        let _ = handle.reload(filter(level));
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}
