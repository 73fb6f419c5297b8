//! `parachute-server`: the HTTP and SSE API, and the only program that writes the database.
//!
//! Starts in one order: log, settings, keys, store, sockets, doors, READY; stops in the other.
//! It supervises nothing: agents are units of their own, and it is started again by whoever
//! holds its sockets.

mod agents;
mod app;
mod domain;
mod doors;
#[cfg(feature = "faults")]
mod faults;
mod limits;
pub mod routes;
pub mod store;
mod survey;
mod vault;
mod watchdog;

pub use app::App;

use agents::{Agents, Setup};
use app::Lists;
use config::keys::Keys;
use config::settings::{self, Loaded, Sources};
use domain::Domain;
use host::{Dirs, Listening};
use serve::answer::Service;
use serve::fault::chain;
use serve::{Busy, Limits, Origins, Pulse};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

const USAGE: &str = "usage: parachute-server [--look | --take-over | --version | --help]\n\n\
    Serves the Parachute API on the sockets that the service manager hands over, else on\n\
    the address of the config (http://127.0.0.1:3333) and a Unix socket. Settings come from\n\
    the environment, .env and VAULT/.parachute/config.yaml; see parachute-config(5).\n\n\
    --look       say as JSON what an older Parachute left in the vault; change nothing\n\
    --take-over  keep a copy of it, bring its database up to date, and say the same";

/// Exit statuses, as in sysexits.h.
const EXIT_USAGE: u8 = 64;
const EXIT_CANNOT_CREATE: u8 = 73;
const EXIT_CONFIG: u8 = 78;

/// How often it is looked whether the server is idle, and at keys' times of use and memory.
const ROUND: Duration = Duration::from_secs(1);
const SLOW_ROUND: Duration = Duration::from_secs(60);

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("cannot find or make our folders")]
    Dirs(#[source] std::io::Error),
    #[error("cannot listen")]
    Listen(#[source] std::io::Error),
    #[error(
        "{0} can be reached from other machines, and there is no key; make one with \
         `parachute keys create NAME`, or set host to 127.0.0.1"
    )]
    WideWithoutKey(std::net::SocketAddr),
    #[error("cannot read where this program is")]
    Place(#[source] std::io::Error),
}

