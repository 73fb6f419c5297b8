//! `/api/auth/*` (contract-core §1.2).

use crate::{Secret, Timestamp, secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who has to show a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// Everyone but the owner on the Unix socket.
    Always,
    /// Callers from elsewhere; this machine is never asked.
    Remote,
    /// As `remote`: a caller from elsewhere always needs a key (DESIGN §6).
    Disabled,
}

impl AuthMode {
    /// The mode of a name.
    pub fn parse(name: &str) -> Option<AuthMode> {
        match name {
            "always" => Some(AuthMode::Always),
            "remote" => Some(AuthMode::Remote),
            "disabled" => Some(AuthMode::Disabled),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            AuthMode::Always => "always",
            AuthMode::Remote => "remote",
            AuthMode::Disabled => "disabled",
        }
    }
}

/// One key, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeyInfo {
    /// `k_` and twelve characters; no part of the secret.
    pub id: String,
    /// What its owner called it.
    pub label: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last opened a door; null if never.
    pub last_used_at: Option<Timestamp>,
}

/// Answer of `GET /api/auth/keys`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeyList {
    /// The keys, oldest first.
    pub keys: Vec<KeyInfo>,
    /// Who has to show one.
    pub auth_mode: AuthMode,
}

/// Body of `POST /api/auth/keys`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct NewKey {
    /// What the key is for, such as `phone`.
    #[schemars(length(min = 1, max = 100))]
    pub label: String,
}

/// Answer of `POST /api/auth/keys`: the only time the key itself is shown.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct MadeKey {
    /// `k_` and twelve characters.
    pub id: String,
    /// As given.
    pub label: String,
    /// The key. It is stored only as a hash.
    #[serde(serialize_with = "secret::reveal")]
    #[schemars(with = "String")]
    pub key: Secret,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Answer of `DELETE /api/auth/keys/{key_id}`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeyDeleted {
    /// Always `deleted`.
    pub status: String,
    /// The key that is gone.
    pub id: String,
}

/// Body of `PUT /api/auth/settings`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct NewAuthSettings {
    /// `always`, `remote` or `disabled`.
    pub require_auth: String,
}

/// Answer of `GET` and `PUT /api/auth/settings`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct AuthSettings {
    /// Who has to show a key.
    pub require_auth: AuthMode,
    /// How many keys there are.
    pub key_count: usize,
}
