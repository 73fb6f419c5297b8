//! What the server does, without HTTP and without SQL: sessions, turns, history, keys. It asks
//! the store, the vault and the agents, and is asked by the routes.

mod attachments;
pub(crate) mod brain;
pub(crate) mod capabilities;
pub(crate) mod chat;
mod claude_code;
mod contexts;
mod credential;
mod daily;
mod everything;
pub(crate) mod files;
pub(crate) mod history;
pub(crate) mod imports;
pub(crate) mod keys;
pub(crate) mod mcps;
mod migration;
mod modules;
mod place;
mod prompt;
mod refusal;
pub(crate) mod sandbox;
pub(crate) mod sessions;
pub(crate) mod sync;
pub(crate) mod transcript;
pub(crate) mod trusted;
mod turn;
mod vendor;
mod working;
pub(crate) mod workspaces;

use crate::agents::Agents;
use crate::limits::REOPEN_PAUSE;
use crate::store::{Handed, Store, StoreError};
use crate::vault::git::GitError;
use crate::vault::plugins::PluginError;
use crate::vault::unpack::ArchiveError;
use crate::vault::{FileError, Folder};
use config::keys::Keys;
use config::settings::{Loaded, Settings, Sources};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

/// Everything the domain works with; built once.
pub(crate) struct Domain {
    pub(crate) settings: Settings,
    /// What is wrong with the configuration, for status.
    pub(crate) problem: Option<String>,
    pub(crate) sources: Sources,
    pub(crate) keys: Arc<Keys>,
    pub(crate) agents: Agents,
    pub(crate) home: PathBuf,
    /// The list of models, in the same file as the supervisor's.
    shelf: models::Shelf,
    pub(crate) brain: brain::Brain,
    limits_kept: tokio::sync::Mutex<Option<vendor::KeptLimits>>,
    sandbox: sandbox::Sandbox,
    mcp_turns: mcps::Turns,
    imports: imports::Imports,
    cli_shelf: Arc<claude_code::Shelf>,
    /// Whoever writes files of the vault for callers is alone at it.
    changing_files: tokio::sync::Mutex<()>,
    sync: sync::Sync,
    /// Runs of daily agents.
    daily_runs: daily::Runs,
    /// What the vault's modules were counted as; one counts at a time.
    modules_kept: Arc<tokio::sync::Mutex<crate::vault::modules::kept::Kept>>,
    store: RwLock<Opened>,
    /// One opening at a time.
    opening: tokio::sync::Mutex<()>,
}

enum Opened {
    Yes(Store),
    /// Why not, and when that was found out.
    No(String, Instant),
}