/// Runs the program.
pub fn main() -> ExitCode {
    if let Some(done) = arguments() {
        return done;
    }
    host::one_heap();
    let read = read_settings();
    let level = read.as_ref().ok().map(|read| read.loaded.settings.log_level());
    host::log::init("parachute-server", level);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "starting");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => read.and_then(|read| runtime.block_on(run(read))),
        Err(error) => Err(StartError::Dirs(error)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let said = chain(&error);
            tracing::error!(error = said, "the server did not start");
            host::notify::status(&format!("did not start: {said}"));
            ExitCode::from(match error {
                StartError::WideWithoutKey(_) => EXIT_CONFIG,
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
            println!("parachute-server {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        "--help" | "-h" => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        "--look" => survey::command::look(),
        "--take-over" => survey::command::take_over(),
        _ => {
            eprintln!("parachute-server: unknown argument {asked}\n{USAGE}");
            ExitCode::from(EXIT_USAGE)
        }
    })
}

/// What is known before anything is begun, the log included.
struct Read {
    dirs: Dirs,
    sources: Sources,
    loaded: Loaded,
}

fn read_settings() -> Result<Read, StartError> {
    let dirs = host::dirs().map_err(StartError::Dirs)?;
    dirs.create().map_err(StartError::Dirs)?;
    let sources = Sources::of_process(Some(dirs.state.clone())).map_err(StartError::Dirs)?;
    let loaded = settings::load(&sources);
    Ok(Read { dirs, sources, loaded })
}

async fn run(read: Read) -> Result<(), StartError> {
    let Read { dirs, sources, loaded } = read;
    tell(&loaded);
    let keys = Arc::new(load_keys(&loaded));
    keep_what_was(&loaded);
    let stop = CancellationToken::new();
    let settings = loaded.settings.clone();
    let domain = build(loaded, sources, keys.clone(), &dirs, &stop)?;
    let agents = domain.agents.clone();
    let Listening { sockets, told, inherited, wide, own_socket } =
        doors::open(&settings, &dirs).map_err(StartError::Listen)?;
    if let Some(address) = wide.filter(|_| keys.is_empty() && settings.api_key.is_none()) {
        let error = StartError::WideWithoutKey(address);
        doors::turn_away(&sockets, &format!("The server cannot start: {error}."));
        return Err(error);
    }
    let doors = doors::serve(sockets).map_err(StartError::Listen)?;
    for listener in &told {
        tracing::info!(listener, "listening");
    }
    let pulse = Arc::new(Pulse::new(doors.len()));
    let service = Arc::new(answering(domain.clone(), &dirs, told.clone(), stop.clone()));
    let app = service.app.clone();
    watch_signals(&stop).map_err(StartError::Dirs)?;
    #[cfg(feature = "faults")]
    faults::watch(domain.clone()).map_err(StartError::Dirs)?;

    // Before anybody can hand in something new.
    let adopted = adopt(&domain).await;
    let serving = tokio::spawn(serve::serve(doors, service, pulse.clone()));
    let feeding = tokio::spawn(watchdog::feed(domain.clone(), pulse, stop.clone()));
    let idle = Duration::from_secs(settings.idle_exit_seconds.into());
    let leaves = inherited && !idle.is_zero();
    let rounds = tokio::spawn(rounds(app, leaves.then_some(idle), adopted, stop.clone()));
    host::notify::ready();
    domain.brain.begin();
    host::notify::status(&status(&told, domain.problem()));
    stop.cancelled().await;
    host::notify::stopping();
    host::notify::status("stopping");
    for (part, ended) in
        [("doors", serving.await), ("watchdog", feeding.await), ("rounds", rounds.await)]
    {
        if let Err(error) = ended {
            tracing::error!(part, %error, "a part of the server ended badly");
        }
    }
    agents.close().await;
    close(&domain, own_socket).await;
    Ok(())
}

/// The whole server but its listeners and its rounds: for [`serve::listen::converse`] with a
/// peer that is made up, or for listeners with other limits.
///
/// # Errors
/// The place of this program cannot be read.
pub fn service(
    sources: Sources,
    dirs: &Dirs,
    stop: CancellationToken,
) -> std::io::Result<Service<App>> {
    let loaded = settings::load(&sources);
    let keys = Arc::new(load_keys(&loaded));
    let domain = build(loaded, sources, keys, dirs, &stop).map_err(std::io::Error::other)?;
    domain.brain.begin();
    Ok(answering(domain, dirs, Vec::new(), stop))
}

fn build(
    loaded: Loaded,
    sources: Sources,
    keys: Arc<Keys>,
    dirs: &Dirs,
    stop: &CancellationToken,
) -> Result<Arc<Domain>, StartError> {
    let agents = Agents::new(setup(&loaded, dirs)?, stop.clone());
    Ok(Arc::new(Domain::new(loaded, sources, keys, agents, dirs)))
}

fn answering(
    domain: Arc<Domain>,
    dirs: &Dirs,
    listeners: Vec<String>,
    stop: CancellationToken,
) -> Service<App> {
    let table = Arc::new(routes::table());
    let origins = Origins::new(domain.settings.origins());
    let app = App {
        domain,
        lists: Lists::default(),
        origins,
        supervisor: dirs.supervisor_socket(),
        listeners,
        since: Instant::now(),
        uid: host::own_uid(),
        busy: Busy::default(),
        table: table.clone(),
    };
    Service { app: Arc::new(app), table, limits: Limits::default(), stop }
}

fn tell(loaded: &Loaded) {
    for warning in &loaded.warnings {
        tracing::warn!(warning, "about the settings");
    }
    if let Some(problem) = &loaded.problem {
        tracing::error!(problem, "the config is not in force as it stands");
    }
    tracing::info!(vault = %loaded.settings.vault_path.display(), "settings are read");
}

/// A vault in which only the predecessor has worked is copied before it is touched. Where that
/// fails, the server serves all the same: it changes files whole, and keeps the database's own
/// copy or leaves it alone.
fn keep_what_was(loaded: &Loaded) {
    match survey::keep(loaded) {
        Ok(Some(copy)) => {
            tracing::info!(copy = %copy.display(), "the files of an older Parachute are kept");
        }
        Ok(None) => {}
        Err(error) => {
            let error = chain(&error);
            tracing::error!(error, "the files of an older Parachute could not be copied");
        }
    }
}

fn load_keys(loaded: &Loaded) -> Keys {
    let path = loaded.settings.vault_path.join(".parachute").join("server.yaml");
    let keys = Keys::load(&path).unwrap_or_else(|error| {
        tracing::error!(error = chain(&error), "the keys cannot be read; no key opens a door");
        Keys::broken(&path, &error)
    });
    keys.with_default_mode(loaded.settings.auth_mode)
}

fn setup(loaded: &Loaded, dirs: &Dirs) -> Result<Setup, StartError> {
    Ok(Setup {
        dirs: dirs.clone(),
        program: beside_us("parachute-agent").map_err(StartError::Place)?,
        idle_seconds: loaded.settings.agent_idle_seconds,
        log_level: loaded.settings.log_level().to_owned(),
        live_max: loaded.settings.agents_live_max as usize,
    })
}

/// A program of the suite, which is installed where we are.
fn beside_us(name: &str) -> std::io::Result<PathBuf> {
    let here = std::env::current_exe()?;
    // After an update the running program's file is gone by name.
    let here = here.to_string_lossy().trim_end_matches(" (deleted)").to_owned();
    Ok(Path::new(&here).with_file_name(name))
}

fn status(listeners: &[String], problem: Option<String>) -> String {
    let serving = format!("serving {}", listeners.join(", "));
    match problem {
        Some(problem) => format!("{serving}; PROBLEM: {problem}"),
        None => serving,
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

/// Takes up what the last server left; false if the database cannot be read now.
async fn adopt(domain: &Arc<Domain>) -> bool {
    let Ok(store) = domain.store().await else { return false };
    match store.handed(None).await {
        Ok(handed) => domain.adopt(store, handed),
        Err(error) => {
            tracing::error!(error = chain(&error), "what was under way is unknown");
            return false;
        }
    }
    true
}

/// What is looked at now and then: keys' times of use, memory, whether anybody still needs us.
async fn rounds(app: Arc<App>, idle: Option<Duration>, mut adopted: bool, stop: CancellationToken) {
    let mut round = tokio::time::interval(ROUND);
    let mut slow = tokio::time::interval(SLOW_ROUND);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = slow.tick() => {
                flush_keys(&app.domain.keys, false).await;
                if let Err(error) = tokio::task::spawn_blocking(host::give_memory_back).await {
                    tracing::error!(%error, "memory is not given back");
                }
            }
            _ = round.tick() => {}
        }
        // Where it could not be opened at first, this tries again.
        if !adopted {
            adopted = adopt(&app.domain).await;
        }
        let since = app.busy.idle_since();
        if idle.is_some_and(|idle| since.is_some_and(|since| since.elapsed() >= idle)) {
            tracing::info!("nobody has asked for a while; leaving until somebody does");
            stop.cancel();
        }
    }
}

async fn flush_keys(keys: &Arc<Keys>, last: bool) {
    let keys = keys.clone();
    let flushed =
        tokio::task::spawn_blocking(move || if last { keys.close() } else { keys.flush() }).await;
    match flushed {
        Ok(Err(error)) => tracing::warn!(error = chain(&error), "times of use are not written"),
        Err(error) => tracing::error!(%error, "times of use are not written"),
        Ok(Ok(_)) => {}
    }
}

async fn close(domain: &Domain, own_socket: Option<PathBuf>) {
    flush_keys(&domain.keys, true).await;
    domain.brain.close().await;
    if let Some(store) = domain.open_store() {
        store.close().await;
    }
    if let Some(Err(error)) = own_socket.map(std::fs::remove_file) {
        tracing::debug!(%error, "our socket was gone already");
    }
    tracing::info!("stopped");
}
