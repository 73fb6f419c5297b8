//! Sessions as the contract shows them (contract-core §1.4).

use crate::chat::PermissionMode;
use crate::usage::TurnSums;
use crate::{Timestamp, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A session. Every key is always there, nulls included.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The only id: ours, the CLI's and the URL's.
    pub id: String,
    /// From the first message.
    pub title: Option<String>,
    /// `chat` unless a module said otherwise.
    pub module: String,
    /// `parachute`, `claude-code`, `claude`, `chatgpt`, `telegram`, `discord`.
    pub source: String,
    /// `/vault/…`, or absolute outside of it; null is the vault itself.
    pub working_directory: Option<String>,
    /// Kept for rows that have it.
    pub vault_root: Option<String>,
    /// The model that answered last.
    pub model: Option<String>,
    /// Messages of user and assistant.
    pub message_count: i64,
    /// Put away.
    pub archived: bool,
    /// First turn.
    pub created_at: Timestamp,
    /// Last turn or change.
    pub last_accessed: Timestamp,
    /// The session it continues.
    pub continued_from: Option<String>,
    /// Kind of agent.
    pub agent_type: Option<String>,
    /// In the words the app parses: `trusted`, `untrusted`, null.
    pub trust_level: Option<String>,
    /// `telegram` or `discord`.
    pub linked_bot_platform: Option<String>,
    /// The chat there.
    pub linked_bot_chat_id: Option<String>,
    /// `dm` or `group`.
    pub linked_bot_chat_type: Option<String>,
    /// Its workspace.
    pub workspace_id: Option<String>,
    /// Open set; see contract-core §3.4.
    pub metadata: Option<Map<String, Value>>,
    /// The true level (`trustLevel` can only say two).
    pub trust: Option<Trust>,
    /// How far its agent asks before it acts.
    pub permission_mode: PermissionMode,
    /// What its turns came to; null where none has ended.
    pub usage: Option<TurnSums>,
}

/// Answer of `GET /api/chat`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionList {
    /// Last used first.
    pub sessions: Vec<Session>,
}

/// One message of a session's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// `user` or `assistant`.
    pub role: String,
    /// Its text, without tool calls.
    pub content: String,
    /// When, where that is known.
    pub timestamp: Option<String>,
}

/// Answer of `GET /api/chat/{id}`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionWithMessages {
    /// The session.
    #[serde(flatten)]
    pub session: Session,
    /// Its history.
    pub messages: Vec<Message>,
}

/// Answer of `GET /api/chat/stats`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// All sessions.
    pub total: i64,
    /// Not archived.
    pub active: i64,
    /// Archived.
    pub archived: i64,
    /// By module; `chat`, `daily` and `build` are always there.
    pub by_module: Map<String, Value>,
}

/// Answer of `DELETE /api/chat/{id}`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Deleted {
    /// Always true.
    pub success: bool,
    /// The session that is gone.
    pub deleted: String,
}

/// Answer of the calls that change a session.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionChanged {
    /// Always true.
    pub success: bool,
    /// The session now.
    pub session: Option<Session>,
}

/// Body of `PATCH /api/chat/{id}/config` and `POST /api/chat/{id}/activate`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionConfig {
    /// Any of the five names.
    pub trust_level: Option<String>,
    /// New module.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"))]
    pub module: Option<String>,
    /// Merged into `metadata.config_overrides`; a null value removes a key.
    pub config_overrides: Option<Map<String, Value>>,
    /// New workspace; empty or null clears it.
    #[serde(
        default,
        deserialize_with = "crate::workspace::given",
        skip_serializing_if = "Option::is_none"
    )]
    pub workspace_id: Option<Option<String>>,
    /// `all_messages` or `mention_only`.
    pub response_mode: Option<String>,
    /// What counts as a mention.
    pub mention_pattern: Option<String>,
    /// How far the agent asks before it acts.
    pub permission_mode: Option<PermissionMode>,
    /// New title.
    #[schemars(length(min = 1, max = 200))]
    pub title: Option<String>,
}

/// A stretch of a transcript between two compactions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// From 0.
    pub index: usize,
    /// Whether a compaction followed.
    pub is_compacted: bool,
    /// User messages with text.
    pub message_count: usize,
    /// Lines.
    pub event_count: usize,
    /// Of the first line.
    pub start_time: Option<String>,
    /// Of the last line.
    pub end_time: Option<String>,
    /// Begin of the first user message, at most 100 characters.
    pub preview: String,
    /// Whether `events` holds it.
    pub loaded: bool,
}

/// Answer of `GET /api/chat/{id}/transcript`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transcript {
    /// The session.
    pub session_id: String,
    /// Lines of user, assistant, system and result; `message` is an object or absent.
    pub events: Vec<Value>,
    /// Model named at the top level of a line.
    pub model: Option<String>,
    /// Directory named by a line.
    pub cwd: Option<String>,
    /// Lines returned.
    pub event_count: usize,
    /// Lines there are.
    pub total_event_count: usize,
    /// Stretches between compactions.
    pub segments: Vec<Segment>,
    /// How many.
    pub segment_count: usize,
    /// The one loaded; null when all are.
    pub loaded_segment_index: Option<usize>,
}

/// A line as a title: at most 60 characters, cut at a word if one is near (contract-core §5.5).
pub fn as_title(line: &str) -> String {
    let line = line.trim();
    if line.chars().count() <= 60 {
        return line.to_owned();
    }
    let cut: String = line.chars().take(60).collect();
    let kept = match cut.rfind(' ') {
        Some(at) if cut[..at].chars().count() > 30 => &cut[..at],
        _ => &cut,
    };
    format!("{}...", kept.trim_end())
}
