//! The copy of a predecessor's files, as they were before this server first touched the vault:
//! `.parachute/before-v16`, for its owner alone. Made once, whole or not at all, and never
//! changed or taken away by us; links, what is larger than any such file and what lies too deep
//! are left out of it, and the journal says so. The database has a copy of its own beside it.

use super::SurveyError;
use crate::limits::{COPIED_DEEP_MAX, COPIED_FILE_BYTES_MAX, COPIED_FILES_MAX};
use crate::store::peek;
use crate::vault::{FileError, Folder};
use config::settings::Loaded;
use std::path::{Path, PathBuf};

const OURS: &str = ".parachute";
const COPY: &str = "before-v16";

/// What is copied of `.parachute`.
const FILES: [&str; 5] =
    ["config.yaml", ".token", "server.yaml", "bots.yaml", "module_hashes.json"];
/// With all that is in them.
const FOLDERS: [&str; 3] = ["workspaces", "agents", "hooks"];
/// What is copied of the vault itself.
const OUTSIDE: [&str; 1] = [".mcp.json"];

/// Where the copy is, from the vault. None: there is none.
pub(super) fn kept(vault: &Folder) -> Result<Option<PathBuf>, FileError> {
    let path = Path::new(OURS).join(COPY);
    Ok(vault.folder(&path)?.map(|_| path))
}

/// Keeps one, if the vault is one that only the predecessor has worked in. Answers with where it
/// is, if it was made now.
pub(crate) fn keep(loaded: &Loaded) -> Result<Option<PathBuf>, SurveyError> {
    let path = &loaded.settings.vault_path;
    let Some(vault) = Folder::open(path)? else { return Ok(None) };
    let Some(ours) = vault.folder(Path::new(OURS))? else { return Ok(None) };
    if kept(&vault)?.is_some() {
        return Ok(None);
    }
    let is_old = peek(&loaded.settings.database())?.is_some_and(|found| found.is_behind);
    if !is_old {
        return Ok(None);
    }
    let unfinished = ours.unfinished()?;
    let filled = fill(&vault, &ours, &unfinished)
        .and_then(|()| ours.rename(&unfinished, &ours, Path::new(COPY)));
    if let Err(error) = filled {
        if let Err(error) = ours.remove_folder(&unfinished) {
            tracing::warn!(%error, "an unfinished copy is left behind");
        }
        return Err(error.into());
    }
    Ok(Some(path.join(OURS).join(COPY)))
}

fn fill(vault: &Folder, ours: &Folder, at: &Path) -> Result<(), FileError> {
    let copy = ours.folder_made(at)?;
    let mut room = COPIED_FILES_MAX;
    for name in FILES {
        copy_file(ours, Path::new(name), &copy, Path::new(name))?;
    }
    for name in OUTSIDE {
        copy_file(vault, Path::new(name), &copy, Path::new(name))?;
    }
    for name in FOLDERS {
        copy_folder(ours, Path::new(name), &copy, COPIED_DEEP_MAX, &mut room)?;
    }
    Ok(())
}

fn copy_folder(
    from: &Folder,
    name: &Path,
    to: &Folder,
    deep: usize,
    room: &mut usize,
) -> Result<(), FileError> {
    let Some(source) = from.folder(name)? else { return Ok(()) };
    let target = to.folder_made(name)?;
    for entry in source.entries(Path::new("."))? {
        let name = Path::new(&entry.name);
        if *room == 0 {
            tracing::warn!(name = %name.display(), "there is more than is copied");
            return Ok(());
        }
        if entry.is_folder && deep == 0 {
            tracing::warn!(name = %name.display(), "a folder lies too deep to be copied");
            continue;
        }
        *room -= 1;
        if entry.is_folder {
            copy_folder(&source, name, &target, deep - 1, room)?;
        } else if entry.is_file {
            copy_file(&source, name, &target, name)?;
        } else {
            tracing::warn!(name = %name.display(), "what is no file is not copied");
        }
    }
    Ok(())
}

/// One file, if it is there; what is larger than any such file is said and passed over.
fn copy_file(from: &Folder, name: &Path, to: &Folder, as_name: &Path) -> Result<(), FileError> {
    match from.bytes(name, COPIED_FILE_BYTES_MAX) {
        Ok(Some((bytes, _))) => to.create_as(as_name, &bytes, 0o600),
        Ok(None) => Ok(()),
        Err(error @ (FileError::TooLong(_) | FileError::Link(_))) => {
            tracing::warn!(%error, "a file is not copied");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_folder_that_lies_too_deep_keeps_nothing_else_from_being_copied() {
        let home = tempfile::tempdir().expect("a folder");
        let from = home.path().join("from");
        for name in ["a", "b", "c"] {
            fs::create_dir_all(from.join("hooks").join(format!("{name}-deep"))).expect("made");
            fs::write(from.join("hooks").join(name), name).expect("written");
        }
        let (from, to) = (Folder::made(&from), Folder::made(&home.path().join("to")));
        let (from, to) = (from.expect("made"), to.expect("made"));
        copy_folder(&from, Path::new("hooks"), &to, 0, &mut 100).expect("copied");
        for name in ["a", "b", "c"] {
            let copied = fs::read_to_string(home.path().join("to/hooks").join(name));
            assert_eq!(copied.expect("it is there"), name);
        }
    }
}
