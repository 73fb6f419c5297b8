//! Plugins as they stand on disk (contract-extended §4.8): in the vault, as the CLI has installed
//! them, and as somebody has put them into the CLI's folder. Everything in one is only read; a
//! link in it leads nowhere but into itself.

use super::definitions::{Definition, is_of_plugin, of_plugin, stem};
use super::skills::{self, Found};
use super::{FileError, Folder};
use crate::limits::{
    DEFINITIONS_MAX, PLUGIN_BYTES_MAX, PLUGIN_DEPTH_MAX, PLUGIN_FILES_MAX, PLUGIN_GROUPS_DEEP_MAX,
    PLUGINS_MAX,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use wire::Timestamp;
use wire::plugin::PluginSource;

/// Where the vault's own are.
pub(crate) const PLACE: &str = ".parachute/plugins";

/// What makes a folder a plugin.
const MANIFEST: &str = ".claude-plugin/plugin.json";

/// What we know of a plugin that we installed; beside its own files, which stay as they came.
const RECORD: &str = ".parachute-plugin.json";

/// The CLI's folders that hold no plugins by themselves.
const OF_CLI: [&str; 2] = ["cache", "marketplaces"];

/// How a plugin came here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Its repository.
    pub(crate) url: String,
    /// The branch that is followed.
    pub(crate) branch: Option<String>,
    /// The commit that is here; None where the predecessor installed it.
    pub(crate) commit: Option<String>,
    /// Since when.
    pub(crate) installed_at: Option<Timestamp>,
}

/// A plugin and its folder.
pub(crate) struct Plugin {
    pub(crate) slug: String,
    pub(crate) source: PluginSource,
    /// Absolute.
    pub(crate) path: PathBuf,
    pub(crate) folder: Folder,
    pub(crate) manifest: Map<String, Value>,
    pub(crate) record: Option<Record>,
    /// The CLI's own word for which one it is.
    pub(crate) version: Option<String>,
}

/// An agent of a plugin.
pub(crate) struct Agent {
    /// The names of its folders and of its file, with `:` between.
    pub(crate) name: String,
    /// None where the file is none that can be read.
    pub(crate) definition: Option<Definition>,
}

/// All plugins; of one that is found twice the first counts. What cannot be read is passed over
/// with a word in the log.
pub(crate) fn all(vault: &Folder, at: &Path, home: &Path) -> Result<Vec<Plugin>, FileError> {
    let mut found = Vec::new();
    if let Some(shelf) = vault.folder(Path::new(PLACE))? {
        of_folder(&shelf, &at.join(PLACE), PluginSource::Parachute, &mut found)?;
    }
    // Elsewhere, and nobody's business but the CLI's: no reason to refuse the vault's.
    if let Err(error) = of_cli(home, &mut found) {
        tracing::warn!(%error, "the CLI's plugins cannot be read");
    }
    let mut seen = BTreeSet::new();
    found.retain(|plugin| plugin.folder.id().is_none_or(|id| seen.insert(id)));
    Ok(found)
}

/// The plugin of this name, the vault's before others.
pub(crate) fn find(all: Vec<Plugin>, slug: &str) -> Option<Plugin> {
    all.into_iter().find(|plugin| plugin.slug == slug)
}

fn of_folder(
    shelf: &Folder,
    at: &Path,
    source: PluginSource,
    found: &mut Vec<Plugin>,
) -> Result<(), FileError> {
    for entry in shelf.list()?.iter().filter(|entry| entry.is_folder) {
        let skipped = source == PluginSource::User && OF_CLI.contains(&entry.name.as_str());
        if skipped || entry.name.starts_with('.') {
            continue;
        }
        if found.len() >= PLUGINS_MAX {
            tracing::warn!(place = %at.display(), "there are more plugins than are read");
            break;
        }
        let name = Path::new(&entry.name);
        match shelf.folder(name).map(|folder| folder.map(|folder| open(folder, at, name, source))) {
            Ok(Some(Ok(plugin))) => found.extend(plugin),
            Ok(None) => {}
            Ok(Some(Err(error))) | Err(error) => {
                tracing::warn!(plugin = entry.name, %error, "a plugin cannot be read");
            }
        }
    }
    Ok(())
}

