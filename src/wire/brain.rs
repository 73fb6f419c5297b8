//! `/api/brain/*` (contract-core §6.6, contract-extended §1.14): the notes of the vault, found
//! again. Entities are the notes under `Brain/entities`.

use crate::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Which notes are looked through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BrainScope {
    /// Entities alone.
    #[default]
    Brain,
    /// All notes of the vault.
    Vault,
}

/// A note that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BrainHit {
    /// Its id: what its front matter says, else its path without the ending, an entity's from
    /// `Brain/entities` on.
    pub para_id: String,
    /// Its name: what its front matter says, else its first heading, else its file's name.
    pub name: String,
    /// Its tags, without `#`: those of its front matter, then those of its text.
    pub tags: Vec<String>,
    /// Of its text where the words are, at most 200 characters.
    pub snippet: String,
    /// Its file, absolute.
    pub path: String,
    /// The same below the vault.
    pub relative_path: String,
    /// When it was changed.
    pub modified: Timestamp,
}

/// Answer of `GET /api/brain/search`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct BrainFound {
    /// As it was asked.
    pub query: String,
    /// How many these are.
    pub count: usize,
    /// The best first.
    pub results: Vec<BrainHit>,
    /// Whether there are more.
    pub more: bool,
    /// Whether the vault is just being gone through, so that something may be missing.
    pub indexing: bool,
}

/// An entity: answer of `GET /api/brain/entities/{para_id}` and `GET /api/brain/resolve/{name}`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Entity {
    /// Its id.
    pub para_id: String,
    /// Its name.
    pub name: String,
    /// Its tags, without `#`: those of its front matter, then those of its text.
    pub tags: Vec<String>,
    /// Its text.
    pub content: String,
    /// Its file, absolute.
    pub path: String,
    /// Whatever else is in its front matter.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// Answer of `POST /api/brain/reload`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct BrainReloaded {
    /// Always `reloaded`.
    pub status: String,
    /// Entities.
    pub count: usize,
    /// Notes of the vault.
    pub notes: usize,
    /// Whether it still goes on.
    pub indexing: bool,
    /// What is wrong with some notes, with file and line; the first fifty.
    pub warnings: Vec<String>,
    /// Why the notes could not be gone through.
    pub problem: Option<String>,
}

/// Answer of `GET /api/brain/backlinks/{para_id}`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Backlinks {
    /// The note that is linked to.
    pub para_id: String,
    /// How many these are.
    pub count: usize,
    /// The notes that link to it, by path.
    pub results: Vec<BrainHit>,
    /// Whether there are more.
    pub more: bool,
    /// As in a search.
    pub indexing: bool,
}

/// A tag in use.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct TagCount {
    /// In lower case, without `#`.
    pub tag: String,
    /// Notes that have it.
    pub count: usize,
}

/// Answer of `GET /api/brain/tags`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct TagCounts {
    /// The most used first, at most a thousand.
    pub tags: Vec<TagCount>,
    /// As in a search.
    pub indexing: bool,
}
