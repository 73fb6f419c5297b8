//! Steering a turn that is under way: stop, answer, say more, grant, deny; and how it stands
//! (contract-core §1.3, §1.5).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Body of `POST /api/chat/{id}/answer`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct AnswerBody {
    /// The question.
    #[serde(default)]
    pub request_id: String,
    /// Question text → label, free text, or a list of labels.
    #[serde(default)]
    pub answers: Map<String, Value>,
}

/// Answer of `POST /api/chat/{id}/answer`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Answered {
    /// Always true.
    pub success: bool,
    /// A sentence.
    pub message: String,
    /// The session.
    pub session_id: String,
    /// The question.
    pub request_id: String,
}

/// Body of `POST /api/chat/{id}/inject`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct InjectBody {
    /// Text for the running turn.
    #[schemars(length(min = 1, max = 32000))]
    pub message: String,
}

/// Answer of `POST /api/chat/{id}/inject`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Success {
    /// Always true.
    pub success: bool,
}

/// Answer of `POST /api/chat/{id}/abort`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AbortAnswer {
    /// Always true.
    pub success: bool,
    /// A sentence.
    pub message: String,
    /// The session.
    pub session_id: String,
}

/// Answer of `GET /api/chat/{id}/stream-status`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamStatus {
    /// Whether a turn runs or waits.
    pub active: bool,
    /// The session.
    pub session_id: String,
    /// Newest event of the session's log; 0 without one.
    pub last_event_id: u64,
}

/// One entry of `GET /api/chat/active-streams`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ActiveStream {
    /// The session.
    pub session_id: String,
}

/// Answer of `GET /api/chat/active-streams`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ActiveStreams {
    /// Sessions with a turn that runs or waits.
    pub streams: Vec<ActiveStream>,
    /// How many.
    pub count: usize,
}

/// A permission request that waits, as `GET …/permissions` lists it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Pending {
    /// Its id.
    pub id: String,
    /// Name of the tool.
    pub tool_name: String,
    /// The file, or the command of a shell call.
    pub file_path: Option<String>,
    /// Since when it waits.
    pub timestamp: crate::Timestamp,
}

/// Answer of `GET /api/chat/{id}/permissions`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingList {
    /// What waits, oldest first.
    pub pending: Vec<Pending>,
    /// The session.
    pub session_id: String,
}

/// Body of `POST …/permissions/grant`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrantBody {
    /// The request.
    pub request_id: String,
    /// Calls that match it (`Bash(git *)`, `Write(Notes/**)`, a tool's bare name) are granted
    /// from now on for as long as the session's agent lives.
    #[serde(default)]
    pub pattern: Option<String>,
}

/// Body of `POST …/permissions/deny`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DenyBody {
    /// The request.
    pub request_id: String,
}

/// Answer of `POST …/permissions/grant`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    /// Always true.
    pub success: bool,
    /// The session.
    pub session_id: String,
    /// The request.
    pub request_id: String,
    /// As given.
    pub pattern: Option<String>,
}

/// Answer of `POST …/permissions/deny`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Denied {
    /// Always true.
    pub success: bool,
    /// The session.
    pub session_id: String,
    /// The request.
    pub request_id: String,
}
