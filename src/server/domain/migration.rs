//! Sessions that name an older place of the vault, and bringing them to the one in use: their
//! stored place, their working directory, and, if it is asked for, a copy of the transcript where
//! a CLI looks that is started there.
//!
//! A session that names no place goes with the vault and needs nothing. Only transcripts in
//! Claude's own folder count: what a confined agent wrote elsewhere must not become what a free
//! one goes on with. The old ones stay; event logs do not depend on the place.

mod copy;

use super::keys::blocking;
use super::{Domain, DomainError, place, sessions, transcript};
use crate::limits::MIGRATED_SESSIONS_MAX;
use crate::store::SessionRow;
use copy::{Projects, Transcript};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use wire::SessionId;
use wire::migration::{Migrated, MigratedAll, MigrationScan, OldSession};

/// What is done about one session.
struct Move {
    id: String,
    /// Of its event log.
    run_dir: PathBuf,
    from: String,
    /// Where the CLI ran.
    old_directory: PathBuf,
    /// The working directory as it will be stored.
    directory: Option<String>,
}

impl Domain {
    /// Which sessions name another place; nothing is changed.
    pub(crate) async fn scan_places(&self) -> Result<MigrationScan, DomainError> {
        let total = self.stats().await?.total;
        let rooted = self.store().await?.rooted(MIGRATED_SESSIONS_MAX).await?;
        let named = i64::try_from(rooted.len()).unwrap_or(i64::MAX);
        let (old, current) = self.apart(rooted).await?;
        let root = self.claude_projects();
        let found = blocking(move || {
            let projects = Arc::new(Projects::look(root));
            let found = |step: Move| step.transcript(&projects)?.find();
            old.into_iter().map(|(row, step)| shown(row, found(step))).collect()
        });
        Ok(MigrationScan {
            current_vault_root: self.vault().display().to_string(),
            needs_migration: found.await?,
            already_current: current,
            no_vault_root: total.saturating_sub(named),
            total,
        })
    }

    /// Brings one session to the place in use. Asking again changes nothing.
    pub(crate) async fn migrate(&self, id: &str, copy: bool) -> Result<Migrated, DomainError> {
        let row = self.row(id).await?;
        let (mut old, _) = self.apart(vec![row]).await?;
        let (mut migrated, mut transcript_copied) = (false, false);
        if let Some((_, step)) = old.pop() {
            let projects = self.projects(copy).await?;
            (migrated, transcript_copied) = self.take(step, projects).await?;
        }
        let session = self.show(id).await?;
        Ok(Migrated { success: true, migrated, transcript_copied, session })
    }

    /// The same for all of them. One that fails is left as it is, and the others go on.
    pub(crate) async fn migrate_all(&self, copy: bool) -> Result<MigratedAll, DomainError> {
        let rooted = self.store().await?.rooted(MIGRATED_SESSIONS_MAX).await?;
        let (old, _) = self.apart(rooted).await?;
        let projects = self.projects(copy).await?;
        let mut out = MigratedAll::default();
        for (row, step) in old {
            out.total += 1;
            match self.take(step, projects.clone()).await {
                Ok((_, copied)) => {
                    out.migrated += 1;
                    out.transcripts_copied += i64::from(copied);
                }
                Err(error) => {
                    let why = serve::fault::chain(&error);
                    tracing::warn!(session = row.id, error = why, "a session stays where it was");
                    out.failed += 1;
                    out.error.get_or_insert_with(|| format!("{}: {error}", row.id));
                }
            }
        }
        out.success = out.failed == 0;
        Ok(out)
    }

    /// Those of another place, with what is to be done, and how many are of this one.
    async fn apart(
        &self,
        rows: Vec<SessionRow>,
    ) -> Result<(Vec<(SessionRow, Move)>, i64), DomainError> {
        let (vault, agents) = (self.vault().to_owned(), self.agents.clone());
        blocking(move || {
            let mut current = 0;
            let mut old = Vec::new();
            for row in rows {
                let Some(from) = row.vault_root.clone().filter(|root| !root.is_empty()) else {
                    continue;
                };
                if is_here(Path::new(&from), &vault) {
                    current += 1;
                    continue;
                }
                let stored = row.working_directory.as_deref();
                let step = Move {
                    id: row.id.clone(),
                    run_dir: agents.run_dir(&row.id),
                    old_directory: stood_in(stored, Path::new(&from)),
                    directory: moved(stored, Path::new(&from), &vault),
                    from,
                };
                old.push((row, step));
            }
            (old, current)
        })
        .await
    }

    /// Where the CLI keeps transcripts, if any is to be copied.
    async fn projects(&self, copy: bool) -> Result<Option<Arc<Projects>>, DomainError> {
        if !copy {
            return Ok(None);
        }
        let root = self.claude_projects();
        Ok(Some(blocking(move || Arc::new(Projects::look(root))).await?))
    }

