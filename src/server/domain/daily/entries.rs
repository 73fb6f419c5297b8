//! Entries: made, listed, shown. Those that a person wrote by hand are read as they are; of one
//! that cannot be read the list says so.

use crate::domain::brain::json;
use crate::domain::{Domain, DomainError};
use crate::vault::daily::entries::{self, Found, PLACE};
use crate::vault::{Folder, Front, bounded};
use serde_json::{Map, Value};
use std::path::Path;
use wire::Timestamp;
use wire::daily::{BrainSuggestion, Entry, EntryInfo, EntryList, EntryMade, NewEntry};

/// Fields of an entry's file that are the server's.
const OWN: [&str; 3] = ["entry_id", "created_at", "brain_links"];

/// Characters of an entry that the list shows.
const SNIPPET: usize = 200;

impl Domain {
    pub(crate) async fn make_entry(&self, new: NewEntry) -> Result<EntryMade, DomainError> {
        let metadata = new.metadata.unwrap_or_default();
        // Traps 89 and T-63: an entry that says it is another would be found under neither name.
        if let Some(name) = metadata.keys().find(|name| OWN.contains(&name.as_str())) {
            return Err(DomainError::Bad(format!("metadata cannot have the field `{name}`")));
        }
        // Before anything goes through it: what could not be kept need not be looked at.
        bounded(Path::new(PLACE), new.content.as_bytes())?;
        let suggestions = self.suggestions(new.content.clone()).await;
        let at = Timestamp::now();
        let entry = Making { at, content: new.content, metadata, suggestions: suggestions.clone() };
        let made = move |vault: &Folder| {
            entry.check()?;
            let made = entries::create(vault, &minute(at), |id| entry.text(id));
            Ok::<_, DomainError>(made?)
        };
        let id = self.in_vault(made).await?;
        let path = self.vault().join(PLACE).join(format!("{id}.md"));
        Ok(EntryMade {
            path: path.display().to_string(),
            id,
            created_at: at.to_string(),
            brain_suggestions: suggestions,
        })
    }

    pub(crate) async fn entries(
        &self,
        limit: usize,
        offset: usize,
    ) -> Result<EntryList, DomainError> {
        self.in_vault(move |vault| {
            let (mut entries, mut problems) = (Vec::new(), Vec::new());
            for id in entries::ids(vault)?.into_iter().skip(offset).take(limit) {
                match entries::read(vault, &id) {
                    Ok(found) => entries.extend(found.map(|found| info(&id, &found))),
                    Err(error) => problems.push(format!("{PLACE}: {error}")),
                }
            }
            problems.iter().for_each(|said| tracing::warn!(said, "an entry cannot be read"));
            Ok(EntryList { count: entries.len(), entries, offset, problems })
        })
        .await
    }

    /// The entry of this id. None: there is none.
    pub(crate) async fn entry(&self, id: String) -> Result<Option<Entry>, DomainError> {
        self.in_vault(move |vault| {
            let found = entries::read(vault, &id)?;
            Ok(found.map(|found| {
                let (front, created_at, brain_links) = read(&id, &found);
                let metadata = front.fields.into_iter().filter_map(|(name, value)| {
                    let name = crate::vault::front::plain(&name)?;
                    (!OWN.contains(&name.as_str())).then(|| (name, json(&value)))
                });
                let metadata = metadata.collect();
                Entry { id, created_at, content: front.body, metadata, brain_links }
            }))
        })
        .await
    }
}

/// An entry before it has its id.
struct Making {
    at: Timestamp,
    content: String,
    metadata: Map<String, Value>,
    suggestions: Vec<BrainSuggestion>,
}

impl Making {
    fn text(&self, id: &str) -> String {
        let mut front = Front { body: self.content.trim().to_owned(), ..Front::default() };
        front.fields.insert("entry_id".into(), id.into());
        front.fields.insert("created_at".into(), self.at.to_string().into());
        for (name, value) in &self.metadata {
            let value = serde_yaml::to_value(value).unwrap_or_default();
            front.fields.insert(name.as_str().into(), value);
        }
        let links: Vec<&str> = self.suggestions.iter().map(|s| s.para_id.as_str()).collect();
        if !links.is_empty() {
            front.fields.insert("brain_links".into(), links.into());
        }
        front.write()
    }

    /// What could not be read again is not written.
    fn check(&self) -> Result<(), DomainError> {
        let read = Front::read(&self.text("2026-01-01-00-00"));
        read.map(drop).map_err(|_| DomainError::Bad("there is too much in the metadata".into()))
    }
}

/// `YYYY-MM-DD-HH-MM`.
fn minute(at: Timestamp) -> String {
    at.to_string().chars().take(16).map(|c| if c.is_ascii_digit() { c } else { '-' }).collect()
}

/// A file's fields, when it was made, and what it is about.
fn read(id: &str, found: &Found) -> (Front, String, Vec<Value>) {
    let front = Front::read_forgiving(&found.text);
    let said = front.text("created_at").filter(|at| Timestamp::parse(at).is_some());
    let named = || entries::time_of(id).unwrap_or(found.modified).to_string();
    let links = match front.field("brain_links").map(json) {
        Some(Value::Array(links)) => links,
        _ => Vec::new(),
    };
    (front, said.unwrap_or_else(named), links)
}

fn info(id: &str, found: &Found) -> EntryInfo {
    let (front, created_at, brain_links) = read(id, found);
    let snippet = front.body.chars().take(SNIPPET).collect();
    EntryInfo { id: id.to_owned(), created_at, snippet, brain_links }
}
