//! Agent definitions: listed, made, taken in, deleted (contract-extended §1.4), and which of
//! them a turn has.

use crate::domain::{Domain, DomainError};
use crate::limits::TURN_AGENTS_BYTES_MAX;
use crate::vault::definitions::{self, ALIASES, CUSTOM, Definition};
use crate::vault::{Folder, Front, Name, bounded};
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};
use serde_yaml::Value;
use std::path::Path;
use wire::definition::{
    AgentBounds, AgentConstraints, AgentDetail, AgentInfo, AgentPermissions, AgentSource,
    McpChoice, NewAgent,
};
use wire::workspace::Chosen;

/// The agent of every turn that names none.
pub(crate) const BUILTIN: &str = "vault-agent";

const BUILTIN_TOOLS: [&str; 14] = [
    "Read",
    "Write",
    "Edit",
    "MultiEdit",
    "Glob",
    "Grep",
    "LS",
    "Bash",
    "Task",
    "NotebookRead",
    "NotebookEdit",
    "WebSearch",
    "WebFetch",
    "Skill",
];

/// Characters of a prompt that are shown of it.
const PREVIEW_CHARS: usize = 500;

impl Domain {
    pub(crate) async fn definitions(&self) -> Result<Vec<AgentInfo>, DomainError> {
        let all = |vault: &Folder| {
            let found = definitions::all(vault)?;
            Ok::<_, DomainError>(with_builtin(found).into_iter().map(|found| found.agent).collect())
        };
        self.in_vault(all).await
    }

    pub(crate) async fn definition(&self, name: String) -> Result<AgentDetail, DomainError> {
        let found = move |vault: &Folder| {
            let found = find(with_builtin(definitions::all(vault)?), &name);
            found.map(detail).ok_or_else(|| missing(&name))
        };
        self.in_vault(found).await
    }

    pub(crate) async fn make_definition(&self, new: NewAgent) -> Result<AgentInfo, DomainError> {
        let made = self.in_vault(move |vault| make(vault, new)).await?;
        tracing::info!(agent = made.name, "an agent definition was made");
        Ok(made)
    }

    /// Takes in a definition as a Markdown file of this name.
    pub(crate) async fn take_definition(
        &self,
        file: String,
        bytes: Bytes,
    ) -> Result<AgentInfo, DomainError> {
        let taken = self.in_vault(move |vault| take_in(vault, &file, &bytes)).await?;
        tracing::info!(agent = taken.name, "an agent definition was taken in");
        Ok(taken)
    }

    pub(crate) async fn delete_definition(&self, name: String) -> Result<String, DomainError> {
        let name = self.in_vault(move |vault| delete(vault, name)).await?;
        tracing::info!(agent = name, "an agent definition was deleted");
        Ok(name)
    }
}

/// The agent that a turn names by its `agentPath`, as it is listed or as its file is called; the
/// builtin one where it names none. What is not in the vault's visible folders or among the
/// custom ones is nobody's path (traps 15, 35).
pub(crate) fn load(vault: &Folder, agent_path: Option<&str>) -> Result<Definition, DomainError> {
    match agent_path.map(str::trim).filter(|path| !path.is_empty() && *path != BUILTIN) {
        None => Ok(builtin()),
        Some(path) => definitions::named(vault, path)?.ok_or_else(|| missing(path)),
    }
}

/// The chosen definitions as the CLI's `initialize` takes them under `agents`: by name, plain
/// maps (trap 34). Notes and custom ones; of two of one name the custom one counts. The builtin
/// one is the CLI's own.
pub(crate) fn for_cli(vault: &Folder, chosen: &Chosen) -> Result<Map<String, Json>, DomainError> {
    let mut agents = Map::new();
    let mut bytes = 0;
    for Definition { agent, prompt, .. } in definitions::all(vault)? {
        let wanted = chosen.has(&agent.name) && !prompt.is_empty() && agent.name != BUILTIN;
        if !wanted {
            continue;
        }
        bytes += prompt.len();
        if bytes > TURN_AGENTS_BYTES_MAX {
            tracing::warn!(agent = agent.name, "prompts of agents are too long for one turn");
            break;
        }
        let described = agent.description.unwrap_or_else(|| format!("Agent: {}", agent.name));
        let mut told = json!({ "description": described, "prompt": prompt });
        if !agent.tools.is_empty() {
            told["tools"] = json!(agent.tools);
        }
        if let Some(model) = agent.model {
            told["model"] = json!(model);
        }
        agents.insert(agent.name, told);
    }
    Ok(agents)
}

fn with_builtin(found: Vec<Definition>) -> Vec<Definition> {
    [builtin()].into_iter().chain(found).collect()
}

