//! What is in a folder, as the app shows it. What nobody reaches by its path is not listed; a
//! link that leads there, or out, is told as one that leads nowhere.

use super::{Act, ReachError, Vault, real, walk};
use crate::limits::FILES_LISTED_MAX;
use crate::vault::FileError;
use cap_std::fs::Metadata;
use std::path::{Path, PathBuf};
use wire::Timestamp;
use wire::files::{Entry, EntryKind};

/// The real path of a folder and what is in it, by name. None where there is nothing. `top` is
/// the vault's own path, which the entries' begin with.
pub(crate) fn list(
    vault: &Vault,
    top: &Path,
    path: &Path,
    hidden: bool,
) -> Result<Option<(PathBuf, Vec<Entry>)>, ReachError> {
    vault.judge(path, Act::Read)?;
    let Some(here) = real(vault, path, Act::Read)? else { return Ok(None) };
    let Some(folder) = walk(vault, &here)? else { return Err(ReachError::NotFolder) };
    let mut entries = Vec::new();
    for found in folder.dir().entries().map_err(FileError::of(path))? {
        let found = found.map_err(FileError::of(path))?;
        // What is no text cannot be told in JSON, nor asked for.
        let Ok(name) = found.file_name().into_string() else { continue };
        let inside = here.join(&name);
        if (name.starts_with('.') && !hidden) || vault.judge(&inside, Act::Read).is_err() {
            continue;
        }
        // One that is gone meanwhile is no entry.
        let Ok(itself) = found.metadata() else { continue };
        if entries.len() >= FILES_LISTED_MAX {
            return Err(ReachError::TooMany(FILES_LISTED_MAX));
        }
        entries.push(entry(vault, top, name, inside, &itself));
    }
    entries.sort_by(|a: &Entry, b| a.relative_path.cmp(&b.relative_path));
    Ok(Some((here, entries)))
}

fn entry(vault: &Vault, top: &Path, name: String, inside: PathBuf, itself: &Metadata) -> Entry {
    let is_symlink = itself.is_symlink();
    let (target, end) = match is_symlink {
        false => (None, Some(inside.clone())),
        true => {
            let says = vault.dir().read_link_contents(&inside).ok();
            let end = real(vault, &inside, Act::Read).ok().flatten();
            (says.map(|path| path.to_string_lossy().into_owned()), end)
        }
    };
    let led = end.as_ref().filter(|_| is_symlink).and_then(|end| vault.dir().metadata(end).ok());
    let found = if is_symlink { led.as_ref() } else { Some(itself) };
    let is_directory = found.is_some_and(Metadata::is_dir);
    let is_file = found.is_some_and(Metadata::is_file);
    let has = |name: &str| {
        let inside = end.as_ref().filter(|_| is_directory).map(|end| end.join(name));
        inside.is_some_and(|inside| vault.dir().symlink_metadata(inside).is_ok())
    };
    let told = found.unwrap_or(itself);
    Entry {
        kind: match () {
            () if is_directory => EntryKind::Directory,
            () if is_symlink && found.is_none() => EntryKind::Symlink,
            () => EntryKind::File,
        },
        path: top.join(&inside).to_string_lossy().into_owned(),
        is_directory,
        is_file,
        is_symlink,
        is_broken_symlink: is_symlink && found.is_none(),
        symlink_target: target,
        has_agents_md: has("AGENTS.md"),
        has_claude_md: has("CLAUDE.md"),
        is_git_repo: has(".git"),
        size: is_file.then(|| told.len()),
        last_modified: Some(Timestamp::from_micros(
            super::Stamp::of(told).modified_ns.div_euclid(1000),
        )),
        relative_path: inside.to_string_lossy().into_owned(),
        name,
    }
}
