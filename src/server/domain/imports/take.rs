//! One conversation becomes a session, or is known already.

use super::{PLACE, note_bad, write};
use crate::domain::keys::blocking;
use crate::domain::{Domain, DomainError, prompt};
use crate::store::{MetadataEdit, Renewed, SessionRow, Store};
use crate::vault::{Draft, Folder};
use imports::session::facts;
use imports::{Conversation, Found, Role, Source, project};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wire::Timestamp;
use wire::import::{ImportAnswer, ImportEvent};

/// What an import left in a session's metadata: its id there, when it came, how many messages it
/// had, and how long its transcript was.
const ORIGINAL: &str = "original_id";
const AT: &str = "imported_at";
const MESSAGES: &str = "imported_messages";
const BYTES: &str = "imported_bytes";

/// An import under way.
pub(super) struct Taking {
    store: Store,
    archived: bool,
    /// The CLI's folder for sessions that work in `Chat`, and that folder itself.
    sessions: PathBuf,
    cwd: String,
    /// Sessions here by source and id there.
    known: HashMap<(Source, String), String>,
    answer: ImportAnswer,
}

/// Where a transcript is, and how long.
struct Written {
    messages: usize,
    bytes: u64,
}

impl Taking {
    pub(super) async fn begin(domain: &Domain, archived: bool) -> Result<Taking, DomainError> {
        let store = domain.store().await?;
        let made = domain
            .in_vault(|vault| Ok::<_, DomainError>(vault.folder_made(Path::new(PLACE)).map(drop)?));
        made.await?;
        let cwd = domain.chat_folder().await?;
        let sessions = domain.claude_projects().join(project::folder(&cwd));
        let sources = [Source::Claude, Source::ChatGpt];
        let kept = store.from_elsewhere(sources.map(Source::name)).await?;
        let source = |name: &str| sources.into_iter().find(|source| source.name() == name);
        let known = kept
            .into_iter()
            .filter_map(|row| Some(((source(&row.source)?, row.original_id), row.id)))
            .collect();
        let answer = ImportAnswer::default();
        Ok(Taking { store, archived, sessions, cwd, known, answer })
    }

    pub(super) fn answer(self) -> ImportAnswer {
        self.answer
    }

    pub(super) fn progress(&self, bytes_read: u64, bytes_total: u64) -> ImportEvent {
        ImportEvent::ImportProgress {
            total_conversations: self.answer.total_conversations,
            imported_count: self.answer.imported_count,
            skipped_count: self.answer.skipped_count,
            bytes_read,
            bytes_total,
        }
    }

    /// Takes in what was found.
    pub(super) async fn take(&mut self, found: Found) -> Result<(), DomainError> {
        match found {
            Found::Empty => self.answer.empty_count += 1,
            Found::Bad(bad) => {
                self.answer.total_conversations += 1;
                note_bad(&mut self.answer, bad);
            }
            Found::Conversation(conversation) => {
                self.answer.total_conversations += 1;
                self.conversation(Arc::new(conversation)).await?;
            }
        }
        Ok(())
    }

    async fn conversation(&mut self, told: Arc<Conversation>) -> Result<(), DomainError> {
        let key = (told.source, told.original_id.clone());
        let known = self.known.get(&key).cloned();
        let id = known.unwrap_or_else(|| session_id(told.source, &told.original_id));
        match self.store.session(&id).await? {
            Some(row) => self.again(row, told).await?,
            None => {
                let written = self.write(&id, told.clone(), false).await?;
                let row = self.row(&id, &told, &written);
                if self.store.insert_session(&row).await? {
                    self.answer.imported_count += 1;
                    self.answer.session_ids.push(id.clone());
                } else {
                    self.duplicate();
                }
            }
        }
        self.known.insert(key, id);
        Ok(())
    }

    fn duplicate(&mut self) {
        self.answer.duplicate_count += 1;
        self.answer.skipped_count += 1;
    }

