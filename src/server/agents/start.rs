//! Starting an agent: as a unit of its own where there is a service manager, so that stopping
//! the server does not touch it; as a process in a session of its own where there is none.

use super::Setup;
use crate::limits::{
    AGENT_CPU_WEIGHT, AGENT_GONE_PAUSE, AGENT_GONE_TRIES, AGENT_MEMORY_HIGH_BYTES,
    AGENT_MEMORY_MAX_BYTES, AGENT_START, AGENT_STOP_SECONDS, AGENT_TASKS_MAX,
};
use host::child;
use host::units::{self, Limits, Transient, UnitError, Units};
use std::ffi::OsString;
use std::io;

/// The slice that bounds all agents together.
const SLICE: &str = "parachute-agents.slice";

/// Why there is no agent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("the agent could not be started by the service manager")]
    Unit(#[from] UnitError),
    #[error("the agent could not be started{said}")]
    Process {
        said: String,
        #[source]
        source: io::Error,
    },
    #[error("the agent did not answer within {0} s")]
    Late(u64),
}

/// Name of a session's unit.
pub(crate) fn unit(session: &str) -> String {
    format!("parachute-agent@{session}.service")
}

pub(super) async fn start(setup: &Setup, session: &str) -> Result<(), StartError> {
    let idle = setup.idle_seconds.to_string();
    let args = ["--session", session, "--idle-seconds", &idle].map(String::from);
    // A server that a person started in a terminal starts its agents itself: it may run beside
    // the installed one, and its agents are not the manager's to stop.
    match managed().await {
        Some(manager) => as_unit(setup, session, args.into(), &manager).await,
        None => detached(setup, session, &args).await,
    }
}

/// The manager, if it is the one that runs us: a shell below one of its units has inherited the
/// other signs of it, but not this one.
async fn managed() -> Option<host::Native> {
    let pid = std::env::var("SYSTEMD_EXEC_PID").ok()?;
    if pid.parse() != Ok(std::process::id()) {
        return None;
    }
    let manager = units::connect().await;
    if manager.is_none() {
        tracing::warn!(
            "the service manager does not answer; the agent is started within this unit and ends \
             with it"
        );
    }
    manager
}

fn environment(setup: &Setup) -> Vec<(OsString, OsString)> {
    let mut env = child::passed_on(&child::PERSONAL);
    env.extend(child::passed_on(&["STATE_DIRECTORY"]));
    env.push(("LOG_LEVEL".into(), setup.log_level.clone().into()));
    env
}

async fn as_unit(
    setup: &Setup,
    session: &str,
    args: Vec<String>,
    manager: &host::Native,
) -> Result<(), StartError> {
    let env = environment(setup)
        .into_iter()
        .filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?)));
    let transient = Transient {
        name: unit(session),
        description: format!("Parachute agent of session {session}"),
        program: setup.program.clone(),
        args,
        afterwards: ["--session", session, "--ended", "yes"].map(String::from).into(),
        env: env.collect(),
        slice: SLICE.into(),
        directory: setup.dirs.home.clone(),
        part_of: None,
        notify: true,
        limits: Limits {
            memory_high_bytes: Some(AGENT_MEMORY_HIGH_BYTES),
            memory_max_bytes: Some(AGENT_MEMORY_MAX_BYTES),
            tasks_max: Some(AGENT_TASKS_MAX),
            cpu_weight: Some(AGENT_CPU_WEIGHT),
        },
        stop_seconds: AGENT_STOP_SECONDS,
    };
    // The last agent of this session may still be on its way out.
    for _ in 0..AGENT_GONE_TRIES {
        match manager.start_transient(&transient).await {
            Err(UnitError::Exists(_)) => tokio::time::sleep(AGENT_GONE_PAUSE).await,
            other => return Ok(other?),
        }
    }
    Ok(manager.start_transient(&transient).await?)
}

async fn detached(setup: &Setup, session: &str, args: &[String]) -> Result<(), StartError> {
    let log = setup.dirs.run(session);
    let failed = |source: io::Error| {
        let kept = std::fs::read_to_string(log.join("agent.log")).unwrap_or_default();
        let last = kept.lines().last().map(|line| format!(" ({line})"));
        StartError::Process { said: last.unwrap_or_default(), source }
    };
    std::fs::create_dir_all(&log).map_err(failed)?;
    let env = environment(setup);
    let mut agent =
        child::detached(&setup.program, args, env, &log.join("agent.log")).map_err(failed)?;
    agent.wait_ready(AGENT_START).await.map_err(failed)
}
