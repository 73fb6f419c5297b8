//! Plugins: listed, and which of them a turn has (contract-extended §1.5, §4.8). How they come
//! and go is in `installs`.

use super::definitions::preview;
use super::redact::shown;
use crate::domain::{Domain, DomainError};
use crate::vault::plugins::{self, Plugin};
use crate::vault::{FileError, Folder};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use wire::plugin::{Plugin as Told, PluginAgent, PluginSource};
use wire::skill::Skill;
use wire::workspace::Chosen;

/// What a plugin's own files call its folder.
const ROOT: &str = "${CLAUDE_PLUGIN_ROOT}";

/// Where plugins are.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The vault, absolute.
    pub(crate) vault: PathBuf,
    /// The home of its owner, in which the CLI has some.
    pub(crate) home: PathBuf,
}

/// The plugins of a turn.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct TurnPlugins {
    /// Their folders, for the CLI.
    pub(crate) dirs: Vec<PathBuf>,
    /// Their MCP servers by name, of two of one name the first. None is for a turn that is not
    /// trusted: nothing in them says so.
    pub(crate) servers: Map<String, Value>,
}

impl Domain {
    pub(in crate::domain) fn places(&self) -> Places {
        Places { vault: self.settings.vault_path.clone(), home: self.home.clone() }
    }

    pub(crate) async fn plugins(&self) -> Result<Vec<Told>, DomainError> {
        let places = self.places();
        let all = move |vault: &Folder| {
            let told =
                |plugin: &Plugin| told(plugin).map_err(|error| unreadable(plugin, &error)).ok();
            Ok::<_, DomainError>(of(vault, &places)?.iter().filter_map(told).collect())
        };
        self.in_vault(all).await
    }

    pub(crate) async fn plugin(&self, slug: String) -> Result<Told, DomainError> {
        let places = self.places();
        self.in_vault(move |vault| Ok(told(&named(vault, &places, &slug)?)?)).await
    }

    pub(crate) async fn plugin_skill(
        &self,
        slug: String,
        name: String,
    ) -> Result<Skill, DomainError> {
        let places = self.places();
        self.in_vault(move |vault| skill(&named(vault, &places, &slug)?, &name)).await
    }

    pub(crate) async fn plugin_agent(
        &self,
        slug: String,
        name: String,
    ) -> Result<PluginAgent, DomainError> {
        let places = self.places();
        self.in_vault(move |vault| agent(&named(vault, &places, &slug)?, &name)).await
    }
}

/// All plugins there are.
pub(super) fn of(vault: &Folder, places: &Places) -> Result<Vec<Plugin>, FileError> {
    plugins::all(vault, &places.vault, &places.home)
}

/// The plugin of this name.
pub(super) fn named(vault: &Folder, places: &Places, slug: &str) -> Result<Plugin, DomainError> {
    plugins::find(of(vault, places)?, slug).ok_or_else(|| missing(slug))
}

/// The chosen plugins of a turn, by slug: the vault's, the person's own where the settings say
/// so, and folders that the settings name.
pub(crate) fn for_turn(
    vault: &Folder,
    places: &Places,
    include_user: bool,
    more: &[PathBuf],
    chosen: &Chosen,
) -> Result<TurnPlugins, DomainError> {
    let mut turn = TurnPlugins::default();
    let mut all = of(vault, places)?;
    all.retain(|plugin| include_user || plugin.source == PluginSource::Parachute);
    for path in more {
        match plugins::at(path) {
            Ok(plugin) => all.extend(plugin),
            Err(error) => tracing::warn!(path = %path.display(), %error, "no plugin can be read"),
        }
    }
    for plugin in all.iter().filter(|plugin| chosen.has(&plugin.slug)) {
        // One that is broken is no reason for a turn without the others.
        let servers = plugin.servers().map_err(|error| unreadable(plugin, &error));
        let Ok(servers) = servers else { continue };
        for (name, mut config) in servers {
            rooted(&mut config, &plugin.path);
            turn.servers.entry(name).or_insert(config);
        }
        turn.dirs.push(plugin.path.clone());
    }
    Ok(turn)
}

