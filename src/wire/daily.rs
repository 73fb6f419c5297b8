//! `/api/daily` and `/api/modules/daily` (contract-core §6.6, §1.15): entries of the day, and
//! agents that read a day and write about it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Body of `POST /api/daily/entries`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct NewEntry {
    /// Markdown.
    pub content: String,
    /// Fields that are kept with it; the server's own names cannot be among them.
    pub metadata: Option<Map<String, Value>>,
}

/// Something of the brain that an entry names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BrainSuggestion {
    /// The entity.
    pub para_id: String,
    /// Its name.
    pub name: String,
    /// By which words of the entry it was found.
    pub matched_term: String,
}

/// Answer of `POST /api/daily/entries`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct EntryMade {
    /// `YYYY-MM-DD-HH-MM` in UTC; a second one of the same minute has `-2` behind it.
    pub id: String,
    /// Its file, absolute.
    pub path: String,
    /// When it was made.
    pub created_at: String,
    /// What it may be about.
    pub brain_suggestions: Vec<BrainSuggestion>,
}

/// An entry in the list.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct EntryInfo {
    /// The name of its file without the ending.
    pub id: String,
    /// As the file says, else by its name, else when it was written.
    pub created_at: String,
    /// Begin of its text, at most 200 characters.
    pub snippet: String,
    /// Entities that it is about.
    pub brain_links: Vec<Value>,
}

/// Answer of `GET /api/daily/entries`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct EntryList {
    /// Newest first.
    pub entries: Vec<EntryInfo>,
    /// How many these are.
    pub count: usize,
    /// How many newer ones were left out.
    pub offset: usize,
    /// Files that cannot be read, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// Answer of `GET /api/daily/entries/{id}`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// The name of its file without the ending.
    pub id: String,
    /// As in the list.
    pub created_at: String,
    /// Its text.
    pub content: String,
    /// Fields of its file, but for those that stand here by themselves.
    pub metadata: Map<String, Value>,
    /// Entities that it is about.
    pub brain_links: Vec<Value>,
}

/// When an agent is to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentSchedule {
    /// It is to.
    pub enabled: bool,
    /// `HH:MM`, by this machine's clock.
    pub time: String,
}

/// What became of an agent's runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentRuns {
    /// When the last one ended.
    pub last_run_at: Option<String>,
    /// Of which day it was.
    pub last_processed_date: Option<String>,
    /// How many there were.
    pub run_count: i64,
}

/// A daily agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DailyAgent {
    /// The name of its file without the ending.
    pub name: String,
    /// Its name for people.
    pub display_name: String,
    /// May be empty.
    pub description: String,
    /// When it is to run.
    pub schedule: AgentSchedule,
    /// Where it writes, from the vault; `{date}` stands for the day.
    pub output_path: String,
    /// What became of its runs.
    pub state: AgentRuns,
    /// What it may use beside what it is told: tools of the CLI and of MCP servers.
    pub tools: Vec<String>,
    /// Whether it is at work.
    pub running: bool,
    /// What is wrong with its definition or state, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// Answer of `GET /api/modules/daily/agents`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct DailyAgentList {
    /// By name.
    pub agents: Vec<DailyAgent>,
    /// Definitions that cannot be read, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// What an agent made of a day.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentDay {
    /// The name of its file without the ending.
    pub name: String,
    /// Its name for people.
    pub display_name: String,
    /// It wrote something for that day.
    pub has_output: bool,
    /// Where, from the vault's folder `Daily`; null where there is nothing.
    pub output_path: Option<String>,
    /// When its last run ended.
    pub last_run_at: Option<String>,
    /// Of which day that was.
    pub last_processed_date: Option<String>,
}

/// Answer of `GET /api/modules/daily/agents/status`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct AgentDays {
    /// The day asked for, else today.
    pub date: String,
    /// By name.
    pub agents: Vec<AgentDay>,
}

/// Body of `POST /api/modules/daily/agents/{name}/run`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RunAgent {
    /// The day that it shall read, `YYYY-MM-DD`; null: yesterday.
    pub date: Option<String>,
    /// Also if it has read that day before.
    pub force: bool,
}

/// How a run came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// There is an output.
    Completed,
    /// The agent had nothing to say.
    CompletedNoOutput,
    /// There was nothing to do.
    Skipped,
    /// It is still at work; its output comes when it has finished.
    Running,
    /// It failed.
    Error,
}

/// Answer of `POST /api/modules/daily/agents/{name}/run`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentRun {
    /// How it came out.
    pub status: RunStatus,
    /// The agent.
    pub agent: String,
    /// The day that it read.
    pub date: String,
    /// The same.
    pub journal_date: String,
    /// The day for which it wrote.
    pub output_date: String,
    /// Its session.
    pub sdk_session_id: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    /// Whether there is an output.
    pub output_written: bool,
    /// Where, from the vault.
    pub output_path: Option<String>,
    /// What went wrong, or why it is not there yet.
    pub error: Option<String>,
    /// Why there was nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the last run ended, where there was nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run_at: Option<String>,
}

/// Answer of `POST /api/modules/daily/agents/{name}/reset`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct AgentReset {
    /// Always true.
    pub success: bool,
    /// The agent.
    pub name: String,
    /// What follows from it.
    pub message: String,
}

/// Part of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TranscriptBlock {
    /// `text`, `thinking`, `tool_use` or `tool_result`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What was said, thought or found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it was called with, as JSON in a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_use_id: Option<String>,
}

/// A message of an agent's conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TranscriptMessage {
    /// `user` or `assistant`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When.
    pub timestamp: Option<String>,
    /// All its text.
    pub content: Option<String>,
    /// The model that said it.
    pub model: Option<String>,
    /// Its parts.
    pub blocks: Vec<TranscriptBlock>,
}

/// Answer of `GET /api/modules/daily/agents/{name}/transcript`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentTranscript {
    /// There is a conversation.
    pub has_transcript: bool,
    /// Its session.
    pub session_id: Option<String>,
    /// Messages there are.
    pub total_messages: usize,
    /// Why there is none, in a sentence.
    pub message: Option<String>,
    /// The last ones, oldest first.
    pub messages: Vec<TranscriptMessage>,
}
