//! The folder in which the Claude CLI keeps its sessions: a folder for each working directory, a
//! file for each session. Files are found by looking, never by a name that a caller made up, and
//! no link is followed within it.

use super::{FileError, Folder};
use crate::limits::{CLI_PROJECTS_MAX, CLI_SESSIONS_MAX};
use cap_std::fs::MetadataExt;
use std::fs::File;
use std::path::Path;
use wire::SessionId;

/// A session's file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CliFile {
    /// Name of its folder.
    pub(crate) project: String,
    /// Its name without ending, which is the session's id.
    pub(crate) id: String,
    /// In bytes.
    pub(crate) size: u64,
    /// When it was written last, in microseconds since 1970.
    pub(crate) modified_us: i64,
}

/// All there are, in no order; none where there is no such folder.
pub(crate) fn files(root: &Path) -> Result<Vec<CliFile>, FileError> {
    let Some(root) = Folder::open(root)? else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    let projects = root.entries(Path::new("."))?.into_iter().filter(|entry| entry.is_folder);
    for project in projects.take(CLI_PROJECTS_MAX) {
        let Ok(name) = project.name.into_string() else { continue };
        // It may be gone meanwhile, or be somebody else's.
        let Ok(Some(folder)) = root.folder(Path::new(&name)) else { continue };
        let Ok(entries) = folder.dir().entries() else { continue };
        for entry in entries.flatten() {
            let file = entry.file_name();
            let id = file.to_str().and_then(|file| file.strip_suffix(".jsonl"));
            let Some(id) = id.and_then(|id| SessionId::parse(id).ok()) else { continue };
            let Ok(found) = entry.metadata() else { continue };
            if !found.is_file() {
                continue;
            }
            if files.len() >= CLI_SESSIONS_MAX {
                return Ok(files);
            }
            let seconds = found.mtime().saturating_mul(1_000_000);
            let modified_us = seconds.saturating_add(found.mtime_nsec() / 1000);
            let (project, id) = (name.clone(), id.into());
            files.push(CliFile { project, id, size: found.len(), modified_us });
        }
    }
    Ok(files)
}

/// Opens one. None where it is gone.
pub(crate) fn open(root: &Path, file: &CliFile) -> Result<Option<File>, FileError> {
    let Some(root) = Folder::open(root)? else { return Ok(None) };
    let Some(folder) = root.folder(Path::new(&file.project))? else { return Ok(None) };
    folder.file_unlinked(Path::new(&format!("{}.jsonl", file.id)))
}
