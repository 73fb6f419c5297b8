//! `/api/modules` (contract-core §1.6, §6.5): the modules that come with the server, and those
//! that others made, of which none is run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a module stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModuleStatus {
    /// It is in use.
    Loaded,
    /// It is new, or it changed since it was approved: nothing of it is in use.
    PendingApproval,
    /// It is approved; its prompt and data are in use, its Python programs are not run.
    Unsupported,
    /// It cannot be read.
    Broken,
}

/// A module, as far as health goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModuleState {
    /// Its name; of one that cannot be read, its folder's.
    pub name: String,
    /// How it stands.
    pub status: ModuleStatus,
    /// Of one that is approved, the first 12 digits of its hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Of one that waits, the same as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_hash: Option<String>,
    /// Of one that waits, the same as it was approved; absent where nobody ever did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hash: Option<String>,
    /// Why it is not in use as a whole, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A module with what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Module {
    /// How it stands.
    #[serde(flatten)]
    pub state: ModuleState,
    /// May be empty.
    pub version: String,
    /// May be empty.
    pub description: String,
    /// Interfaces that it says it has.
    pub provides: Vec<String>,
    /// As it says; `trusted` where it does not. Nothing follows from it here.
    pub trust_level: String,
    /// Whether it has doors of its own, below `/api/NAME`.
    pub has_router: bool,
    /// Its folder in the vault; null for those that come with the server.
    pub path: Option<String>,
    /// Of one that others made and that can be read: the SHA-256, in hex, of every name and byte
    /// in its folder. Whoever looked at it approves it by this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// Answer of `GET /api/modules`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ModuleList {
    /// Those that come with the server, then the others.
    pub modules: Vec<Module>,
    /// What is wrong with the modules as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Body of `POST /api/modules/{name}/approve`, which may be missing.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ModuleApproval {
    /// The digest of what was looked at: nothing else is approved. Without it the module is
    /// approved as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// Answer of `POST /api/modules/{name}/approve`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ModuleApproved {
    /// Always true.
    pub approved: bool,
    /// The module.
    pub name: String,
    /// What follows from it.
    pub message: String,
    /// The digest of what was approved.
    pub digest: String,
}
