//! `/api/skills*` (contract-extended §1.3). A skill is a Markdown file that tells a model how
//! something is done, alone or in a folder with what it needs.

use crate::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One skill.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Skill {
    /// As its file names it, else the file's own name.
    pub name: String,
    /// Name of its folder, or of its file without the ending; absent for a plugin's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// When to use it; may be empty.
    pub description: String,
    /// Its text, without front matter.
    pub content: String,
    /// Of its Markdown file, in bytes.
    pub size: u64,
    /// When that was written last.
    pub modified: Timestamp,
    /// `1.0.0` where it says none.
    pub version: String,
    /// Tools that it may use without asking.
    pub allowed_tools: Vec<String>,
    /// Whether it is a folder.
    pub is_directory: bool,
    /// `custom`, or `plugin`.
    pub source: String,
    /// What stands in its folder, by name; absent for a single file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<SkillFile>>,
}

/// A file in a skill's folder.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SkillFile {
    /// Its name.
    pub name: String,
    /// In bytes.
    pub size: u64,
}

/// Answer of `GET /api/skills`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct SkillList {
    /// The skills, by name.
    pub skills: Vec<Skill>,
}

/// Body of `POST /api/skills`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct NewSkill {
    /// Its name, and its file's.
    pub name: String,
    /// Its text.
    pub content: String,
    /// When to use it.
    #[serde(default)]
    pub description: Option<String>,
}

/// Answer of `POST /api/skills` and of an upload.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct SkillMade {
    /// Always true.
    pub success: bool,
    /// As it is now.
    pub skill: Skill,
}

/// Answer to the deletion of a skill, an agent or a plugin.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    /// Always true.
    pub success: bool,
    /// What was asked to be deleted.
    pub deleted: String,
}
