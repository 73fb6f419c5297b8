//! Sessions: listing, showing, changing, forgetting. Turning a row into the contract's object
//! happens here and nowhere else.

use super::{Domain, DomainError};
use crate::limits::{AGENT_GONE_PAUSE, AGENT_GONE_TRIES};
use crate::store::{ListFilter, MetadataEdit, Patch, SessionRow, Stats};
use serde_json::{Map, Value};
use std::io;
use wire::Trust;
use wire::chat::PermissionMode;
use wire::session::{Session, SessionConfig};

/// Where a session's choice of asking is kept in its metadata.
const PERMISSION_MODE: &str = "permission_mode";

impl Domain {
    pub(crate) async fn list(&self, filter: ListFilter) -> Result<Vec<Session>, DomainError> {
        let rows = self.store().await?.list_sessions(&filter).await?;
        Ok(rows.into_iter().map(of_row).collect())
    }

    pub(crate) async fn stats(&self) -> Result<Stats, DomainError> {
        Ok(self.store().await?.stats().await?)
    }

    pub(crate) async fn row(&self, id: &str) -> Result<SessionRow, DomainError> {
        let row = self.store().await?.session(id).await?;
        row.ok_or(DomainError::NoSession)
    }

    pub(crate) async fn show(&self, id: &str) -> Result<Session, DomainError> {
        self.row(id).await.map(of_row)
    }

    /// Forgets a session: its row, its event log and its agent. The CLI's own transcript stays
    /// where the CLI put it.
    pub(crate) async fn forget(&self, id: &str) -> Result<(), DomainError> {
        if !self.store().await?.delete_session(id).await? {
            return Err(DomainError::NoSession);
        }
        self.end_agent(id).await;
        let dir = self.agents.run_dir(id);
        let removed = super::keys::blocking(move || {
            // An agent that is still there would make the folder again.
            let _lock = host::Lock::take(dir.join("lock")).map_err(io::Error::other)?;
            host::remove_folder(&dir)
        });
        match removed.await? {
            Ok(()) => tracing::info!(session = id, "a session was deleted"),
            Err(error) => {
                tracing::warn!(session = id, %error, "a deleted session's event log stays");
            }
        }
        Ok(())
    }

    /// Ends the session's agent, whatever it does, and waits until it has left.
    async fn end_agent(&self, id: &str) {
        let ended: Result<wire::chat::Success, _> =
            self.agents.ask(id, http::Method::POST, "/end", &()).await;
        tracing::debug!(session = id, lived = ended.is_ok(), "its agent is ended");
        for _ in 0..AGENT_GONE_TRIES {
            let lock = self.agents.run_dir(id).join("lock");
            let held = matches!(host::Lock::take(lock), Err(host::LockError::Held(_)));
            if !held {
                return;
            }
            tokio::time::sleep(AGENT_GONE_PAUSE).await;
        }
        tracing::warn!(session = id, "the agent of a deleted session does not leave");
    }

    pub(crate) async fn archive(&self, id: &str, away: bool) -> Result<Session, DomainError> {
        let row = self.store().await?.set_archived(id, away).await?;
        row.map(of_row).ok_or(DomainError::NoSession)
    }

    /// Takes a session that waits for its owner's word into use.
    pub(crate) async fn activate(
        &self,
        id: &str,
        config: SessionConfig,
    ) -> Result<Session, DomainError> {
        let row = self.row(id).await?;
        self.check_workspace(&row, &config).await?;
        let pending = row.metadata.as_ref().and_then(|m| m.get("pending_initialization"));
        if !pending.is_some_and(truthy) {
            return Err(DomainError::Bad("Session is not pending initialization".into()));
        }
        let config = SessionConfig { module: None, config_overrides: None, ..config };
        let mut patch = patch_of(config)?;
        let edit = patch.metadata.take();
        patch.metadata = Some(MetadataEdit::With(Box::new(move |metadata| {
            metadata.remove("pending_initialization");
            if let Some(MetadataEdit::With(edit)) = edit {
                edit(metadata);
            }
        })));
        self.change(id, patch).await
    }

    pub(crate) async fn configure(
        &self,
        id: &str,
        config: SessionConfig,
    ) -> Result<Session, DomainError> {
        let row = self.row(id).await?;
        self.check_workspace(&row, &config).await?;
        let trust = config.trust_level.clone();
        let patch = patch_of(config)?;
        if patch.is_empty() {
            return Err(DomainError::Bad("No fields to update".into()));
        }
        let session = self.change(id, patch).await?;
        if let Some(trust) = trust {
            tracing::info!(session = id, trust, "the owner set the trust level");
        }
        Ok(session)
    }

