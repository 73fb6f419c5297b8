//! `/api/ls`, `/api/read` and `/api/write` (contract-core §1.14, contract-extended §1.9): the
//! files of the vault by their paths. All times are UTC with a `Z` (trap T-84).

use crate::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a thing in a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A folder, or a link to one in the vault.
    Directory,
    /// A file, or a link to one in the vault.
    File,
    /// A link that leads to nothing that can be had.
    Symlink,
}

/// A thing in a folder of the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is, links followed.
    #[serde(rename = "type")]
    pub kind: EntryKind,
    /// Its absolute path on the server.
    pub path: String,
    /// Its path from the vault.
    pub relative_path: String,
    /// Whether it is a folder, links followed.
    pub is_directory: bool,
    /// Whether it is a file, links followed.
    pub is_file: bool,
    /// Whether it is a link.
    pub is_symlink: bool,
    /// Whether it is a link that leads to nothing that can be had.
    pub is_broken_symlink: bool,
    /// What a link says.
    pub symlink_target: Option<String>,
    /// Whether it is a folder with an `AGENTS.md`.
    pub has_agents_md: bool,
    /// Whether it is a folder with a `CLAUDE.md`.
    pub has_claude_md: bool,
    /// Whether it is a folder with a Git repository.
    pub is_git_repo: bool,
    /// Of a file, in bytes.
    pub size: Option<u64>,
    /// When it was changed last.
    pub last_modified: Option<Timestamp>,
}

/// Answer of `GET /api/ls`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    /// As asked for; empty for the vault.
    pub path: String,
    /// Absolute, on the server.
    pub full_path: String,
    /// By path.
    pub entries: Vec<Entry>,
}

/// Answer of `GET /api/read`, unless `raw` was asked for. The header `ETag` is for `If-Match`
/// at `PUT /api/write`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileText {
    /// As asked for.
    pub path: String,
    /// All of it, as it is: no line end is changed.
    pub content: String,
    /// In bytes.
    pub size: u64,
    /// When it was changed last.
    pub last_modified: Timestamp,
}

/// Body of `PUT /api/write`. The header `If-Match` makes it depend on what is there, and
/// `If-None-Match: *` on that nothing is.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct NewFile {
    /// From the vault.
    pub path: String,
    /// All of it.
    pub content: String,
}

/// Answer of `PUT /api/write`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileWritten {
    /// Always true.
    pub success: bool,
    /// As asked for.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// When that was.
    pub last_modified: Timestamp,
}