    /// Whether the session was moved, and its transcript copied if one is asked for. The copy
    /// comes first: what could not be copied is asked for again.
    async fn take(
        &self,
        step: Move,
        projects: Option<Arc<Projects>>,
    ) -> Result<(bool, bool), DomainError> {
        let vault = self.vault().to_owned();
        let copying = blocking(move || {
            let transcript = projects.and_then(|projects| step.transcript(&projects));
            let Some(transcript) = transcript else { return Ok((step, false)) };
            let place = place::place(&vault, step.directory.as_deref());
            transcript.copy_for(&place.directory).map(|copied| (step, copied))
        });
        let (step, copied) = copying.await??;
        let here = self.vault().display().to_string();
        let store = self.store().await?;
        let moved =
            store.move_session(&step.id, &step.from, &here, step.directory.as_deref()).await?;
        tracing::info!(session = step.id, from = step.from, copied, "a session came along");
        Ok((moved, copied))
    }
}

impl Move {
    /// None for an id that can name no file; other programs write rows, too.
    fn transcript(&self, projects: &Arc<Projects>) -> Option<Transcript> {
        let id = SessionId::parse(&self.id).ok()?;
        Some(Transcript {
            projects: projects.clone(),
            written_in: copy::folder_of(&self.old_directory),
            file: transcript::file_of(&self.run_dir, id.as_str()),
        })
    }
}

fn shown(row: SessionRow, transcript: Option<PathBuf>) -> OldSession {
    let session = sessions::of_row(row);
    OldSession {
        session_id: session.id,
        title: session.title.unwrap_or_default(),
        old_vault_root: session.vault_root.unwrap_or_default(),
        working_directory: session.working_directory,
        transcript_exists: transcript.is_some(),
        transcript_path: transcript.map(|path| path.display().to_string()),
        created_at: session.created_at,
    }
}

/// Whether a place is the vault, links followed.
fn is_here(root: &Path, vault: &Path) -> bool {
    root == vault || root.canonicalize().is_ok_and(|root| root == vault)
}

/// Where a session's CLI ran when the vault stood at `root`.
fn stood_in(stored: Option<&str>, root: &Path) -> PathBuf {
    match stored.map(|stored| (stored, stored.strip_prefix("/vault"))) {
        None | Some((_, Some(""))) => root.to_owned(),
        Some((_, Some(rest))) if rest.starts_with('/') => root.join(rest.trim_start_matches('/')),
        // A relative one is joined, an absolute one stands.
        Some((stored, _)) => root.join(stored),
    }
}

/// A working directory as it is stored from now on: what lay in the vault's old place lies in the
/// vault, and what lay outside stays where it is.
fn moved(stored: Option<&str>, root: &Path, vault: &Path) -> Option<String> {
    let stored = stored.filter(|stored| !stored.is_empty())?;
    if stored == "/vault" || stored.starts_with("/vault/") || !stored.starts_with('/') {
        return Some(stored.to_owned());
    }
    let path = Path::new(stored);
    let inside = path.strip_prefix(vault).or_else(|_| path.strip_prefix(root));
    let plain = |rest: &&Path| rest.components().all(|part| matches!(part, Component::Normal(_)));
    match inside.ok().filter(plain) {
        Some(rest) if rest.as_os_str().is_empty() => None,
        Some(rest) => Some(format!("/vault/{}", rest.display())),
        None => Some(stored.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lay_in_the_old_place_lies_in_the_vault() {
        let moved = |stored: Option<&str>| {
            super::moved(stored, Path::new("/old/notes"), Path::new("/new/notes"))
        };
        assert_eq!(moved(None), None);
        assert_eq!(moved(Some("/old/notes")), None);
        assert_eq!(moved(Some("/old/notes/a/b")).as_deref(), Some("/vault/a/b"));
        assert_eq!(moved(Some("/new/notes/a")).as_deref(), Some("/vault/a"));
        for stays in ["/vault/a", "/old/notes-2/a", "/old/notes/../secret", "/else", "a/b"] {
            assert_eq!(moved(Some(stays)).as_deref(), Some(stays));
        }
    }

    #[test]
    fn where_a_cli_ran_is_known_from_what_is_stored() {
        let stood = |stored: Option<&str>| stood_in(stored, Path::new("/old"));
        assert_eq!(stood(None), Path::new("/old"));
        assert_eq!(stood(Some("/vault")), Path::new("/old"));
        assert_eq!(stood(Some("/vault/a")), Path::new("/old/a"));
        assert_eq!(stood(Some("/vaults/a")), Path::new("/vaults/a"));
        assert_eq!(stood(Some("a")), Path::new("/old/a"));
        assert_eq!(stood(Some("/else")), Path::new("/else"));
    }
}
