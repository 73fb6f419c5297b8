//! Whether a key may be changed, and to that value: for the command line, which gives text, and
//! for the API, which gives JSON and wants to hear of every fault at once. Nothing is read or
//! written here.

use super::edit::Edit;
use super::kind::Value;
use super::layer::{misfit, short};
use super::table::{Key, VAULT};
use super::{ConfigError, Kind};
use serde_json::{Map, Value as Json};
use serde_yaml::Value as Yaml;
use std::path::Path;

/// How many faults are told at most.
const FAULTS_MAX: usize = 32;
/// Longest id of a model, in characters.
const MODEL_CHARS_MAX: usize = 200;
/// What the predecessor says of a model's id that it does not take (contract-core §7.5).
const MODEL_MISFIT: &str = "Invalid model ID format";
/// Names that the Claude CLI has for its models.
const MODEL_ALIASES: &[&str] = &["default", "sonnet", "opus", "haiku", "opusplan"];
/// What may follow such a name: the model with a million tokens of context.
const LONG_CONTEXT: &str = "[1m]";

/// What is wrong with a key of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key as it was given, cut short.
    pub key: String,
    /// A sentence for a person.
    pub said: String,
}

/// Judges a key and a text for `config set`.
pub(super) fn text(
    path: &Path,
    name: &str,
    text: &str,
) -> Result<(&'static Key, Value), ConfigError> {
    let found = Key::named(name);
    if is_secret(name) {
        return Err(ConfigError::Secret { key: name.to_owned() });
    }
    match found {
        Some(key) if key.kind == Kind::List => {
            Err(ConfigError::NotScalar { key: key.name, path: path.to_owned() })
        }
        Some(key) if key.settable => {
            let value = key.kind.read_text(text);
            value
                .map(|value| (key, value))
                .ok_or_else(|| misfit(key, "not set".to_owned(), &format!("`{text}`")))
        }
        _ => Err(ConfigError::NotSettable { key: name.to_owned() }),
    }
}

/// Judges all keys and values of a change. A value is taken in every form in which it may stand
/// in the file: a number as a number or as text, a flag as true, `yes` or 1. Null takes the key
/// out of the file.
pub(super) fn json(
    values: &Map<String, Json>,
    known_models: &[String],
) -> Result<Vec<Edit>, Vec<Fault>> {
    let mut edits = Vec::new();
    let mut faults = Vec::new();
    for (name, value) in values {
        match one(name, value, known_models) {
            Ok(edit) => edits.push(edit),
            Err(said) if faults.len() < FAULTS_MAX => faults.push(Fault { key: short(name), said }),
            Err(_) => {}
        }
    }
    if faults.is_empty() { Ok(edits) } else { Err(faults) }
}

fn one(name: &str, value: &Json, known_models: &[String]) -> Result<Edit, String> {
    if is_secret(name) {
        return Err(ConfigError::Secret { key: name.to_owned() }.to_string());
    }
    let key = Key::named(name).ok_or_else(|| format!("nobody knows the key {}", short(name)))?;
    if name == VAULT {
        return Err(format!(
            "{name} says where this very file is found, and is not changed here; run: \
             parachute config set {name} <path>"
        ));
    }
    if !key.is_writable() {
        return Err(format!("{name} is not changed this way; edit config.yaml by hand"));
    }
    if value.is_null() {
        return Ok((key, None));
    }
    if key.name == "default_model"
        && let Json::String(id) = value
        && !is_model(id, known_models)
    {
        return Err(MODEL_MISFIT.to_owned());
    }
    let read = scalar(value).and_then(|yaml| key.kind.read_yaml(&yaml));
    read.map(|value| (key, Some(value))).ok_or_else(|| {
        let said = match value {
            Json::String(text) => format!("`{}`", short(text)),
            Json::Array(_) => "a list".to_owned(),
            Json::Object(_) => "an object".to_owned(),
            other => short(&other.to_string()),
        };
        format!("{name} is {said}; it must be {}", key.kind.allowed())
    })
}

/// Whether a key, known or `token` as people call it, holds a secret.
fn is_secret(name: &str) -> bool {
    name == "token" || Key::named(name).is_some_and(|key| key.kind == Kind::Secret)
}

/// As it would stand in the file.
fn scalar(value: &Json) -> Option<Yaml> {
    match value {
        Json::Bool(flag) => Some(Yaml::Bool(*flag)),
        Json::Number(number) => {
            let whole = number.as_i64().map(|number| Yaml::Number(number.into()));
            whole.or_else(|| Some(Yaml::Number(number.as_f64()?.into())))
        }
        Json::String(text) => Some(Yaml::String(text.clone())),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// Whether a text may be the id of a model: it names Claude, is one of the CLI's own names, or
/// is known to the vendor. Files and the environment may name any model; a gateway's, too.
fn is_model(id: &str, known: &[String]) -> bool {
    let sign = |c: char| c.is_ascii_alphanumeric() || "._-:/@[]".contains(c);
    let bare = id.strip_suffix(LONG_CONTEXT).unwrap_or(id);
    let shaped = id.chars().all(sign) && id.len() <= MODEL_CHARS_MAX;
    let claude = shaped && id.contains("claude");
    claude || MODEL_ALIASES.contains(&bare) || known.iter().any(|model| model == id)
}
