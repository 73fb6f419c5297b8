//! How the suite is, put together: the units as the manager has them, what the server says of
//! itself, the agents that answer. Asks the server only while it runs: a question would start
//! one that sleeps.

use crate::app::App;
use crate::limits::{AGENT_LIMIT, AGENTS_MAX, HEALTH_KEPT, HEALTH_LIMIT, ORDERS_SHOWN_MAX};
use crate::state::Known;
use crate::suite::{self, Member, SERVER, SERVER_SOCKET};
use crate::words::{self, moment};
use http::Method;
use serve::client;
use std::path::Path;
use std::time::Instant;
use tokio::task::JoinSet;
use wire::Timestamp;
use wire::agent::AgentStatus;
use wire::health::Health;
use wire::supervisor::{Agent, Mode, ServerState, SupervisorStatus, Unit, UnitFile, Verb};

/// What the server last said of itself.
#[derive(Default)]
pub(crate) struct Asked(tokio::sync::Mutex<Option<Said>>);

struct Said {
    at: Instant,
    /// Of the run with this process.
    pid: Option<u32>,
    health: Option<Health>,
}

impl Asked {
    /// What the server says, if it does in time. `pid` is that of the run that is meant.
    async fn health(&self, socket: &Path, pid: Option<u32>) -> Option<Health> {
        let mut last = self.0.lock().await;
        if let Some(said) = &*last
            && said.at.elapsed() < HEALTH_KEPT
            && said.pid == pid
        {
            return said.health.clone();
        }
        let path = "/api/health?detailed=true";
        let asking = client::ask::<_, Health>(socket, Method::GET, path, &());
        let said = tokio::time::timeout(HEALTH_LIMIT, asking).await;
        let health = said.ok().and_then(Result::ok);
        // Nobody where nobody is kept: that costs nothing to ask again.
        *last = (pid.is_some() || health.is_some()).then(|| Said {
            at: Instant::now(),
            pid,
            health: health.clone(),
        });
        health
    }
}

/// Everything, as it is now.
pub(crate) async fn status(app: &App) -> SupervisorStatus {
    app.state.told().await;
    app.state.measure().await;
    let (server, socket) = (app.state.unit(SERVER), app.state.unit(SERVER_SOCKET));
    let waits = socket.status.active == "active";
    let state = server_state(&server);
    let runs = state == ServerState::Running;
    // Without a socket that would wake one, a server may be there that nobody keeps.
    let health = match runs || !waits {
        true => app.asked.health(&app.dirs.server_socket(), server.status.pid).await,
        false => None,
    };
    let stray = health.is_some() && !runs;
    let detail = health.as_ref().and_then(|health| health.detail.as_ref());
    let config_problem =
        app.config.problem().or_else(|| detail.and_then(|detail| detail.problem.clone()));
    // It may repeat what stands in the file.
    let config_problem = config_problem.map(|said| app.redactor().clean(&said).into_owned());
    let asleep = state == ServerState::Stopped && waits && !stray;
    let uptime = match stray {
        true => detail.map(|detail| detail.uptime as u64),
        false => moment(server.status.since).filter(|_| runs).map(since),
    };
    let port = listening_port(&socket, detail.map(|detail| detail.listeners.as_slice()));
    let words = match stray {
        true => "Running, but not started by the service manager".to_owned(),
        false => words::unit(&server.status, server.last_exit.as_ref(), asleep),
    };
    SupervisorStatus {
        supervisor_uptime_seconds: app.since.elapsed().as_secs(),
        supervisor_version: env!("CARGO_PKG_VERSION").into(),
        main_server_healthy: health.is_some(),
        main_server_status: if stray { ServerState::Running } else { state },
        main_server_uptime_seconds: uptime,
        main_server_version: health.as_ref().map(|health| health.version.clone()),
        main_server_port: port.filter(|_| runs || waits || stray),
        config_loaded: config_problem.is_none(),
        mode: app.state.mode(),
        main_server_words: words,
        main_server_sleeping: asleep,
        config_problem,
        units: units(app, waits),
        agents: agents(app).await,
        jobs: app.orders.last(ORDERS_SHOWN_MAX),
    }
}

fn since(begin: Timestamp) -> u64 {
    let millis = Timestamp::now().as_millis() - begin.as_millis();
    u64::try_from(millis / 1000).unwrap_or(0)
}

