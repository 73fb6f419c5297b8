//! The server without a service manager: `parachute-server` as a child of ours, in a process
//! group of its own. What `units/parachute.service` asks of systemd is done here and told in
//! systemd's words: ready means that it said so, a silent one is killed, one that crashed comes
//! back after a pause, one that was stopped stays stopped.
//!
//! It keeps this one program while we run, and nothing else: it holds no sockets for it and
//! begins nothing at login. Agents lead sessions of their own; their end is not ours to bring.

mod ear;
mod keeper;
mod output;
mod phase;
mod run;

use crate::units::{Changed, Listed, Transient, UnitError, UnitStatus, Units};
use keeper::{Act, Keeper, Reply};
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// The one unit there is.
const UNIT: &str = "parachute.service";

/// Orders that wait here; beyond that those who give them wait.
const ORDERS_MAX: usize = 16;

/// States that wait for a watch, twice: where they come from, and in its channel.
const CHANGES_MAX: usize = 64;

/// How long an order is waited for. What it takes has limits of its own, well below.
const JOB_SECONDS_MAX: u64 = 300;

/// What to run, and where it may leave what.
#[derive(Clone)]
pub struct Program {
    /// The program: an absolute path. It gets no arguments.
    pub program: PathBuf,
    /// The folder it starts in; must exist.
    pub dir: PathBuf,
    /// Its variables: these, and those by which it tells us how it is.
    pub env: Vec<(OsString, OsString)>,
    /// The file for all that it writes (mode 0600), in a folder that exists. What came before
    /// [`Bounds::log_bytes_max`] is beside it, with `.1` at the end of its name.
    pub log: PathBuf,
    /// The folder for the socket on which it tells us how it is: ours alone, made if missing.
    pub runtime: PathBuf,
    /// Whether it says when it is ready and that it is alive, as our programs do on Linux. If
    /// not, it counts as started once it runs, and its silence is borne.
    pub notify: bool,
    /// How patient we are with it.
    pub bounds: Bounds,
}

impl fmt::Debug for Program {
    /// Without the values of its variables: there may be secrets among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&OsString> = self.env.iter().map(|(name, _)| name).collect();
        f.debug_struct("Program")
            .field("program", &self.program)
            .field("dir", &self.dir)
            .field("env", &names)
            .field("log", &self.log)
            .field("runtime", &self.runtime)
            .field("notify", &self.notify)
            .field("bounds", &self.bounds)
            .finish()
    }
}

/// How patient we are, and how much is kept. The default is what `units/parachute.service` says
/// where that says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How long it may take to be ready.
    pub start: Duration,
    /// How long it may take to end before it is killed.
    pub stop: Duration,
    /// How long it may be silent once it is ready.
    pub watchdog: Duration,
    /// How long it stays down after its first crash; each further one doubles that.
    pub pause_min: Duration,
    /// How long it stays down at most.
    pub pause_max: Duration,
    /// After so long in good health its crashes are forgotten.
    pub steady: Duration,
    /// Crashes in a row that are borne; one more, and it stays down.
    pub crashes_max: u32,
    /// At this size the log is put aside, at the end of a line.
    pub log_bytes_max: u64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            start: Duration::from_secs(30),
            stop: Duration::from_secs(30),
            watchdog: Duration::from_secs(30),
            pause_min: Duration::from_millis(500),
            pause_max: Duration::from_secs(30),
            steady: Duration::from_secs(60),
            crashes_max: 20,
            log_bytes_max: 16 << 20,
        }
    }
}

/// The server, kept by ourselves. Clones are handles on the same one.
///
/// When the last of them is dropped the server is stopped in order, if the runtime lasts that
/// long; else it is killed. [`close`](Direct::close) waits for it.
#[derive(Debug, Clone)]
pub struct Direct {
    program: Arc<Path>,
    orders: mpsc::Sender<(Act, Reply)>,
    now: watch::Receiver<Arc<UnitStatus>>,
    changes: broadcast::WeakSender<Arc<UnitStatus>>,
}

impl Direct {
    /// Starts nothing yet. Has to be called within a tokio runtime, whose threads live as long
    /// as the program (see [`crate::child::command_bound`]).
    pub fn new(program: Program) -> Direct {
        let path: Arc<Path> = program.program.as_path().into();
        let (orders, given) = mpsc::channel(ORDERS_MAX);
        let (changes, _) = broadcast::channel(CHANGES_MAX);
        let weak = changes.downgrade();
        let (keeper, now) = Keeper::new(program, given, changes);
        tokio::spawn(keeper.keep());
        Direct { program: path, orders, now, changes: weak }
    }

    /// Stops the server in order and leaves nothing of it behind. Every further act, by this
    /// handle or another, is answered with [`UnitError::Gone`].
    pub async fn close(&self) {
        if let Err(error) = self.order("close", Act::Close).await {
            tracing::debug!(%error, "nothing was left to close");
        }
    }

    async fn act(&self, unit: &str, verb: &'static str, act: Act) -> Result<(), UnitError> {
        known(unit)?;
        self.order(verb, act).await
    }

