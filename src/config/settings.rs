//! Settings, from four sources: environment, `.env`, `config.yaml`, defaults, in this order
//! (contract-core §4.1). A [`Layer`] is what one source says and may lack anything; layers
//! stack; [`Settings`] cannot be wrong. Every key is declared once, in `table.rs`.
//!
//! A bad source never stops a start: a bad variable is reported and ignored, a bad file gives
//! way to its last good copy. The module names nothing of the server: other programs use it too.

mod change;
mod edit;
mod judge;
mod kind;
mod layer;
mod shown;
mod sources;
mod table;
#[cfg(test)]
mod tests;

pub use change::{Asked, ChangeError, Changed, Tag, change, put_back, set};
pub use judge::Fault;
pub use kind::{Kind, Value};
pub use layer::{Layer, Origin};
pub use shown::{ShownFile, show_file};
pub use sources::{Loaded, Sources, load};
pub use table::{KEYS, Key, Settings};

use serde_json::json;
use std::io;
use std::path::PathBuf;

/// What every key's answer says of a secret that is set.
const MASK: &str = "[REDACTED]";

/// Why a config could not be read or changed. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is there and cannot be read: no permission, not a file, not text, too long.
    #[error("{} cannot be read: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// It is not YAML.
    #[error("{} is not valid YAML: {said}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser says, with the line if it knows it.
        said: String,
    },
    /// It is YAML, and no list of `key: value`.
    #[error("{} must be lines of `key: value`", path.display())]
    NoMapping {
        /// The file.
        path: PathBuf,
    },
    /// A value that its key does not take.
    #[error("{origin}: {key} is {said}; it must be {allowed}")]
    Value {
        /// Where it stands: file and line, or the variable's source.
        origin: String,
        /// The key.
        key: &'static str,
        /// What stands there, cut short; never a secret.
        said: String,
        /// What may stand there.
        allowed: String,
    },
    /// A key that nobody knows, or that is not set this way.
    #[error("{key} cannot be set; the keys that can be are {}", settable().join(", "))]
    NotSettable {
        /// As asked for.
        key: String,
    },
    /// A secret.
    #[error(
        "{key} is a secret and is not set this way: the model's token belongs into \
         .parachute/.token (mode 0600), and callers' keys are made by the server"
    )]
    Secret {
        /// As asked for.
        key: String,
    },
    /// The value in the file, or the one given, has more than one line.
    #[error("{key} is not a single value in {}; edit the file by hand", path.display())]
    NotScalar {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The edit would have changed more than was asked, or something else than was asked.
    #[error(
        "{key} cannot be changed in {} without touching other lines; edit the file by hand",
        path.display()
    )]
    Unproven {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Another program is writing it, or it cannot be written.
    #[error("{} cannot be written: {why}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
}

/// One key as `config show` and `config get` answer it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Its name.
    pub key: &'static str,
    /// Its value in force; a secret that is set is masked, what is not set is null.
    pub value: serde_json::Value,
    /// Which source said so.
    pub origin: Origin,
    /// What it means.
    pub about: &'static str,
    /// Whether [`change`] takes it.
    pub writable: bool,
}

impl Loaded {
    /// All keys, in the order of the table.
    pub fn show(&self) -> Vec<Shown> {
        KEYS.iter().map(|key| self.shown(key)).collect()
    }

    /// One key; None if there is none of this name.
    pub fn get(&self, name: &str) -> Option<Shown> {
        Key::named(name).map(|key| self.shown(key))
    }

    fn shown(&self, key: &'static Key) -> Shown {
        let said = self.layer.get(key.name);
        let value = said.map_or(serde_json::Value::Null, |(value, _)| value.to_json(MASK));
        let origin = said.map_or(Origin::Default, |(_, origin)| origin);
        Shown { key: key.name, value, origin, about: key.about, writable: key.is_writable() }
    }
}

/// A JSON schema of `config.yaml`, for editors. `x-writable` says of each key whether [`change`]
/// takes it; the others are in the file by hand.
pub fn schema() -> serde_json::Value {
    let properties: serde_json::Map<_, _> = KEYS
        .iter()
        .map(|key| {
            let mut of = key.kind.schema();
            of.insert("description".into(), json!(key.about));
            of.insert("x-writable".into(), json!(key.is_writable()));
            if let Some(value) = key.default_value() {
                of.insert("default".into(), value.to_json(MASK));
            }
            (key.name.to_owned(), of.into())
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Parachute config.yaml",
        "type": "object",
        "properties": properties,
        "additionalProperties": true,
    })
}

fn settable() -> Vec<&'static str> {
    KEYS.iter().filter(|key| key.settable).map(|key| key.name).collect()
}