/// Why the domain did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DomainError {
    #[error("Session not found")]
    NoSession,
    #[error("{0}")]
    Bad(String),
    #[error("{0}")]
    Missing(String),
    #[error("{0}")]
    Taken(String),
    #[error("{0}")]
    Protected(String),
    /// What it is about is there and cannot be used as it is.
    #[error("{0}")]
    Unusable(String),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// Somebody who was to be asked does not answer.
    #[error("{0}")]
    Away(String),
    #[error("the database cannot be opened: {0}")]
    NoStore(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the session's history cannot be read")]
    History(#[source] std::io::Error),
    #[error("Transcript not found")]
    NoTranscript,
    #[error(transparent)]
    Notes(#[from] notes::IndexError),
    #[error("a part of the server ended unexpectedly")]
    Broken,
}

impl Domain {
    pub(crate) fn new(
        loaded: Loaded,
        sources: Sources,
        keys: Arc<Keys>,
        agents: Agents,
        dirs: &host::Dirs,
    ) -> Domain {
        let store = RwLock::new(open(&loaded.settings.database()));
        let (mut settings, problem) = (loaded.settings, loaded.problem);
        // Links followed once and for all: what is inside is judged by this.
        if let Ok(real) = settings.vault_path.canonicalize() {
            settings.vault_path = real;
        }
        let opening = tokio::sync::Mutex::new(());
        let sandbox = sandbox::Sandbox::default();
        let brain = brain::Brain::new(&settings.vault_path, dirs.state.join("index.db"));
        Domain {
            settings,
            problem,
            sources,
            keys,
            agents,
            home: dirs.home.clone(),
            shelf: models::Shelf::new(dirs.state.join("models.json")),
            brain,
            limits_kept: tokio::sync::Mutex::new(None),
            sandbox,
            mcp_turns: mcps::Turns::default(),
            imports: imports::Imports::default(),
            cli_shelf: Arc::default(),
            changing_files: tokio::sync::Mutex::new(()),
            sync: sync::Sync::new(dirs.state.join("sync.db")),
            daily_runs: daily::Runs::default(),
            modules_kept: Arc::default(),
            store,
            opening,
        }
    }

    /// The database. Where it could not be opened (a vault that is read-only, a full disk), the
    /// server stays up and says so, and tries again now and then.
    pub(crate) async fn store(&self) -> Result<Store, DomainError> {
        if let Some(known) = self.known_store() {
            return known;
        }
        let _one = self.opening.lock().await;
        if let Some(known) = self.known_store() {
            return known;
        }
        let path = self.settings.database();
        let opened = tokio::task::spawn_blocking(move || open(&path)).await;
        let opened = opened.map_err(|_| DomainError::Broken)?;
        let answer = match &opened {
            Opened::Yes(store) => Ok(store.clone()),
            Opened::No(why, _) => Err(DomainError::NoStore(why.clone())),
        };
        *self.store.write().unwrap_or_else(PoisonError::into_inner) = opened;
        answer
    }

    /// The database, or why there is none, if that was found out just now.
    fn known_store(&self) -> Option<Result<Store, DomainError>> {
        match &*self.store.read().unwrap_or_else(PoisonError::into_inner) {
            Opened::Yes(store) => Some(Ok(store.clone())),
            Opened::No(why, at) if at.elapsed() < REOPEN_PAUSE => {
                Some(Err(DomainError::NoStore(why.clone())))
            }
            Opened::No(..) => None,
        }
    }

    /// Takes up what was under way when the last server ended, and whatever loses its agent from
    /// now on. Goes on by itself.
    pub(crate) fn adopt(self: &Arc<Domain>, store: Store, handed: Vec<Handed>) {
        let Some(mut lost) = self.agents.lost() else { return };
        let sweeping = self.clone();
        self.agents.spawn(async move { sweeping.sweep_containers().await });
        let reading = self.clone();
        self.agents.spawn(async move { reading.take_up_daily_runs().await });
        let (domain, stop) = (self.clone(), self.agents.stopping());
        self.agents.spawn(async move {
            let taking_up = async {
                domain.hand_over_again(&store, handed).await;
                while let Some(session) = lost.recv().await {
                    match store.handed(Some(&session)).await {
                        Ok(handed) => domain.hand_over_again(&store, handed).await,
                        Err(error) => {
                            tracing::error!(session, %error, "what is in hand is unknown")
                        }
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = taking_up => {}
            }
        });
    }

    /// The database if it is open, for the watchdog.
    pub(crate) fn open_store(&self) -> Option<Store> {
        match &*self.store.read().unwrap_or_else(PoisonError::into_inner) {
            Opened::Yes(store) => Some(store.clone()),
            Opened::No(..) => None,
        }
    }

    /// What a person should know is wrong: the config, the keys' file, the database.
    pub(crate) fn problem(&self) -> Option<String> {
        let store = match &*self.store.read().unwrap_or_else(PoisonError::into_inner) {
            Opened::Yes(_) => None,
            Opened::No(why, _) => Some(format!("the database cannot be opened: {why}")),
        };
        let all: Vec<String> =
            [self.problem.clone(), self.keys.problem(), store].into_iter().flatten().collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    pub(crate) fn vault(&self) -> &Path {
        &self.settings.vault_path
    }

    /// Works on the vault's files, off the event loop.
    pub(crate) async fn in_vault<T: Send + 'static, E: From<DomainError> + Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let path = self.settings.vault_path.clone();
        let worked = keys::blocking(move || {
            let vault = Folder::open(&path).map_err(DomainError::from)?;
            let none = || DomainError::Bad(format!("there is no vault at {}", path.display()));
            work(&vault.ok_or_else(none)?)
        });
        worked.await?
    }
}

fn open(path: &Path) -> Opened {
    match Store::open(path) {
        Ok(store) => Opened::Yes(store),
        Err(error) => {
            let why = serve::fault::chain(&error);
            tracing::error!(error = why, "the database cannot be opened; serving without it");
            Opened::No(why, Instant::now())
        }
    }
}