/// The plugin in a folder that the owner names; None where there is none.
pub(crate) fn at(path: &Path) -> Result<Option<Plugin>, FileError> {
    let Some(folder) = Folder::open(path)? else { return Ok(None) };
    let parent = path.parent().unwrap_or(path);
    let name = Path::new(path.file_name().unwrap_or_default());
    open(folder, parent, name, PluginSource::User)
}

/// A folder as a plugin; None where it is none.
fn open(
    folder: Folder,
    at: &Path,
    name: &Path,
    source: PluginSource,
) -> Result<Option<Plugin>, FileError> {
    let Some(manifest) = manifest(&folder)? else { return Ok(None) };
    let record = match source {
        PluginSource::Parachute => record(&folder, &manifest)?,
        _ => None,
    };
    let slug = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let path = at.join(name);
    Ok(Some(Plugin { slug, source, path, folder, manifest, record, version: None }))
}

/// What a folder says of itself, if it is a plugin's.
pub(crate) fn manifest(folder: &Folder) -> Result<Option<Map<String, Value>>, FileError> {
    let text = folder.read(Path::new(MANIFEST))?;
    Ok(text.and_then(|text| match serde_json::from_str(&text) {
        Ok(Value::Object(fields)) => Some(fields),
        _ => None,
    }))
}

/// Our record, else what the predecessor wrote into the manifest.
fn record(folder: &Folder, manifest: &Map<String, Value>) -> Result<Option<Record>, FileError> {
    if let Some(text) = folder.read(Path::new(RECORD))? {
        let read = serde_json::from_str(&text);
        return Ok(read
            .map_err(|error| tracing::warn!(%error, "a plugin's record cannot be read"))
            .ok());
    }
    let text = |name: &str| manifest.get(name).and_then(Value::as_str);
    Ok(text("source_url").map(|url| Record {
        url: url.into(),
        branch: None,
        commit: None,
        installed_at: text("installed_at").and_then(Timestamp::parse),
    }))
}

/// Writes how a plugin came here.
pub(crate) fn keep_record(folder: &Folder, record: &Record) -> Result<(), FileError> {
    let text = serde_json::to_string_pretty(record).expect("a record is always JSON");
    // What a repository has of that name is none of ours.
    folder.remove_folder(Path::new(RECORD))?;
    folder.replace(Path::new(RECORD), format!("{text}\n").as_bytes())
}

/// What the CLI has: those of its list, then those that lie in its folder.
fn of_cli(home: &Path, found: &mut Vec<Plugin>) -> Result<(), FileError> {
    let at = home.join(".claude/plugins");
    // Links on the way there are the person's own.
    let Ok(at) = at.canonicalize() else { return Ok(()) };
    let Some(shelf) = Folder::open(&at)? else { return Ok(()) };
    let list = shelf.read(Path::new("installed_plugins.json"))?.unwrap_or_default();
    let list: Value = serde_json::from_str(&list).unwrap_or_default();
    for (name, installed) in list["plugins"].as_object().into_iter().flatten() {
        let first = installed.get(0).unwrap_or(installed);
        let Some(place) = first["installPath"].as_str().map(PathBuf::from) else { continue };
        let real = place.canonicalize().unwrap_or(place);
        // A list could name any folder of this machine.
        let Ok(inside) = real.strip_prefix(&at) else {
            tracing::info!(plugin = name, "the CLI's list names a folder that is not its own");
            continue;
        };
        let Some(folder) = shelf.folder(inside)? else { continue };
        let Some(mut plugin) = open(folder, &at, inside, PluginSource::Cli)? else { continue };
        plugin.slug = name.split('@').next().unwrap_or(name).to_owned();
        plugin.version = first["version"].as_str().map(str::to_owned);
        found.push(plugin);
    }
    of_folder(&shelf, &at, PluginSource::User, found)
}

impl Plugin {
    /// Its skills under their names: `:` stands between a folder and what is in it.
    pub(crate) fn skills(&self) -> Result<Vec<(String, Found)>, FileError> {
        match self.folder.folder(Path::new("skills"))? {
            Some(shelf) => skills::nested(&shelf, PLUGIN_GROUPS_DEEP_MAX),
            None => Ok(Vec::new()),
        }
    }

    /// Its agents.
    pub(crate) fn agents(&self) -> Result<Vec<Agent>, FileError> {
        let mut found = Vec::new();
        if let Some(folder) = self.folder.folder(Path::new("agents"))? {
            agents(&folder, &[], &mut found)?;
        }
        Ok(found)
    }

