//! `parachute-agent`: one session's turns. It drives the Claude CLI, writes the session's event
//! log, and lets the server replay and follow it over a private socket.
//!
//! It outlives the server on purpose, decides nothing about who may ask (its socket's mode
//! does), and knows no database: what a turn needs comes whole in one `TurnRequest`.

mod ask;
mod attached;
mod claude;
mod doors;
mod ended;
mod exhausted;
mod finish;
mod follow;
mod hearing;
mod limits;
mod log;
mod orders;
mod outlet;
mod patience;
mod permits;
mod policy;
#[cfg(test)]
mod recorded;
mod rules;
mod session;
mod spent;
mod title;
mod turn;
mod verdict;
mod view;

use doors::Agent;
use host::confine::{self, WayOut};
use host::{Lock, LockError};
use log::Log;
use serve::answer::Service;
use serve::{Door, Limits, Origins, Pulse};
use session::{Place, Session};
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::agent::AgentStatus;
use wire::{SessionId, Timestamp};

const USAGE: &str = "usage: parachute-agent --session ID --idle-seconds N\n\
    Started by parachute-server; see parachute-server(8).\n\
    With --ended yes for --idle-seconds it notes how the last run of its unit ended.";
/// What goes before the reason why the CLI could not be confined.
const UNCONFINED: &str = "not confined: ";
const EXIT_USAGE: u8 = 64;
const EXIT_CANNOT_CREATE: u8 = 73;
const EXIT_TRY_LATER: u8 = 75;

struct Arguments {
    session: SessionId,
    task: Task,
}

enum Task {
    /// None: never leaves for idleness.
    Serve {
        idle: Option<Duration>,
    },
    NoteEnd,
}

/// Runs the program.
pub fn main() -> ExitCode {
    if let Some(unconfined) = first_process() {
        return unconfined;
    }
    host::log::init("parachute-agent", None);
    let Some(arguments) = arguments(std::env::args().skip(1)) else {
        tracing::error!("{USAGE}");
        return ExitCode::from(EXIT_USAGE);
    };
    // One agent, one session, one thread: a span around that thread names the session in each
    // line of the log, whichever task writes it.
    let _session = tracing::error_span!("agent", session = arguments.session.as_str()).entered();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return ExitCode::from(EXIT_CANNOT_CREATE);
        }
    };
    match runtime.block_on(run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(cause = serve::fault::chain(&error), "the agent could not start");
            let held = error.kind() == io::ErrorKind::WouldBlock;
            ExitCode::from(if held { EXIT_TRY_LATER } else { EXIT_CANNOT_CREATE })
        }
    }
}

/// What this program is beside the agent: the first process of a confinement (`--confined FILE
/// -- PROGRAM ...`) or of a container (`--inside PORT SOCKET -- PROGRAM ...`), as the agent
/// starts it. It has one thread and no log: what it says on standard error goes to the agent.
fn first_process() -> Option<ExitCode> {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let (before, after) = args.split_at(args.iter().position(|arg| arg == "--")?);
    let [_, program, rest @ ..] = after else { return None };
    let texts: Vec<&str> = before.iter().filter_map(|arg| arg.to_str()).collect();
    let error = match texts[..] {
        ["--confined", file] => confine::run(Path::new(file), Path::new(program), rest),
        ["--inside", port, socket] => {
            let way_out = WayOut { port: port.parse().ok()?, socket: socket.into() };
            confine::run_inside(&way_out, Path::new(program), rest)
        }
        _ => return None,
    };
    eprintln!("{UNCONFINED}{error}");
    Some(ExitCode::from(confine::EXIT_UNCONFINED))
}

fn arguments(mut from: impl Iterator<Item = String>) -> Option<Arguments> {
    let mut session = None;
    let mut task = None;
    while let Some(name) = from.next() {
        let value = from.next()?;
        match name.as_str() {
            "--session" => session = SessionId::parse(&value).ok(),
            "--idle-seconds" => {
                let seconds: Option<u64> = value.parse().ok();
                let idle = |s| (s > 0).then(|| Duration::from_secs(s));
                task = seconds.map(|s| Task::Serve { idle: idle(s) });
            }
            "--ended" if value == "yes" => task = Some(Task::NoteEnd),
            _ => return None,
        }
    }
    Some(Arguments { session: session?, task: task? })
}

