//! `/api/contexts/*` (contract-extended §1.8), `/api/prompt/preview` (contract-core §1.11) and
//! the prompts of modules (§1.6): what a model is told beside the message.

use crate::chat::PromptMetadata;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A folder that has something to say to a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContextFolder {
    /// From the vault; empty is the vault itself.
    pub path: String,
    /// Which of its files is told: `AGENTS.md` or `CLAUDE.md`.
    pub context_file: String,
    /// Whether it has an `AGENTS.md`.
    pub has_agents_md: bool,
    /// Whether it has a `CLAUDE.md`.
    pub has_claude_md: bool,
    /// Its name for people.
    pub display_name: String,
}

/// Answer of `GET /api/contexts/folders`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ContextFolders {
    /// The less deep first.
    pub folders: Vec<ContextFolder>,
    /// How many.
    pub count: usize,
}

/// A file that chosen contexts lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChainFile {
    /// From the vault.
    pub path: String,
    /// The context it belongs to, as it was chosen.
    pub folder_path: String,
    /// Always `direct`.
    pub level: String,
    /// Of what is told of it.
    pub tokens: i64,
    /// Whether it is there.
    pub exists: bool,
}

/// Answer of `GET /api/contexts/chain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Chain {
    /// Each file once, in the order in which they are told.
    pub files: Vec<ChainFile>,
    /// Of all.
    pub total_tokens: i64,
    /// Whether something was cut or left out.
    pub truncated: bool,
}

/// Answer of the doors to a session's contexts.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionContexts {
    /// The session.
    pub session_id: String,
    /// Folders and notes from the vault.
    pub folder_paths: Vec<String>,
    /// What they lead to, if that was asked for.
    pub chain: Option<Chain>,
}

/// Body of `PUT /api/contexts/session/{session_id}`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct NewContexts {
    /// Folders and notes from the vault; an empty one is the vault itself.
    pub folder_paths: Vec<String>,
}

/// Answer of `GET /api/prompt/preview`: what a turn would be told.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptPreview {
    /// What replaces the CLI's own prompt, or is added to it.
    pub prompt: String,
    /// As in the event of a turn.
    #[serde(flatten)]
    pub metadata: PromptMetadata,
    /// As a turn would have it: `/vault/…`, absolute, null for the vault.
    pub working_directory: Option<String>,
    /// What was asked for and cannot be told; absent where all can.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// Answer of `GET /api/modules/{name}/prompt`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModulePrompt {
    /// As asked for.
    pub module: String,
    /// From the vault.
    pub path: String,
    /// Whether the file is there.
    pub exists: bool,
    /// Its text.
    pub content: Option<String>,
    /// A text to begin with. It is not told unless it is put into the file.
    pub default_prompt: String,
}

/// Body of `PUT /api/modules/{name}/prompt`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct NewModulePrompt {
    /// The new text.
    pub content: Option<String>,
    /// Take the file away instead; wins over `content`.
    #[serde(default)]
    pub reset: bool,
}

/// Answer of `PUT /api/modules/{name}/prompt`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ModulePromptSet {
    /// Always true.
    pub success: bool,
    /// The file that was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// True where the file was taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset: Option<bool>,
}

/// Answer of `GET /api/modules/{name}/stats`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModuleStats {
    /// As asked for.
    pub module: String,
    /// Files in its folder, hidden ones too.
    pub file_count: u64,
    /// In bytes.
    pub total_size: u64,
    /// Whether it has a prompt.
    pub has_prompt: bool,
}
