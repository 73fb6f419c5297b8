//! `/api/agents*` (contract-extended §1.4). An agent definition is a system prompt with a name,
//! and what an agent that has it may do. Not an agent that runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a definition comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentSource {
    /// Part of the program.
    Builtin,
    /// A note in `agents/`, which is the user's to edit.
    VaultAgents,
    /// A file in `.parachute/agents/`.
    CustomAgents,
    /// Part of a plugin.
    Plugin,
}

/// One definition.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AgentInfo {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// `chatbot`, `doc` or `standalone`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The model it asks for.
    pub model: Option<String>,
    /// What `agentPath` of a turn names it by; null for the builtin one.
    pub path: Option<String>,
    /// Where it comes from.
    pub source: AgentSource,
    /// Tools that it has; none means all.
    pub tools: Vec<String>,
}

/// Answer of `GET /api/agents`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct AgentList {
    /// The builtin one, the vault's, the custom ones.
    pub agents: Vec<AgentInfo>,
}

/// Answer of `GET /api/agents/{name}`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AgentDetail {
    /// The definition.
    #[serde(flatten)]
    pub agent: AgentInfo,
    /// Its prompt; may be empty.
    pub system_prompt: String,
    /// The first 500 characters; null if it is empty.
    pub system_prompt_preview: Option<String>,
    /// What it may do; absent for custom ones.
    #[serde(flatten)]
    pub bounds: Option<AgentBounds>,
}

/// What an agent may do.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AgentBounds {
    /// What it may touch.
    pub permissions: AgentPermissions,
    /// How much of it.
    pub constraints: AgentConstraints,
    /// `all`, a list of names, or null for none.
    pub mcp_servers: Option<McpChoice>,
    /// Agents it may start.
    pub spawns: Vec<String>,
}

/// What an agent may touch; patterns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentPermissions {
    /// Files it may read.
    pub read: Vec<String>,
    /// Files it may write.
    pub write: Vec<String>,
    /// Agents it may start.
    pub spawn: Vec<String>,
    /// Tools it may use.
    pub tools: Vec<String>,
    /// MCP servers whose tools need no further word.
    pub approved_mcps: Vec<String>,
}

/// Numbers that an agent is held to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentConstraints {
    /// Agents it may start in one turn.
    pub max_spawns: i64,
    /// For one turn, in seconds.
    pub timeout: i64,
}

/// Which MCP servers an agent has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum McpChoice {
    /// `all`.
    Word(String),
    /// These.
    Names(Vec<String>),
}

/// Body of `POST /api/agents`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct NewAgent {
    /// Its name, and its file's.
    pub name: String,
    /// Its prompt.
    pub prompt: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Tools that it has; none means all.
    #[serde(default)]
    pub tools: Option<Vec<String>>,
    /// `sonnet`, `opus` or `haiku`.
    #[serde(default)]
    pub model: Option<String>,
}
