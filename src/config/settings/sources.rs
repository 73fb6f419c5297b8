//! Reading all sources in their order, the vault first, because `config.yaml` is inside it. The
//! last `config.yaml` that was good is kept in the state directory, and stands in for one that
//! is not.

use super::ConfigError;
use super::kind::Value;
use super::layer::{Layer, Origin};
use super::table::{Base, Settings};
use crate::file;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// First words of the copy, before the path it is a copy of.
const COPY_OF: &str = "# the last good copy of ";

/// Where to look. Has no `Debug`: the environment holds secrets.
#[derive(Clone)]
pub struct Sources {
    /// Variables of the process.
    pub environment: BTreeMap<String, String>,
    /// The current directory: `.env` is read in it, relative paths begin in it.
    pub cwd: PathBuf,
    /// What `~` stands for.
    pub home: PathBuf,
    /// Where the last good copy is kept; None keeps none.
    pub state: Option<PathBuf>,
}

impl Sources {
    /// Those of this process.
    pub fn of_process(state: Option<PathBuf>) -> std::io::Result<Sources> {
        Ok(Sources {
            environment: readable(std::env::vars_os()),
            cwd: std::env::current_dir()?,
            home: std::env::home_dir().unwrap_or_else(|| "/".into()),
            state,
        })
    }

    fn base(&self) -> Base<'_> {
        Base { cwd: &self.cwd, home: &self.home }
    }

    fn copy(&self) -> Option<PathBuf> {
        self.state.as_ref().map(|state| state.join("last-good-config.yaml"))
    }
}

/// The settings, and what is to be said about how they came about.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is in force.
    pub settings: Settings,
    /// What was passed over: variables that do not fit, keys that nobody knows.
    pub warnings: Vec<String>,
    /// Why `config.yaml` is not in force as it stands, for `status`.
    pub problem: Option<String>,
    /// The `config.yaml` that was looked at; it need not exist.
    pub file: PathBuf,
    pub(super) layer: Layer,
}

/// Reads everything and settles it. Never fails: what is broken is reported and done without.
pub fn load(sources: &Sources) -> Loaded {
    let mut warnings = Vec::new();
    let environment = Layer::of_variables(&sources.environment, Origin::Environment, &mut warnings);
    let dot_env = dot_env(&sources.cwd.join(".env"), &mut warnings);
    let said = dot_env.under(environment);

    let Vault { path: vault, origin, problem: lost } = find_vault(sources, &said);
    let file = vault.join(".parachute").join("config.yaml");
    let (from_file, broken) = file_layer(sources, &file, &mut warnings);
    if let Some((Value::Text(other), _)) = from_file.get("vault_path")
        && sources.base().path(other) != vault
    {
        let (file, vault) = (file.display(), vault.display());
        warnings.push(format!("{file}: vault_path is {other}, but it is read as part of {vault}"));
    }
    let mut layer = Layer::defaults().under(from_file).under(said);
    layer.put("vault_path", Value::Text(vault.to_string_lossy().into_owned()), origin);
    let mut settings = Settings::settle(&layer, sources.base());
    settings.vault_path = vault;
    Loaded { settings, warnings, problem: broken.or(lost), file, layer }
}

struct Vault {
    path: PathBuf,
    origin: Origin,
    problem: Option<String>,
}

/// The vault, once for all uses (contract-core §4.1, trap 81): a variable, `.env`, what
/// `~/Parachute` says, a folder here.
fn find_vault(sources: &Sources, said: &Layer) -> Vault {
    let base = sources.base();
    if let Some((Value::Text(text), origin)) = said.get("vault_path") {
        return Vault { path: base.path(text), origin, problem: None };
    }
    let usual = sources.home.join("Parachute");
    let pointer = usual.join(".parachute").join("config.yaml");
    let (path, origin, problem) = match read_layer(&pointer, &mut Vec::new()) {
        Ok(Some((_, layer))) => match layer.get("vault_path") {
            Some((Value::Text(text), _)) => (base.path(text), Origin::File, None),
            _ => (usual, Origin::Default, None),
        },
        Ok(None) => (base.path("./sample-vault"), Origin::Default, None),
        // Whatever it says cannot be read; the vault does not move for that.
        Err(error) => {
            let last = last_vault(sources).unwrap_or(usual);
            (last, Origin::File, Some(error.to_string()))
        }
    };
    Vault { path, origin, problem }
}