/// Puts the plugin's folder where its files name it.
fn rooted(value: &mut Value, path: &Path) {
    match value {
        Value::String(text) if text.contains(ROOT) => {
            *text = text.replace(ROOT, &path.to_string_lossy());
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rooted(item, path)),
        Value::Object(fields) => fields.values_mut().for_each(|value| rooted(value, path)),
        _ => {}
    }
}

/// A plugin as it is told, secrets left out.
pub(super) fn told(plugin: &Plugin) -> Result<Told, FileError> {
    let text = |name: &str| plugin.manifest.get(name).and_then(Value::as_str).map(str::to_owned);
    let author = plugin.manifest.get("author");
    let author = author.and_then(|author| author.as_str().or_else(|| author["name"].as_str()));
    let servers = plugin.servers()?;
    let record = plugin.record.as_ref();
    Ok(Told {
        slug: plugin.slug.clone(),
        name: text("name").filter(|name| !name.is_empty()).unwrap_or_else(|| plugin.slug.clone()),
        version: plugin.version.clone().or_else(|| text("version")).unwrap_or("0.0.0".into()),
        description: text("description").unwrap_or_default(),
        author: author.map(str::to_owned),
        source: plugin.source,
        source_url: record.map(|record| record.url.clone()).or_else(|| text("repository")),
        path: plugin.path.display().to_string(),
        skills: plugin.skills()?.into_iter().map(|(name, _)| name).collect(),
        agents: plugin.agents()?.into_iter().map(|agent| agent.name).collect(),
        mcps: servers.keys().cloned().collect(),
        mcp_configs: servers.iter().map(|(name, config)| (name.clone(), shown(config))).collect(),
        installed_at: record.and_then(|record| record.installed_at),
        commit: record.and_then(|record| record.commit.clone()),
    })
}

/// A skill by the name it is listed under, else by the one it gives itself.
fn skill(plugin: &Plugin, name: &str) -> Result<Skill, DomainError> {
    let (mut all, wanted) = (plugin.skills()?, name.replace('/', ":"));
    let listed = all.iter().position(|(listed, _)| *listed == wanted);
    let at = listed.or_else(|| all.iter().position(|(_, found)| found.skill.name == name));
    let missing = || DomainError::Missing(format!("Skill '{name}' not found in the plugin"));
    let (_, found) = all.swap_remove(at.ok_or_else(missing)?);
    Ok(Skill { directory: None, source: "plugin".into(), ..found.skill })
}

/// An agent by the name it is listed under, by its file's alone, or by the one it gives itself.
fn agent(plugin: &Plugin, name: &str) -> Result<PluginAgent, DomainError> {
    let (mut all, wanted) = (plugin.agents()?, name.replace('/', ":"));
    let listed = all.iter().position(|agent| agent.name == wanted);
    let own = |agent: &plugins::Agent| {
        let file = agent.name.rsplit(':').next() == Some(name);
        file || agent.definition.as_ref().is_some_and(|found| found.agent.name == name)
    };
    let at = listed.or_else(|| all.iter().position(own));
    let missing = || DomainError::Missing(format!("Agent '{name}' not found in the plugin"));
    let found = all.swap_remove(at.ok_or_else(missing)?).definition;
    let broken = || DomainError::Bad(format!("Agent '{name}' of the plugin cannot be read"));
    let found = found.ok_or_else(broken)?;
    Ok(PluginAgent {
        name: found.agent.name,
        description: found.agent.description,
        kind: found.agent.kind,
        model: found.agent.model,
        path: found.agent.path.unwrap_or_default(),
        source: found.agent.source,
        tools: found.agent.tools,
        system_prompt_preview: preview(&found.prompt),
        system_prompt: found.prompt,
    })
}