    /// A conversation that was imported before.
    async fn again(&mut self, row: SessionRow, told: Arc<Conversation>) -> Result<(), DomainError> {
        let number = |name: &str| row.metadata.as_ref().and_then(|m| m.get(name)?.as_u64());
        let newer = number(MESSAGES).is_some_and(|had| told.messages.len() as u64 > had);
        if !newer {
            self.duplicate();
            return Ok(());
        }
        let same_count = number(MESSAGES) == u64::try_from(row.message_count).ok();
        if !same_count || number(BYTES) != self.length(&row.id).await? {
            self.duplicate();
            self.answer.diverged_count += 1;
            return Ok(());
        }
        let written = self.write(&row.id, told.clone(), true).await?;
        let fresh = self.row(&row.id, &told, &written);
        let more = fresh.metadata.unwrap_or_default();
        let renewed = Renewed {
            message_count: fresh.message_count,
            created_at: fresh.created_at,
            last_accessed: fresh.last_accessed.max(row.last_accessed),
            metadata: MetadataEdit::With(Box::new(move |metadata| metadata.extend(more))),
        };
        if self.store.renew_session(&row.id, renewed).await? {
            self.answer.updated_count += 1;
            self.answer.session_ids.push(row.id);
        }
        Ok(())
    }

    /// Length of a session's transcript.
    async fn length(&self, id: &str) -> Result<Option<u64>, DomainError> {
        let (sessions, file) = (self.sessions.clone(), file_name(id));
        blocking(move || {
            let Some(folder) = Folder::open(&sessions)? else { return Ok(None) };
            let file = folder.file_unlinked(&file)?;
            Ok(file.and_then(|file| file.metadata().ok()).map(|found| found.len()))
        })
        .await?
    }

    /// Writes a transcript. One that is there already was left by an import that was cut off, or
    /// by a session that was deleted since: if it has all that this has, it stays.
    async fn write(
        &self,
        id: &str,
        told: Arc<Conversation>,
        over: bool,
    ) -> Result<Written, DomainError> {
        let (sessions, file) = (self.sessions.clone(), file_name(id));
        let session = write::Session { id: id.to_owned(), cwd: self.cwd.clone() };
        let place = sessions.display().to_string();
        let writing = blocking(move || {
            let folder = Folder::made(&sessions)?;
            if !over && let Some(there) = folder.file_unlinked(&file)? {
                let bytes = there.metadata().map_err(DomainError::History)?.len();
                let found = facts(BufReader::new(there)).map_err(DomainError::History)?;
                if found.message_count >= told.messages.len() {
                    return Ok(Written { messages: found.message_count, bytes });
                }
            }
            let draft = Draft::new(&folder, &file, 0o600)?;
            let written = draft.fill(|to| write::lines(to, &session, &told))?.settle()?;
            Ok(Written { messages: told.messages.len(), bytes: written.size })
        });
        writing.await?.map_err(|error: DomainError| match error {
            DomainError::File(error) => DomainError::Unusable(format!(
                "the transcript cannot be written to {place}, where the Claude CLI looks for \
                 it: {error}"
            )),
            other => other,
        })
    }

    fn row(&self, id: &str, told: &Conversation, written: &Written) -> SessionRow {
        let times = || told.messages.iter().filter_map(|message| message.at);
        let created = told.created.or_else(|| times().min()).or(told.updated);
        let created = created.unwrap_or_else(Timestamp::now);
        let updated = told.updated.or_else(|| times().max()).unwrap_or(created);
        let first = told.messages.iter().find(|message| message.role == Role::User);
        let named = || first.and_then(|message| prompt::title_of(&message.text));
        let mut metadata = Map::new();
        metadata.insert(ORIGINAL.into(), told.original_id.clone().into());
        metadata.insert(AT.into(), Timestamp::now().to_string().into());
        metadata.insert(MESSAGES.into(), Value::from(written.messages));
        metadata.insert(BYTES.into(), written.bytes.into());
        SessionRow {
            title: told.title.clone().or_else(named).or_else(|| Some("Imported".into())),
            source: told.source.name().into(),
            working_directory: Some(format!("/vault/{PLACE}")),
            message_count: i64::try_from(written.messages).unwrap_or(i64::MAX),
            archived: self.archived,
            last_accessed: updated.max(created),
            metadata: Some(metadata),
            ..SessionRow::new(id, created)
        }
    }
}

fn file_name(id: &str) -> PathBuf {
    PathBuf::from(format!("{id}.jsonl"))
}

/// The id of the session that a conversation becomes: always the same one, so that an import that
/// was cut off between transcript and row makes no second transcript (RFC 9562, version 8).
fn session_id(source: Source, original: &str) -> String {
    derived(&["session", source.name(), original])
}

/// A UUID made of words.
pub(super) fn derived(words: &[&str]) -> String {
    let mut hash = Sha256::new();
    for word in words {
        hash.update((word.len() as u64).to_be_bytes());
        hash.update(word);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}