    async fn order(&self, verb: &'static str, act: Act) -> Result<(), UnitError> {
        let (reply, answer) = oneshot::channel();
        self.orders.send((act, reply)).await.map_err(|_| closed())?;
        match tokio::time::timeout(Duration::from_secs(JOB_SECONDS_MAX), answer).await {
            Ok(answer) => answer.map_err(|_| closed())?,
            Err(_) => {
                tracing::warn!(verb, "the server is neither up nor down");
                Err(UnitError::Slow { unit: UNIT.to_owned(), seconds: JOB_SECONDS_MAX })
            }
        }
    }
}

impl Units for Direct {
    const NAME: &'static str = "direct";
    const SOCKET_UNITS: bool = false;

    async fn start(&self, unit: &str) -> Result<(), UnitError> {
        self.act(unit, "start", Act::Start).await
    }

    async fn stop(&self, unit: &str) -> Result<(), UnitError> {
        self.act(unit, "stop", Act::Stop).await
    }

    async fn restart(&self, unit: &str) -> Result<(), UnitError> {
        self.act(unit, "restart", Act::Restart).await
    }

    async fn status(&self, unit: &str) -> Result<UnitStatus, UnitError> {
        if unit != UNIT {
            return Ok(UnitStatus {
                load: "not-found".to_owned(),
                active: "inactive".to_owned(),
                sub: "dead".to_owned(),
                ..UnitStatus::default()
            });
        }
        let mut status = UnitStatus::clone(&self.now.borrow());
        status.load = load(&self.program).to_owned();
        status.memory_bytes = status.pid.and_then(memory_bytes);
        Ok(status)
    }

    async fn start_transient(&self, _unit: &Transient) -> Result<(), UnitError> {
        Err(UnitError::Unsupported("start a unit without a file; start a detached child"))
    }

    /// It is remembered by itself.
    async fn keep(&self, unit: &str) -> Result<(), UnitError> {
        known(unit)
    }

    async fn forget(&self, _unit: &str) -> Result<(), UnitError> {
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, UnitError> {
        if !UNIT.starts_with(prefix) {
            return Ok(Vec::new());
        }
        let UnitStatus { load, active, sub, .. } = self.status(UNIT).await?;
        Ok(vec![Listed { name: UNIT.to_owned(), load, active, sub }])
    }

    async fn reset_failed(&self, unit: &str) -> Result<(), UnitError> {
        self.act(unit, "reset-failed", Act::Reset).await
    }

    /// Nothing begins at login, so not to begin is granted.
    async fn enable(&self, unit: &str, begin: bool) -> Result<(), UnitError> {
        known(unit)?;
        match begin {
            true => Err(UnitError::Unsupported(
                "begin anything at login: it is the supervisor itself, without systemd or launchd",
            )),
            false => Ok(()),
        }
    }

    /// There are no unit files.
    async fn reload(&self) -> Result<(), UnitError> {
        Ok(())
    }

    /// Whoever is more than some hundred states behind is told [`Changed::Files`], and has to
    /// ask again.
    async fn watch(&self, prefix: &str) -> Result<mpsc::Receiver<Changed>, UnitError> {
        let changes = self.changes.upgrade().ok_or_else(closed)?.subscribe();
        let (tell, told) = mpsc::channel(CHANGES_MAX);
        tokio::spawn(forward(changes, UNIT.starts_with(prefix), tell));
        Ok(told)
    }
}

async fn forward(
    mut changes: broadcast::Receiver<Arc<UnitStatus>>,
    wanted: bool,
    tell: mpsc::Sender<Changed>,
) {
    loop {
        let change = tokio::select! {
            () = tell.closed() => return,
            change = changes.recv() => change,
        };
        let change = match change {
            Ok(_) | Err(RecvError::Lagged(_)) if !wanted => continue,
            Ok(status) => Changed::Unit(UNIT.to_owned(), Box::new(UnitStatus::clone(&status))),
            Err(RecvError::Lagged(_)) => Changed::Files,
            Err(RecvError::Closed) => return,
        };
        if tell.send(change).await.is_err() {
            return;
        }
    }
}

fn known(unit: &str) -> Result<(), UnitError> {
    if unit == UNIT { Ok(()) } else { Err(UnitError::Unknown(unit.to_owned())) }
}

fn closed() -> UnitError {
    UnitError::Gone("the supervisor keeps the server no longer".to_owned())
}

fn load(program: &Path) -> &'static str {
    if program.is_file() { "loaded" } else { "not-found" }
}

/// What the process has in memory, its children not counted; nobody knows where there is no
/// proc(5).
fn memory_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_variables_are_not_shown() {
        let program = Program {
            program: "/x".into(),
            dir: "/".into(),
            env: vec![("API_KEY".into(), "sk-secret".into())],
            log: "/log".into(),
            runtime: "/run".into(),
            notify: true,
            bounds: Bounds::default(),
        };
        let shown = format!("{program:?}");
        assert!(shown.contains("API_KEY") && !shown.contains("sk-secret"), "{shown}");
    }
}
