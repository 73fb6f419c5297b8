//! The chat of contract-core §1.3, §1.5 and §2: what a turn is asked with, and every event a
//! turn can say. [`ChatEvent`] is the one catalogue: SSE, event log, OpenAPI and bots use it.

pub use crate::control::*;

use crate::Trust;
use crate::error::ErrorAction;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Body of `POST /api/chat`. Each camelCase name is also taken in snake_case; unknown fields
/// are ignored.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatBody {
    /// The user's text. Empty or over-long text gives an `error` event.
    pub message: String,
    /// Session to go on with; null, `new` or `pending` begins one.
    pub session_id: Option<String>,
    /// Stored on the session; `chat` where nothing is said.
    pub module: Option<String>,
    /// Replaces the whole system prompt.
    pub system_prompt: Option<String>,
    /// Relative to the vault, `/vault/…`, or absolute.
    pub working_directory: Option<String>,
    /// Put before the first message of a new session.
    pub initial_context: Option<String>,
    /// Earlier conversation, told to the model in this turn's system prompt.
    pub prior_conversation: Option<String>,
    /// The session that this one continues.
    pub continued_from: Option<String>,
    /// Folders or notes to add to the prompt.
    pub contexts: Option<Vec<String>>,
    /// `inject_context` or `fresh_start`: both begin a new conversation of the CLI.
    pub recovery_mode: Option<String>,
    /// Files sent along.
    pub attachments: Option<Vec<Attachment>>,
    /// Stored on a new session.
    pub agent_type: Option<String>,
    /// An agent's file relative to the vault, or `vault-agent`.
    pub agent_path: Option<String>,
    /// `full`, `vault`, `sandboxed`, or the app's `trusted`, `untrusted`.
    pub trust_level: Option<String>,
    /// Alias (`sonnet`) or id of a model.
    pub model: Option<String>,
    /// Somebody chose this model. Without it the alias `sonnet`, which the app sends with every
    /// turn, gives way to the model of the workspace or of the config.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub model_is_chosen: bool,
    /// The session's workspace.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]*[a-z0-9]$|^[a-z0-9]$"))]
    pub workspace_id: Option<String>,
    /// How far the agent asks before it acts, from this turn on.
    pub permission_mode: Option<PermissionMode>,
}

/// How far a session's agent asks before it acts (DESIGN §4.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PermissionMode {
    /// Tools run; what the policy forbids is refused.
    #[default]
    Auto,
    /// Each call that changes something is announced and waits for an answer.
    Ask,
    /// The agent plans and changes nothing until its plan is granted.
    Plan,
}

/// How the Claude session of a turn came to be. Both spellings of the contract are sent: the
/// app reads the camelCase keys, older clients the others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ResumeInfo {
    /// `sdk_resume` or `new`.
    pub method: String,
    /// Whether this turn begins the session.
    pub is_new_session: bool,
    /// Messages of the session before this turn.
    pub previous_message_count: i64,
    /// Whether the CLI has a conversation under this id.
    pub sdk_session_available: bool,
    /// As `sdk_session_available`.
    #[serde(rename = "sdkSessionValid")]
    pub sdk_session_valid: bool,
    /// Whether the CLI was asked to go on with one.
    #[serde(rename = "sdkResumeAttempted")]
    pub sdk_resume_attempted: bool,
    /// Whether it could not.
    #[serde(rename = "sdkResumeFailed")]
    pub sdk_resume_failed: bool,
    /// Whether earlier messages were told to the model in words.
    #[serde(rename = "contextInjected")]
    pub context_injected: bool,
    /// How many of them.
    #[serde(rename = "messagesInjected")]
    pub messages_injected: i64,
    /// Rough size of what was told, in tokens.
    #[serde(rename = "tokensEstimate")]
    pub tokens_estimate: i64,
    /// As `previous_message_count`.
    #[serde(rename = "previousMessageCount")]
    pub previous_message_count_app: i64,
    /// Whether the session was known before.
    #[serde(rename = "loadedFromDisk")]
    pub loaded_from_disk: bool,
    /// Whether a live agent held it.
    #[serde(rename = "cacheHit")]
    pub cache_hit: bool,
}

/// One tool call of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCall {
    /// Id of the call; its result names it.
    pub id: String,
    /// Name of the tool.
    pub name: String,
    /// What the tool is called with.
    pub input: Map<String, Value>,
}

/// Tokens and money of one turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Of the input, read from the vendor's cache.
    pub cache_read_tokens: i64,
    /// Of the input, written to it.
    pub cache_write_tokens: i64,
    /// This turn's cost in US dollars; null where the CLI's earlier total is not known.
    pub cost_usd: Option<f64>,
    /// The CLI's running total of the session, from which the next difference is taken.
    pub total_cost_usd: Option<f64>,
}

