//! `GET /` and `GET /api/health` (contract-core §1.1).

use crate::module::ModuleState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Answer of `GET /`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Root {
    /// Always `Parachute Computer`: the app looks for it.
    pub name: String,
    /// Version of the server.
    pub version: String,
    /// Always `running`.
    pub status: String,
}

/// Answer of `GET /api/health`; the fields from `vault` on only with `detailed=true`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// Always `ok`: a server that is not does not answer.
    pub status: String,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// Version of the server.
    pub version: String,
    /// Short commit the server was built from, where that was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// More, when asked for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub detail: Option<HealthDetail>,
}

/// What `detailed=true` adds.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HealthDetail {
    /// The vault served.
    pub vault: VaultHealth,
    /// Modules, those that come with the server first.
    pub modules: Vec<ModuleState>,
    /// The container engine.
    pub docker: DockerHealth,
    /// The chat connectors.
    pub bots: BotsHealth,
    /// Seconds since the server started.
    pub uptime: f64,
    /// What is wrong with the configuration, in words; null where nothing is.
    pub problem: Option<String>,
    /// Where each listener came from: inherited from the service manager, or bound.
    pub listeners: Vec<String>,
    /// Agents alive.
    pub agents: usize,
}

/// The vault, as far as health goes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct VaultHealth {
    /// Absolute path; only a local caller or one with a key is told.
    pub path: String,
    /// `ok` or `inaccessible`.
    pub status: String,
}

/// The container engine, as far as health goes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DockerHealth {
    /// Whether an engine answers.
    pub available: bool,
    /// The image of sandboxed sessions.
    pub image: String,
    /// Whether the engine has that image; absent without an engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_exists: Option<bool>,
}

/// The chat connectors, as far as health goes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BotsHealth {
    /// Telegram.
    pub telegram: Running,
    /// Discord.
    pub discord: Running,
}

/// Whether something runs.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Running {
    /// It does.
    pub running: bool,
}
