//! `/api/claude-code/*` (contract-extended §1.12): sessions of the Claude CLI that were not begun
//! here.

use crate::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A session of the CLI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CliSession {
    /// The name of its file.
    pub session_id: String,
    /// As a person or the CLI called it; else the begin of its first message.
    pub title: Option<String>,
    /// The begin of its first message.
    pub first_message: Option<String>,
    /// Messages of user and assistant, without tools.
    pub message_count: usize,
    /// The model that answered last.
    pub model: Option<String>,
    /// Its working directory, as its records have it.
    pub cwd: Option<String>,
    /// The same; where they have none, what the folder's name may mean.
    pub project_path: String,
    /// The end of that.
    pub project_display_name: String,
    /// Its earliest record.
    pub created_at: Option<Timestamp>,
    /// Its latest.
    pub last_timestamp: Option<Timestamp>,
}

/// Answer of `GET /api/claude-code/recent` and `/sessions`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct CliSessions {
    /// Last used first.
    pub sessions: Vec<CliSession>,
}

/// A folder in which the CLI keeps the sessions of one working directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CliProject {
    /// The folder's name.
    pub encoded_name: String,
    /// The working directory, as the newest session's records have it.
    pub path: String,
    /// Sessions in it.
    pub session_count: usize,
}

/// Answer of `GET /api/claude-code/projects`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct CliProjects {
    /// By path; those without sessions are left out.
    pub projects: Vec<CliProject>,
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CliMessage {
    /// `user` or `assistant`.
    pub r#type: String,
    /// Its text.
    pub content: String,
    /// As the record has it.
    pub timestamp: Option<String>,
}

/// Answer of `GET /api/claude-code/sessions/{session_id}`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CliSessionDetail {
    /// As asked for.
    pub session_id: String,
    /// As in the list.
    pub title: Option<String>,
    /// As in the list.
    pub cwd: Option<String>,
    /// As in the list.
    pub model: Option<String>,
    /// As in the list.
    pub created_at: Option<Timestamp>,
    /// First to last.
    pub messages: Vec<CliMessage>,
    /// Messages before these that were left out, because all together are too long.
    #[serde(default, skip_serializing_if = "is_none_left_out")]
    pub left_out: usize,
}

fn is_none_left_out(count: &usize) -> bool {
    *count == 0
}

/// Body of `POST /api/claude-code/adopt/{session_id}`, which may be missing.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdoptBody {
    /// Where the session works from now on; else where it did.
    pub working_directory: Option<String>,
}

/// Answer of `POST /api/claude-code/adopt/{session_id}`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Adopted {
    /// Always true.
    pub success: bool,
    /// Whether it was one of ours before.
    pub already_adopted: bool,
    /// Its id here, which is the one it had.
    pub parachute_session_id: String,
    /// Messages of user and assistant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_count: Option<usize>,
    /// The same in words.
    pub message: String,
}