/// A file sent along with a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Attachment {
    /// The client's own name for it.
    pub id: String,
    /// As the person knows it.
    pub file_name: String,
    /// Where the client has it; from when it is kept, where that is in the vault.
    pub file_path: String,
    /// Its media type.
    pub mime_type: String,
    /// Its length.
    pub size_bytes: i64,
    /// `image`, `pdf`, `text`, `code`, `archive`, `audio`, `video` or `unknown`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its content; one without is not looked at.
    pub base64_data: Option<String>,
}

/// How an MCP server of a turn is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct McpStatus {
    /// Its name.
    pub name: String,
    /// The CLI's word for it.
    pub status: String,
}

/// What was refused, and why (`done.permissionDenials`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Denial {
    /// Name of the tool.
    pub tool_name: String,
    /// The file it named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    /// The command it was to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// `denied_by_ignore_list`, `dangerous_command`, `tool_not_given`, `timeout`, `denied` or
    /// `server_overloaded`.
    pub reason: String,
}

/// Every event of a chat stream, by its `type`. Fields without a value are sent as null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum ChatEvent {
    /// First of every turn.
    Session {
        /// The session, known from the first event on.
        session_id: Option<String>,
        /// As the request or the session has it.
        working_directory: Option<String>,
        /// How the CLI's session came to be.
        resume_info: ResumeInfo,
        /// The same under the name the app reads.
        session_resume: ResumeInfo,
        /// The level in force, in the app's words.
        trust_level: Option<String>,
        /// The level in force.
        trust: Option<Trust>,
        /// The session's title.
        title: Option<String>,
        /// This turn.
        turn_id: String,
    },
    /// The user's text; with `injected`, sent while the turn ran.
    UserMessage {
        /// Without attachments or context.
        content: String,
        /// Sent during the turn.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        injected: bool,
    },
    /// Something to know; the turn goes on.
    Warning {
        /// What kind.
        code: String,
        /// A few words.
        title: String,
        /// A sentence.
        message: String,
        /// At most five lines more.
        details: Option<Vec<String>>,
        /// The session.
        session_id: Option<String>,
    },
    /// What the system prompt was made of.
    PromptMetadata(PromptMetadata),
    /// The CLI is ready.
    Init {
        /// Names of the tools it has.
        tools: Vec<String>,
        /// The CLI's own permission mode.
        permission_mode: Option<String>,
        /// Skills that it has found.
        #[serde(default)]
        skills: Vec<String>,
        /// Agents that it can call.
        #[serde(default)]
        agents: Vec<String>,
        /// MCP servers, and how they are: `connected`, `failed`, …
        #[serde(default)]
        mcp_servers: Vec<McpStatus>,
    },
    /// The model that answers; once a turn.
    Model {
        /// Its id.
        model: String,
    },
    /// Thinking: pieces with `delta` and `block` in delta mode, whole blocks with `content`
    /// towards the app.
    Thinking {
        /// A whole block.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<String>,
        /// A piece.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delta: Option<String>,
        /// Number of the block within the turn.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        block: Option<u64>,
    },
    /// Text of the answer.
    Text {
        /// All since the last tool call; only towards clients that did not ask for deltas.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<String>,
        /// What is new.
        delta: String,
    },
    /// The vendor's stream broke: the text since the last tool call is now this.
    TextReset {
        /// What stands.
        content: String,
    },
    /// The model calls a tool.
    ToolUse {
        /// The call.
        tool: ToolCall,
    },
    /// What the tool answered.
    ToolResult {
        /// The call.
        tool_use_id: String,
        /// As text.
        content: String,
        /// Whether it failed or was refused.
        is_error: bool,
    },
    /// A call waits for an answer (`POST …/permissions/grant|deny`).
    PermissionRequest(PermissionRequest),
    /// A call was refused, by a person, the policy, or for lack of an answer.
    PermissionDenied {
        /// The request, where one was announced.
        request_id: Option<String>,
        /// Name of the tool.
        tool_name: String,
        /// As in `done.permissionDenials`.
        reason: String,
        /// A sentence.
        message: String,
    },
    /// The model asks the user (`POST …/answer`).
    UserQuestion {
        /// `{session}-q-{tool_use id}`.
        request_id: String,
        /// The session.
        session_id: String,
        /// One to four questions as the model wrote them.
        questions: Vec<Value>,
    },
    /// The turn ended well.
    Done(Box<Done>),
    /// The turn was stopped.
    Aborted {
        /// A sentence.
        message: String,
        /// The session.
        session_id: Option<String>,
        /// What had been said by then.
        partial_response: Option<String>,
        /// Messages of the session now.
        message_count: i64,
        /// The model that answered.
        #[serde(default)]
        model: Option<String>,
        /// Milliseconds from the first event to this one.
        #[serde(default)]
        duration_ms: Option<i64>,
        /// Tokens and money, as far as they were told by then.
        #[serde(default)]
        usage: Option<Usage>,
    },
    /// The CLI cannot go on with this session.
    SessionUnavailable {
        /// `sdk_error` or `sdk_session_not_found`.
        reason: String,
        /// The session.
        session_id: String,
        /// Whether our own log still has the conversation.
        has_markdown_history: bool,
        /// Messages of the session.
        message_count: i64,
        /// A sentence.
        message: String,
    },
    /// The turn could not begin.
    Error {
        /// A sentence.
        error: String,
        /// The session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<String>,
    },
    /// The turn failed.
    TypedError(Box<TypedError>),
    /// The id asked for is older than the log: what follows begins at `oldest`.
    Reset {
        /// First id there is.
        oldest: u64,
        /// A sentence.
        message: String,
    },
}

