//! Containers as far as the server goes: whether there is an engine and an image, building the
//! image, what a session's container may do, and those that a killed agent left behind. Running
//! one is the agent's work.

use super::place::Place;
use super::workspaces::TurnSpace;
use super::{Domain, DomainError};
use crate::limits::{CONTAINER_TASKS_MAX, ENGINE_KEPT};
use crate::store::SessionRow;
use engine::{Build, Engine, IMAGE, Line, recipe_digest};
use futures_util::StreamExt;
use host::{Lock, LockError};
use serve::Feed;
use serve::fault::chain;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use wire::agent::ContainerSetup;
use wire::health::DockerHealth;
use wire::sandbox::BuildEvent;
use wire::workspace::{Network, Sandbox as Limits};

/// What is known of the engine, and whether an image is being built.
#[derive(Default)]
pub(crate) struct Sandbox {
    building: AtomicBool,
    known: tokio::sync::Mutex<Option<(Instant, DockerHealth)>>,
}

/// One build at a time; this is the right to it.
struct Turn<'a>(&'a AtomicBool);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Domain {
    async fn engine(&self) -> Result<Engine, DomainError> {
        let environment = &self.sources.environment;
        let found = Engine::find(|name| environment.get(name).cloned()).await;
        found.map_err(|error| DomainError::Bad(error.to_string()))
    }

    /// Whether containers can be had, as it was found within the last minute.
    pub(crate) async fn containers(&self) -> DockerHealth {
        let mut known = self.sandbox.known.lock().await;
        if let Some((at, health)) = &*known
            && at.elapsed() < ENGINE_KEPT
        {
            return health.clone();
        }
        let mut health = DockerHealth { available: false, image: IMAGE.into(), image_exists: None };
        if let Ok(engine) = self.engine().await {
            health.available = true;
            health.image_exists = engine.image().await.ok().map(|image| image.is_some());
        }
        *known = Some((Instant::now(), health.clone()));
        health
    }

    /// What an image would be built of, and with what.
    pub(crate) async fn can_build(&self) -> Result<(Engine, Build), DomainError> {
        let engine = self.engine().await?;
        let said = self.settings.claude_path.clone();
        let claude = said.or_else(|| host::child::installed("claude"));
        let missing = || DomainError::Bad("no Claude CLI was found to put into the image".into());
        let claude = claude.ok_or_else(missing)?;
        let packages = Some(self.agents.state().join("sandbox/packages"));
        let base = self.settings.sandbox_base.clone();
        Ok((engine, Build { claude, base, packages }))
    }

    /// Builds the image and tells how it goes; ends if nobody listens any more.
    pub(crate) async fn build_image(&self, engine: Engine, build: Build, feed: &Feed) {
        if self.sandbox.building.swap(true, Ordering::AcqRel) {
            let error = "another build is under way".to_owned();
            tell(feed, &BuildEvent::BuildError { error }).await;
            return;
        }
        let _turn = Turn(&self.sandbox.building);
        tracing::info!(engine = engine.place(), "building the sandbox's image");
        let mut lines = std::pin::pin!(engine.build(&build));
        let left = || tracing::info!("nobody waits for the sandbox's image any more");
        loop {
            let line = tokio::select! {
                line = lines.next() => line,
                // A step may be silent for long.
                () = feed.gone() => return left(),
            };
            let event = match line {
                Some(Line::Progress(line)) => BuildEvent::BuildProgress { line },
                Some(Line::Failed(error)) => {
                    tracing::warn!(error, "the sandbox's image was not built");
                    tell(feed, &BuildEvent::BuildError { error }).await;
                    return;
                }
                None => break,
            };
            if !tell(feed, &event).await {
                return left();
            }
        }
        *self.sandbox.known.lock().await = None;
        let last = match engine.image().await {
            Ok(Some(recipe)) if recipe == recipe_digest() => BuildEvent::BuildComplete {},
            Ok(_) => BuildEvent::BuildError { error: "the engine has no such image".into() },
            Err(error) => BuildEvent::BuildError { error: error.to_string() },
        };
        tell(feed, &last).await;
    }

    /// What a session's container may do.
    pub(super) fn container(
        &self,
        id: &str,
        space: &TurnSpace,
        row: Option<&SessionRow>,
        place: &Place,
    ) -> ContainerSetup {
        let workspace = space.workspace.as_ref();
        let limits = workspace.and_then(|workspace| workspace.sandbox.clone());
        let limits = limits.unwrap_or_else(Limits::usual);
        let lawful = "a workspace's limits were judged when they were read";
        // A request may name a workspace, and so begin a session there; a session that is in none
        // does not get its network by that.
        let is_in_none = row.is_some_and(|row| row.workspace_id.is_none());
        let home = match workspace {
            // What its sessions keep between them.
            Some(workspace) => self.agents.state().join("sandbox").join(&workspace.slug),
            None => self.agents.run_dir(id),
        };
        ContainerSetup {
            writable: self.writable(row, place),
            home: home.join("home").display().to_string(),
            memory_bytes: limits.memory_bytes().expect(lawful),
            cpu_millis: (limits.cpus().expect(lawful) * 1000.0) as u64,
            tasks_max: CONTAINER_TASKS_MAX,
            turn_seconds_max: limits.timeout.into(),
            network: if is_in_none { Network::None } else { space.network },
        }
    }

    /// The working directory, and what the owner allowed for this session beside it: folders of
    /// the vault. The vault as a whole is not written.
    fn writable(&self, row: Option<&SessionRow>, place: &Place) -> Vec<String> {
        let allowed = row
            .and_then(|row| row.metadata.as_ref()?.get("permissions")?.get("allowedPaths"))
            .and_then(|paths| paths.as_array());
        let allowed = allowed.into_iter().flatten().filter_map(|path| path.as_str());
        let allowed = allowed.map(|path| {
            let path = path.trim_end_matches("/**").trim_end_matches("/*");
            super::place::place(self.vault(), Some(path))
        });
        let of_vault = |place: &Place| {
            place.refused.is_none()
                && place.stored.as_deref().is_some_and(|stored| stored.starts_with("/vault/"))
        };
        let wanted = allowed.chain([place.clone()]).filter(of_vault);
        let mut folders: Vec<String> =
            wanted.map(|place| place.directory.display().to_string()).collect();
        folders.sort();
        folders.dedup();
        folders
    }

    /// Removes containers of agents that do not live any more.
    pub(crate) async fn sweep_containers(&self) {
        let Ok(engine) = self.engine().await else { return };
        let left = |session: &str| is_left(&self.agents.run_dir(session));
        match engine.sweep(left).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed containers that were left behind"),
            Err(error) => {
                tracing::warn!(error = chain(&error), "containers may be left behind");
            }
        }
    }
}

/// Whether no agent lives in this folder. Who lives there removes what its last one left.
fn is_left(run: &Path) -> bool {
    let lock: PathBuf = run.join("lock");
    !matches!(Lock::take(lock), Err(LockError::Held(_)))
}

/// False: nobody listens.
async fn tell(feed: &Feed, event: &BuildEvent) -> bool {
    let json = serde_json::to_string(event).expect("an event is always JSON");
    feed.send(format!("data: {json}\n\n").into()).await.is_ok()
}
