//! What one source says, value by value, each with its origin; and how a file's text or a set of
//! variables becomes such a layer. Reading the file itself is done elsewhere.

use super::edit::{line_of, mapping};
use super::kind::Value;
use super::shown::redacted;
use super::table::{KEYS, Key};
use super::{ConfigError, Kind};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Longest piece of a wrong value that an error repeats, in characters.
const SAID_CHARS_MAX: usize = 40;

/// Which source a value comes from. The later in this list, the weaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A variable of the process.
    Environment,
    /// `.env` in the current directory.
    DotEnv,
    /// `config.yaml`, or its last good copy.
    File,
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Environment => "env",
            Origin::DotEnv => ".env",
            Origin::File => "file",
            Origin::Default => "default",
        })
    }
}

/// What is said about each key, and by whom. May lack anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layer(BTreeMap<&'static str, (Value, Origin)>);

impl Layer {
    /// The table's own defaults.
    pub fn defaults() -> Layer {
        let said = KEYS.iter().filter_map(|key| Some((key.name, key.default_value()?)));
        Layer(said.map(|(name, value)| (name, (value, Origin::Default))).collect())
    }

    /// Both together; where both speak, the other wins.
    pub fn under(mut self, over: Layer) -> Layer {
        self.0.extend(over.0);
        self
    }

    /// What is said about a key.
    pub fn get(&self, key: &str) -> Option<(&Value, Origin)> {
        self.0.get(key).map(|(value, origin)| (value, *origin))
    }

    pub(super) fn put(&mut self, key: &'static str, value: Value, origin: Origin) {
        self.0.insert(key, (value, origin));
    }

    /// From the text of `config.yaml`. Keys that nobody knows are left to whoever wrote them,
    /// and reported. One value that does not fit makes the whole text unfit.
    pub fn of_yaml(
        text: &str,
        path: &Path,
        warnings: &mut Vec<String>,
    ) -> Result<Layer, ConfigError> {
        let mut layer = Layer::default();
        for (name, yaml) in &mapping(text, path)? {
            let Some(key) = name.as_str().and_then(Key::named) else {
                let name = short(name.as_str().unwrap_or("something that is not text"));
                warnings.push(format!("{}: nobody knows the key {name}", path.display()));
                continue;
            };
            if yaml.is_null() {
                continue;
            }
            let value = key.kind.read_yaml(yaml).ok_or_else(|| {
                let line = line_of(text, key.name).map(|line| format!(" line {line}"));
                let origin = format!("{}{}", path.display(), line.unwrap_or_default());
                let said = yaml
                    .as_str()
                    .map_or_else(|| redacted(yaml).to_string(), |text| format!("`{text}`"));
                misfit(key, origin, &said)
            })?;
            layer.put(key.name, value, Origin::File);
        }
        Ok(layer)
    }

    /// From variables, by name. A key is asked for as `PARACHUTE_<KEY>` first, then by its bare
    /// name, in capitals or not. Bare names belong to everybody (trap 29), so what does not fit
    /// is reported and passed over.
    pub fn of_variables(
        variables: &BTreeMap<String, String>,
        origin: Origin,
        warnings: &mut Vec<String>,
    ) -> Layer {
        let mut layer = Layer::default();
        for key in KEYS {
            let bare = key.name.to_ascii_uppercase();
            let ours = format!("PARACHUTE_{bare}");
            let said = [&ours, &bare].into_iter().filter_map(|name| find(variables, name));
            for (name, text) in said.filter(|(_, text)| !text.trim().is_empty()) {
                if let Some(value) = key.kind.read_text(text) {
                    layer.put(key.name, value, origin);
                    break;
                }
                let place = format!("{name} ({origin})");
                let why = misfit(key, place, &format!("`{text}`"));
                warnings.push(format!("ignored, {why}"));
            }
        }
        layer
    }
}

/// The variable of this name in capitals, or else in any case.
fn find<'a>(variables: &'a BTreeMap<String, String>, name: &str) -> Option<(&'a str, &'a str)> {
    let exact = variables.get_key_value(name);
    exact
        .or_else(|| variables.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)))
        .map(|(name, text)| (name.as_str(), text.as_str()))
}

pub(super) fn misfit(key: &Key, origin: String, said: &str) -> ConfigError {
    let said = match key.kind {
        Kind::Secret => "something else".to_owned(),
        _ => short(said),
    };
    ConfigError::Value { origin, key: key.name, said, allowed: key.kind.allowed() }
}

pub(super) fn short(text: &str) -> String {
    let mut short: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SAID_CHARS_MAX).collect();
    if text.chars().nth(SAID_CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}