fn server_state(server: &Known) -> ServerState {
    let status = &server.status;
    match (status.active.as_str(), status.sub.as_str()) {
        ("active" | "reloading", _) => ServerState::Running,
        ("activating", "auto-restart") => ServerState::Crashed,
        ("activating", _) => ServerState::Starting,
        ("deactivating", _) => ServerState::Stopping,
        ("failed", _) => ServerState::Failed,
        _ => ServerState::Stopped,
    }
}

/// The port of the socket unit, else of what the server says it listens on.
fn listening_port(socket: &Known, listeners: Option<&[String]>) -> Option<u16> {
    let port = |address: &str| {
        let address = address.trim_start_matches("http://").split(' ').next()?;
        address.rsplit_once(':')?.1.parse::<u16>().ok()
    };
    let own = socket.status.listens.iter().find_map(|address| port(address));
    own.or_else(|| listeners?.iter().find_map(|listener| port(listener)))
}

fn units(app: &App, server_waits: bool) -> Vec<Unit> {
    app.state.members().iter().map(|member| unit(app, member, server_waits)).collect()
}

fn unit(app: &App, member: &Member, server_waits: bool) -> Unit {
    let known = app.state.unit(member.unit);
    let file = member.file(&known, &app.bin, app.state.mode() == Mode::Systemd);
    let asleep = member.unit == SERVER && server_waits;
    let status = &known.status;
    Unit {
        name: member.unit.into(),
        about: member.about.into(),
        words: words::unit(status, known.last_exit.as_ref(), asleep),
        restarts: status.restarts,
        since: moment(status.since),
        pid: status.pid,
        memory_bytes: status.memory_bytes,
        cpu_seconds: status.cpu_nanoseconds.map(|nanos| nanos as f64 / 1e9),
        tasks: status.tasks,
        listens: status.listens.clone(),
        enabled: status.enabled.clone(),
        file,
        drop_ins: suite::own_drop_ins(&known),
        verbs: verbs(&known, file),
        load: status.load.clone(),
        active: status.active.clone(),
        sub: status.sub.clone(),
        result: status.result.clone(),
        last_exit: known.last_exit,
    }
}

/// What makes sense to ask of a unit now.
fn verbs(known: &Known, file: UnitFile) -> Vec<Verb> {
    let status = &known.status;
    if file == UnitFile::Missing && status.load != "loaded" {
        return Vec::new();
    }
    let mut verbs = match status.active.as_str() {
        "active" | "reloading" | "activating" => vec![Verb::Restart, Verb::Stop],
        "deactivating" => vec![Verb::Start],
        _ => vec![Verb::Start, Verb::Restart],
    };
    if status.active == "failed" {
        verbs.push(Verb::ResetFailed);
    }
    match status.enabled.as_str() {
        "enabled" => verbs.push(Verb::Disable),
        "disabled" => verbs.push(Verb::Enable),
        _ => {}
    }
    verbs
}

/// The agents that answer on their sockets, with what the manager knows of their units.
async fn agents(app: &App) -> Vec<Agent> {
    let units = app.state.agents();
    let mut asked = JoinSet::new();
    let sockets = std::fs::read_dir(app.dirs.agents()).into_iter().flatten().flatten();
    let sockets = sockets.map(|entry| entry.path());
    let sockets = sockets.filter(|path| path.extension().is_some_and(|kind| kind == "sock"));
    for socket in sockets.take(AGENTS_MAX) {
        asked.spawn(async move {
            let asking = client::ask::<_, AgentStatus>(&socket, Method::GET, "/status", &());
            tokio::time::timeout(AGENT_LIMIT, asking).await.ok()?.ok()
        });
    }
    let mut alive: Vec<Agent> = Vec::new();
    while let Some(answer) = asked.join_next().await {
        let Ok(Some(said)) = answer else { continue };
        let known = units.iter().find(|(session, _)| *session == said.session);
        alive.push(Agent {
            turn: said.turn,
            pid: Some(said.pid),
            memory_bytes: known.and_then(|(_, known)| known.status.memory_bytes),
            since: Some(said.since),
            session: said.session,
        });
    }
    // One that hangs is alive all the same, says the manager.
    for (session, known) in units {
        if !alive.iter().any(|agent| agent.session == session) {
            alive.push(Agent {
                session,
                turn: None,
                pid: known.status.pid,
                memory_bytes: known.status.memory_bytes,
                since: moment(known.status.since),
            });
        }
    }
    alive.sort_by(|a, b| a.since.cmp(&b.since).then_with(|| a.session.cmp(&b.session)));
    alive
}
