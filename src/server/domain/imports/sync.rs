//! Transcripts in the CLI's folder of `Chat` that no session belongs to become sessions: what the
//! predecessor imported into another database, for one (contract-extended §5.3).

use super::{Domain, DomainError, PLACE};
use crate::domain::keys::blocking;
use crate::limits::{CLI_SESSIONS_MAX, IMPORT_ERRORS_MAX};
use crate::store::{MetadataEdit, Renewed, SessionRow, Store};
use crate::vault::Folder;
use imports::project;
use imports::session::{Facts, facts};
use serde_json::Map;
use std::collections::BTreeSet;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use wire::import::ImportSync;
use wire::{SessionId, Timestamp};

/// Characters of a first message that make a title.
const TITLE_CHARS: usize = 50;

impl Domain {
    pub(crate) async fn import_sync(
        &self,
        archived: bool,
        force: bool,
    ) -> Result<ImportSync, DomainError> {
        let _turn = self.import_turn()?;
        let store = self.store().await?;
        let cwd = match self.chat_folder().await {
            // Nothing was imported yet, and its sessions may be from before.
            Err(_) => self.vault().join(PLACE).display().to_string(),
            Ok(cwd) => cwd,
        };
        let root = self.claude_projects();
        // As the CLI names it, and as the predecessor did.
        let names = [project::folder(&cwd), project::folder_of_predecessor(&cwd)];
        let folders: BTreeSet<PathBuf> = names.iter().map(|name| root.join(name)).collect();
        let mut answer = ImportSync::default();
        for folder in folders {
            for name in blocking({
                let folder = folder.clone();
                move || transcripts(&folder)
            })
            .await??
            {
                answer.discovered += 1;
                match one(&store, &folder, &name, archived, force).await {
                    Ok(Done::New) => answer.synced += 1,
                    Ok(Done::Renewed) => answer.updated += 1,
                    Ok(Done::Nothing) => answer.skipped += 1,
                    Err(DomainError::Store(error)) => return Err(error.into()),
                    Err(error) => {
                        answer.skipped += 1;
                        if answer.errors.len() < IMPORT_ERRORS_MAX {
                            answer.errors.push(format!("{name}: {error}"));
                        }
                    }
                }
            }
        }
        Ok(answer)
    }
}

enum Done {
    New,
    Renewed,
    Nothing,
}

async fn one(
    store: &Store,
    folder: &Path,
    id: &str,
    archived: bool,
    force: bool,
) -> Result<Done, DomainError> {
    let row = store.session(id).await?;
    if row.is_some() && !force {
        return Ok(Done::Nothing);
    }
    let (folder, file) = (folder.to_owned(), format!("{id}.jsonl"));
    let looking = blocking(move || {
        let Some(folder) = Folder::open(&folder)? else { return Ok(None) };
        let Some(file) = folder.file_unlinked(Path::new(&file))? else { return Ok(None) };
        facts(BufReader::new(file)).map(Some).map_err(DomainError::History)
    });
    let found = looking.await??.filter(|found| found.message_count > 0);
    let Some(found) = found else { return Ok(Done::Nothing) };
    let fresh = fresh(id, found, archived);
    if row.is_none() {
        let added = store.insert_session(&fresh).await?;
        return Ok(if added { Done::New } else { Done::Nothing });
    }
    let more = fresh.metadata.unwrap_or_default();
    let renewed = Renewed {
        message_count: fresh.message_count,
        created_at: fresh.created_at,
        last_accessed: fresh.last_accessed,
        metadata: MetadataEdit::With(Box::new(move |metadata| metadata.extend(more))),
    };
    let changed = store.renew_session(id, renewed).await?;
    Ok(if changed { Done::Renewed } else { Done::Nothing })
}

fn fresh(id: &str, found: Facts, archived: bool) -> SessionRow {
    let created = found.created.unwrap_or_else(Timestamp::now);
    let mut metadata = Map::new();
    metadata.insert("synced_at".into(), Timestamp::now().to_string().into());
    let source = match found.source.as_deref() {
        Some("claude_web" | "claude") => "claude",
        Some("chatgpt") => "chatgpt",
        _ => "claude-code",
    };
    let first = found.first_message.map(|first| first.chars().take(TITLE_CHARS).collect());
    SessionRow {
        title: found.title.or(first),
        source: source.into(),
        working_directory: Some(format!("/vault/{PLACE}")),
        model: found.model,
        message_count: i64::try_from(found.message_count).unwrap_or(i64::MAX),
        archived,
        last_accessed: found.last.unwrap_or(created),
        metadata: Some(metadata),
        ..SessionRow::new(id, created)
    }
}

/// Ids of the sessions in a folder, by name.
fn transcripts(folder: &Path) -> Result<Vec<String>, DomainError> {
    let Some(folder) = Folder::open(folder)? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in folder.entries(Path::new("."))?.into_iter().filter(|entry| entry.is_file) {
        let name = entry.name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
        names.extend(name.and_then(|name| SessionId::parse(name).ok()).map(String::from));
    }
    names.sort();
    names.truncate(CLI_SESSIONS_MAX);
    Ok(names)
}
