//! Workspaces: listed, made, changed, deleted, and looked up for a turn. What they are on disk
//! is the vault's matter; what their containers are is not here.

use super::sessions::of_row;
use super::{Domain, DomainError};
use crate::store::ListFilter;
use crate::vault::workspaces::{self, Stored, WorkspaceError};
use crate::vault::{Folder, Slug};
use wire::Trust;
use wire::session::Session;
use wire::workspace::{
    Capabilities, Chosen, Network, NewCapabilities, NewWorkspace, Sandbox, Workspace,
    WorkspaceChange, WorkspaceList, WorkspaceProblem,
};

/// What the workspaces of a turn come to.
pub(crate) struct TurnSpace {
    /// Fills what the request leaves open.
    pub(crate) workspace: Option<Workspace>,
    /// The one that the request names, if there is one.
    pub(crate) asked: Option<String>,
    /// The strictest level of all.
    pub(crate) trust: Trust,
    /// What containers are connected to where all of them say so.
    pub(crate) network: Network,
    /// What a person should know.
    pub(crate) problem: Option<String>,
}

impl Default for TurnSpace {
    fn default() -> TurnSpace {
        TurnSpace {
            workspace: None,
            asked: None,
            trust: Trust::Full,
            network: Network::None,
            problem: None,
        }
    }
}

impl TurnSpace {
    pub(crate) fn working_directory(&self) -> Option<&str> {
        self.workspace.as_ref()?.working_directory.as_deref()
    }

    pub(crate) fn model(&self) -> Option<&str> {
        self.workspace.as_ref()?.model.as_deref()
    }
}

/// Names in one set of capabilities.
const NAMES_MAX: usize = 500;

impl Domain {
    pub(crate) async fn workspaces(&self) -> Result<WorkspaceList, DomainError> {
        let all = |vault: &Folder| Ok::<_, DomainError>(workspaces::all(vault)?);
        let mut list = WorkspaceList { workspaces: Vec::new(), problems: Vec::new() };
        for (slug, found) in self.in_vault(all).await? {
            match found {
                Ok(stored) => list.workspaces.push(stored.shown()),
                Err(error) => {
                    let (slug, problem) = (slug.to_string(), error.to_string());
                    tracing::warn!(slug, problem, "a workspace cannot be read");
                    list.problems.push(WorkspaceProblem { slug, problem });
                }
            }
        }
        Ok(list)
    }

    pub(crate) async fn workspace(&self, slug: &str) -> Result<Workspace, DomainError> {
        let slug = lawful(slug)?;
        let found = self.find_workspace(slug.clone()).await?;
        found.map(|stored| stored.shown()).ok_or_else(|| missing(&slug))
    }

    pub(crate) async fn make_workspace(&self, new: NewWorkspace) -> Result<Workspace, DomainError> {
        named(&new.name)?;
        checked(new.working_directory.as_deref(), new.model.as_deref())?;
        new.capabilities.as_ref().map_or(Ok(()), few)?;
        new.sandbox.as_ref().map_or(Ok(()), bounded)?;
        let make = |vault: &Folder| Ok::<_, DomainError>(workspaces::make(vault, new)?.shown());
        let made = self.in_vault(make).await?;
        tracing::info!(slug = made.slug, trust = made.trust.name(), "a workspace was made");
        Ok(made)
    }

    pub(crate) async fn change_workspace(
        &self,
        slug: &str,
        change: WorkspaceChange,
    ) -> Result<Workspace, DomainError> {
        let slug = lawful(slug)?;
        change.name.as_deref().map_or(Ok(()), named)?;
        let directory = change.working_directory.as_ref().and_then(Option::as_deref);
        checked(directory, change.model.as_ref().and_then(Option::as_deref))?;
        change.capabilities.as_ref().map_or(Ok(()), few)?;
        change.sandbox.iter().flatten().try_for_each(bounded)?;
        let wanted = slug.clone();
        let change =
            move |vault: &Folder| Ok::<_, DomainError>(workspaces::change(vault, &wanted, change)?);
        let changed = self.in_vault(change).await?.ok_or_else(|| missing(&slug))?.shown();
        tracing::info!(
            slug = changed.slug,
            trust = changed.trust.name(),
            "a workspace was changed"
        );
        Ok(changed)
    }

    /// Deletes a workspace. Its sessions stay, outside of it, and are trusted no more than they
    /// were in it.
    pub(crate) async fn delete_workspace(&self, slug: &str) -> Result<String, DomainError> {
        let slug = lawful(slug)?;
        let at_most = match self.find_workspace(slug.clone()).await {
            Ok(Some(stored)) => stored.trust().unwrap_or(Trust::Full),
            Ok(None) => return Err(missing(&slug)),
            Err(DomainError::Unusable(_)) => Trust::Sandboxed,
            Err(error) => return Err(error),
        };
        let store = self.store().await?;
        let left = store.leave_workspace(slug.as_str(), move |level| {
            if at_most == Trust::Full {
                return level.map(str::to_owned);
            }
            let had = level.map_or(Trust::Full, |l| Trust::parse(l).unwrap_or(Trust::Sandboxed));
            Some(had.max(at_most).stored_name().to_owned())
        });
        let left = left.await?;
        let gone = slug.clone();
        self.in_vault(move |vault| Ok::<_, DomainError>(workspaces::remove(vault, &gone)?)).await?;
        tracing::info!(%slug, sessions = left, "a workspace was deleted");
        Ok(slug.to_string())
    }

