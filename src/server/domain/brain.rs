//! The brain: what is found in the notes of the vault, and what one of them says (contract-core
//! §6.6). How notes are read, indexed and followed is the business of `notes`; a note itself is
//! always read from its file, so that nobody is shown what it no longer says.

use super::keys::blocking;
use super::{Domain, DomainError};
use crate::limits::{SEARCHES_MAX, SUGGESTED_MAX, VAULT_FILE_BYTES_MAX};
use crate::vault::front::plain;
use notes::{Answer, FOUND_MAX, Found, Hit, Index, IndexError, Note, Scope, Wanted};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Semaphore;
use wire::Timestamp;
use wire::brain::{
    Backlinks, BrainFound, BrainHit, BrainReloaded, BrainScope, Entity, TagCount, TagCounts,
};
use wire::daily::BrainSuggestion;

/// Fields of an entity that no front matter changes (trap 88).
const OWN: [&str; 5] = ["para_id", "name", "tags", "content", "path"];

/// The index, and who may ask it.
pub(crate) struct Brain {
    index: Arc<Index>,
    turns: Semaphore,
    /// Whoever wants everything to be looked at waits for that, one after the other.
    reloading: tokio::sync::Mutex<()>,
}

/// What is looked for.
#[derive(Debug, Default)]
pub(crate) struct Search {
    pub(crate) query: String,
    pub(crate) scope: BrainScope,
    pub(crate) tag: Option<String>,
    pub(crate) folder: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) limit: Option<usize>,
    pub(crate) offset: usize,
}

impl Brain {
    /// Nothing is read yet.
    pub(super) fn new(vault: &Path, file: PathBuf) -> Brain {
        let index = Arc::new(Index::new(vault.to_owned(), file));
        Brain {
            index,
            turns: Semaphore::new(SEARCHES_MAX),
            reloading: tokio::sync::Mutex::default(),
        }
    }

    /// Follows the notes from now on, behind everything else the machine has to do.
    pub(crate) fn begin(&self) {
        if let Err(error) = self.index.begin(host::low_priority) {
            tracing::error!(%error, "the notes cannot be followed");
        }
    }

    /// Follows them no longer.
    pub(crate) async fn close(&self) {
        let index = self.index.clone();
        if tokio::task::spawn_blocking(move || index.close()).await.is_err() {
            tracing::error!("the index of the notes ended badly");
        }
    }

    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Index) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, DomainError> {
        // Nobody closes it.
        let _turn = self.turns.acquire().await;
        let index = self.index.clone();
        Ok(blocking(move || work(&index)).await??)
    }
}

impl Domain {
    pub(crate) async fn search_notes(&self, search: Search) -> Result<BrainFound, DomainError> {
        let since = search.since.as_deref().map(moment).transpose()?;
        let wanted = Wanted {
            query: search.query.clone(),
            scope: scope(search.scope),
            tag: search.tag,
            folder: search.folder,
            since,
            limit: search.limit.unwrap_or(FOUND_MAX),
            offset: search.offset,
        };
        let answer = self.brain.ask(move |index| index.search(&wanted)).await?;
        let Found { hits, more } = answer.known;
        let results = self.shown(hits);
        let (query, indexing) = (search.query, answer.indexing);
        Ok(BrainFound { query, count: results.len(), results, more, indexing })
    }

    /// The note of this id. None: there is none.
    pub(crate) async fn entity(&self, id: String) -> Result<Option<Entity>, DomainError> {
        let path = self.brain.ask(move |index| index.of_id(&id)).await?;
        self.entity_at(path).await
    }

    /// The entity of this name. None: there is none.
    pub(crate) async fn entity_named(&self, name: String) -> Result<Option<Entity>, DomainError> {
        let path = self.brain.ask(move |index| index.of_name(&name)).await?;
        self.entity_at(path).await
    }

    async fn entity_at(
        &self,
        found: Answer<Option<String>>,
    ) -> Result<Option<Entity>, DomainError> {
        let Some(path) = found.known else { return Ok(None) };
        let absolute = self.vault().join(&path).display().to_string();
        self.in_vault(move |vault| {
            let read = vault.bytes(Path::new(&path), VAULT_FILE_BYTES_MAX)?;
            // Since it was indexed it may be gone.
            let Some((bytes, _)) = read else { return Ok(None) };
            let note = Note::read(&path, &bytes);
            let para_id = note.id_at(&path).to_owned();
            let fields = note.fields.iter().filter_map(|(name, value)| {
                let name = plain(name).filter(|name| !OWN.contains(&name.as_str()))?;
                Some((name, json(value)))
            });
            let fields: Map<String, Value> = fields.collect();
            let Note { name, tags, body: content, .. } = note;
            Ok(Some(Entity { para_id, name, tags, content, path: absolute, fields }))
        })
        .await
    }

    /// The notes that link to one. None: there is no such note.
    pub(crate) async fn backlinks(&self, id: String) -> Result<Option<Backlinks>, DomainError> {
        let para_id = id.clone();
        let found = self.brain.ask(move |index| match index.of_id(&id)?.known {
            Some(path) => index.backlinks(&path).map(Some),
            None => Ok(None),
        });
        let Some(Answer { known: Found { hits, more }, indexing }) = found.await? else {
            return Ok(None);
        };
        let results = self.shown(hits);
        Ok(Some(Backlinks { para_id, count: results.len(), results, more, indexing }))
    }