async fn run(arguments: Arguments) -> io::Result<()> {
    let dirs = host::dirs()?;
    dirs.create()?;
    let id = arguments.session.as_str();
    let dir = dirs.run(id);
    fresh_dir(&dir)?;
    let idle = match arguments.task {
        Task::Serve { idle } => idle,
        Task::NoteEnd => return ended::note(&dir),
    };
    let lock = wait_for_lock(&dir).await?;
    sweep(&dir.join("tmp"))?;
    let (log, past) = Log::open(&dir)?;
    let socket = dirs.agent_socket(id);
    let listener = host::private_socket(&socket)?;
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;

    let now = Timestamp::now();
    let status = Arc::new(Mutex::new(AgentStatus {
        session: id.to_owned(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").into(),
        since: now,
        used: now,
        turn: None,
        waiting: 0,
        last_id: 0,
        claude_pid: None,
    }));
    let (orders, taken) = mpsc::channel(16);
    let followers = TaskTracker::new();
    let leaving = CancellationToken::new();
    let app = Arc::new(Agent {
        orders,
        log: log.clone(),
        status: status.clone(),
        followers: followers.clone(),
        leaving: leaving.clone(),
        origins: Origins::default(),
        uid: host::own_uid(),
    });
    let outlet = dirs.outlet_socket(id);
    let place = Place { session: id.to_owned(), dir: dir.clone(), outlet, idle };
    let mut session = Session::new(place, log, past, status);
    let stop = CancellationToken::new();
    let gone = CancellationToken::new();
    let service = Arc::new(Service {
        app,
        table: Arc::new(doors::table()),
        limits: limits(),
        stop: gone.clone(),
    });
    let serving =
        tokio::spawn(serve::serve(vec![Door::Unix(listener)], service, Arc::new(Pulse::new(1))));
    watch_signals(&stop)?;
    host::notify::ready();
    host::child::announce_ready()?;
    tracing::info!(socket = %socket.display(), "the agent serves");
    session.run(taken, &stop).await;
    host::notify::stopping();
    // First: whoever finds no socket starts the next agent, which waits for our lock.
    if let Err(error) = std::fs::remove_file(&socket) {
        tracing::warn!(%error, "could not remove the agent's socket");
    }
    session.leave().await;
    leaving.cancel();
    see_off(&gone, followers, serving).await;
    sweep(&dir.join("tmp"))?;
    drop(lock);
    Ok(())
}

/// Followers end by themselves once the session is at rest; then nobody may come any more.
async fn see_off(
    gone: &CancellationToken,
    followers: TaskTracker,
    serving: tokio::task::JoinHandle<()>,
) {
    followers.close();
    if tokio::time::timeout(limits::GOODBYE, followers.wait()).await.is_err() {
        tracing::debug!("followers that stay are sent away");
    }
    gone.cancel();
    if let Err(error) = serving.await {
        tracing::error!(%error, "the agent's doors ended badly");
    }
}

fn limits() -> Limits {
    Limits {
        // Nothing of a request that does not fit is shown: there is a credential in it.
        echo_bytes_max: 0,
        connections_max: 128,
        goodbye_seconds_max: 5,
        ..Limits::default()
    }
}

/// The session's lock. Its last agent may still be on its way out.
async fn wait_for_lock(dir: &Path) -> io::Result<Lock> {
    let until = tokio::time::Instant::now() + limits::LOCK_WAIT;
    loop {
        match Lock::take(dir.join("lock")) {
            Ok(lock) => return Ok(lock),
            Err(LockError::Held(_)) if tokio::time::Instant::now() < until => {
                tokio::time::sleep(limits::LOCK_PAUSE).await;
            }
            Err(error @ LockError::Held(_)) => {
                return Err(io::Error::new(io::ErrorKind::WouldBlock, error));
            }
            Err(error) => return Err(io::Error::other(error)),
        }
    }
}

fn fresh_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// The CLI leaves a folder behind for each process; nothing in there is worth keeping.
fn sweep(tmp: &Path) -> io::Result<()> {
    match host::remove_folder(tmp) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fresh_dir(tmp),
    }
}

fn watch_signals(stop: &CancellationToken) -> io::Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signal = signal(kind)?;
        let stop = stop.clone();
        tokio::spawn(async move {
            signal.recv().await;
            stop.cancel();
        });
    }
    Ok(())
}
