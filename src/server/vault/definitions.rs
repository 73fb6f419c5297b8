//! Agent definitions as they stand on disk (contract-extended §4.7): notes in `agents/`, and
//! files in `.parachute/agents/`. What cannot be read as one is passed over with a word in the
//! log; nothing of it is acted on here.

use super::front::{self, field, plain, texts};
use super::skills::is_markdown;
use super::{FileError, Folder, Front};
use crate::limits::{AGENT_PATH_BYTES_MAX, DEFINITIONS_MAX};
use serde_yaml::{Mapping, Value};
use std::path::{Component, Path, PathBuf};
use wire::definition::{
    AgentBounds, AgentConstraints, AgentInfo, AgentPermissions, AgentSource, McpChoice,
};

/// Where the vault's and the custom ones are.
const NOTES: &str = "agents";
pub(crate) const CUSTOM: &str = ".parachute/agents";

/// Endings of custom ones; where two files differ in it alone, the first counts.
const ENDINGS: [&str; 4] = ["md", "yaml", "yml", "json"];

/// A definition that was read.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    /// What is told of it.
    pub(crate) agent: AgentInfo,
    /// Its system prompt.
    pub(crate) prompt: String,
    /// What it may do, where it can say so.
    pub(crate) bounds: Option<AgentBounds>,
    /// Its file, in the folder of its kind.
    pub(crate) file: String,
}

impl Definition {
    /// The name of its file without the ending.
    pub(crate) fn stem(&self) -> &str {
        stem(&self.file)
    }
}

/// All of them: the vault's, then the custom ones.
pub(crate) fn all(vault: &Folder) -> Result<Vec<Definition>, FileError> {
    let mut found = of_folder(vault, NOTES, AgentSource::VaultAgents)?;
    found.extend(of_folder(vault, CUSTOM, AgentSource::CustomAgents)?);
    Ok(found)
}

fn of_folder(
    vault: &Folder,
    place: &str,
    source: AgentSource,
) -> Result<Vec<Definition>, FileError> {
    let folder = match vault.folder(Path::new(place)) {
        Err(error @ FileError::Link(_)) => {
            // No reason to be without the others.
            tracing::warn!(%error, "agents that are elsewhere are not read");
            None
        }
        folder => folder?,
    };
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let mut files: Vec<(usize, String)> = folder
        .list()?
        .into_iter()
        .filter(|file| !file.is_folder && !file.name.starts_with('.'))
        .filter_map(|file| Some((rank(&file.name, source)?, file.name)))
        .collect();
    files.sort_by(|(one, a), (other, b)| (stem(a), one).cmp(&(stem(b), other)));
    files.dedup_by(|(_, later), (_, first)| stem(later) == stem(first));
    if files.len() > DEFINITIONS_MAX {
        tracing::warn!(place, files = files.len(), "there are more agents than are read");
        files.truncate(DEFINITIONS_MAX);
    }
    let read = |(_, file): &(usize, String)| match folder.read(Path::new(file)) {
        Ok(text) => judge(place, file, &text?, source),
        Err(error) => {
            tracing::warn!(file, place, %error, "an agent definition cannot be read");
            None
        }
    };
    Ok(files.iter().filter_map(read).collect())
}

/// The definition that a turn names: with or without its ending, in the vault's visible folders
/// or among the custom ones, links not followed. None where there is none.
pub(crate) fn named(vault: &Folder, path: &str) -> Result<Option<Definition>, FileError> {
    let Some(parts) = parts(path) else { return Ok(None) };
    let custom = parts.starts_with(&[".parachute", "agents"]) && parts.len() == 3;
    if !custom && parts.iter().any(|part| part.starts_with('.')) {
        return Ok(None);
    }
    let source = if custom { AgentSource::CustomAgents } else { AgentSource::VaultAgents };
    let (file, folders) = parts.split_last().expect("there is one part at least");
    let place = folders.join("/");
    let mut candidates = Vec::new();
    candidates.extend(rank(file, source).map(|_| (*file).to_owned()));
    candidates.extend(ENDINGS.iter().map(|ending| format!("{file}.{ending}")));
    for candidate in candidates.iter().filter(|file| rank(file, source).is_some()) {
        let found: PathBuf = folders.iter().copied().chain([candidate.as_str()]).collect();
        if let Some(text) = vault.read_unlinked(&found)? {
            return Ok(judge(&place, candidate, &text, source));
        }
    }
    Ok(None)
}

/// A path's plain parts; None if it is none that could be in the vault.
fn parts(path: &str) -> Option<Vec<&str>> {
    let lawful = !path.is_empty() && path.len() <= AGENT_PATH_BYTES_MAX && !path.contains('\0');
    let parts = Path::new(path).components().map(|part| match part {
        Component::Normal(part) => part.to_str(),
        _ => None,
    });
    parts.collect::<Option<Vec<&str>>>().filter(|parts| lawful && !parts.is_empty())
}

/// Whether a file is one of this kind's, and which ending it has.
fn rank(file: &str, source: AgentSource) -> Option<usize> {
    if source == AgentSource::VaultAgents {
        return is_markdown(file).then_some(0);
    }
    let ending = Path::new(file).extension()?;
    ENDINGS.iter().position(|known| ending.eq_ignore_ascii_case(known))
}

