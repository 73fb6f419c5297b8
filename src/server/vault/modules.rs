//! A module's folder in the vault (`Chat`, `Daily`, …) and the prompt in it (contract-core §1.6),
//! and below it modules that others made: what they say of themselves, how they are counted, and
//! what the owner approved. Nothing of them is run.

pub(crate) mod approvals;
pub(crate) mod found;
pub(crate) mod kept;
pub(crate) mod tree;

use super::{FileError, Folder};
use crate::limits::FOLDERS_WALKED_MAX;
use std::path::{Path, PathBuf};

/// Modules that have a folder, and its name.
const FOLDERS: [(&str, &str); 4] =
    [("chat", "Chat"), ("daily", "Daily"), ("brain", "Brain"), ("build", "Build")];

/// The file in a module's folder that is told in its chats.
const PROMPT: &str = "CLAUDE.md";

/// A module's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModuleFolder(&'static str);

impl ModuleFolder {
    /// The folder of a module, in whatever case it is named. None: there is no such module.
    pub(crate) fn of(module: &str) -> Option<ModuleFolder> {
        let module = module.trim();
        let known = FOLDERS.iter().find(|(name, _)| name.eq_ignore_ascii_case(module));
        known.map(|(_, folder)| ModuleFolder(folder))
    }

    /// The path of its prompt from the vault.
    pub(crate) fn prompt_path(self) -> String {
        format!("{}/{PROMPT}", self.0)
    }

    /// Its prompt. None: it has none.
    pub(crate) fn prompt(self, vault: &Folder) -> Result<Option<String>, FileError> {
        vault.read_unlinked(Path::new(&self.prompt_path()))
    }

    /// Replaces its prompt, and makes the folder if it is missing.
    pub(crate) fn set_prompt(self, vault: &Folder, text: &str) -> Result<(), FileError> {
        let path = Path::new(self.0);
        let folder = match vault.folder(path)? {
            Some(folder) => folder,
            None => vault.folder_made(path)?,
        };
        folder.replace(Path::new(PROMPT), text.as_bytes())
    }

    /// Takes its prompt away. False: there was none.
    pub(crate) fn remove_prompt(self, vault: &Folder) -> Result<bool, FileError> {
        vault.remove(Path::new(&self.prompt_path()))
    }

    /// How many files are in the folder, hidden ones too, and their bytes. Links count for
    /// nothing.
    pub(crate) fn weight(self, vault: &Folder) -> (u64, u64) {
        let (mut files, mut bytes) = (0, 0);
        let mut open = vec![PathBuf::from(self.0)];
        let mut walked = 0;
        while let Some(folder) = open.pop() {
            walked += 1;
            if walked > FOLDERS_WALKED_MAX {
                tracing::warn!(module = self.0, "the module has more folders than are counted");
                break;
            }
            // One that is not there, or that nobody may read, has nothing in it.
            let Ok(entries) = vault.dir().read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => open.push(folder.join(entry.file_name())),
                    Ok(kind) if kind.is_file() => {
                        files += 1;
                        bytes += entry.metadata().map_or(0, |found| found.len());
                    }
                    _ => {}
                }
            }
        }
        (files, bytes)
    }
}
