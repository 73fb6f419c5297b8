//! A [`Folder`]'s other half: what changes files. Whole or not at all, never through a link, and
//! nothing is put over what is there unless that was meant.

use super::draft::{Draft, name_beside};
use super::{FileError, Folder, absent};
use crate::limits::{UNFINISHED_SECONDS_MAX, VAULT_FILE_BYTES_MAX};
use cap_std::fs::{File, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

impl Folder {
    /// Writes a file that must not be there yet.
    pub(crate) fn create(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        bounded(path, bytes)?;
        self.create_long(path, bytes)
    }

    /// The same, of any length.
    pub(crate) fn create_long(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        Draft::new(self, path, 0o600)?.write(bytes)?.settle_new()
    }

    /// The same with this mode, in a folder that nobody knows yet: it need not be whole.
    pub(crate) fn create_as(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        let file = self.dir.open_with(path, &options).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => FileError::Taken(path.to_owned()),
            _ => FileError::of(path)(error),
        })?;
        put(file, bytes).map_err(FileError::of(path))
    }

    /// Replaces a file, or makes it: whole or not at all, with the mode it had. A link stays
    /// what it is: neither is it replaced, nor what it leads to.
    pub(crate) fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        bounded(path, bytes)?;
        Draft::over(self, path, 0o600)?.write(bytes)?.settle().map(drop)
    }

    /// Moves what is here into another folder, where nothing of that name may be.
    pub(crate) fn rename(&self, from: &Path, folder: &Folder, to: &Path) -> Result<(), FileError> {
        // Two at once: where the disk knows no better, a folder is not put over one with
        // something in it.
        use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty};
        if folder.dir.symlink_metadata(to).is_ok() {
            return Err(FileError::Taken(to.to_owned()));
        }
        self.dir.rename(from, &folder.dir, to).map_err(|error| match error.kind() {
            AlreadyExists | DirectoryNotEmpty => FileError::Taken(to.to_owned()),
            _ => FileError::of(to)(error),
        })
    }

    /// Puts a new folder in the place of an old one, and the old one in its. Both are plain names
    /// here. In one step where the disk can; elsewhere the name is nobody's for a moment.
    pub(crate) fn swap(&self, new: &Path, old: &Path) -> Result<(), FileError> {
        let flags = rustix::fs::RenameFlags::EXCHANGE;
        match rustix::fs::renameat_with(&self.dir, new, &self.dir, old, flags) {
            Ok(()) => return Ok(()),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            Err(error) => return Err(FileError::of(old)(error.into())),
        }
        let aside = name_beside(old);
        self.rename(old, self, &aside)?;
        if let Err(error) = self.rename(new, self, old) {
            self.rename(&aside, self, old)?;
            return Err(error);
        }
        self.rename(&aside, self, new)
    }

    /// Says that the folder is used now, so that it is not swept.
    pub(crate) fn touch(&self) -> Result<(), FileError> {
        let here = Path::new(".");
        let gone = || FileError::of(here)(io::ErrorKind::NotFound.into());
        let dir = self.opened(here, OFlags::DIRECTORY)?.ok_or_else(gone)?;
        let now = std::time::SystemTime::now();
        dir.into_std().set_modified(now).map_err(FileError::of(here))
    }

    /// Makes a folder beside what is here for what is not yet whole; whoever made it takes it
    /// away again. What others left unfinished is swept, if it is old.
    pub(crate) fn unfinished(&self) -> Result<PathBuf, FileError> {
        self.sweep(UNFINISHED_SECONDS_MAX, notes::is_draft)?;
        let path = name_beside(Path::new("new"));
        self.folder_made(&path)?;
        Ok(path)
    }

    /// Takes away what has such a name and was not changed for so long.
    pub(crate) fn sweep(
        &self,
        seconds: i64,
        is_such: impl Fn(&str) -> bool,
    ) -> Result<(), FileError> {
        let now = wire::Timestamp::now();
        for left in self.list()?.iter().filter(|left| is_such(&left.name)) {
            if left.modified.plus_seconds(seconds) < now {
                tracing::info!(name = left.name, "what nobody needs any more is swept");
                self.remove_folder(Path::new(&left.name))?;
            }
        }
        Ok(())
    }

    /// Takes a file away. False: there was none.
    pub(crate) fn remove(&self, path: &Path) -> Result<bool, FileError> {
        match self.dir.remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if absent(&error) => Ok(false),
            Err(error) => Err(FileError::of(path)(error)),
        }
    }

    /// Takes a folder away with all that is in it; a link is taken away itself. False: there
    /// was none.
    pub(crate) fn remove_folder(&self, path: &Path) -> Result<bool, FileError> {
        let found = match self.dir.symlink_metadata(path) {
            Ok(found) => found,
            Err(error) if absent(&error) => return Ok(false),
            Err(error) => return Err(FileError::of(path)(error)),
        };
        let removed = match found.is_dir() {
            true => {
                let flags = OFlags::NOFOLLOW | OFlags::DIRECTORY;
                let Some(folder) = self.opened(path, flags)? else { return Ok(false) };
                host::clear(&folder).and_then(|()| self.dir.remove_dir(path))
            }
            false => self.dir.remove_file(path),
        };
        removed.map(|()| true).map_err(FileError::of(path))
    }
}

/// What could not be read again is not written.
pub(crate) fn bounded(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let fits = bytes.len() as u64 <= VAULT_FILE_BYTES_MAX;
    if fits { Ok(()) } else { Err(FileError::TooLong(path.to_owned())) }
}

fn put(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}
