//! Folders whose own hooks, settings and tools (`.claude`, `.mcp.json`) an agent runs: only
//! those that the owner trusted, and only as they were then. What an agent, or a pull, changes in
//! them counts again when the owner has looked at it.
//!
//! The list is in our state folder, where confined agents cannot reach.

use super::keys::blocking;
use super::{Domain, DomainError};
use crate::limits::{TRUSTED_BYTES_MAX, TRUSTED_FILES_MAX, TRUSTED_FOLDERS_MAX};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use wire::Timestamp;
use wire::trusted::{TrustedFolder, TrustedFolders};

/// What in a folder is run.
const RUN: [&str; 2] = [".claude", ".mcp.json"];
const FILE: &str = "trusted.json";

/// A folder as it was when it was trusted.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    digest: String,
    since: Timestamp,
}

/// How it is about a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has nothing that would be run.
    Nothing,
    /// Trusted, and as it was then.
    Trusted,
    /// It has changed since it was trusted.
    Changed,
    /// Nobody said anything about it.
    Unknown,
}

type List = BTreeMap<String, Kept>;

impl Domain {
    fn trusted_file(&self) -> PathBuf {
        self.agents.state().join(FILE)
    }

    /// Whether what a folder brings along may be run.
    pub(super) async fn standing(&self, folder: &Path) -> Standing {
        let (file, folder) = (self.trusted_file(), folder.to_owned());
        let looked = blocking(move || {
            let digest = digest(&folder)?;
            Ok::<_, io::Error>(
                match (digest, read(&file)?.get(folder.to_string_lossy().as_ref())) {
                    (None, _) => Standing::Nothing,
                    (Some(_), None) => Standing::Unknown,
                    (Some(digest), Some(kept)) if kept.digest == digest => Standing::Trusted,
                    (Some(_), Some(_)) => Standing::Changed,
                },
            )
        });
        match looked.await {
            Ok(Ok(standing)) => standing,
            Ok(Err(error)) => {
                tracing::warn!(%error, "hooks and tools cannot be read, nor are they run");
                Standing::Unknown
            }
            Err(_) => Standing::Unknown,
        }
    }

    /// The trusted folders.
    pub(crate) async fn trusted(&self) -> Result<TrustedFolders, DomainError> {
        let file = self.trusted_file();
        blocking(move || {
            let folders = read(&file)?.into_iter().map(|(path, kept)| {
                let now = digest(Path::new(&path)).ok().flatten();
                let changed = now.as_ref() != Some(&kept.digest);
                TrustedFolder { path, since: kept.since, changed }
            });
            Ok::<_, io::Error>(TrustedFolders { folders: folders.collect() })
        })
        .await?
        .map_err(unreadable)
    }

    /// Trusts a folder as it is now; relative to the vault, or absolute.
    pub(crate) async fn trust_folder(&self, path: &str) -> Result<TrustedFolder, DomainError> {
        let place = super::place::place(self.vault(), Some(path));
        if let Some(refused) = place.refused {
            return Err(DomainError::Bad(refused));
        }
        let (file, folder) = (self.trusted_file(), place.directory);
        blocking(move || {
            let Some(digest) = digest(&folder).map_err(unreadable)? else {
                let said = format!("{} has no .claude and no .mcp.json to trust", folder.display());
                return Err(DomainError::Bad(said));
            };
            let path = folder.display().to_string();
            let since = Timestamp::now();
            change(&file, |list| {
                list.insert(path.clone(), Kept { digest, since });
            })?;
            tracing::info!(folder = path, "a folder's hooks and tools are trusted");
            Ok(TrustedFolder { path, since, changed: false })
        })
        .await?
    }

    /// Trusts a folder no longer.
    pub(crate) async fn distrust_folder(&self, path: &str) -> Result<(), DomainError> {
        let place = super::place::place(self.vault(), Some(path));
        let (file, asked) = (self.trusted_file(), path.to_owned());
        blocking(move || {
            let found = place.directory.display().to_string();
            let mut removed = false;
            change(&file, |list| {
                // One that is gone is known by the name that it was given.
                removed = list.remove(&asked).is_some()
                    || place.refused.is_none() && list.remove(&found).is_some();
            })?;
            match removed {
                true => Ok(()),
                false => Err(DomainError::Missing(format!("{asked} is not trusted"))),
            }
        })
        .await?
    }
}

