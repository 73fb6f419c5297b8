//! `/api/plugins*` (contract-extended §1.5). A plugin is a folder of skills, agents and MCP
//! servers in the CLI's own form.

use crate::Timestamp;
use crate::definition::AgentSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where a plugin comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PluginSource {
    /// Installed here, in the vault; the only kind that is changed here.
    Parachute,
    /// Installed by the CLI.
    Cli,
    /// Put into the CLI's folder by hand.
    User,
}

/// One plugin.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plugin {
    /// Name of its folder, by which it is called.
    pub slug: String,
    /// As it names itself.
    pub name: String,
    /// `0.0.0` where it says none.
    pub version: String,
    /// May be empty.
    pub description: String,
    /// Who made it.
    pub author: Option<String>,
    /// Where it comes from.
    pub source: PluginSource,
    /// From where it was installed.
    pub source_url: Option<String>,
    /// Its folder.
    pub path: String,
    /// Its skills; `:` stands between a folder and what is in it.
    pub skills: Vec<String>,
    /// Its agents, in the same way.
    pub agents: Vec<String>,
    /// Names of its MCP servers.
    pub mcps: Vec<String>,
    /// What they are, without secrets.
    pub mcp_configs: Map<String, Value>,
    /// When it was installed.
    pub installed_at: Option<Timestamp>,
    /// Which commit it is, if we installed it.
    pub commit: Option<String>,
}

/// Answer of `GET /api/plugins`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct PluginList {
    /// The vault's, the CLI's, those put there by hand.
    pub plugins: Vec<Plugin>,
}

/// Body of `POST /api/plugins/install`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct NewPlugin {
    /// Its git repository: `https://`, `ssh://` or `git@HOST:PATH`.
    pub url: String,
    /// What it is to be called here; made of the URL where it is not said.
    #[serde(default)]
    pub slug: Option<String>,
}

/// Answer to an installation and an update.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct PluginMade {
    /// Always true.
    pub success: bool,
    /// As it is now.
    pub plugin: Plugin,
}

/// Answer of `GET /api/plugins/{slug}/check-update`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginCheck {
    /// Whether it is the newest commit of its branch.
    pub up_to_date: bool,
    /// At least so many commits behind; absent if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<u32>,
    /// As asked.
    pub slug: String,
    /// The newest commit.
    pub latest: String,
}

/// An agent of a plugin.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PluginAgent {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Always `chatbot`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The model it asks for.
    pub model: Option<String>,
    /// Its file, in the plugin's folder.
    pub path: String,
    /// Always `plugin`.
    pub source: AgentSource,
    /// Tools that it has; none means all.
    pub tools: Vec<String>,
    /// Its prompt.
    pub system_prompt: String,
    /// The first 500 characters.
    pub system_prompt_preview: Option<String>,
}
