//! `parachute-supervisor`: how the suite is, why, and what can be done about it, for the app, a
//! browser or a terminal; also while the server is down.
//!
//! It has no privileges and keeps nothing: it asks the service manager, reads the manager's log,
//! and edits the owner's configuration by the code the server reads it with. Only where there is
//! no manager the server is its child.

mod app;
mod config;
mod console;
mod events;
mod limits;
mod logs;
mod models;
mod orders;
mod routes;
mod state;
mod status;
mod suite;
mod words;

use app::App;
use host::control::Control;
use host::direct::{Bounds, Direct, Program};
use host::logs::{Journal, LogFile, Source};
use host::{Dirs, Listener, Listening};
use serve::answer::Service;
use serve::{Busy, Door, Limits, Origins, Pulse};
use state::State;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

const USAGE: &str = "usage: parachute-supervisor [--version | --help]\n\n\
    Serves the supervisor's API and web console on the sockets that the service manager hands\n\
    over, else on 127.0.0.1 and ::1, port SUPERVISOR_PORT (3334), and a Unix socket. Where there\n\
    is no service manager it runs parachute-server as its child. See parachute-supervisor(8).";

/// Exit statuses, as in sysexits.h.
const EXIT_USAGE: u8 = 64;
const EXIT_CANNOT_CREATE: u8 = 73;

/// Name of our sockets in the manager's files.
const NAME: &str = "supervisor";
/// Our port where we bind it ourselves, and the variable that names another.
const PORT: u16 = 3334;
const PORT_VARIABLE: &str = "SUPERVISOR_PORT";

/// How often it is looked whether anybody needs us.
const ROUND: Duration = Duration::from_secs(1);

/// Why the supervisor did not start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("cannot find or make our folders")]
    Dirs(#[source] std::io::Error),
    #[error("cannot listen")]
    Listen(#[source] std::io::Error),
    #[error("cannot read where this program is")]
    Place(#[source] std::io::Error),
    #[error("{PORT_VARIABLE} is no port: {0:?}")]
    Port(String),
}

/// Runs the program.
pub fn main() -> ExitCode {
    if let Some(done) = arguments() {
        return done;
    }
    host::log::init("parachute-supervisor", None);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "starting");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run()),
        Err(error) => Err(StartError::Dirs(error)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let said = serve::fault::chain(&error);
            tracing::error!(error = said, "the supervisor did not start");
            host::notify::status(&format!("did not start: {said}"));
            ExitCode::from(match error {
                StartError::Port(_) => EXIT_USAGE,
                _ => EXIT_CANNOT_CREATE,
            })
        }
    }
}

