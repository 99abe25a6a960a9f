//! Where log lines go and what they look like. Only the control side logs; a worker never does.

use std::io::IsTerminal;

use config::{LogFormat, LogLevel, Telemetry};
use tracing::level_filters::LevelFilter;

/// Starts logging to stderr. A second call, as tests make, keeps the first.
pub fn start(telemetry: &Telemetry) {
    let level = match telemetry.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .with_target(false);
    let started = match telemetry.log_format {
        LogFormat::Json => lines.json().try_init(),
        // systemd stamps lines itself.
        LogFormat::Auto if std::env::var_os("JOURNAL_STREAM").is_some() => lines.without_time().try_init(),
        LogFormat::Auto | LogFormat::Text => lines.try_init(),
    };
    // Somebody has started it before; that is as good.
    drop(started);
}