    /// A session may stay in a workspace that is gone, but go into none (trap 69).
    async fn check_workspace(
        &self,
        row: &SessionRow,
        config: &SessionConfig,
    ) -> Result<(), DomainError> {
        let wanted = config.workspace_id.as_ref().and_then(Option::as_deref);
        let wanted = wanted.filter(|slug| !slug.is_empty());
        match wanted.filter(|slug| row.workspace_id.as_deref() != Some(*slug)) {
            None => Ok(()),
            Some(slug) => match self.workspace(slug).await {
                Err(DomainError::Missing(said)) => Err(DomainError::Bad(said)),
                found => found.map(drop),
            },
        }
    }

    async fn change(&self, id: &str, patch: Patch) -> Result<Session, DomainError> {
        let row = self.store().await?.patch_session(id, patch).await?;
        row.map(of_row).ok_or(DomainError::NoSession)
    }
}

fn patch_of(config: SessionConfig) -> Result<Patch, DomainError> {
    let mut patch = Patch { module: config.module, title: config.title, ..Patch::default() };
    if let Some(name) = config.trust_level {
        let trust = Trust::parse(&name);
        let trust = trust.ok_or_else(|| DomainError::Bad("Invalid trust level".into()))?;
        patch.trust_level = Some(trust.stored_name().into());
    }
    if let Some(workspace) = config.workspace_id {
        patch.workspace_id = Some(workspace.filter(|w| !w.is_empty()));
    }
    if let Some(mode) = config.response_mode.as_deref()
        && !matches!(mode, "all_messages" | "mention_only")
    {
        return Err(DomainError::Bad("responseMode is all_messages or mention_only".into()));
    }
    let bot =
        [("response_mode", config.response_mode), ("mention_pattern", config.mention_pattern)];
    let overrides = config.config_overrides;
    let mode = config.permission_mode;
    if overrides.is_some() || mode.is_some() || bot.iter().any(|(_, v)| v.is_some()) {
        patch.metadata = Some(MetadataEdit::With(Box::new(move |metadata| {
            for (name, value) in bot {
                if let Some(value) = value {
                    part(metadata, "bot_settings").insert(name.into(), value.into());
                }
            }
            for (name, value) in overrides.into_iter().flatten() {
                let part = part(metadata, "config_overrides");
                match value {
                    Value::Null => drop(part.remove(&name)),
                    value => drop(part.insert(name, value)),
                }
            }
            if let Some(mode) = mode {
                set_permission_mode(metadata, mode);
            }
        })));
    }
    Ok(patch)
}

/// An object within the metadata, made if it is missing or something else.
fn part<'m>(metadata: &'m mut Map<String, Value>, name: &str) -> &'m mut Map<String, Value> {
    let value = metadata.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("made one above")
}

pub(crate) fn permission_mode(metadata: Option<&Map<String, Value>>) -> PermissionMode {
    let kept = metadata.and_then(|m| m.get(PERMISSION_MODE)).cloned();
    kept.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
}

pub(crate) fn set_permission_mode(metadata: &mut Map<String, Value>, mode: PermissionMode) {
    let name = serde_json::to_value(mode).expect("a mode is always JSON");
    metadata.insert(PERMISSION_MODE.into(), name);
}

fn truthy(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

/// A session as the contract shows it.
pub(crate) fn of_row(row: SessionRow) -> Session {
    let trust = row.trust_level.as_deref().and_then(Trust::parse);
    Session {
        permission_mode: permission_mode(row.metadata.as_ref()),
        trust_level: trust.map(|t| t.app_name().to_owned()),
        trust,
        id: row.id,
        title: row.title,
        module: row.module,
        source: row.source,
        working_directory: row.working_directory,
        vault_root: row.vault_root,
        model: row.model,
        message_count: row.message_count,
        archived: row.archived,
        created_at: row.created_at,
        last_accessed: row.last_accessed,
        continued_from: row.continued_from,
        agent_type: row.agent_type,
        linked_bot_platform: row.linked_bot_platform,
        linked_bot_chat_id: row.linked_bot_chat_id,
        linked_bot_chat_type: row.linked_bot_chat_type,
        workspace_id: row.workspace_id,
        metadata: row.metadata,
        usage: Some(row.usage).filter(|usage| usage.turns > 0),
    }
}