fn unreadable(plugin: &Plugin, error: &FileError) {
    tracing::warn!(plugin = plugin.slug, %error, "a plugin cannot be read");
}

pub(super) fn missing(slug: &str) -> DomainError {
    DomainError::Missing(format!("Plugin '{slug}' not found"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::fs;
    use tempfile::TempDir;

    fn plugin_in(folder: &Path, servers: Value) {
        let files = [
            (".claude-plugin/plugin.json", json!({ "name": "x" })),
            (".mcp.json", json!({ "mcpServers": servers })),
        ];
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text.to_string()).expect("written");
        }
    }

    fn scene() -> (TempDir, Folder, Places) {
        let top = tempfile::tempdir().expect("a folder");
        let (vault, home) = (top.path().join("vault"), top.path().join("home"));
        let at = |name: &str| vault.join(plugins::PLACE).join(name);
        plugin_in(
            &at("one"),
            json!({ "a": { "command": "${CLAUDE_PLUGIN_ROOT}/run", "env": {
            "DATA": "${CLAUDE_PLUGIN_ROOT}/data", "KEY": "${KEY}" } } }),
        );
        plugin_in(&at("two"), json!({ "a": { "command": "hidden" }, "b": { "command": "b" } }));
        plugin_in(&home.join(".claude/plugins/mine"), json!({ "c": { "command": "c" } }));
        // Of the CLI's, the folder is called by its version.
        let of_cli = home.join(".claude/plugins/cache/market/tool/2.0.0");
        plugin_in(&of_cli, json!({}));
        let list = json!({ "plugins": { "tool@market": [{ "installPath": of_cli }] } });
        let place = home.join(".claude/plugins/installed_plugins.json");
        fs::write(place, list.to_string()).expect("written");
        plugin_in(&at("broken"), json!({}));
        let manifest = json!({ "name": "x", "mcpServers": "../../server.yaml" }).to_string();
        fs::write(at("broken").join(".claude-plugin/plugin.json"), manifest).expect("written");
        plugin_in(&top.path().join("more/extra"), json!({ "d": "no server" }));
        let folder = Folder::open(&vault).expect("opened").expect("there");
        (top, folder, Places { vault, home })
    }

    #[test]
    fn trap_58_a_turn_has_the_folders_and_servers_of_what_is_chosen_by_slug() {
        let (top, vault, places) = scene();
        let more = [top.path().join("more/extra"), top.path().join("nowhere")];
        let turn = |include_user, chosen: &Chosen| {
            for_turn(&vault, &places, include_user, &more, chosen).expect("plugins")
        };
        let names = |turn: &TurnPlugins| -> Vec<String> {
            let name = |dir: &PathBuf| dir.file_name().expect("a name").display().to_string();
            turn.dirs.iter().map(name).collect()
        };
        let all = turn(true, &Chosen::ALL);
        assert_eq!(names(&all), ["one", "two", "2.0.0", "mine", "extra"]);
        assert_eq!(all.servers.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
        let root = all.dirs[0].display();
        let a = json!({ "command": format!("{root}/run"),
            "env": { "DATA": format!("{root}/data"), "KEY": "${KEY}" } });
        assert_eq!(all.servers["a"], a, "the first of a name, with its own folder");
        assert_eq!(names(&turn(false, &Chosen::ALL)), ["one", "two", "extra"]);
        let named = turn(true, &Chosen::Named(vec!["two".into(), "mine".into()]));
        assert_eq!(names(&named), ["two", "mine"]);
        assert_eq!(named.servers["a"], json!({ "command": "hidden" }));
        let tool = turn(true, &Chosen::Named(vec!["tool".into(), "2.0.0".into()]));
        assert_eq!(names(&tool), ["2.0.0"]);
        assert_eq!(turn(true, &Chosen::NONE), TurnPlugins::default());
    }
}