impl ChatEvent {
    /// Whether a turn ends with it.
    pub fn is_last(&self) -> bool {
        matches!(
            self,
            ChatEvent::Done(_)
                | ChatEvent::Aborted { .. }
                | ChatEvent::SessionUnavailable { .. }
                | ChatEvent::Error { .. }
                | ChatEvent::TypedError(_)
        )
    }
}

/// `prompt_metadata`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PromptMetadata {
    /// `claude_code_preset`, `agent` or `custom`.
    pub prompt_source: String,
    /// The file it came from.
    pub prompt_source_path: Option<String>,
    /// Context files in the prompt.
    pub context_files: Vec<String>,
    /// Their size.
    pub context_tokens: i64,
    /// Whether something was cut.
    pub context_truncated: bool,
    /// The agent in use.
    pub agent_name: Option<String>,
    /// Agents it may call.
    pub available_agents: Vec<String>,
    /// Skills it has.
    pub available_skills: Vec<String>,
    /// MCP servers it has.
    pub available_mcps: Vec<String>,
    /// Size of the prompt without context.
    pub base_prompt_tokens: i64,
    /// Size of all of it.
    pub total_prompt_tokens: i64,
    /// Whether the agent runs as the user.
    pub trust_mode: bool,
    /// `AGENTS.md` or `CLAUDE.md` of the working directory.
    pub working_directory_claude_md: Option<String>,
}

/// `permission_request`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PermissionRequest {
    /// `{session}-{8 hex}`.
    pub request_id: String,
    /// The session.
    pub session_id: String,
    /// Name of the tool.
    pub tool_name: String,
    /// What it would be called with.
    pub input: Map<String, Value>,
    /// A sentence of the CLI.
    pub description: Option<String>,
    /// The file, or the command of a shell call.
    pub file_path: Option<String>,
    /// The call.
    pub tool_use_id: Option<String>,
    /// Seconds until the call is denied for lack of an answer.
    pub timeout_seconds: u64,
}

/// `done`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Done {
    /// All the text of the turn.
    pub response: String,
    /// The session.
    pub session_id: String,
    /// As in `session`.
    pub working_directory: Option<String>,
    /// Messages of the session now.
    pub message_count: i64,
    /// The model that answered.
    pub model: Option<String>,
    /// Milliseconds from the first event to this one.
    pub duration_ms: i64,
    /// Always empty; the app expects it.
    pub spawned: Vec<Value>,
    /// Calls of the turn, null without any.
    pub tool_calls: Option<Vec<ToolCall>>,
    /// Calls refused, null without any.
    pub permission_denials: Option<Vec<Denial>>,
    /// As in `session`.
    pub session_resume: Option<ResumeInfo>,
    /// The session's title.
    pub title: Option<String>,
    /// Tokens and money.
    pub usage: Usage,
}

/// `typed_error` (contract-core §2.9).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypedError {
    /// One of [`crate::error::ErrorCode`].
    pub code: String,
    /// A few words.
    pub title: String,
    /// What is so, and what to do.
    pub message: String,
    /// What may be offered.
    pub actions: Vec<ErrorAction>,
    /// Whether the same again may work.
    pub can_retry: bool,
    /// After how many milliseconds.
    pub retry_delay_ms: Option<i64>,
    /// What the CLI or the machine said, secrets removed.
    pub original_error: Option<String>,
    /// The session.
    pub session_id: Option<String>,
    /// Messages of the session now.
    #[serde(default)]
    pub message_count: Option<i64>,
    /// The model that answered.
    #[serde(default)]
    pub model: Option<String>,
    /// Milliseconds from the first event to this one.
    #[serde(default)]
    pub duration_ms: Option<i64>,
    /// Tokens and money, as far as they were told by then; null where no turn ran.
    #[serde(default)]
    pub usage: Option<Usage>,
}

/// How text comes over a stream (`?text=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextMode {
    /// Cumulative, coalesced: what the app reads.
    #[default]
    Content,
    /// Every piece at once, without `content`.
    Delta,
    /// No text and no thinking: the marks of a turn only.
    None,
}
