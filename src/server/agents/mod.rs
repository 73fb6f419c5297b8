//! The sessions' agents as the server sees them: found by their sockets, started when there is
//! none, watched for what has to reach the database. The server is a window on an agent, not
//! its parent: nothing here ends one, but to make room for another.

mod apply;
mod frame;
mod pipe;
mod replay;
mod start;

pub(crate) use pipe::{Piped, Wanted};
pub(crate) use replay::{last_id, messages, replay};
pub(crate) use start::StartError;

use crate::limits::{
    AGENT_ANSWER, AGENT_POLL, AGENT_START, AGENT_STATUS, CLOSE_WAIT, LOST_WAITING_MAX,
};
use crate::store::Store;
use bytes::Bytes;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serve::client::{self, AskError};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::Timestamp;
use wire::agent::AgentStatus;

/// How agents are started.
pub(crate) struct Setup {
    pub(crate) dirs: host::Dirs,
    pub(crate) program: PathBuf,
    pub(crate) idle_seconds: u32,
    pub(crate) log_level: String,
    pub(crate) live_max: usize,
}

/// All agents.
#[derive(Clone)]
pub(crate) struct Agents(Arc<Inner>);

struct Inner {
    setup: Setup,
    known: Mutex<HashMap<String, Arc<Known>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    lost: (mpsc::Sender<String>, Mutex<Option<mpsc::Receiver<String>>>),
}

/// What the server keeps of one session's agent.
struct Known {
    session: String,
    socket: PathBuf,
    /// Newest event that the database has taken in.
    applied: watch::Sender<u64>,
    /// One start at a time.
    starting: tokio::sync::Mutex<()>,
    watched: Mutex<bool>,
}

impl Agents {
    pub(crate) fn new(setup: Setup, stop: CancellationToken) -> Agents {
        let tasks = TaskTracker::new();
        let (tell, told) = mpsc::channel(LOST_WAITING_MAX);
        let lost = (tell, Mutex::new(Some(told)));
        Agents(Arc::new(Inner { setup, known: Mutex::default(), tasks, stop, lost }))
    }

    /// Sessions whose agent was replaced with turns in hand: they have to be handed over again.
    pub(crate) fn lost(&self) -> Option<mpsc::Receiver<String>> {
        lock(&self.0.lost.1).take()
    }

    fn tell_lost(&self, session: &str) {
        if self.0.lost.0.try_send(session.to_owned()).is_err() {
            tracing::error!(session, "nobody hands its turns over again");
        }
    }

    /// The session's agent, started if there is none; it is watched from now on.
    pub(crate) async fn ensure(&self, store: &Store, session: &str) -> Result<(), StartError> {
        let known = self.known(session);
        let started = {
            let _one = known.starting.lock().await;
            self.start_if_gone(&known).await
        };
        // Also where it could not be started: the watch tries again, within bounds.
        self.watch(store, &known);
        started
    }

    async fn start_if_gone(&self, known: &Known) -> Result<(), StartError> {
        if known.status().await.is_some() {
            return Ok(());
        }
        self.make_room(Some(&known.session)).await;
        start::start(&self.0.setup, &known.session).await?;
        let ready = async {
            while known.status().await.is_none() {
                tokio::time::sleep(AGENT_POLL).await;
            }
        };
        let late = || StartError::Late(AGENT_START.as_secs());
        tokio::time::timeout(AGENT_START, ready).await.map_err(|_| late())
    }

    /// How the session's agent is, if it lives.
    pub(crate) async fn status(&self, session: &str) -> Option<AgentStatus> {
        self.known(session).status().await
    }

    /// Asks the session's agent; it is not started for that.
    pub(crate) async fn ask<I: Serialize, O: DeserializeOwned>(
        &self,
        session: &str,
        method: Method,
        path: &str,
        body: &I,
    ) -> Result<O, AskError> {
        client::ask(&self.known(session).socket, method, path, body).await
    }

    /// Agents that live, by their sockets.
    pub(crate) async fn all(&self) -> Vec<AgentStatus> {
        let mut asked = tokio::task::JoinSet::new();
        for session in self.with_sockets() {
            let known = self.known(&session);
            asked.spawn(async move { known.status().await });
        }
        asked.join_all().await.into_iter().flatten().collect()
    }

