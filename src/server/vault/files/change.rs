//! What changes the file at a spot: a text that replaces it, a deletion, a second name. Never
//! through a link, and never over what was changed since it was judged.

use super::super::draft::{Draft, name_beside};
use super::super::{FileError, Folder, absent};
use super::{ReachError, Spot, Stamp, outside};
use std::io;
use std::path::{Path, PathBuf};

impl Spot {
    /// Writes what is to be there beside it. The mode is that of what is there, else the user's own
    /// choice (umask).
    pub(crate) fn draft(&self, bytes: &[u8]) -> Result<Draft<'_>, ReachError> {
        match self.folder.dir.symlink_metadata(&self.name) {
            Ok(found) if !found.is_symlink() && !found.is_file() => {
                return Err(ReachError::NotFile);
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound && absent(&error) => {
                return Err(ReachError::Odd(self.real.display().to_string()));
            }
            _ => {}
        }
        let draft = Draft::over(&self.folder, &self.name, 0o666).map_err(outside)?;
        Ok(draft.write(bytes)?)
    }

    /// Deletes the file there, if it is still the one that was judged, or if nothing is there any
    /// more. It is taken away first and looked at then, so that nobody can change it meanwhile
    /// and have the change deleted, too; what was changed is put back, and the answer is no.
    pub(crate) fn delete(&self, judged: &Stamp) -> Result<bool, ReachError> {
        let Spot { folder, name, real } = self;
        let away = name_beside(name);
        match folder.dir.rename(name, &folder.dir, &away) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            taken => taken.map_err(FileError::of(real))?,
        }
        let found = folder.dir.symlink_metadata(&away).map_err(FileError::of(real))?;
        let now = Stamp::of(&found);
        // That it was taken away is a change, too, which the file system marks as such.
        if found.is_file() && (Stamp { changed_ns: judged.changed_ns, ..now }) == *judged {
            folder.dir.remove_file(&away).map_err(FileError::of(real))?;
            return Ok(true);
        }
        if !found.is_file() {
            folder.dir.rename(&away, &folder.dir, name).map_err(FileError::of(real))?;
            return Ok(false);
        }
        if let Err(error) = folder.keep_as(&away, name) {
            // Somebody put something new there. Under a draft's name it would be swept one day.
            let beside = PathBuf::from(uuid::Uuid::new_v4().simple().to_string());
            let (path, kept) = (real.display(), beside.display());
            tracing::warn!(%error, %path, %kept, "a file that came back has another name");
            folder.keep_as(&away, &beside)?;
        }
        folder.dir.remove_file(&away).map_err(FileError::of(real))?;
        Ok(false)
    }
}

impl Folder {
    /// Gives a file a second name, under which it stays when the first is replaced. Where the
    /// disk knows no such thing, it is copied.
    pub(crate) fn keep_as(&self, name: &Path, kept: &Path) -> Result<(), FileError> {
        let wrong = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => FileError::Taken(kept.to_owned()),
            _ => FileError::of(kept)(error),
        };
        match self.dir.hard_link(name, &self.dir, kept) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(wrong(error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(wrong(error)),
            Err(_) => {
                if self.dir.symlink_metadata(kept).is_ok() {
                    return Err(FileError::Taken(kept.to_owned()));
                }
                self.dir.copy(name, &self.dir, kept).map(|_| ()).map_err(wrong)
            }
        }
    }
}
