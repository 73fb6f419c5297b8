//! The predecessor's hooks: programs in Python that it ran within itself. They are named here and
//! never run: nobody has said that they may (traps 28 and 97).

use super::{FileError, Folder};
use std::path::Path;

pub(crate) const PLACE: &str = ".parachute/hooks";

/// The names of their files, without `.py`.
pub(crate) fn names(vault: &Folder) -> Result<Vec<String>, FileError> {
    let Some(folder) = vault.folder(Path::new(PLACE))? else { return Ok(Vec::new()) };
    let files = folder.list()?.into_iter().filter(|file| !file.is_folder);
    let stem = |name: String| name.strip_suffix(".py").map(str::to_owned);
    let hidden = |name: &String| name.starts_with(['_', '.']);
    Ok(files.filter_map(|file| stem(file.name)).filter(|name| !hidden(name)).collect())
}
