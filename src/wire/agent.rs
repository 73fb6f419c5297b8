//! What server and agent say to each other over the agent's private socket. The server resolves
//! everything about a turn into one [`TurnRequest`]; the agent decides nothing about policy.

use crate::chat::{ChatEvent, Pending, PermissionMode, ResumeInfo};
use crate::workspace::Network;
use crate::{Secret, Timestamp, Trust, secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What kind of credential the model's endpoint is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// `x-api-key`.
    ApiKey,
    /// A subscription's token: bearer, with the vendor's beta header.
    OauthToken,
    /// A gateway's token: bearer.
    AuthToken,
}

/// The model credential of a turn. It crosses only the agent's private socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Credential {
    /// What it is.
    pub kind: CredentialKind,
    /// The credential itself.
    #[serde(serialize_with = "secret::reveal")]
    #[schemars(with = "String")]
    pub secret: Secret,
}

/// How the Claude CLI is to be run. Where two turns differ in it, the process is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaudeSetup {
    /// How far its hands reach.
    pub trust: Trust,
    /// The program; null: PATH, then the usual places.
    pub program: Option<String>,
    /// Absolute working directory.
    pub directory: String,
    /// Alias or id; null is the CLI's own choice.
    pub model: Option<String>,
    /// Replaces the CLI's prompt.
    pub system_prompt: Option<String>,
    /// Added to the CLI's prompt.
    pub append_prompt: Option<String>,
    /// How far to ask.
    pub permission_mode: PermissionMode,
    /// Where model traffic goes; null is the vendor.
    pub base_url: Option<String>,
    /// What it is shown.
    pub credential: Option<Credential>,
    /// Folders of plugins, absolute.
    pub plugins: Vec<String>,
    /// Subagents by name, as the CLI takes them.
    pub agents: Map<String, Value>,
    /// The only tools that it may use: names, or `mcp__server` for all of a server's; null: all.
    #[serde(default)]
    pub tools: Option<Vec<String>>,
    /// MCP servers, as a file of them for the CLI; there may be secrets among them.
    #[serde(serialize_with = "secret::reveal_if_any")]
    #[schemars(with = "Option<String>")]
    pub mcp_config: Option<Secret>,
    /// The owner trusted the working directory: its settings, hooks and tools count.
    pub directory_trusted: bool,
    /// The container that it runs in, at the level `sandboxed`.
    pub container: Option<ContainerSetup>,
}

/// What a container may do and use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContainerSetup {
    /// Folders of the vault, absolute, that may be written; all else is only read.
    pub writable: Vec<String>,
    /// The folder below the state folder that is its home.
    pub home: String,
    /// Memory.
    pub memory_bytes: u64,
    /// Processors, in thousandths of one.
    pub cpu_millis: u64,
    /// Processes and threads.
    pub tasks_max: u32,
    /// For one turn; 0 is without end.
    pub turn_seconds_max: u64,
    /// What it is connected to.
    #[serde(default)]
    pub network: Network,
}

/// A file of the vault that the model is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attached {
    /// Absolute.
    pub path: String,
    /// Its media type.
    pub media_type: String,
}

/// Body of `POST /turns`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TurnRequest {
    /// Id of the turn, a UUID; also the CLI's id of the message.
    pub turn: String,
    /// What the CLI is told.
    pub message: String,
    /// Files that it is shown with it.
    #[serde(default)]
    pub attached: Vec<Attached>,
    /// Events said before the CLI is asked: `session`, `user_message`, `prompt_metadata`, …
    pub preface: Vec<ChatEvent>,
    /// Messages of the session as the database has them.
    pub message_count: i64,
    /// The session's title, for `done`.
    pub title: Option<String>,
    /// As in `session`.
    pub working_directory: Option<String>,
    /// As in `session`.
    pub resume: ResumeInfo,
    /// Root of the vault, absolute.
    pub vault: String,
    /// How to run the CLI.
    pub claude: ClaudeSetup,
    /// Begin a new conversation of the CLI even if it has one for this session.
    pub fresh: bool,
}

/// Answer of `POST /turns`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct TurnAccepted {
    /// As asked.
    pub turn: String,
    /// Turns before it.
    pub waiting: usize,
    /// It was given before, and has ended.
    pub ended: bool,
}

/// Answer of `GET /status`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AgentStatus {
    /// The session.
    pub session: String,
    /// Process id of the agent.
    pub pid: u32,
    /// Version of the agent.
    pub version: String,
    /// Since when it lives.
    pub since: Timestamp,
    /// When it last had work.
    pub used: Timestamp,
    /// The turn that runs.
    pub turn: Option<String>,
    /// Turns that wait.
    pub waiting: usize,
    /// Newest event of the log.
    pub last_id: u64,
    /// Process id of its Claude CLI.
    pub claude_pid: Option<u32>,
}

/// Answer of `GET /permissions`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct AgentPending {
    /// What waits.
    pub pending: Vec<Pending>,
}

/// Body of `POST /permissions`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct PermissionAnswer {
    /// The request.
    pub request_id: String,
    /// Granted or denied.
    pub grant: bool,
    /// See [`crate::chat::GrantBody::pattern`].
    pub pattern: Option<String>,
}

/// Body of `POST /answers`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct QuestionAnswer {
    /// The question.
    pub request_id: String,
    /// Question text → answer.
    pub answers: Map<String, Value>,
}

/// Query of `GET /events`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EventsQuery {
    /// Events after this id.
    pub after: Option<u64>,
    /// From the begin of this turn to its end; waits while the turn waits.
    pub turn: Option<String>,
    /// How text comes.
    pub text: crate::chat::TextMode,
    /// Go on after the session has come to rest.
    pub stay: bool,
}
