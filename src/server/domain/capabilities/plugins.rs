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
    pub(super) fn places(&self) -> Places {
        Places { vault: self.settings.vault_path.clone(), home: self.home.clone() }
    }

    pub(crate) async fn plugins(&self) -> Result<Vec<Told>, DomainError> {
        let places = self.places();
        let all = move |vault: &Folder| {
            let all = of(vault, &places)?;
            Ok::<_, DomainError>(all.iter().map(told).collect::<Result<_, _>>()?)
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
        for (name, config) in plugin.servers()? {
            let mut config = config;
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

pub(super) fn missing(slug: &str) -> DomainError {
    DomainError::Missing(format!("Plugin '{slug}' not found"))
}