/// The one that is listed by this name, else the one whose file has it.
fn find(mut all: Vec<Definition>, name: &str) -> Option<Definition> {
    let listed = all.iter().position(|found| found.agent.name == name);
    let at = listed.or_else(|| all.iter().position(|found| found.stem() == name))?;
    Some(all.swap_remove(at))
}

fn make(vault: &Folder, new: NewAgent) -> Result<AgentInfo, DomainError> {
    if let Some(model) = new.model.as_ref().filter(|model| !ALIASES.contains(&model.as_str())) {
        let said = format!("Invalid model '{model}'. Must be one of: {}", ALIASES.join(", "));
        return Err(DomainError::Bad(said));
    }
    if new.prompt.trim().is_empty() {
        return Err(DomainError::Bad("an agent needs a prompt".into()));
    }
    let mut front = Front { body: new.prompt, ..Front::default() };
    let tools: Vec<Value> = new.tools.into_iter().flatten().map(Value::from).collect();
    let fields = [
        ("description", new.description.map(Value::from)),
        ("tools", (!tools.is_empty()).then_some(Value::Sequence(tools))),
        ("model", new.model.map(Value::from)),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            front.fields.insert(name.into(), value);
        }
    }
    write(vault, &new.name, front.write().as_bytes())
}

fn take_in(vault: &Folder, file: &str, bytes: &[u8]) -> Result<AgentInfo, DomainError> {
    let bad = |said: &str| DomainError::Bad(said.into());
    let split = file.len().checked_sub(3).and_then(|at| file.split_at_checked(at));
    let (stem, _) = split
        .filter(|(_, ending)| ending.eq_ignore_ascii_case(".md"))
        .ok_or_else(|| bad("the file has to be a .md"))?;
    let text = std::str::from_utf8(bytes).map_err(|_| bad("the file is not UTF-8 text"))?;
    let front = Front::read(text).map_err(DomainError::Bad)?;
    if front.body.is_empty() {
        return Err(bad("the file has no prompt in it"));
    }
    write(vault, stem, bytes)
}

/// Puts a custom one in its place, where none of its name may be.
fn write(vault: &Folder, name: &str, text: &[u8]) -> Result<AgentInfo, DomainError> {
    let name = Name::parse(name).ok_or_else(|| DomainError::Bad(Name::RULE.into()))?;
    let taken = || DomainError::Taken(format!("Agent '{name}' already exists"));
    if find(with_builtin(definitions::all(vault)?), name.as_str()).is_some() {
        return Err(taken());
    }
    let file = name.with(".md");
    bounded(Path::new(&file), text)?;
    vault.folder_made(Path::new(CUSTOM))?.create(Path::new(&file), text)?;
    let made = find(definitions::all(vault)?, name.as_str());
    made.map(|made| made.agent).ok_or_else(|| missing(name.as_str()))
}

/// Deletes a custom one, whatever else has its name.
fn delete(vault: &Folder, name: String) -> Result<String, DomainError> {
    let protected = |what: &str| {
        let said = format!("Agent '{name}' is {what} and cannot be deleted here");
        Err(DomainError::Protected(said))
    };
    if name == BUILTIN {
        return protected("built in");
    }
    let all = definitions::all(vault)?;
    let (custom, notes): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|found| found.agent.source == AgentSource::CustomAgents);
    let Some(found) = find(custom, &name) else {
        return match find(notes, &name) {
            Some(_) => protected("a note of the vault"),
            None => Err(missing(&name)),
        };
    };
    let folder = vault.folder(Path::new(CUSTOM))?.ok_or_else(|| missing(&name))?;
    folder.remove(Path::new(&found.file))?;
    Ok(name)
}

fn detail(found: Definition) -> AgentDetail {
    AgentDetail {
        agent: found.agent,
        system_prompt_preview: preview(&found.prompt),
        system_prompt: found.prompt,
        bounds: found.bounds,
    }
}

/// The begin of a prompt; None of an empty one.
pub(super) fn preview(prompt: &str) -> Option<String> {
    Some(prompt.chars().take(PREVIEW_CHARS).collect())
        .filter(|preview: &String| !preview.is_empty())
}

