//! Units of the user's own service manager: start, stop, look, list, and start one that no file
//! describes. What the manager says is the truth; nothing is remembered here.
//!
//! It writes no unit files and does not read logs.

use crate::Native;
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitStatus;
use tokio::sync::mpsc;

/// The manager, if one answers within two seconds. It is asked afresh each time, so that a
/// program may ask again after [`UnitError::Gone`].
///
/// Has to be called within a tokio runtime, which then carries the connection; it costs nothing
/// while nothing is asked.
pub async fn connect() -> Option<Native> {
    Native::connect().await
}

/// What can be done with units. An act is over when the manager says that its job ended, so
/// after `start` the unit runs (one of `Type=notify` has said that it is ready).
pub trait Units: Send + Sync {
    /// The manager's own name.
    const NAME: &'static str;
    /// Whether a service's sockets are a unit of their own, `….socket`.
    const SOCKET_UNITS: bool;

    /// Starts `unit`; one that runs stays as it is.
    fn start(&self, unit: &str) -> impl Future<Output = Result<(), UnitError>> + Send;

    /// Stops `unit`, which then stays stopped.
    fn stop(&self, unit: &str) -> impl Future<Output = Result<(), UnitError>> + Send;

    /// Stops and starts `unit` as one job of the manager, or starts it.
    fn restart(&self, unit: &str) -> impl Future<Output = Result<(), UnitError>> + Send;

    /// How `unit` is. One that does not exist has [`UnitStatus::load`] `not-found`.
    fn status(&self, unit: &str) -> impl Future<Output = Result<UnitStatus, UnitError>> + Send;

    /// Starts a unit that no file describes. It is kept, as by [`keep`](Units::keep); one of
    /// the same name that ended is forgotten first.
    fn start_transient(
        &self,
        unit: &Transient,
    ) -> impl Future<Output = Result<(), UnitError>> + Send;

    /// Has the manager remember how the transient `unit` ended, for `status`, until it is
    /// forgotten or this connection closes. Otherwise nothing is left of it once it ends.
    fn keep(&self, unit: &str) -> impl Future<Output = Result<(), UnitError>> + Send;

    /// Lets go of a unit that was kept. One that runs goes on, one that ended is gone; one that
    /// was not kept or is gone already is no error.
    fn forget(&self, unit: &str) -> impl Future<Output = Result<(), UnitError>> + Send;

    /// The units known to the manager whose names begin with `prefix`, kept ones that ended
    /// among them.
    fn list(&self, prefix: &str) -> impl Future<Output = Result<Vec<Listed>, UnitError>> + Send;

    /// Forgets that `unit` failed, and counts its restarts anew.
    fn reset_failed(&self, unit: &str) -> impl Future<Output = Result<(), UnitError>> + Send;

    /// Has `unit` begin at login, or not any more. What runs is not touched.
    fn enable(&self, unit: &str, begin: bool)
    -> impl Future<Output = Result<(), UnitError>> + Send;

    /// Reads changed unit files.
    fn reload(&self) -> impl Future<Output = Result<(), UnitError>> + Send;

    /// The last bad end of each of these units that the manager's log still has, however long
    /// ago; none where it keeps no such log. Costs a look into the log.
    fn failures(&self, units: &[&str]) -> impl Future<Output = Vec<Failure>> + Send {
        let _ = units;
        std::future::ready(Vec::new())
    }

    /// What becomes of the units whose names begin with `prefix`, from now on. The channel
    /// closes when the manager is gone; whoever drops it ends the watch.
    fn watch(
        &self,
        prefix: &str,
    ) -> impl Future<Output = Result<mpsc::Receiver<Changed>, UnitError>> + Send;
}

/// A bad end of a unit, as the manager's log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The unit.
    pub unit: String,
    /// When, in microseconds since 1970.
    pub at: u64,
    /// As [`UnitStatus::result`].
    pub result: String,
    /// How its main process ended, if that was what failed.
    pub exit_status: Option<ExitStatus>,
}

/// Something that a manager said of its own accord.
#[derive(Debug)]
pub enum Changed {
    /// A unit is so now. Each state it went through is told, however short it was.
    Unit(String, Box<UnitStatus>),
    /// The manager has put a unit out of its memory: it is inactive, and did not fail.
    Gone(String),
    /// Unit files were read anew, or enabled or disabled: ask again about all.
    Files,
}

