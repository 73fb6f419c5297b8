//! The vault as it lies on the disk: what is in a folder, and what a note's bytes are. Paths
//! cannot lead out of it (openat2(2) beneath it, through cap-std), and links are not followed:
//! what a link inside the vault leads to is found where it lies.

use crate::draft::sweep;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, MetadataExt, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::io::{self, Read};
use std::path::Path;

/// A vault that is open.
pub(crate) struct Vault {
    dir: Dir,
}

/// By what it is seen that a file is another one than before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Nanoseconds since 1970.
    pub(crate) modified: i64,
    /// In bytes.
    pub(crate) size: i64,
    /// Its number on the disk.
    pub(crate) inode: i64,
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    Note(Stat),
}

impl Vault {
    pub(crate) fn open(path: &Path) -> io::Result<Vault> {
        Dir::open_ambient_dir(path, ambient_authority()).map(|dir| Vault { dir })
    }

    /// The notes and folders in a folder, at most so many; hidden ones, links and other files are
    /// none.
    pub(crate) fn list(&self, folder: &str, max: usize) -> io::Result<Vec<(String, Kind)>> {
        let here = if folder.is_empty() { "." } else { folder };
        let mut listed = Vec::new();
        for entry in self.dir.open_dir(here)?.entries()? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if is_hidden(name) {
                sweep(&entry, name);
                continue;
            }
            if listed.len() >= max {
                tracing::warn!(folder, max, "there is more in a folder than is looked at");
                break;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                listed.push((name.to_owned(), Kind::Folder));
            } else if kind.is_file() && is_note(name) {
                match entry.metadata() {
                    Ok(found) => listed.push((name.to_owned(), Kind::Note(stat(&found)))),
                    // It went while we looked.
                    Err(error) if is_gone(&error) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(listed)
    }

    /// What is at a path. None: nothing that is ours to look at.
    pub(crate) fn kind(&self, path: &str) -> io::Result<Option<Kind>> {
        match self.dir.symlink_metadata(path) {
            Ok(found) if found.is_dir() => Ok(Some(Kind::Folder)),
            Ok(found) if found.is_file() && is_note(path) => Ok(Some(Kind::Note(stat(&found)))),
            Ok(_) => Ok(None),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The first bytes of a note, and how it was when they were read. None: it is gone.
    pub(crate) fn read(&self, path: &str, max: u64) -> io::Result<Option<(Stat, Vec<u8>)>> {
        let mut options = OpenOptions::new();
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.read(true).custom_flags(flags.bits().cast_signed());
        let file = match self.dir.open_with(path, &options) {
            Ok(file) => file,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        // Before its bytes: what changes meanwhile is seen as a change afterwards.
        let found = file.metadata()?;
        if !found.is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.take(max).read_to_end(&mut bytes)?;
        Ok(Some((stat(&found), bytes)))
    }
}

pub(crate) fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

pub(crate) fn is_note(name: &str) -> bool {
    let end = name.len().checked_sub(3).and_then(|at| name.get(at..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(".md"))
}

/// A path below a folder, which is empty for the vault itself.
pub(crate) fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn stat(found: &Metadata) -> Stat {
    let nanos = found.mtime().saturating_mul(1_000_000_000).saturating_add(found.mtime_nsec());
    Stat {
        modified: nanos,
        size: i64::try_from(found.len()).unwrap_or(i64::MAX),
        inode: found.ino().cast_signed(),
    }
}

pub(crate) fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
        || Errno::from_io_error(error) == Some(Errno::LOOP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_folder_is_too_long() {
        let dir = tempfile::tempdir().expect("a folder");
        for number in 0..9 {
            std::fs::write(dir.path().join(format!("{number}.md")), "").expect("written");
        }
        let vault = Vault::open(dir.path()).expect("a vault");
        assert_eq!(vault.list("", 5).expect("listed").len(), 5);
        assert_eq!(vault.list("", 20).expect("listed").len(), 9);
    }
}
