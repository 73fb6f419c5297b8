//! Orders to the manager: each is a job with an id, carried out to its end whoever waits for it,
//! and remembered for a while. A restart is one job of the manager, and what is stopped stays
//! stopped: the server's addresses are closed with it (DESIGN §2.9).

use crate::app::App;
use crate::limits::{ORDER_LOG_LINES, ORDER_WAIT, ORDERS_KEPT_MAX, ORDERS_MAX};
use crate::logs;
use crate::suite::{ABOVE_US, SERVER, SERVER_SOCKET};
use crate::words;
use host::control::Control;
use host::units::UnitError;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use wire::Timestamp;
use wire::supervisor::{Job, JobState, Verb};

/// What is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The server with its addresses.
    Server,
    /// A unit of the suite, and nothing else.
    Unit(&'static str),
}

impl Target {
    fn unit(self) -> &'static str {
        match self {
            Target::Server => SERVER,
            Target::Unit(unit) => unit,
        }
    }

    /// Whether carrying it out ends this program.
    fn ends_us(self, verb: Verb) -> bool {
        matches!(verb, Verb::Stop | Verb::Restart) && ABOVE_US.contains(&self.unit())
    }
}

/// Why an order was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OrderError {
    /// Too many are under way.
    #[error("{ORDERS_MAX} orders are under way; wait for one of them")]
    TooMany,
    /// The manager is away.
    #[error("nothing can be ordered now: {0}")]
    NoControl(#[from] UnitError),
}

/// The orders of late.
#[derive(Default)]
pub(crate) struct Orders(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    last_id: u64,
    /// Oldest first.
    jobs: VecDeque<Job>,
}

impl Orders {
    /// The newest, at most so many, newest first.
    pub(crate) fn last(&self, most: usize) -> Vec<Job> {
        self.lock().jobs.iter().rev().take(most).cloned().collect()
    }

    /// One of them.
    pub(crate) fn get(&self, id: u64) -> Option<Job> {
        self.lock().jobs.iter().find(|job| job.id == id).cloned()
    }

    fn begin(&self, unit: &str, verb: Verb) -> Result<Job, OrderError> {
        let mut kept = self.lock();
        let under_way = kept.jobs.iter().filter(|job| job.state == JobState::Running).count();
        if under_way >= ORDERS_MAX {
            return Err(OrderError::TooMany);
        }
        kept.last_id += 1;
        let job = Job {
            id: kept.last_id,
            unit: unit.to_owned(),
            verb,
            state: JobState::Running,
            message: format!("{} {unit}", doing(verb)),
            at: Timestamp::now(),
            took_ms: None,
            log: Vec::new(),
        };
        kept.jobs.push_back(job.clone());
        if kept.jobs.len() > ORDERS_KEPT_MAX
            && let Some(oldest) = kept.jobs.iter().position(|job| job.state != JobState::Running)
        {
            kept.jobs.remove(oldest);
        }
        Ok(job)
    }

    fn end(&self, ended: &Job) {
        if let Some(job) = self.lock().jobs.iter_mut().find(|job| job.id == ended.id) {
            *job = ended.clone();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives an order and waits for its end, but not for ever: a job that is still `running` then
/// goes on by itself.
pub(crate) async fn order(app: &Arc<App>, target: Target, verb: Verb) -> Result<Job, OrderError> {
    let control = app.state.control()?;
    let job = app.orders.begin(target.unit(), verb)?;
    app.state.stir();
    tracing::info!(unit = job.unit, verb = doing(verb), job = job.id, "ordered");
    let (tell, told) = oneshot::channel();
    let (carrying, begun) = (app.clone(), job.clone());
    tokio::spawn(async move {
        let ended = carry_out(&carrying, &control, target, begun).await;
        // Nobody may be waiting any more.
        let _ = tell.send(ended);
    });
    let wait = if target.ends_us(verb) { Duration::ZERO } else { ORDER_WAIT };
    match tokio::time::timeout(wait, told).await {
        Ok(Ok(ended)) => Ok(ended),
        _ => Ok(app.orders.get(job.id).unwrap_or(job)),
    }
}

async fn carry_out(app: &App, control: &Control, target: Target, mut job: Job) -> Job {
    let begun = Instant::now();
    let done = act(control, target, job.verb).await;
    if target == Target::Server && control.socket_units() {
        app.state.settle(control, SERVER_SOCKET).await;
    }
    app.state.settle(control, target.unit()).await;
    job.took_ms = u64::try_from(begun.elapsed().as_millis()).ok();
    match done {
        Ok(()) => {
            job.state = JobState::Done;
            job.message = done_words(target, job.verb, control.socket_units());
        }
        Err(error) => {
            tracing::warn!(unit = job.unit, verb = doing(job.verb), %error, "an order failed");
            job.state = JobState::Failed;
            job.message = error.to_string();
            // Asked for, because what is signalled may not have come yet.
            let now = control.status(&job.unit).await.ok();
            let asked_to_run = matches!(job.verb, Verb::Start | Verb::Restart);
            let exit = now.as_ref().and_then(words::bad_end).filter(|_| asked_to_run);
            if let Some(exit) = exit {
                job.message = format!("{} did not come up: {}", job.unit, exit.words);
            }
            job.log = logs::last(&app.source, &app.redactor(), &job.unit, ORDER_LOG_LINES).await;
        }
    }
    app.orders.end(&job);
    app.state.stir();
    job
}

async fn act(control: &Control, target: Target, verb: Verb) -> Result<(), UnitError> {
    let unit = target.unit();
    let with_socket = target == Target::Server && control.socket_units();
    match verb {
        Verb::Start => {
            if with_socket {
                control.start(SERVER_SOCKET).await?;
            }
            control.start(unit).await
        }
        Verb::Stop => {
            // While the socket listens the next connection starts the server again.
            if with_socket {
                control.stop(SERVER_SOCKET).await?;
            }
            control.stop(unit).await
        }
        Verb::Restart => control.restart(unit).await,
        Verb::ResetFailed => control.reset_failed(unit).await,
        Verb::Enable => control.enable(unit, true).await,
        Verb::Disable => control.enable(unit, false).await,
    }
}

fn doing(verb: Verb) -> &'static str {
    match verb {
        Verb::Start => "starting",
        Verb::Stop => "stopping",
        Verb::Restart => "restarting",
        Verb::ResetFailed => "resetting",
        Verb::Enable => "enabling",
        Verb::Disable => "disabling",
    }
}

fn done_words(target: Target, verb: Verb, socket_units: bool) -> String {
    let what = match target {
        Target::Server => "Server",
        Target::Unit(unit) => unit,
    };
    let done = match verb {
        Verb::Start => "started",
        Verb::Stop => "stopped",
        Verb::Restart => "restarted",
        Verb::ResetFailed => "reset",
        Verb::Enable => "enabled: it begins at login",
        Verb::Disable => "disabled: it does not begin at login",
    };
    match (target, verb) {
        (Target::Unit(SERVER), Verb::Stop) if socket_units => format!(
            "{what} {done}; {SERVER_SOCKET} still listens, so the next connection starts it again"
        ),
        _ => format!("{what} {done}"),
    }
}