fn builtin() -> Definition {
    let all = || vec!["*".to_owned()];
    let permissions = AgentPermissions {
        read: all(),
        write: all(),
        spawn: vec!["agents/*".into()],
        tools: Vec::new(),
        approved_mcps: all(),
    };
    let agent = AgentInfo {
        name: BUILTIN.into(),
        description: Some("General vault assistant".into()),
        kind: "chatbot".into(),
        model: None,
        path: None,
        source: AgentSource::Builtin,
        tools: BUILTIN_TOOLS.map(str::to_owned).to_vec(),
    };
    let bounds = AgentBounds {
        permissions,
        constraints: AgentConstraints { max_spawns: 3, timeout: 300 },
        mcp_servers: Some(McpChoice::Word("all".into())),
        spawns: Vec::new(),
    };
    Definition { agent, prompt: String::new(), bounds: Some(bounds), file: String::new() }
}

fn missing(name: &str) -> DomainError {
    DomainError::Missing(format!("Agent '{name}' not found"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    /// A vault with one of each, and links that lead where no prompt is.
    fn vault() -> (TempDir, Folder) {
        let top = tempfile::tempdir().expect("a folder");
        let put = |path: &str, text: &str| {
            let path = top.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        put("vault/agents/note.md", "---\nname: Noter\ndescription: notes\n---\nYou note.");
        put("vault/agents/empty.md", "---\nname: Empty\n---\n");
        put("vault/Work/deep/helper.md", "You help.");
        put("vault/.parachute/agents/review.md", "---\ntools: [Read]\nmodel: opus\n---\nReview.");
        put("vault/.parachute/agents/v1.2.yaml", "prompt: Dotted.\n");
        put("vault/.parachute/server.yaml", "prompt: secret\n");
        put("vault/.hidden/x.md", "secret");
        put("outside.md", "secret");
        for (to, from) in [
            ("../../outside.md", "vault/agents/out.md"),
            ("../.parachute/server.yaml", "vault/agents/keys.md"),
            ("../.parachute", "vault/agents/settings"),
        ] {
            symlink(to, top.path().join(from)).expect("linked");
        }
        let folder = Folder::open(&top.path().join("vault")).expect("opened").expect("there");
        (top, folder)
    }

    #[test]
    fn trap_35_what_is_listed_is_found_with_and_without_its_ending() {
        let (_top, vault) = vault();
        let prompt = |path: &str| load(&vault, Some(path)).map(|found| found.prompt).ok();
        for found in definitions::all(&vault).expect("listed") {
            let path = found.agent.path.expect("a path");
            assert_eq!(prompt(&path), Some(found.prompt), "{path}");
        }
        for (path, said) in [
            ("agents/note.md", "You note."),
            ("agents/note", "You note."),
            (".parachute/agents/review", "Review."),
            (".parachute/agents/review.md", "Review."),
            (".parachute/agents/v1.2", "Dotted."),
            (".parachute/agents/v1.2.yaml", "Dotted."),
            ("Work/deep/helper.md", "You help."),
            ("vault-agent", ""),
            ("", ""),
        ] {
            assert_eq!(prompt(path).as_deref(), Some(said), "{path}");
        }
        assert_eq!(load(&vault, None).expect("builtin").agent.name, BUILTIN);
    }

    #[test]
    fn trap_15_a_path_that_leads_elsewhere_is_nobodys() {
        let (top, vault) = vault();
        let outside = top.path().join("outside.md").display().to_string();
        for path in [
            outside.as_str(),
            "../outside.md",
            "agents/../../outside.md",
            "agents/out.md",
            "agents/out",
            "agents/keys.md",
            "agents/settings/server.yaml",
            ".parachute/server.yaml",
            ".parachute/agents/../server.yaml",
            ".parachute/server",
            ".hidden/x.md",
            "./.hidden/x.md",
            "agents",
            "/",
            "..",
            "agents/note.md/",
            "a\0b",
        ] {
            let found = load(&vault, Some(path));
            let prompt = found.as_ref().map(|found| found.prompt.as_str());
            assert!(prompt.is_err() || prompt.is_ok_and(|text| text == "You note."), "{path:?}");
        }
    }

    #[test]
    fn trap_34_the_cli_is_given_plain_maps_of_those_that_are_chosen() {
        let (_top, vault) = vault();
        let all = for_cli(&vault, &Chosen::ALL).expect("all");
        let review = json!({ "description": "Agent: review", "prompt": "Review.",
            "tools": ["Read"], "model": "opus" });
        assert_eq!(all.keys().collect::<Vec<_>>(), ["Noter", "review", "v1.2"]);
        assert_eq!(all["review"], review);
        assert_eq!(all["Noter"], json!({ "description": "notes", "prompt": "You note." }));
        let some = Chosen::Named(vec!["review".into(), "nobody".into(), BUILTIN.into()]);
        let some = for_cli(&vault, &some).expect("some");
        assert_eq!(Json::from(some), json!({ "review": review }));
        assert!(for_cli(&vault, &Chosen::NONE).expect("none").is_empty());
    }
}
