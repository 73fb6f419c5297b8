//! `/api/migration` (contract-core §1.15, contract-extended §1.15): sessions that name an older
//! place of the vault, and bringing them to the one in use.

use crate::Timestamp;
use crate::session::Session;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A session of an older place of the vault.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OldSession {
    /// The session.
    pub session_id: String,
    /// Its title; empty if it has none.
    pub title: String,
    /// Where the vault was.
    pub old_vault_root: String,
    /// As it is stored.
    pub working_directory: Option<String>,
    /// Whether the CLI's own folder has its transcript.
    pub transcript_exists: bool,
    /// Where, absolute.
    pub transcript_path: Option<String>,
    /// First turn.
    pub created_at: Timestamp,
}

/// Answer of `GET /api/migration/scan`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MigrationScan {
    /// Where the vault is, absolute.
    pub current_vault_root: String,
    /// Those of another place, oldest first.
    pub needs_migration: Vec<OldSession>,
    /// How many name the place in use.
    pub already_current: i64,
    /// How many name none: they go with the vault, wherever it is.
    pub no_vault_root: i64,
    /// All sessions.
    pub total: i64,
}

/// Body of `POST /api/migration/session/{id}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MigrateOne {
    /// Also copy the transcript to where the CLI looks for it now.
    pub copy_transcript: bool,
}

/// Body of `POST /api/migration/all`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MigrateAll {
    /// Also copy the transcripts to where the CLI looks for them now.
    pub copy_transcripts: bool,
}

/// Answer of `POST /api/migration/session/{id}`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Migrated {
    /// Always true.
    pub success: bool,
    /// False: there was nothing to do.
    pub migrated: bool,
    /// Whether a transcript was copied.
    pub transcript_copied: bool,
    /// The session now.
    pub session: Session,
}

/// Answer of `POST /api/migration/all`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MigratedAll {
    /// None failed.
    pub success: bool,
    /// Sessions that were brought to the place in use.
    pub migrated: i64,
    /// Sessions that were left as they are.
    pub failed: i64,
    /// Both.
    pub total: i64,
    /// Transcripts that were copied.
    pub transcripts_copied: i64,
    /// Why the first one failed.
    pub error: Option<String>,
}
