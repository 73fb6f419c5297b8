//! What is known of a run while it is under way, kept in our state folder: a server that ends in
//! the middle of one is followed by one that brings it to its end.

use crate::domain::{Domain, DomainError};
use crate::vault::{Folder, Name};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Below the state folder.
const PLACE: &str = "daily";

/// A run that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) agent: String,
    pub(super) session: String,
    /// The turn that it is: others may speak in its session, too.
    pub(super) turn: String,
    /// The last event of the session before it.
    pub(super) after: u64,
    /// The day that is read, and the one that is written for.
    pub(super) date: String,
    pub(super) output_date: String,
    /// Where it writes, from the vault.
    pub(super) output: PathBuf,
}

impl Domain {
    pub(super) async fn keep_note(&self, note: &Note) -> Result<(), DomainError> {
        let bytes = serde_json::to_vec(note).expect("a note is always JSON");
        let file = file(&note.agent)?;
        self.in_notes(move |notes| Ok(notes.replace(Path::new(&file), &bytes)?)).await
    }

    pub(super) async fn drop_note(&self, agent: &str) {
        let dropped = async {
            let file = file(agent)?;
            self.in_notes(move |notes| Ok(notes.remove(Path::new(&file))?)).await
        };
        if let Err(error) = dropped.await {
            tracing::error!(agent, %error, "a run that has ended stays noted");
        }
    }

    /// All that were under way when the last server ended.
    pub(super) async fn notes(&self) -> Result<Vec<Note>, DomainError> {
        let path = self.agents.state().join(PLACE);
        let read = move || {
            let mut notes = Vec::new();
            let Some(folder) = Folder::open(&path)? else {
                return Ok(notes);
            };
            for file in folder.list()?.iter().filter(|file| file.name.ends_with(".json")) {
                let text = folder.read(Path::new(&file.name))?.unwrap_or_default();
                match serde_json::from_str::<Note>(&text) {
                    Ok(note) => notes.push(note),
                    Err(error) => {
                        let name = &file.name;
                        tracing::error!(name, %error, "a run that was under way is not known");
                        folder.remove(Path::new(name))?;
                    }
                }
            }
            Ok(notes)
        };
        crate::domain::keys::blocking(read).await?
    }

    async fn in_notes<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, DomainError> + Send + 'static,
    ) -> Result<T, DomainError> {
        let path = self.agents.state().join(PLACE);
        crate::domain::keys::blocking(move || work(&Folder::made(&path)?)).await?
    }
}

fn file(agent: &str) -> Result<String, DomainError> {
    let name = Name::parse(agent).ok_or_else(|| DomainError::Bad(Name::RULE.into()))?;
    Ok(name.with(".json"))
}
