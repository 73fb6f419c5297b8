//! A `config.yaml` as JSON for people and programs, in the order of the file and without its
//! secrets. What is in force is not said here: other sources may say otherwise.

use super::change::Tag;
use super::edit::mapping;
use super::layer::{Layer, short};
use super::table::Key;
use super::{ConfigError, Kind, MASK};
use crate::file;
use serde_json::{Map, Value as Json};
use serde_yaml::{Mapping, Value as Yaml};
use std::path::Path;

/// A key that nobody knows holds a secret if its name, in any case, has one of these in it.
const SECRET_NAMES: &[&str] = &["key", "token", "secret", "password", "passwd", "credential"];

/// What a `config.yaml` says.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownFile {
    /// Its keys and values in their order; secrets are masked. Nothing where it is no config.
    pub values: Map<String, Json>,
    /// What it is now, for a change that must not undo another one.
    pub tag: Tag,
    /// Why it cannot be in force as it stands, with the line if that is known.
    pub problem: Option<String>,
    /// What its owner should know: secrets that others may read.
    pub warnings: Vec<String>,
}

/// Reads the file at `path` for showing. A missing one says nothing, and that is no problem.
pub fn show_file(path: &Path) -> ShownFile {
    let text = match file::read(path) {
        Ok(text) => text.unwrap_or_default(),
        Err(why) => {
            let problem = ConfigError::Unreadable { path: path.to_owned(), why };
            return ShownFile::broken(Tag::of_nothing_readable(), &problem);
        }
    };
    let tag = Tag::of(&text);
    let mapping = match mapping(&text, path) {
        Ok(mapping) => mapping,
        Err(problem) => return ShownFile::broken(tag, &problem),
    };
    let values = mapping.iter().map(|(name, value)| (name_of(name), entry(name, value)));
    ShownFile {
        values: values.collect(),
        tag,
        problem: Layer::of_yaml(&text, path, &mut Vec::new()).err().map(|error| error.to_string()),
        warnings: exposed(path, &mapping).into_iter().collect(),
    }
}

impl ShownFile {
    fn broken(tag: Tag, problem: &ConfigError) -> ShownFile {
        let problem = Some(problem.to_string());
        ShownFile { values: Map::new(), tag, problem, warnings: Vec::new() }
    }
}

/// Says so if a file holds a secret and others may read it (trap 82). Its mode is its owner's.
pub(super) fn exposed(path: &Path, mapping: &Mapping) -> Option<String> {
    let (name, _) = mapping.iter().find(|(name, value)| holds_secret(name, value))?;
    file::is_open_to_others(path).then(|| {
        let (name, path) = (short(&name_of(name)), path.display());
        format!("others may read {path}, which holds {name}; run: chmod 600 {path}")
    })
}

/// What the file says about a key, as its kind reads it; as it stands there if it does not fit.
pub(super) fn in_file(key: &Key, yaml: &Yaml) -> Json {
    match key.kind.read_yaml(yaml) {
        Some(value) => value.to_json(MASK),
        None if key.kind == Kind::Secret && !yaml.is_null() => MASK.into(),
        None => redacted(yaml),
    }
}

/// YAML as JSON, with the mask in the place of what a name calls a secret. What JSON does not
/// have becomes text: keys that are no text, numbers without end. Tags are left out.
pub(super) fn redacted(yaml: &Yaml) -> Json {
    match yaml {
        Yaml::Null => Json::Null,
        Yaml::Bool(flag) => (*flag).into(),
        Yaml::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(natural), _, _) => natural.into(),
            (_, Some(whole), _) => whole.into(),
            (_, _, Some(real)) if real.is_finite() => real.into(),
            _ => number.to_string().into(),
        },
        Yaml::String(text) => text.as_str().into(),
        Yaml::Sequence(items) => items.iter().map(redacted).collect(),
        Yaml::Mapping(mapping) => mapping
            .iter()
            .map(|(name, value)| (name_of(name), under(&name_of(name), value)))
            .collect::<Map<_, _>>()
            .into(),
        Yaml::Tagged(tagged) => redacted(&tagged.value),
    }
}

/// A value of the file's own keys.
fn entry(name: &Yaml, value: &Yaml) -> Json {
    match name.as_str().and_then(Key::named) {
        Some(key) => in_file(key, value),
        None => under(&name_of(name), value),
    }
}

/// A value under a name that nobody knows.
fn under(name: &str, value: &Yaml) -> Json {
    if is_secret_name(name) && !value.is_null() { MASK.into() } else { redacted(value) }
}

fn holds_secret(name: &Yaml, value: &Yaml) -> bool {
    let known = name.as_str().and_then(Key::named);
    let named = known.map_or(is_secret_name(&name_of(name)), |key| key.kind == Kind::Secret);
    let within = || match value {
        Yaml::Mapping(mapping) => mapping.iter().any(|(name, value)| holds_secret(name, value)),
        Yaml::Sequence(items) => items.iter().any(|item| holds_secret(&Yaml::Null, item)),
        _ => false,
    };
    !value.is_null() && (named || within())
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// The name of a key, which in YAML may be anything.
fn name_of(name: &Yaml) -> String {
    match redacted(name) {
        Json::String(text) => text,
        other => other.to_string(),
    }
}