/// The file's layer, or that of its last good copy and why.
fn file_layer(
    sources: &Sources,
    path: &Path,
    warnings: &mut Vec<String>,
) -> (Layer, Option<String>) {
    let error = match read_layer(path, warnings) {
        Ok(None) => return (Layer::default(), None),
        Ok(Some((text, layer))) => {
            if let Err(error) = keep_copy(sources, path, &text) {
                warnings.push(error.to_string());
            }
            return (layer, None);
        }
        Err(error) => error,
    };
    let copy = sources.copy().and_then(|copy| {
        let (text, layer) = read_layer(&copy, &mut Vec::new()).ok()??;
        (copied_path(&text)? == path).then_some(layer)
    });
    match copy {
        Some(layer) => (layer, Some(format!("{error}; the last good copy of it is in force"))),
        None => (Layer::default(), Some(format!("{error}; the defaults are in force"))),
    }
}

/// A `config.yaml` as text and as a layer; None if there is none.
fn read_layer(
    path: &Path,
    warnings: &mut Vec<String>,
) -> Result<Option<(String, Layer)>, ConfigError> {
    let text =
        file::read(path).map_err(|why| ConfigError::Unreadable { path: path.to_owned(), why })?;
    let Some(text) = text else { return Ok(None) };
    let layer = Layer::of_yaml(&text, path, warnings)?;
    Ok(Some((text, layer)))
}

/// Keeps a good text for later. It may hold secrets, so it is its owner's alone.
fn keep_copy(sources: &Sources, path: &Path, text: &str) -> Result<(), ConfigError> {
    let Some(copy) = sources.copy() else {
        return Ok(());
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let wanted = format!("{COPY_OF}{}\n{text}", path.display());
    if file::read(&copy).is_ok_and(|kept| kept.as_deref() == Some(&wanted)) {
        return Ok(());
    }
    file::make_folder(&copy)
        .and_then(|()| file::replace(&copy, wanted.as_bytes(), file::Mode::Private))
        .map_err(|why| ConfigError::Unwritable { path: copy, why })
}

/// Which file a copy is one of.
fn copied_path(text: &str) -> Option<&Path> {
    text.lines().next()?.strip_prefix(COPY_OF).map(Path::new)
}

/// The vault that was in use when the copy was made.
fn last_vault(sources: &Sources) -> Option<PathBuf> {
    let text = file::read(&sources.copy()?).ok()??;
    Some(copied_path(&text)?.parent()?.parent()?.to_owned())
}

/// The layer of a `.env`: `NAME=value`, `export NAME='value'`, comments. It belongs to other
/// programs too, so lines and names that are not ours are passed over.
fn dot_env(path: &Path, warnings: &mut Vec<String>) -> Layer {
    let text = match file::read(path) {
        Ok(text) => text.unwrap_or_default(),
        Err(error) => {
            warnings.push(format!("ignored, {} cannot be read: {error}", path.display()));
            return Layer::default();
        }
    };
    let variables = text.lines().filter_map(variable).collect();
    Layer::of_variables(&variables, Origin::DotEnv, warnings)
}

fn variable(line: &str) -> Option<(String, String)> {
    let line = line.trim().trim_start_matches('\u{feff}');
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() || name.starts_with('#') {
        return None;
    }
    let quoted = ['"', '\''].into_iter().find_map(|quote| {
        let (inside, _) = value.strip_prefix(quote)?.split_once(quote)?;
        Some(inside)
    });
    let bare = value.split_once(" #").map_or(value, |(value, _)| value).trim_end();
    Some((name.to_owned(), quoted.unwrap_or(bare).to_owned()))
}

/// What is not text becomes text that no key takes, and so is reported if it is ours.
fn readable(all: impl Iterator<Item = (OsString, OsString)>) -> BTreeMap<String, String> {
    let text = |name: OsString| name.to_string_lossy().into_owned();
    all.map(|(name, value)| (text(name), text(value))).collect()
}