    /// Its MCP servers as they are written: of `.mcp.json`, and over them the manifest's, which
    /// may name a file of its own.
    pub(crate) fn servers(&self) -> Result<Map<String, Value>, FileError> {
        let of_file = |path: &str| -> Result<Map<String, Value>, FileError> {
            let text = self.folder.read(Path::new(path))?.unwrap_or_default();
            let mut file: Value = serde_json::from_str(&text).unwrap_or_default();
            Ok(match file.get_mut("mcpServers").map(Value::take) {
                Some(Value::Object(servers)) => servers,
                _ => Map::new(),
            })
        };
        let mut servers = of_file(".mcp.json")?;
        match self.manifest.get("mcpServers") {
            Some(Value::Object(named)) => servers.extend(named.clone()),
            Some(Value::String(path)) => servers.extend(of_file(path)?),
            _ => {}
        }
        servers.retain(|_, config| config.is_object());
        Ok(servers)
    }
}

fn agents(folder: &Folder, above: &[&str], found: &mut Vec<Agent>) -> Result<(), FileError> {
    for entry in folder.list()?.iter().filter(|entry| !entry.name.starts_with('.')) {
        if found.len() >= DEFINITIONS_MAX {
            break;
        }
        let (name, here) = (Path::new(&entry.name), [above, &[entry.name.as_str()]].concat());
        if entry.is_folder {
            let inner = folder.folder(name)?.filter(|_| above.len() < PLUGIN_GROUPS_DEEP_MAX);
            if let Some(inner) = inner {
                agents(&inner, &here, found)?;
            }
            continue;
        }
        let place = ["agents"].iter().chain(above).copied().collect::<Vec<_>>().join("/");
        if !is_of_plugin(&entry.name) {
            continue;
        }
        let definition = match folder.read(name) {
            Ok(text) => text.and_then(|text| of_plugin(&place, &entry.name, &text)),
            Err(error) => {
                tracing::warn!(file = entry.name, %error, "an agent of a plugin cannot be read");
                None
            }
        };
        let parts = above.iter().copied().chain([stem(&entry.name)]);
        found.push(Agent { name: parts.collect::<Vec<_>>().join(":"), definition });
    }
    Ok(())
}

/// Why what was cloned is not taken for a plugin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PluginError {
    #[error("there is no {MANIFEST} in the repository that could be read; it is no plugin")]
    NoManifest,
    #[error("the link {0:?} in the repository leads out of it, or nowhere")]
    Link(String),
    #[error("{0:?} in the repository is neither a file nor a folder")]
    Kind(String),
    #[error("the plugin is larger than {max} MiB, or has more than {PLUGIN_FILES_MAX} files, or \
        more than {PLUGIN_DEPTH_MAX} folders within each other", max = PLUGIN_BYTES_MAX >> 20)]
    Large,
    #[error(transparent)]
    File(#[from] FileError),
}

/// Judges what was cloned, all of it: a plugin, within the bounds, with no link that leads out.
/// Git's own folder is taken away: it is not needed any more, and what it says could be run.
pub(crate) fn judge(folder: &Folder) -> Result<(), PluginError> {
    folder.remove_folder(Path::new(".git"))?;
    let (mut bytes, mut files) = (0, 0);
    let mut folders = vec![PathBuf::new()];
    while let Some(path) = folders.pop() {
        if path.components().count() > PLUGIN_DEPTH_MAX {
            return Err(PluginError::Large);
        }
        let here = if path.as_os_str().is_empty() { Path::new(".") } else { &path };
        for entry in folder.entries(here)? {
            let inside = path.join(&entry.name);
            let shown = || inside.display().to_string();
            if entry.is_link && !folder.leads_inside(&inside) {
                return Err(PluginError::Link(shown()));
            }
            if !(entry.is_link || entry.is_folder || entry.is_file) {
                return Err(PluginError::Kind(shown()));
            }
            (bytes, files) = (bytes + entry.size, files + 1);
            if bytes > PLUGIN_BYTES_MAX || files > PLUGIN_FILES_MAX {
                return Err(PluginError::Large);
            }
            if entry.is_folder && !entry.is_link {
                folders.push(inside);
            }
        }
    }
    manifest(folder)?.map(drop).ok_or(PluginError::NoManifest)
}
