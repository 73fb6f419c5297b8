//! `/api/capabilities` and `/api/hooks*` (contract-core §1.8, §1.12): what there is, in short.

use crate::definition::AgentSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Answer of `GET /api/capabilities`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Everything {
    /// The builtin one, the vault's, the custom ones.
    pub agents: Vec<AgentCapability>,
    /// The vault's.
    pub skills: Vec<SkillCapability>,
    /// The suite's own, then the vault's.
    pub mcps: Vec<McpCapability>,
}

/// An agent definition in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentCapability {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Where it comes from.
    pub source: AgentSource,
}

/// A skill in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SkillCapability {
    /// Its name.
    pub name: String,
    /// When to use it; may be empty.
    pub description: String,
    /// `1.0.0` where it says none.
    pub version: String,
}

/// An MCP server in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct McpCapability {
    /// Its name.
    pub name: String,
    /// `stdio`, `http`, or as it is written.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it is part of the suite.
    pub builtin: bool,
}

/// Answer of `GET /api/hooks`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct HookList {
    /// Files of the predecessor's hooks, by name. None of them is run.
    pub hooks: Vec<Hook>,
    /// How they do.
    pub health: HookHealth,
    /// A sentence, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A file of the predecessor's hooks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hook {
    /// Its file's name without `.py`.
    pub name: String,
    /// From the vault.
    pub path: String,
    /// Always empty: it would have to be run to say.
    pub events: Vec<String>,
    /// Always false.
    pub blocking: bool,
    /// Seconds that the predecessor gave it.
    pub timeout: f64,
    /// Always false.
    pub enabled: bool,
    /// Says that it is not run.
    pub description: String,
}

/// How hooks do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HookHealth {
    /// Hooks that are run: none.
    pub hooks_count: usize,
    /// Events that any of them hears: none.
    pub events_registered: Vec<String>,
    /// Always 0.
    pub recent_errors_count: usize,
}

/// Answer of `GET /api/hooks/errors`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct HookErrors {
    /// Always empty: what is not run does not fail.
    pub errors: Vec<HookError>,
}

/// An error of a hook, under the contract's names and under those the app reads (trap 95).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HookError {
    /// The hook.
    pub hook_name: String,
    /// The same.
    pub hook: String,
    /// What had happened.
    pub event: String,
    /// What went wrong.
    pub error: String,
    /// The same.
    pub message: String,
    /// When.
    pub timestamp: crate::Timestamp,
}
