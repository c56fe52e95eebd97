//! The service's log: one line for each thing that an operator would want to know, on standard error.

use tracing_subscriber::filter::LevelFilter;

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Logs from now on.
pub(crate) fn start(format: LogFormat, level: LevelFilter) {
    let base =
        tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_target(false);
    let started = match format {
        LogFormat::Text => base.with_ansi(false).try_init(),
        LogFormat::Json => base.json().flatten_event(true).try_init(),
    };
    // Only one log can be started in a process; a second one changes nothing.
    started.ok();
}
