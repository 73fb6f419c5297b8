//! Folders whose own hooks and tools an agent may run.

use crate::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A trusted folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustedFolder {
    /// Absolute.
    pub path: String,
    /// When it was trusted.
    pub since: Timestamp,
    /// What it would run has changed since then, and is not run.
    pub changed: bool,
}

/// Answer of `GET /api/trust`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TrustedFolders {
    /// By path.
    pub folders: Vec<TrustedFolder>,
}

/// Body of `PUT` and `DELETE /api/trust`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TrustBody {
    /// Relative to the vault, `/vault/…`, or absolute.
    #[schemars(length(min = 1, max = 4096))]
    pub path: String,
}
