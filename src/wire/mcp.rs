//! `/api/mcps*` (contract-extended §1.2). An MCP server gives the model tools; it is a program,
//! or it is somewhere else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One server, as it is configured: variables as they are written, secrets as `[REDACTED]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct McpServer {
    /// Its name.
    pub name: String,
    /// Whether it is part of the suite.
    pub builtin: bool,
    /// `command`, `args`, `env`, or `type`, `url`, `headers`; `trust_level`; and what else is
    /// written there, but for what begins with `_`.
    #[serde(flatten)]
    pub config: Map<String, Value>,
    /// `stdio`, `http`, `unknown`, or a type that nobody knows.
    pub display_type: String,
    /// The command and its arguments, else the URL, else `N/A`.
    pub display_command: String,
    /// What is wrong with it; absent where nothing is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation_errors: Vec<String>,
}

/// Answer of `GET /api/mcps`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct McpList {
    /// The suite's own, then the vault's as they stand in `.mcp.json`.
    pub servers: Vec<McpServer>,
}

/// Body of `POST /api/mcps`: a new server, or another configuration for one that is there.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct NewMcp {
    /// Its name.
    pub name: String,
    /// Its configuration, as a server shows it; a `[REDACTED]` stays what it is. Where it is
    /// absent, all other fields are the configuration.
    #[serde(default)]
    pub config: Option<Map<String, Value>>,
    /// The configuration, where it does not stand apart.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// Answer of `POST /api/mcps`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct McpSaved {
    /// Always true.
    pub success: bool,
    /// As it is now.
    pub server: McpServer,
}

/// Answer of `DELETE /api/mcps/{name}`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct McpRemoved {
    /// Always true.
    pub success: bool,
    /// What was asked to be deleted.
    pub removed: String,
}

/// How a test went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum McpVerdict {
    /// It began to speak and said what its tools are.
    Ok,
    /// It did not.
    Error,
}

/// Answer of `POST /api/mcps/{name}/test`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct McpTested {
    /// Its name.
    pub name: String,
    /// Whether it is part of the suite.
    pub builtin: bool,
    /// How it went.
    pub status: McpVerdict,
    /// Who answered, where somebody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Why it did not go well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What to do about it, or what the program wrote last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The last status, of a server that is called over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// How many tools it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools_count: Option<usize>,
    /// The same, under the name by which the app shows it.
    #[serde(rename = "tools_count", skip_serializing_if = "Option::is_none")]
    pub tools_count_app: Option<usize>,
    /// The revision of the protocol that was agreed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<String>,
}

/// Answer of `GET /api/mcps/{name}/tools`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct McpTools {
    /// The server's name.
    pub name: String,
    /// Its tools; none where there is an error.
    pub tools: Vec<McpTool>,
    /// Why they are not known; absent where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What to do about it, or what the program wrote last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// How many they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools_count: Option<usize>,
    /// The revision of the protocol that was agreed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<String>,
}

/// A tool of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct McpTool {
    /// Its name.
    pub name: String,
    /// What it does; null where the server does not say.
    pub description: Option<String>,
}
