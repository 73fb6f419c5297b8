//! The CLI in a container: made, heard, signalled and taken away by one task of ours. To the
//! session it is a CLI like any other.

use super::env;
use super::pump::{Heard, Last, Lines, write};
use super::start::{Begin, StartError};
use super::walls::given;
use crate::exhausted::{Exhausted, Limit};
use crate::limits::{
    LIMITS_BUSY, LIMITS_PAUSE, LIMITS_PAUSE_BUSY, OUTLET_PORT, SIGNALS_WAITING_MAX,
};
use crate::outlet::Outlet;
use crate::view::{self, Own};
use bytes::Bytes;
use engine::{Container, Ended, Engine, EngineError, Limits, Network, Output, Saying, Spec};
use host::child::Signal;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use tokio::sync::mpsc;
use tokio::time::Instant;
use wire::agent::ClaudeSetup;
use wire::chat::TypedError;
use wire::error::ErrorCode;

/// Where our own program stands in the container; it is the first process there.
const HELPER: &str = "/run/parachute/agent";
/// Where the image has the CLI.
const CLAUDE: &str = "/usr/local/bin/claude";

/// What stands in the line by which the CLI tells of a tool's end.
const TOOL_RESULT: &[u8] = b"\"tool_result\"";

/// A container that is on its way, and its channels.
pub(super) struct Contained {
    pub(super) signals: mpsc::Sender<Signal>,
    pub(super) outlet: Outlet,
}

/// Has the CLI run in a container of this setup, with these arguments.
pub(super) fn start(
    setup: &ClaudeSetup,
    begin: &Begin<'_>,
    arguments: Vec<String>,
    writes: mpsc::Receiver<Vec<u8>>,
    tell: mpsc::Sender<Heard>,
) -> Result<Contained, StartError> {
    let spec = spec(setup, begin, arguments)?;
    let failed = |error: io::Error| StartError::Unconfined(error.to_string());
    let outlet = Outlet::open(begin.outlet, setup).map_err(failed)?;
    let (signals, signalled) = mpsc::channel(SIGNALS_WAITING_MAX);
    begin.containers.spawn(async move {
        let lost = run(&spec, writes, signalled, &tell).await;
        // Nobody left to tell is nobody left to mind.
        let _ = tell.send(lost).await;
    });
    Ok(Contained { signals, outlet })
}

fn spec(
    setup: &ClaudeSetup,
    begin: &Begin<'_>,
    arguments: Vec<String>,
) -> Result<Spec, StartError> {
    let failed = |error: io::Error| StartError::Unconfined(error.to_string());
    let Some(container) = &setup.container else {
        return Err(StartError::Unconfined("nothing is said about its container".into()));
    };
    let user = host::own_ids();
    if user.0 == 0 {
        let why = "the administrator's rights are not taken into a container; run Parachute as \
            an ordinary user";
        return Err(StartError::Unconfined(why.into()));
    }
    let vault = begin.vault.canonicalize().map_err(failed)?;
    let directory = Path::new(&setup.directory).canonicalize().map_err(failed)?;
    if !directory.starts_with(&vault) {
        return Err(StartError::Outside(directory));
    }
    let own = Own::with_home(begin.dir, Path::new(&container.home)).map_err(failed)?;
    let helper = std::env::current_exe().map_err(failed)?;
    let given = given(setup, begin.dir).map_err(failed)?;
    let helper = (helper.as_path(), HELPER);
    let mounts = view::of_container(&own, &vault, container, &given, begin.outlet, helper);
    let words = [HELPER, "--inside", &OUTLET_PORT.to_string(), view::WAY_OUT, "--", CLAUDE];
    let command = words.map(str::to_owned).into_iter().chain(arguments).collect();
    let text = |text: std::ffi::OsString| text.into_string().ok();
    let env = env::inside(setup, &own).into_iter();
    Ok(Spec {
        session: begin.session.to_owned(),
        command,
        env: env.filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect(),
        directory,
        user,
        mounts: mounts.map_err(failed)?,
        limits: Limits {
            memory_bytes: container.memory_bytes,
            cpu_millis: container.cpu_millis,
            tasks: container.tasks_max,
        },
        network: match container.network {
            wire::workspace::Network::None => Network::Nothing,
            wire::workspace::Network::Full => Network::Bridge,
        },
    })
}