    pub(crate) async fn tag_counts(&self, of: BrainScope) -> Result<TagCounts, DomainError> {
        let answer = self.brain.ask(move |index| index.tags(scope(of))).await?;
        let tags = answer.known.into_iter().map(|(tag, count)| TagCount { tag, count }).collect();
        Ok(TagCounts { tags, indexing: answer.indexing })
    }

    /// Looks at all notes once more.
    pub(crate) async fn reload_notes(&self) -> Result<BrainReloaded, DomainError> {
        let _one = self.brain.reloading.lock().await;
        let index = self.brain.index.clone();
        let Answer { known, indexing } = blocking(move || index.reload()).await??;
        Ok(BrainReloaded {
            status: "reloaded".into(),
            count: known.entities,
            notes: known.notes,
            indexing,
            warnings: known.warnings,
            problem: known.problem,
        })
    }

    /// The entities that a text names with capital letters. An index that cannot be read names
    /// none: the text is kept all the same.
    pub(crate) async fn suggestions(&self, text: String) -> Vec<BrainSuggestion> {
        let named = self.brain.ask(move |index| match terms(&text) {
            terms if terms.is_empty() => Ok(Vec::new()),
            terms => index.named(&terms).map(|answer| answer.known),
        });
        let named = named.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "nothing is suggested for an entry");
            Vec::new()
        });
        let shown = |(matched_term, para_id, name)| BrainSuggestion { para_id, name, matched_term };
        named.into_iter().map(shown).collect()
    }

    fn shown(&self, hits: Vec<Hit>) -> Vec<BrainHit> {
        let shown = |hit: Hit| BrainHit {
            path: self.vault().join(&hit.path).display().to_string(),
            relative_path: hit.path,
            para_id: hit.para_id,
            name: hit.name,
            tags: hit.tags,
            snippet: hit.snippet,
            modified: Timestamp::from_micros(hit.modified / 1000),
        };
        hits.into_iter().map(shown).collect()
    }
}

fn scope(of: BrainScope) -> Scope {
    match of {
        BrainScope::Brain => Scope::Entities,
        BrainScope::Vault => Scope::Vault,
    }
}

fn moment(text: &str) -> Result<i64, DomainError> {
    // What `+` becomes in a query.
    let at = Timestamp::parse(text).or_else(|| Timestamp::parse(&text.replace(' ', "+")));
    let no = || DomainError::Bad(format!("{text:?} is no point in time, such as 2026-01-31"));
    Ok(at.ok_or_else(no)?.as_micros().saturating_mul(1000))
}

/// Words that begin with a capital letter, and each row of up to four of them.
fn terms(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    let mut row: Vec<&str> = Vec::new();
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '’' | '-' | '&');
    for piece in text.split(|c: char| !is_part(c) && c != ' ') {
        row.clear();
        for word in piece.split(' ').map(|word| word.trim_matches(['-', '\'', '’'])) {
            if !word.starts_with(char::is_uppercase) {
                row.clear();
                continue;
            }
            row.push(word);
            for from in row.len().saturating_sub(4)..row.len() {
                let term = row[from..].join(" ");
                if terms.len() >= SUGGESTED_MAX {
                    return terms;
                }
                if !terms.contains(&term) {
                    terms.push(term);
                }
            }
        }
    }
    terms
}

/// YAML as JSON; a key that is no text is left out with what it names.
pub(super) fn json(value: &serde_yaml::Value) -> Value {
    use serde_yaml::Value as Yaml;
    match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(is_so) => Value::Bool(*is_so),
        Yaml::Number(number) => serde_json::to_value(number).unwrap_or(Value::Null),
        Yaml::String(text) => Value::String(text.clone()),
        Yaml::Sequence(items) => items.iter().map(json).collect(),
        Yaml::Mapping(map) => {
            Value::Object(map.iter().filter_map(|(k, v)| Some((plain(k)?, json(v)))).collect())
        }
        Yaml::Tagged(tagged) => json(&tagged.value),
    }
}

#[cfg(test)]
mod tests {
    use super::{json, moment, terms};

    #[test]
    fn words_with_capitals_are_looked_up_alone_and_together() {
        let all = ["Met", "Met Ada", "Ada", "Met Ada Lovelace", "Ada Lovelace", "Lovelace"];
        assert_eq!(terms("Met Ada Lovelace. and, so on"), all);
        assert_eq!(
            terms("she said: O'Brien, 'Too' Übel x"),
            ["O'Brien", "Too", "Too Übel", "Übel"]
        );
        assert_eq!(terms(&"A B ".repeat(9)).iter().map(String::len).max(), Some(7));
        let many: String = (0..900).map(|n| format!("A{n}. ")).collect();
        assert_eq!(terms(&many).len(), super::SUGGESTED_MAX);
    }

    #[test]
    fn every_value_of_yaml_is_one_of_json() {
        let yaml = "a: [1, .nan, !x y, {1: 2, [3]: 4}]\nb: ~\nc: 2026-01-01\n";
        let value = json(&serde_yaml::from_str(yaml).expect("YAML"));
        let expected = r#"{"a":[1,null,"y",{"1":2}],"b":null,"c":"2026-01-01"}"#;
        assert_eq!(value.to_string(), expected);
    }

    #[test]
    fn points_in_time_are_days_too() {
        assert_eq!(moment("1970-01-02").expect("a day"), 86_400_000_000_000);
        assert_eq!(moment("1970-01-01T01:00:00 01:00").expect("a time"), 0);
        assert!(moment("yesterday").is_err());
    }
}
