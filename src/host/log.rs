//! Where a program's tracing goes: to the journal with its fields where standard error leads
//! there, else to standard error as lines. Level by `LOG_LEVEL`; no file is ever written.
//!
//! In the journal a field `session` of an event, or of a span around it, is
//! `PARACHUTE_SESSION=`, `turn` is `PARACHUTE_TURN=`, and so on. Crates that are not ours are
//! heard from `warn` up only, whatever the level: below that, HTTP clients log addresses with
//! tokens in them. The MCP SDK is not heard at all: it logs what strangers say to it.

use crate::{Machine, Native, variable};
use std::io::IsTerminal;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// What the journal's field names begin with, and (in lower case) the names of our crates.
pub(crate) const PREFIX: &str = "PARACHUTE";

/// Sets up tracing for the whole process; `program` is the name the journal shows. Call it once,
/// first. Where a subscriber is set already (a test's) it stays.
///
/// The level is `asked` for by the program's settings, else by `LOG_LEVEL`: one of `error`,
/// `warn`, `info`, `debug`, `trace`, `off`, in any case; the names of Python's logging are
/// understood too. Otherwise it is `info`.
pub fn init(program: &str, asked: Option<&str>) {
    let variable_says = variable("LOG_LEVEL").map(|value| value.to_string_lossy().into_owned());
    let asked = asked.map(str::to_owned).or(variable_says);
    let level = asked.as_deref().map(level);
    let heard = heard(level.flatten().unwrap_or(LevelFilter::INFO));
    if !Native::trace_to_journal(program, &heard) {
        let stderr = std::io::stderr;
        let colours = stderr().is_terminal() && variable("NO_COLOR").is_none();
        let lines = tracing_subscriber::fmt::layer().with_writer(stderr).with_ansi(colours);
        set(tracing_subscriber::registry().with(heard).with(lines));
    }
    if level == Some(None) {
        tracing::warn!(LOG_LEVEL = asked.as_deref(), "no such level; this is info");
    }
}

/// Makes `subscriber` the process's own, unless there is one.
pub(crate) fn set(subscriber: impl Into<tracing::Dispatch>) {
    if tracing::dispatcher::set_global_default(subscriber.into()).is_err() {
        tracing::debug!("tracing is set up already and stays as it is");
    }
}

/// Whether [`init`] sends to the journal: standard error is connected to it.
pub fn to_journal() -> bool {
    Native::journal_behind_stderr()
}

fn level(name: &str) -> Option<LevelFilter> {
    Some(match name.trim().to_ascii_lowercase().as_str() {
        "off" | "none" => LevelFilter::OFF,
        "error" | "critical" | "fatal" => LevelFilter::ERROR,
        "warn" | "warning" => LevelFilter::WARN,
        "info" | "notset" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => return None,
    })
}

fn heard(level: LevelFilter) -> Targets {
    // The names of our crates' libraries all begin so.
    let ours = PREFIX.to_ascii_lowercase();
    let others = level.min(LevelFilter::WARN);
    Targets::new()
        .with_default(others)
        .with_target(ours, level)
        .with_target("rmcp", LevelFilter::OFF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn levels_by_both_families_of_names() {
        assert_eq!(level("WARNING"), level("warn"));
        assert_eq!(level("CRITICAL"), Some(LevelFilter::ERROR));
        assert_eq!(level(" Debug "), Some(LevelFilter::DEBUG));
        assert_eq!(level("loud"), None);
    }

    #[test]
    fn others_are_heard_from_warn_up_only() {
        let heard = heard(LevelFilter::TRACE);
        assert!(heard.would_enable("parachute_server::routes", &Level::TRACE));
        assert!(heard.would_enable("hyper", &Level::WARN));
        assert!(!heard.would_enable("hyper", &Level::INFO));
        assert!(!heard.would_enable("rmcp::service::client", &Level::ERROR));
        assert!(!self::heard(LevelFilter::ERROR).would_enable("hyper", &Level::WARN));
    }
}
