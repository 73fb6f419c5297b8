//! Changing a `config.yaml`: under its lock, only if it is still what the caller saw, and as a
//! whole or not at all. How a line is edited and what a key takes is decided elsewhere; whether
//! the server starts with the result is for its caller to see, who can put back what stood there.

use super::ConfigError;
use super::edit::{Edited, edited};
use super::judge::{self, Fault};
use super::layer::Layer;
use super::shown::exposed;
use crate::file;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use std::path::Path;
use wire::Secret;
use wire::supervisor::Change;

/// What a file is: equal tags, equal bytes. A missing file is as one without a byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(String);

impl Tag {
    /// As a caller has it; any text may be one, and most fit no file.
    pub fn given(text: &str) -> Tag {
        Tag(text.to_owned())
    }

    /// Its text: letters and digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first quarter of the SHA-256 of the text, in hexadecimal.
    pub(super) fn of(text: &str) -> Tag {
        let hash = Sha256::digest(text.as_bytes());
        Tag(hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }

    /// Of a file that cannot be read; fits none.
    pub(super) fn of_nothing_readable() -> Tag {
        Tag("unreadable".to_owned())
    }
}

/// A change that is asked for. Has no `Debug`: what was given by mistake may be a secret.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Keys and their new values; null takes a key out of the file.
    pub values: &'a Map<String, Json>,
    /// Only if the file is still this one.
    pub only_if: Option<&'a Tag>,
    /// Ids that `default_model` may have beside those that look like Claude's.
    pub known_models: &'a [String],
    /// Say what would happen, and touch nothing.
    pub dry_run: bool,
}

/// What a change did, or would do.
#[derive(Debug)]
pub struct Changed {
    /// The file's text before; None if there was no file. It may hold secrets.
    pub before: Option<Secret>,
    /// Its text with the change. It may hold secrets.
    pub after: Secret,
    /// What the file is now.
    pub tag: Tag,
    /// What the change changes, in the order it was asked for. Keys that said so already are
    /// left out.
    pub changes: Vec<Change>,
    /// What the owner should know: secrets that others may read.
    pub warnings: Vec<String>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Keys or values that are not taken: all of them, up to a bound.
    #[error("{}", .0.iter().map(|fault| fault.said.as_str()).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Fault>),
    /// The file is not the one that the caller saw.
    #[error("config.yaml has changed meanwhile; look at it again and repeat the change")]
    Stale {
        /// What it is now.
        now: Tag,
    },
    /// The file cannot be read, edited or written, or would not be valid with the change.
    #[error(transparent)]
    File(#[from] ConfigError),
}

/// Changes keys of the file at `path`, all or none. A missing file is made, with its folder. Its
/// mode stays; a new one is its owner's alone. Blocks for as long as another program holds
/// `.config.lock` beside it, up to some seconds.
pub fn change(path: &Path, asked: &Asked<'_>) -> Result<Changed, ChangeError> {
    let edits = judge::json(asked.values, asked.known_models).map_err(ChangeError::Refused)?;
    let lock = if asked.dry_run { None } else { Some(lock(path)?) };
    let before = read(path)?;
    let found = tag(before.as_ref());
    if asked.only_if.is_some_and(|tag| *tag != found) {
        return Err(ChangeError::Stale { now: found });
    }
    let Edited { text, mapping, changes } = edited(text(before.as_ref()), path, &edits)?;
    Layer::of_yaml(&text, path, &mut Vec::new())?;
    let warnings = exposed(path, &mapping).into_iter().collect();
    let tag = match lock {
        Some(lock) if !changes.is_empty() => {
            write(&lock, path, &text)?;
            Tag::of(&text)
        }
        _ => found,
    };
    Ok(Changed { before, after: Secret::new(text), tag, changes, warnings })
}

/// Puts back what stood in the file before a change; None takes the file away. Only if it is
/// still `now`, what the change left: false says that somebody has changed it since, and that it
/// stays.
pub fn put_back(path: &Path, now: &Tag, before: Option<&Secret>) -> Result<bool, ConfigError> {
    let lock = lock(path)?;
    if tag(read(path)?.as_ref()) != *now {
        return Ok(false);
    }
    match before {
        Some(text) => write(&lock, path, text.expose())?,
        None => file::remove(path).map_err(|why| unwritable(path, why))?,
    }
    Ok(true)
}

/// Sets one key in the file at `path`, as [`change`] does, except that a value elsewhere in the
/// file that does not fit is no hindrance: one after the other they can be mended.
pub fn set(path: &Path, key: &str, value: &str) -> Result<(), ConfigError> {
    let (key, value) = judge::text(path, key, value)?;
    let lock = lock(path)?;
    let before = read(path)?;
    let edited = edited(text(before.as_ref()), path, &[(key, Some(value))])?;
    if edited.changes.is_empty() { Ok(()) } else { write(&lock, path, &edited.text) }
}

fn lock(path: &Path) -> Result<file::Lock, ConfigError> {
    file::make_folder(path)
        .and_then(|()| file::Lock::take(&path.with_file_name(".config.lock")))
        .map_err(|why| unwritable(path, why))
}

fn read(path: &Path) -> Result<Option<Secret>, ConfigError> {
    let text = file::read(path);
    text.map(|text| text.map(Secret::new))
        .map_err(|why| ConfigError::Unreadable { path: path.to_owned(), why })
}

fn write(lock: &file::Lock, path: &Path, text: &str) -> Result<(), ConfigError> {
    let written = lock.replace(path, text.as_bytes(), file::Mode::Kept);
    written.map_err(|why| unwritable(path, why))
}

fn text(of: Option<&Secret>) -> &str {
    of.map_or("", Secret::expose)
}

fn tag(of: Option<&Secret>) -> Tag {
    Tag::of(text(of))
}

fn unwritable(path: &Path, why: std::io::Error) -> ConfigError {
    ConfigError::Unwritable { path: path.to_owned(), why }
}
