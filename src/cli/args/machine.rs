//! The part of the command line that is about what runs on the machine: the programs, their
//! logs, the models they may use.

use super::Json;
use clap::{Args, Subcommand};
use std::convert::Infallible;
use wire::SessionId;

/// `server`.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// Run it here, in the foreground, until it is stopped
    #[arg(long, short)]
    pub(crate) foreground: bool,
    #[command(subcommand)]
    pub(crate) act: Option<ServiceAct>,
}

/// What to have the service manager do with a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum ServiceAct {
    /// Listen; the program itself starts at the first connection
    Start,
    /// Stop, and stay stopped; turns under way go on
    Stop,
    /// Restart in one step; no connection is refused meanwhile
    Restart,
    /// Say what the service manager says
    Status(Json),
}

/// `supervisor`.
#[derive(Debug, Args)]
pub(crate) struct SupervisorArgs {
    /// Run it here, in the foreground, until it is stopped
    #[arg(long, short)]
    pub(crate) foreground: bool,
    #[command(subcommand)]
    pub(crate) act: Option<SupervisorAct>,
}

/// What to do about the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum SupervisorAct {
    #[command(flatten)]
    Service(ServiceAct),
    /// Write its unit files, and listen from now on and at every login
    Install(Json),
    /// Stop it and take its unit files away; vault and state stay
    Uninstall(Json),
}

/// `sync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum SyncAct {
    /// List the folders, what the server knows of them, and who pushed last
    Status(Json),
}

/// `logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Go on with what is logged from now on, until Ctrl-C
    #[arg(long, short, conflicts_with = "until")]
    pub(crate) follow: bool,
    /// So many of the last lines [default: 50, or all with --since]
    #[arg(long, short = 'n', value_name = "N", value_parser = lines())]
    pub(crate) lines: Option<u16>,
    /// Only of this unit, such as parachute.service
    #[arg(long, value_name = "NAME", value_parser = unit)]
    pub(crate) unit: Option<String>,
    /// Only about this session
    #[arg(long, value_name = "ID", value_parser = SessionId::parse)]
    pub(crate) session: Option<SessionId>,
    /// Only about this turn
    #[arg(long, value_name = "ID")]
    pub(crate) turn: Option<String>,
    /// Only this grave or graver: 0 to 7, or emerg to debug
    #[arg(long, value_name = "PRIORITY", value_parser = priority)]
    pub(crate) priority: Option<u8>,
    /// Only from then on, such as 1h (ago) or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Only until then
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
    /// Only lines in which this regular expression is found
    #[arg(long, value_name = "REGEX", allow_hyphen_values = true)]
    pub(crate) grep: Option<String>,
    /// Only of this boot: 0 is the current one, -1 the one before, or its id
    #[arg(long, value_name = "BOOT", allow_hyphen_values = true)]
    pub(crate) boot: Option<String>,
    /// Print each entry as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The supervisor keeps to the same limit.
fn lines() -> impl clap::builder::TypedValueParser<Value = u16> {
    clap::value_parser!(u16).range(0..=5000)
}

/// As systemctl(1) has it, a unit without a kind is a service.
fn unit(text: &str) -> Result<String, Infallible> {
    Ok(if text.contains('.') { text.to_owned() } else { format!("{text}.service") })
}

/// syslog(3)'s names, and their numbers.
const PRIORITIES: [&str; 8] =
    ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

fn priority(text: &str) -> Result<u8, String> {
    let named = PRIORITIES.iter().zip(0..).find(|(name, _)| **name == text);
    let number = named.map(|(_, number)| number).or_else(|| text.parse().ok());
    let known = number.filter(|number| usize::from(*number) < PRIORITIES.len());
    known.ok_or_else(|| format!("it is 0 to 7, or one of {}", PRIORITIES.join(", ")))
}

/// `models`.
#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    /// Every model, not only the newest of each family
    #[arg(long)]
    pub(crate) all: bool,
    /// Ask the vendor anew
    #[arg(long)]
    pub(crate) refresh: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `migrate`.
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}
