//! `/api/import*` (contract-extended §1.10): conversations that were held elsewhere.

use crate::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Body of `POST /api/import`. The server reads it as it comes; it may be larger than memory.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ImportBody {
    /// An export of Claude or ChatGPT: a list of conversations, an object with such a list under
    /// `conversations` or `chats`, or one conversation.
    pub data: Value,
    /// Put the sessions away at once.
    #[serde(default = "yes")]
    pub archived: bool,
}

fn yes() -> bool {
    true
}

/// What came of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImportAnswer {
    /// Conversations that say something, and records that cannot be read.
    pub total_conversations: u64,
    /// Of these, new sessions.
    pub imported_count: u64,
    /// Of these, no new sessions and none changed: known ones, and what cannot be read.
    pub skipped_count: u64,
    /// What cannot be read, a sentence each with its place and id; the first hundred.
    pub errors: Vec<String>,
    /// Sessions that are new or have new messages.
    pub session_ids: Vec<String>,
    /// Sessions that were imported before, have newer messages in this export, and were not gone
    /// on with here: they have those messages now.
    pub updated_count: u64,
    /// Sessions that were imported before.
    pub duplicate_count: u64,
    /// Of these, those that have newer messages in this export and were gone on with here: they
    /// are left as they are.
    pub diverged_count: u64,
    /// Records that cannot be read.
    pub bad_count: u64,
    /// Conversations in which nobody said anything; they are counted nowhere else.
    pub empty_count: u64,
    /// Why the export was not read to its end. What was done before that stays, and the same
    /// import once more goes on where it ended. Null: it was.
    pub problem: Option<String>,
}

/// How an import goes, for whoever asks for `text/event-stream`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ImportEvent {
    /// Now and then.
    ImportProgress {
        /// As in the answer, so far.
        total_conversations: u64,
        /// As in the answer, so far.
        imported_count: u64,
        /// As in the answer, so far.
        skipped_count: u64,
        /// Of the file, so much is read.
        bytes_read: u64,
        /// Its length.
        bytes_total: u64,
    },
    /// The last one: the answer.
    ImportDone(ImportAnswer),
    /// The last one: nothing came of it.
    ImportError {
        /// Why.
        error: String,
    },
}

/// Answer of `POST /api/import/sync`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImportSync {
    /// Session files in the folder of `Chat`.
    pub discovered: u64,
    /// Of these, new sessions.
    pub synced: u64,
    /// Of these, sessions whose times and counts were set anew.
    pub updated: u64,
    /// Of these, all others.
    pub skipped: u64,
    /// Files that cannot be read.
    pub errors: Vec<String>,
}

/// A note about a person, as Claude and ChatGPT keep them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContextNote {
    /// From the vault.
    pub path: String,
    /// Its first heading; else the name of its file.
    pub name: String,
    /// The quotation below that.
    pub description: String,
    /// Items under `Facts`.
    pub facts_count: u64,
    /// Items under `Current Focus`.
    pub focus_count: u64,
    /// Items under `History`.
    pub history_count: u64,
    /// Whether any of these has an item.
    pub is_native_format: bool,
    /// When it was written.
    pub last_modified: Option<Timestamp>,
}

/// Answer of `GET /api/import/contexts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContextNotes {
    /// By name of the file.
    pub files: Vec<ContextNote>,
    /// Of all.
    pub total_facts: u64,
    /// Of all.
    pub total_history_entries: u64,
}