    /// How many sockets of agents there are.
    pub(crate) fn count(&self) -> usize {
        self.with_sockets().len()
    }

    /// Our folder for what is no note of the user's.
    pub(crate) fn state(&self) -> &Path {
        &self.0.setup.dirs.state
    }

    /// Folder of a session's event log.
    pub(crate) fn run_dir(&self, session: &str) -> PathBuf {
        self.0.setup.dirs.run(session)
    }

    /// Waits until the watchers have let go; after `stop`.
    pub(crate) async fn close(&self) {
        self.0.tasks.close();
        if tokio::time::timeout(CLOSE_WAIT, self.0.tasks.wait()).await.is_err() {
            tracing::warn!(left = self.0.tasks.len(), "some work for clients is cut off");
        }
    }

    /// Cancelled when the server stops.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.0.stop.clone()
    }

    /// For work that must go on although the client leaves.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.tasks.spawn(work);
    }

    fn with_sockets(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.0.setup.dirs.agents()).into_iter().flatten().flatten();
        let names = files.filter_map(|f| {
            let name = f.file_name().into_string().ok()?;
            name.strip_suffix(".sock").map(str::to_owned)
        });
        names.filter(|n| wire::SessionId::parse(n).is_ok()).collect()
    }

    fn known(&self, session: &str) -> Arc<Known> {
        let mut all = lock(&self.0.known);
        if let Some(known) = all.get(session) {
            return known.clone();
        }
        // Those that nobody watches and nobody uses need not be remembered.
        all.retain(|_, known| Arc::strong_count(known) > 1);
        let known = Arc::new(Known {
            session: session.to_owned(),
            socket: self.0.setup.dirs.agent_socket(session),
            applied: watch::Sender::new(0),
            starting: tokio::sync::Mutex::new(()),
            watched: Mutex::new(false),
        });
        all.insert(session.to_owned(), known.clone());
        known
    }

    /// Sends away agents that have nothing to do, least recently used first, so that with a
    /// newcomer there are no more than the config allows. Those at work are never touched.
    async fn make_room(&self, newcomer: Option<&str>) {
        let live_max = self.0.setup.live_max;
        if self.count() + usize::from(newcomer.is_some()) <= live_max {
            return;
        }
        let mut live = self.all().await;
        live.retain(|agent| Some(agent.session.as_str()) != newcomer);
        let over = (live.len() + usize::from(newcomer.is_some())).saturating_sub(live_max);
        live.retain(|agent| agent.turn.is_none() && agent.waiting == 0);
        live.sort_by_key(|agent| agent.used);
        for agent in live.into_iter().take(over) {
            let left: Result<wire::chat::Success, _> =
                self.ask(&agent.session, Method::POST, "/leave", &()).await;
            if let Err(error) = left {
                tracing::debug!(session = agent.session, %error, "an idle agent stays");
            }
        }
    }
}

impl Known {
    async fn status(&self) -> Option<AgentStatus> {
        // A stale socket file refuses at once; an agent that hangs must not hang us.
        let asked = client::ask(&self.socket, Method::GET, "/status", &());
        tokio::time::timeout(AGENT_STATUS, asked).await.ok()?.ok()
    }

    async fn open(&self, path: &str) -> Result<hyper::body::Incoming, AskError> {
        let opening = client::open(&self.socket, Method::GET, path, Bytes::new());
        let late = |_| AskError::Away(std::io::ErrorKind::TimedOut.into());
        let answer = tokio::time::timeout(AGENT_ANSWER, opening).await.map_err(late)??;
        if answer.status().is_success() {
            Ok(answer.into_body())
        } else {
            Err(AskError::Refused(answer.status(), Bytes::new()))
        }
    }

    /// Waits until the database has taken in event `id`.
    async fn applied(&self, id: u64) {
        let mut applied = self.applied.subscribe();
        let wait = applied.wait_for(|upto| *upto >= id);
        if tokio::time::timeout(crate::limits::APPLY_WAIT, wait).await.is_err() {
            tracing::error!(
                session = self.session, id, at = %Timestamp::now(),
                "the end of a turn did not reach the database in time"
            );
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