pub(crate) fn stem(file: &str) -> &str {
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

/// Whether a file can be an agent of a plugin, for which JSON is no form (contract-extended §4.8).
pub(crate) fn is_of_plugin(file: &str) -> bool {
    rank(file, AgentSource::Plugin).is_some_and(|rank| ENDINGS[rank] != "json")
}

/// An agent of a plugin.
pub(crate) fn of_plugin(place: &str, file: &str, text: &str) -> Option<Definition> {
    judge(place, file, text, AgentSource::Plugin)
}

/// Reads a file as the kind that it is. None, with a word in the log, if it is none.
fn judge(place: &str, file: &str, text: &str, source: AgentSource) -> Option<Definition> {
    let read = match source {
        AgentSource::CustomAgents => custom(place, file, text),
        AgentSource::Plugin => of_plugin_file(place, file, text),
        AgentSource::VaultAgents | AgentSource::Builtin => Ok(note(place, file, text)),
    };
    read.map_err(|why| tracing::warn!(file, place, why, "this is no agent definition")).ok()
}

/// A file of `.parachute/agents/`.
fn custom(place: &str, file: &str, text: &str) -> Result<Definition, String> {
    let front = prompted(file, text)?;
    let name = stem(file).to_owned();
    let agent = AgentInfo {
        description: Some(said_or(&front.fields, "description", || format!("Agent: {name}"))),
        kind: "chatbot".into(),
        model: front.text("model").filter(|model| is_model(model)),
        // Without its ending, as the contract lists it; a turn finds it with and without.
        path: Some(format!("{place}/{name}")),
        source: AgentSource::CustomAgents,
        tools: front.list("tools"),
        name,
    };
    Ok(Definition { agent, prompt: front.body, bounds: None, file: file.into() })
}

/// The same in a plugin, where it may name itself, and its file is told as it is.
fn of_plugin_file(place: &str, file: &str, text: &str) -> Result<Definition, String> {
    let mut found = custom(place, file, text)?;
    let front = prompted(file, text)?;
    found.agent.name = said_or(&front.fields, "name", || stem(file).to_owned());
    found.agent.description = front.text("description").filter(|text| !text.is_empty());
    found.agent.source = AgentSource::Plugin;
    found.agent.path = Some(format!("{place}/{file}"));
    Ok(found)
}

/// What a file of any form says, its prompt as the body; an error where it has none.
fn prompted(file: &str, text: &str) -> Result<Front, String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let front = if is_markdown(file) {
        Front::read_forgiving(text)
    } else {
        let value = match file.to_ascii_lowercase().ends_with("json") {
            true => serde_json::from_str(text).map_err(|e| said(&e))?,
            false => front::value(text)?,
        };
        let Value::Mapping(fields) = value else { return Err("it has no fields".into()) };
        let body = field(&fields, "prompt").and_then(plain).unwrap_or_default();
        Front { fields, body }
    };
    if front.body.is_empty() { Err("it has no prompt".into()) } else { Ok(front) }
}

/// A note that is an agent; its fields stand by themselves or under `agent`.
fn note(place: &str, file: &str, text: &str) -> Definition {
    let front = Front::read_forgiving(text);
    let fields = match front.fields.get("agent") {
        Some(Value::Mapping(fields)) => fields,
        _ => &front.fields,
    };
    let text_of = |name: &str| field(fields, name).and_then(plain).filter(|text| !text.is_empty());
    let list = |name: &str| field(fields, name).map(texts).unwrap_or_default();
    let kind = text_of("type").filter(|kind| ["doc", "standalone"].contains(&kind.as_str()));
    let agent = AgentInfo {
        name: text_of("name").unwrap_or_else(|| stem(file).to_owned()),
        description: text_of("description"),
        kind: kind.unwrap_or_else(|| "chatbot".into()),
        model: text_of("model"),
        path: Some(match place {
            "" => file.to_owned(),
            place => format!("{place}/{file}"),
        }),
        source: AgentSource::VaultAgents,
        tools: list("tools"),
    };
    let bounds = AgentBounds {
        permissions: permissions(fields),
        constraints: constraints(fields),
        mcp_servers: field(fields, "mcpServers").and_then(|value| match value {
            Value::String(word) if word == "all" => Some(McpChoice::Word(word.clone())),
            Value::Null => None,
            names => Some(McpChoice::Names(texts(names))),
        }),
        spawns: list("spawns"),
    };
    Definition { agent, prompt: front.body, bounds: Some(bounds), file: file.into() }
}

fn permissions(fields: &Mapping) -> AgentPermissions {
    let empty = Mapping::new();
    let said = field(fields, "permissions").and_then(Value::as_mapping).unwrap_or(&empty);
    let all = || vec!["*".to_owned()];
    AgentPermissions {
        read: field(said, "read").map_or_else(all, texts),
        write: field(said, "write").map_or_else(all, texts),
        spawn: field(said, "spawn").map(texts).unwrap_or_default(),
        tools: field(said, "tools").map(texts).unwrap_or_default(),
        approved_mcps: field(said, "approvedMcps").map(texts).unwrap_or_default(),
    }
}

fn constraints(fields: &Mapping) -> AgentConstraints {
    let empty = Mapping::new();
    let said = field(fields, "constraints").and_then(Value::as_mapping).unwrap_or(&empty);
    let number = |name: &str, usual| field(said, name).and_then(Value::as_i64).unwrap_or(usual);
    AgentConstraints { max_spawns: number("maxSpawns", 3), timeout: number("timeout", 300) }
}

fn said_or(fields: &Mapping, name: &str, usual: impl FnOnce() -> String) -> String {
    field(fields, name).and_then(plain).filter(|text| !text.is_empty()).unwrap_or_else(usual)
}

/// A model that the CLI knows by this word, or by its whole name.
fn is_model(model: &str) -> bool {
    let whole = model.starts_with("claude-")
        && model.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    ALIASES.contains(&model) || whole
}

/// Words for models that a new definition may name.
pub(crate) const ALIASES: [&str; 3] = ["sonnet", "opus", "haiku"];
