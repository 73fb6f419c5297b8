//! What a vault holds that an older Parachute left, and what becomes of it: the answer of
//! `parachute-server --look` and `--take-over`, which `parachute migrate` shows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Survey {
    /// The vault, absolute.
    pub vault: String,
    /// Its database; none where there is none yet.
    pub database: Option<SurveyedDatabase>,
    /// Everything else, in the order in which it is told.
    pub items: Vec<Surveyed>,
    /// Where the files are kept as they were; none while nobody has needed a copy.
    pub copy: Option<String>,
}

/// The database of sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SurveyedDatabase {
    /// Absolute.
    pub path: String,
    /// In bytes.
    pub bytes: u64,
    /// The version that it claims; 0 if it claims none.
    pub schema: i64,
    /// The version that it is brought up to.
    pub schema_wanted: i64,
    /// Whether anything in it is missing.
    pub is_behind: bool,
    /// Sessions in it.
    pub sessions: u64,
    /// Those of which the CLI's transcript is on this machine.
    pub transcripts: u64,
}

/// One kind of thing in a vault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Surveyed {
    /// `config`, `token`, `keys`, `workspaces`, `agents`, `skills`, `plugins`, `mcps`, `hooks`,
    /// `modules`, `bots`.
    pub kind: String,
    /// Where, from the vault.
    pub path: String,
    /// How many.
    pub count: u64,
    /// What becomes of them.
    pub fate: Fate,
    /// What a person should know of it; empty where there is nothing.
    pub notes: Vec<String>,
}

/// What becomes of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is used as it is, and stays as it is.
    Used,
    /// It stays as it is, and is not used.
    Left,
    /// It cannot be read; it stays as it is until somebody corrects it.
    Broken,
}