#[allow(clippy::print_stdout, reason = "asked for on the command line")]
fn arguments() -> Option<ExitCode> {
    let asked = std::env::args().nth(1)?;
    Some(match asked.as_str() {
        "--version" | "-V" => {
            println!("parachute-supervisor {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        "--help" | "-h" => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("parachute-supervisor: unknown argument {asked}\n{USAGE}");
            ExitCode::from(EXIT_USAGE)
        }
    })
}

async fn run() -> Result<(), StartError> {
    let dirs = host::dirs().map_err(StartError::Dirs)?;
    dirs.create().map_err(StartError::Dirs)?;
    let Listening { sockets, told, inherited, own_socket, .. } =
        host::listen(NAME, &host::loopback(port()?), &dirs.supervisor_socket())
            .map_err(StartError::Listen)?;
    let doors = sockets.into_iter().map(door).collect::<Result<Vec<Door>, _>>();
    let doors = doors.map_err(StartError::Listen)?;
    for listener in &told {
        tracing::info!(listener, "listening");
    }
    let stop = CancellationToken::new();
    watch_signals(&stop).map_err(StartError::Dirs)?;
    let control = choose(&dirs).await?;
    let app = Arc::new(app(&dirs, control.clone())?);
    let pulse = Arc::new(Pulse::new(doors.len()));
    let service = Service {
        app: app.clone(),
        table: app.table.clone(),
        limits: limits(),
        stop: stop.clone(),
    };
    let serving = tokio::spawn(serve::serve(doors, Arc::new(service), pulse.clone()));
    let following = tokio::spawn(app.state.clone().keep_up(stop.clone()));
    let alive = tokio::spawn(keep_alive(pulse, stop.clone()));
    // Where the server is our child it would end with us.
    let leaves = inherited && matches!(control, Control::Managed(_));
    let rounds = tokio::spawn(rounds(app.clone(), leaves, stop.clone()));
    host::notify::ready();
    host::notify::status(&format!("serving {}", told.join(", ")));
    stop.cancelled().await;
    host::notify::stopping();
    host::notify::status("stopping");
    for (part, ended) in [
        ("doors", serving.await),
        ("units", following.await),
        ("watchdog", alive.await),
        ("rounds", rounds.await),
    ] {
        if let Err(error) = ended {
            tracing::error!(part, %error, "a part of the supervisor ended badly");
        }
    }
    if let Control::Direct(direct) = control {
        direct.close().await;
    }
    if let Some(Err(error)) = own_socket.map(std::fs::remove_file) {
        tracing::debug!(%error, "our socket was gone already");
    }
    tracing::info!("stopped");
    Ok(())
}

fn port() -> Result<u16, StartError> {
    match std::env::var(PORT_VARIABLE) {
        Ok(text) if !text.is_empty() => text.parse().map_err(|_| StartError::Port(text)),
        _ => Ok(PORT),
    }
}

fn door(socket: Listener) -> std::io::Result<Door> {
    match socket {
        Listener::Tcp(listener) => listener.try_into(),
        Listener::Unix(listener) => listener.try_into(),
    }
}

fn limits() -> Limits {
    Limits {
        connections_max: limits::CONNECTIONS_MAX,
        body_bytes_max: limits::BODY_BYTES_MAX,
        refused_body_bytes_max: 16 * limits::BODY_BYTES_MAX,
        ..Limits::default()
    }
}

/// Who keeps the server: the manager, or we ourselves.
async fn choose(dirs: &Dirs) -> Result<Control, StartError> {
    let bin = programs().map_err(StartError::Place)?;
    let log = server_log(dirs);
    let program = Program {
        program: bin.join("parachute-server"),
        dir: std::env::current_dir().map_err(StartError::Place)?,
        // Its settings may stand in any variable; what a manager told us alone is left out.
        env: host::child::passed_on(&["*"]),
        runtime: dirs.runtime.clone(),
        notify: host::notify::SPOKEN,
        bounds: Bounds::default(),
        log,
    };
    let direct = || {
        if let Some(Err(error)) = program.log.parent().map(std::fs::create_dir_all) {
            tracing::warn!(%error, "there is no folder for the server's log");
        }
        Direct::new(program)
    };
    Ok(host::control::choose(direct).await)
}

/// The server's log where it is our child.
fn server_log(dirs: &Dirs) -> PathBuf {
    dirs.state.join("logs").join("server.log")
}

/// The folder of the suite's programs.
fn programs() -> std::io::Result<PathBuf> {
    let here = std::env::current_exe()?;
    // After an update the running program's file is gone by name.
    let here = here.to_string_lossy().trim_end_matches(" (deleted)").to_owned();
    Ok(Path::new(&here).parent().unwrap_or(Path::new("/")).to_owned())
}

fn app(dirs: &Dirs, control: Control) -> Result<App, StartError> {
    let sources = ::config::settings::Sources::of_process(Some(dirs.state.clone()));
    let sources = sources.map_err(StartError::Dirs)?;
    let source = source(dirs, &control);
    Ok(App {
        state: State::of(control),
        asked: status::Asked::default(),
        config: config::Config::new(sources),
        orders: orders::Orders::default(),
        models: models::Models::new(dirs.state.join("models.json")),
        source,
        bin: programs().map_err(StartError::Place)?,
        dirs: dirs.clone(),
        since: Instant::now(),
        uid: host::own_uid(),
        // Only its own page may call; the server has a list of others, and hands on.
        origins: Origins::new(Vec::new()),
        busy: Busy::default(),
        table: Arc::new(routes::table()),
    })
}

/// Where the logs are: systemd has a journal, launchd writes files as the plists say, and
/// without either we write one.
fn source(dirs: &Dirs, control: &Control) -> Source {
    let file = |unit: &str, path: PathBuf| LogFile { unit: unit.to_owned(), path };
    match control {
        Control::Direct(_) => Source::Files(vec![file(suite::SERVER, server_log(dirs))]),
        Control::Managed(_) if control.socket_units() => {
            Source::Journal(Journal::new(&dirs.runtime))
        }
        Control::Managed(_) => {
            let logs = dirs.home.join("Library/Logs/Parachute");
            Source::Files(vec![
                file(suite::SERVER, logs.join("server.log")),
                file(suite::OURSELVES, logs.join("supervisor.log")),
            ])
        }
    }
}

fn watch_signals(stop: &CancellationToken) -> std::io::Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signal = signal(kind)?;
        let stop = stop.clone();
        tokio::spawn(async move {
            signal.recv().await;
            tracing::info!("told to stop");
            stop.cancel();
        });
    }
    Ok(())
}

async fn keep_alive(pulse: Arc<Pulse>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = host::notify::keep_alive(|| pulse.rounds().into_iter().map(Some).collect()) => {}
    }
}

/// Leaves when nobody has asked for a while, if somebody starts us again.
async fn rounds(app: Arc<App>, leaves: bool, stop: CancellationToken) {
    let idle = Duration::from_secs(app.config.load().settings.idle_exit_seconds.into());
    if !leaves || idle.is_zero() {
        return;
    }
    let mut round = tokio::time::interval(ROUND);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = round.tick() => {}
        }
        let since = app.busy.idle_since();
        if since.is_some_and(|since| since.elapsed() >= idle) {
            tracing::info!("nobody has asked for a while; leaving until somebody does");
            stop.cancel();
        }
    }
}