    pub(crate) async fn workspace_sessions(
        &self,
        slug: &str,
        filter: ListFilter,
    ) -> Result<(Workspace, Vec<Session>), DomainError> {
        let workspace = self.workspace(slug).await?;
        let filter = ListFilter { workspace_id: Some(workspace.slug.clone()), ..filter };
        let rows = self.store().await?.list_sessions(&filter).await?;
        Ok((workspace, rows.into_iter().map(of_row).collect()))
    }

    /// What the workspaces of a turn say: the one that the request names, and the session's.
    pub(crate) async fn turn_space(&self, asked: Option<&str>, kept: Option<&str>) -> TurnSpace {
        let mut space = TurnSpace::default();
        if asked.or(kept).is_some() {
            space.network = Network::Full;
        }
        let kept = kept.filter(|kept| asked != Some(*kept));
        for (slug, is_asked) in asked.map(|s| (s, true)).into_iter().chain(kept.map(|s| (s, false)))
        {
            let found = match Slug::parse(slug) {
                Some(slug) => self.find_workspace(slug).await.transpose(),
                None => None,
            };
            let sandbox = match &found {
                Some(Ok(stored)) => stored.shown().sandbox,
                Some(Err(_)) | None => None,
            };
            space.network = space.network.min(sandbox.unwrap_or_default().network);
            if is_asked {
                space.asked = found.is_some().then(|| slug.to_owned());
            }
            match found {
                Some(Ok(stored)) => {
                    let workspace = stored.shown();
                    space.trust = space.trust.max(workspace.trust);
                    space.workspace.get_or_insert(workspace);
                }
                // It may have confined its sessions.
                Some(Err(error)) => {
                    space.trust = Trust::Sandboxed;
                    space.problem = Some(error.to_string());
                }
                None if is_asked => {
                    let said = format!("There is no workspace `{slug}`; the turn goes on without.");
                    space.problem = Some(said);
                }
                None => tracing::info!(slug, "the session's workspace is gone"),
            }
        }
        space
    }

    async fn find_workspace(&self, slug: Slug) -> Result<Option<Stored>, DomainError> {
        self.in_vault(move |vault| Ok::<_, DomainError>(workspaces::find(vault, &slug)?)).await
    }
}

impl From<WorkspaceError> for DomainError {
    fn from(error: WorkspaceError) -> DomainError {
        match error {
            WorkspaceError::Unreadable { .. } => DomainError::Unusable(error.to_string()),
            WorkspaceError::TooMany => DomainError::Taken(error.to_string()),
            WorkspaceError::File(error) => error.into(),
        }
    }
}

fn lawful(slug: &str) -> Result<Slug, DomainError> {
    let bad = || DomainError::Bad(format!("Invalid workspace slug: {slug:?}"));
    Slug::parse(slug).ok_or_else(bad)
}

fn missing(slug: &Slug) -> DomainError {
    DomainError::Missing(format!("Workspace not found: {slug}"))
}

fn named(name: &str) -> Result<(), DomainError> {
    let plain = !name.trim().is_empty() && !name.chars().any(char::is_control);
    plain
        .then_some(())
        .ok_or_else(|| DomainError::Bad("a workspace needs a name in one line".into()))
}

/// What may lead out of the vault says so with an absolute path, not with dots.
fn checked(directory: Option<&str>, model: Option<&str>) -> Result<(), DomainError> {
    let mut parts = directory.unwrap_or_default().split('/');
    if parts.any(|part| part == ".." || part.chars().any(char::is_control)) {
        return Err(DomainError::Bad("a working directory has no `..` in it".into()));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:/[]@".contains(c);
    match model {
        Some(model) if !model.chars().all(plain) || model.starts_with('-') => {
            Err(DomainError::Bad(format!("no model has the name {model:?}")))
        }
        _ => Ok(()),
    }
}

fn few(capabilities: &NewCapabilities) -> Result<(), DomainError> {
    let Capabilities { mcps, skills, agents, plugins } = capabilities.clone().into();
    let many = |set: &Chosen| matches!(set, Chosen::Named(names) if names.len() > NAMES_MAX);
    match [mcps, skills, agents, plugins].iter().any(many) {
        true => Err(DomainError::Bad(format!("a set has at most {NAMES_MAX} names"))),
        false => Ok(()),
    }
}

fn bounded(sandbox: &Sandbox) -> Result<(), DomainError> {
    if sandbox.memory_bytes().is_none() {
        let said = "sandbox.memory is a number with k, m or g, such as 512m; at least 32m";
        return Err(DomainError::Bad(said.into()));
    }
    if sandbox.cpus().is_none() {
        return Err(DomainError::Bad("sandbox.cpu is a number from 0.1 to 64".into()));
    }
    Ok(())
}
