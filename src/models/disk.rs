//! The kept list's file: JSON, replaced as a whole, for its owner alone. It is a cache: one that
//! is broken, strange or gone counts as none.

use crate::limits::{FILE_BYTES_MAX, MODELS_MAX};
use crate::order::arrange;
use crate::page::{Record, is_id};
use crate::shelf::{Kept, Mark};
use atomic_write_file::OpenOptions;
use atomic_write_file::unix::OpenOptionsExt;
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt as _};
use std::path::Path;
use wire::Timestamp;
use wire::supervisor::Model;

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Stored {
    asked: Mark,
    cached_at: Timestamp,
    models: Vec<Model>,
}

/// The kept list; None if there is none.
pub(crate) fn read(path: &Path) -> Option<Kept> {
    match load(path) {
        Ok(kept) => Some(kept),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the kept list of models is of no use");
            None
        }
    }
}

fn load(path: &Path) -> io::Result<Kept> {
    // Opening a pipe would wait for its other end.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    let stored: Stored = serde_json::from_slice(&bytes)?;
    if stored.models.len() > MODELS_MAX || !stored.models.iter().all(|model| is_id(&model.id)) {
        return Err(io::Error::other("it was not written by us"));
    }
    // In order anew: another version may have known fewer families.
    let models = arrange(stored.models.into_iter().map(Record::from));
    Ok(Kept { asked: stored.asked, cached_at: stored.cached_at, models: models.into() })
}

/// Writes the list, and makes the folder for it.
pub(crate) fn write(path: &Path, kept: &Kept) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let stored = Stored {
        asked: kept.asked.clone(),
        cached_at: kept.cached_at,
        models: kept.models.to_vec(),
    };
    let bytes = serde_json::to_vec(&stored)?;
    let mut file = OpenOptions::new().mode(0o600).preserve_mode(false).open(path)?;
    file.write_all(&bytes)?;
    file.commit()
}