/// Why an act on a unit did not come about.
#[derive(Debug, thiserror::Error)]
pub enum UnitError {
    /// The manager knows no such unit.
    #[error("there is no unit {0}")]
    Unknown(String),
    /// A unit of this name is there, so no transient one can be started.
    #[error("there is a unit {0} already")]
    Exists(String),
    /// The job ended otherwise than well. `result` is the manager's word for it: `failed`,
    /// `timeout`, `canceled`, `dependency`, …
    #[error("could not {act} {unit}: the job ended as {result}; its log says why")]
    Job {
        /// The unit.
        unit: String,
        /// `start`, `stop` or `restart`.
        act: &'static str,
        /// The manager's word.
        result: String,
    },
    /// The manager would not take the request.
    #[error("the service manager refused {unit}: {said}")]
    Refused {
        /// The unit.
        unit: String,
        /// Its reason.
        said: String,
    },
    /// The job did not end in time; it goes on.
    #[error("the job of {unit} did not end within {seconds} s")]
    Slow {
        /// The unit.
        unit: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The manager, or the road to it, is gone. Connect again.
    #[error("the service manager does not answer: {0}")]
    Gone(String),
    /// This manager cannot do that at all.
    #[error("this service manager cannot {0}")]
    Unsupported(&'static str),
}

/// How a unit is, in the manager's own words (systemd's, on every system).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitStatus {
    /// One line for people, from its file.
    pub description: String,
    /// `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    pub load: String,
    /// `active`, `activating`, `deactivating`, `inactive`, `failed`, `reloading`.
    pub active: String,
    /// What that means for this kind of unit: `running`, `listening`, `dead`, …
    pub sub: String,
    /// How its last run ended: `success`, `exit-code`, `signal`, `watchdog`, `oom-kill`,
    /// `timeout`, `start-limit-hit`, …; empty where a unit has no runs.
    pub result: String,
    /// Its main process, while there is one.
    pub pid: Option<u32>,
    /// Since when it is so, in microseconds since 1970.
    pub since: Option<u64>,
    /// How often the manager started it again by itself.
    pub restarts: u32,
    /// What it uses now, children included.
    pub memory_bytes: Option<u64>,
    /// The processor time it used, children included.
    pub cpu_nanoseconds: Option<u64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
    /// How its main process ended last.
    pub exit_status: Option<ExitStatus>,
    /// What it last said of itself (`STATUS=`, sd_notify(3)).
    pub said: String,
    /// For how long it may be silent before it is killed.
    pub watchdog_microseconds: Option<u64>,
    /// What it may use at most.
    pub memory_max_bytes: Option<u64>,
    /// Addresses of a socket unit, as its file has them, specifiers filled in.
    pub listens: Vec<String>,
    /// `enabled`, `disabled`, `static`, …, systemctl(1); empty where nobody knows.
    pub enabled: String,
    /// Its file.
    pub file: Option<PathBuf>,
    /// Files that change it.
    pub drop_ins: Vec<PathBuf>,
    /// Its files were changed after the manager read them.
    pub stale: bool,
}

/// One line of a list of units; the words are those of [`UnitStatus`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The unit's name.
    pub name: String,
    /// As [`UnitStatus::load`].
    pub load: String,
    /// As [`UnitStatus::active`].
    pub active: String,
    /// As [`UnitStatus::sub`].
    pub sub: String,
}

/// A service to be started without a file.
///
/// Its arguments and variables can be read by everybody who can ask the manager: no secrets.
/// Beside `env` it gets the variables of the manager, as every unit does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transient {
    /// Its name, `….service`.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// What to run: an absolute path.
    pub program: PathBuf,
    /// Arguments, the program's name not among them. Taken literally, `$` and `%` too; but at a
    /// restart after a daemon-reload systemd 252 spoils those with a `$`. `env` is safe.
    pub args: Vec<String>,
    /// Arguments of one more run of the program after it has ended, however it did; none if
    /// empty. That run is told how by `$SERVICE_RESULT` and `$EXIT_STATUS`, systemd.exec(5).
    pub afterwards: Vec<String>,
    /// Variables.
    pub env: Vec<(String, String)>,
    /// The slice it belongs to, whose totals bound it too.
    pub slice: String,
    /// The folder it starts in; must exist.
    pub directory: PathBuf,
    /// A unit at whose stop or restart this one is stopped or restarted.
    pub part_of: Option<String>,
    /// Whether it says when it is ready; if not, it counts as started once it runs.
    pub notify: bool,
    /// What it may use.
    pub limits: Limits,
    /// How long it may take to end before it is killed, in seconds.
    pub stop_seconds: u64,
}

/// What a unit may use; `None` leaves it to the manager.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Above this it is slowed down and its memory reclaimed (needs cgroup v2).
    pub memory_high_bytes: Option<u64>,
    /// Above this the kernel kills.
    pub memory_max_bytes: Option<u64>,
    /// Processes and threads.
    pub tasks_max: Option<u64>,
    /// Its share of the processor when there is not enough, 1 to 10000; 100 is usual.
    pub cpu_weight: Option<u64>,
}
