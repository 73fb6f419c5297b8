//! `/api/sync/*` (contract-extended §1.11): files of a folder of the vault, kept the same on
//! several devices. What the contract does not know stands beside its fields: bases, versions,
//! tombstones and conflicts, by which no text is lost and nothing comes back that was deleted.

use crate::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A file as a manifest tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SyncFile {
    /// From the root.
    pub path: String,
    /// SHA-256 of its bytes, in lower-case hex; where `quick` was asked for, and of changes, its
    /// time instead.
    pub hash: String,
    /// In bytes.
    pub size: u64,
    /// When it was changed last, in seconds since 1970.
    pub modified: f64,
    /// Grows with each change; of what was not looked into, there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
}

/// A file that is no more. Whoever still has this text of it deletes it, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tombstone {
    /// From the root.
    pub path: String,
    /// Its last text.
    pub hash: String,
    /// Of the deletion.
    pub version: i64,
    /// When it was deleted, or found to be.
    pub deleted_at: Timestamp,
}

/// Answer of `GET /api/sync/manifest`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// As asked for.
    pub root: String,
    /// By path.
    pub files: Vec<SyncFile>,
    /// When this was so.
    pub generated_at: Timestamp,
    /// Of the newest change that the server knows of.
    pub version: i64,
    /// What is no more, by path.
    pub deleted: Vec<Tombstone>,
    /// `<path>: <reason>` for the first of what is there and cannot be told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// Answer of `GET /api/sync/changes`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Changes {
    /// As asked for.
    pub root: String,
    /// Changed after `since`, by path.
    pub files: Vec<SyncFile>,
    /// As asked for.
    pub since: f64,
    /// When this was so.
    pub generated_at: Timestamp,
    /// Deleted after `since`, by path, as far as the server knows.
    pub deleted: Vec<Tombstone>,
}

/// A file that a device has.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct PushedFile {
    /// From the root.
    pub path: String,
    /// Its text, or its bytes in base64.
    pub content: String,
    /// Whether it is base64.
    #[serde(default)]
    pub is_binary: bool,
    /// Hash of the text that the device had from the server before it changed it; empty: it
    /// knows of none. Where it is not said, the server goes by what it gave to this device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// Body of `POST /api/sync/push`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct PushBody {
    /// A folder of the vault.
    pub root: String,
    /// What the device has.
    pub files: Vec<PushedFile>,
    /// Which device it is; else the server tells devices apart by key and address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// A file that was taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TakenFile {
    /// As pushed.
    pub path: String,
    /// Of what is there now.
    pub hash: String,
    /// Of the file.
    pub version: i64,
    /// The file beside it, from the root, that keeps what was there and the device cannot have
    /// seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

/// A file that was left as it is, because the device's base is not what is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conflict {
    /// As asked for.
    pub path: String,
    /// Of what is there; null: nothing is.
    pub hash: Option<String>,
    /// Of the file, or of its deletion.
    pub version: Option<i64>,
    /// Whether it was deleted.
    pub deleted: bool,
}

/// Answer of `POST /api/sync/push`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Pushed {
    /// How many are there now as they were pushed.
    pub pushed: usize,
    /// `<path>: <reason>` for each of the others.
    pub errors: Vec<String>,
    /// Those that are there now.
    pub files: Vec<TakenFile>,
    /// Those whose base is not what is there; each has a line among the errors, too.
    pub conflicts: Vec<Conflict>,
}

/// Body of `POST /api/sync/pull`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct PullBody {
    /// A folder of the vault.
    pub root: String,
    /// From the root.
    pub paths: Vec<String>,
    /// As in a push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// A file as it is on the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PulledFile {
    /// As asked for.
    pub path: String,
    /// Its text as it is, or its bytes in base64.
    pub content: String,
    /// SHA-256 of its bytes, in lower-case hex.
    pub hash: String,
    /// In bytes.
    pub size: u64,
    /// When it was changed last, in seconds since 1970.
    pub modified: f64,
    /// Whether `content` is base64.
    pub is_binary: bool,
}

/// Answer of `POST /api/sync/pull`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Pulled {
    /// In the order in which they were asked for.
    pub files: Vec<PulledFile>,
    /// `<path>: <reason>` for each that cannot be had.
    pub errors: Vec<String>,
}

/// Answer of `DELETE /api/sync/files`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Deleted {
    /// How many are not there now; those that never were count, too.
    pub deleted: usize,
    /// `<path>: <reason>` for each of the others.
    pub errors: Vec<String>,
    /// Those that are no longer what the device had; each has a line among the errors, too.
    pub conflicts: Vec<Conflict>,
}

/// A folder of the vault that devices synchronise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SyncRoot {
    /// From the vault; empty is the vault itself.
    pub root: String,
    /// Files that the server knows there.
    pub files: u64,
    /// Deletions that it remembers there.
    pub tombstones: u64,
    /// When something was pushed last.
    pub last_push: Option<Timestamp>,
    /// By whom.
    pub last_push_by: Option<String>,
    /// How many files that were.
    pub last_push_files: Option<u64>,
}

/// Answer of `GET /api/sync/status`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct SyncStatus {
    /// Of the newest change that the server knows of.
    pub version: i64,
    /// By path.
    pub roots: Vec<SyncRoot>,
    /// What lies aside.
    pub aside: SyncAside,
}

/// Texts that a device replaced or deleted while it was only guessed that it had seen them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SyncAside {
    /// The folder on the server's machine, outside the vault. A file there is called by the hash
    /// of its bytes and by the name it had.
    pub folder: String,
    /// How many lie there.
    pub files: u64,
    /// How large they are together.
    pub bytes: u64,
    /// How long one is kept.
    pub days: u64,
}