fn unreadable(error: io::Error) -> DomainError {
    DomainError::Bad(error.to_string())
}

fn read(file: &Path) -> io::Result<List> {
    match fs::read(file) {
        Ok(text) => Ok(serde_json::from_slice(&text)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(List::new()),
        Err(error) => Err(error),
    }
}

fn change(file: &Path, edit: impl FnOnce(&mut List)) -> Result<(), DomainError> {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut list = read(file).map_err(unreadable)?;
    edit(&mut list);
    if list.len() > TRUSTED_FOLDERS_MAX {
        let said = format!("{TRUSTED_FOLDERS_MAX} folders are trusted already");
        return Err(DomainError::Bad(said));
    }
    let text = serde_json::to_vec_pretty(&list).expect("a list is always JSON");
    let unfinished = file.with_extension("unfinished");
    let written = host::child::write_private(&unfinished, &text);
    written.and_then(|()| fs::rename(&unfinished, file)).map_err(unreadable)
}

/// A sum over the names and contents of what is run; None where there is none of it.
fn digest(folder: &Path) -> io::Result<Option<String>> {
    let mut files = Vec::new();
    for name in RUN {
        gather(&folder.join(name), &mut files)?;
    }
    if files.is_empty() {
        return Ok(None);
    }
    files.sort();
    let mut sum = Sha256::new();
    let mut left = TRUSTED_BYTES_MAX;
    for path in files {
        let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        let content = match fs::symlink_metadata(&path)?.is_symlink() {
            true => fs::read_link(&path)?.to_string_lossy().into_owned().into_bytes(),
            false => {
                let mut content = Vec::new();
                File::open(&path)?.take(left + 1).read_to_end(&mut content)?;
                content
            }
        };
        let bytes = content.len() as u64;
        left = left.checked_sub(bytes).ok_or_else(|| too_much(folder))?;
        // With their lengths, so that nothing can move from one to the next.
        for part in [name.as_bytes(), &content] {
            sum.update((part.len() as u64).to_le_bytes());
            sum.update(part);
        }
    }
    Ok(Some(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// Files and links below `path`, and itself; what is neither is no matter of trust.
fn gather(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            gather(&entry?.path(), files)?;
        }
    } else if found.is_file() || found.is_symlink() {
        files.push(path.to_owned());
    }
    if files.len() > TRUSTED_FILES_MAX { Err(too_much(path)) } else { Ok(()) }
}

fn too_much(path: &Path) -> io::Error {
    io::Error::other(format!("{} has too much in it to be trusted", path.display()))
}

#[cfg(test)]
mod tests {
    use super::digest;
    use std::fs;

    #[test]
    fn every_change_of_what_is_run_is_seen() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path();
        fs::write(folder.join("note.md"), "x").expect("written");
        assert_eq!(digest(folder).expect("read"), None);
        fs::create_dir_all(folder.join(".claude/hooks")).expect("made");
        assert_eq!(digest(folder).expect("read"), None, "empty folders run nothing");
        let mut seen = Vec::new();
        let mut see = |what: &str| {
            let sum = digest(folder).expect("read").expect("something");
            assert!(!seen.contains(&sum), "{what}");
            seen.push(sum);
        };
        fs::write(folder.join(".claude/settings.json"), "{}").expect("written");
        see("settings");
        fs::write(folder.join(".claude/settings.json"), "{ }").expect("written");
        see("changed settings");
        fs::write(folder.join(".claude/hooks/a.sh"), "b").expect("written");
        see("a hook");
        fs::rename(folder.join(".claude/hooks/a.sh"), folder.join(".claude/hooks/b.sh"))
            .expect("renamed");
        see("a new name");
        std::os::unix::fs::symlink("/etc/passwd", folder.join(".claude/link")).expect("linked");
        see("a link");
        fs::write(folder.join(".mcp.json"), "{}").expect("written");
        see("tools");
        fs::write(folder.join("note.md"), "y").expect("written");
        assert_eq!(digest(folder).expect("read").as_ref(), seen.last(), "a note is no matter");
    }
}