/// Runs the container to its end, and says how that was.
async fn run(
    spec: &Spec,
    writes: mpsc::Receiver<Vec<u8>>,
    mut signalled: mpsc::Receiver<Signal>,
    tell: &mpsc::Sender<Heard>,
) -> Heard {
    let begun = async {
        let engine = Engine::find(|name| std::env::var(name).ok()).await?;
        // Of an agent of this session that did not live to do it.
        engine.sweep(|session| session == spec.session).await?;
        engine.start(spec).await
    };
    let (container, mut saying, input) = match begun.await {
        Ok(begun) => begun,
        Err(error) => return unavailable(&error),
    };
    let writing = tokio::spawn(write(input, writes));
    let mut exhausted = match container.pid().await {
        Ok(Some(pid)) => Exhausted::of(pid),
        // It has ended already, and will be heard to.
        Ok(None) | Err(_) => Exhausted::of(u32::MAX),
    };
    let heard = hear(&container, &mut saying, &mut signalled, &mut exhausted, tell).await;
    writing.abort();
    let ended = match heard {
        Ok(Some(_)) => container.ended().await,
        Ok(None) | Err(_) => Ok(Ended { code: 0, out_of_memory: false }),
    };
    if let Err(error) = container.remove().await {
        tracing::warn!(%error, "a container is left behind");
    }
    match (heard, ended) {
        (Err(limit), _) => Heard::Lost(Box::new(limit.error())),
        (_, Ok(ended)) if ended.out_of_memory => Heard::Lost(Box::new(Limit::Memory.error())),
        (Ok(stderr), Ok(ended)) => {
            let status = ExitStatus::from_raw(i32::try_from(ended.code & 0xff).unwrap_or(0) << 8);
            Heard::Ended { status: Some(status), stderr: stderr.unwrap_or_default() }
        }
        (_, Err(error)) => Heard::Lost(Box::new(gone(&error))),
    }
}

/// Passes on what the container says until it has ended; the last of its complaints. None:
/// nobody listens any more. An error is a limit that was met, before anything is said after it.
async fn hear(
    container: &Container,
    saying: &mut Saying,
    signalled: &mut mpsc::Receiver<Signal>,
    exhausted: &mut Exhausted,
    tell: &mpsc::Sender<Heard>,
) -> Result<Option<String>, Limit> {
    let (mut lines, mut last) = (Lines::new(), Last::default());
    let mut said_at = Instant::now();
    loop {
        // Soon while it works: what meets a limit may end before it is seen.
        let busy = said_at.elapsed() < LIMITS_BUSY;
        let pause = if busy { LIMITS_PAUSE_BUSY } else { LIMITS_PAUSE };
        let heard = tokio::select! {
            said = saying.hear() => match said {
                Some(Output::Out(piece)) => lines.add(&piece),
                Some(Output::Err(piece)) => {
                    last.add(&piece);
                    None
                }
                None => break,
            },
            Some(signal) = signalled.recv() => {
                let name = match signal {
                    Signal::Interrupt => "SIGINT",
                    Signal::Terminate => "SIGTERM",
                    Signal::Kill => "SIGKILL",
                };
                if let Err(error) = container.signal(name).await {
                    tracing::warn!(%error, name, "could not signal the container");
                }
                None
            }
            () = tokio::time::sleep(pause) => match exhausted.met() {
                Some(limit) => return Err(limit),
                None => None,
            },
            () = tell.closed() => return Ok(None),
        };
        let tool_ended = |lines: &Bytes| memchr::memmem::find(lines, TOOL_RESULT).is_some();
        if matches!(&heard, Some(Heard::Lines(lines)) if tool_ended(lines))
            && let Some(limit) = exhausted.met()
        {
            return Err(limit);
        }
        if heard.is_some() {
            said_at = Instant::now();
        }
        if let Some(heard) = heard
            && tell.send(heard).await.is_err()
        {
            return Ok(None);
        }
    }
    if let Some(limit) = exhausted.met() {
        return Err(limit);
    }
    if let Some(rest) = lines.rest()
        && tell.send(rest).await.is_err()
    {
        return Ok(None);
    }
    Ok(Some(last.text()))
}

fn unavailable(error: &EngineError) -> Heard {
    Heard::Lost(Box::new(crate::finish::unconfined(&error.to_string())))
}

fn gone(error: &EngineError) -> TypedError {
    let message = format!(
        "The agent's container is lost: {error}. What was said is kept; send the message again to \
         go on."
    );
    ErrorCode::AgentLost.error(message, None)
}
