//! A file while it is not yet in its place: written whole beside it, so that what is there can be
//! judged last of all, and then replaced in one step. What is not put in its place is taken away.

use super::super::{FileError, Folder, absent, is_unfinished};
use super::{ReachError, Spot, Stamp};
use cap_std::fs::{OpenOptions, OpenOptionsExt, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that waits beside its place.
pub(crate) struct Draft<'s> {
    spot: &'s Spot,
    name: Option<PathBuf>,
}

impl<'s> Draft<'s> {
    /// Writes it. The mode is that of what is there, else the user's own choice (umask).
    pub(crate) fn write(spot: &'s Spot, bytes: &[u8]) -> Result<Draft<'s>, ReachError> {
        let mode = mode_of(spot)?;
        let name = name_of_draft();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(if mode.is_some() { 0o600 } else { 0o666 });
        let dir = &spot.folder.dir;
        let file = dir.open_with(&name, &options).map_err(FileError::of(&spot.real))?;
        let draft = Draft { spot, name: Some(name) };
        let written = (|| {
            mode.map_or(Ok(()), |mode| file.set_permissions(mode))?;
            let mut file = &file;
            file.write_all(bytes)?;
            file.sync_all()
        })();
        written.map_err(FileError::of(&spot.real))?;
        Ok(draft)
    }

    /// Puts it in its place, and says by what it is known there.
    pub(crate) fn settle(mut self) -> Result<Stamp, ReachError> {
        let Spot { folder, name, real } = self.spot;
        let Some(draft) = self.name.take() else { return Err(ReachError::NotFile) };
        if let Err(error) = folder.dir.rename(&draft, &folder.dir, name) {
            self.name = Some(draft);
            // A folder that came meanwhile.
            let kind = error.kind();
            if matches!(kind, io::ErrorKind::IsADirectory | io::ErrorKind::DirectoryNotEmpty) {
                return Err(ReachError::NotFile);
            }
            return Err(FileError::of(real)(error).into());
        }
        let found = folder.dir.symlink_metadata(name).map_err(FileError::of(real))?;
        Ok(Stamp::of(&found))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.name.take().map(|n| self.spot.folder.dir.remove_file(n)) {
            tracing::warn!(%error, "what was not put in its place is still beside it");
        }
    }
}

/// Short, as the longest lawful name leaves no room for more.
fn name_of_draft() -> PathBuf {
    let name = PathBuf::from(format!(".{}.parachute", uuid::Uuid::new_v4().simple()));
    debug_assert!(name.to_str().is_some_and(is_unfinished));
    name
}

impl Spot {
    /// Deletes the file there, if it is still the one that was judged, or if nothing is there any
    /// more. It is taken away first and looked at then, so that nobody can change it meanwhile
    /// and have the change deleted, too; what was changed is put back, and the answer is no.
    pub(crate) fn delete(&self, judged: &Stamp) -> Result<bool, ReachError> {
        let Spot { folder, name, real } = self;
        let away = name_of_draft();
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

/// The mode of what is replaced, if something is. A link stays what it is.
fn mode_of(spot: &Spot) -> Result<Option<Permissions>, ReachError> {
    match spot.folder.dir.symlink_metadata(&spot.name) {
        Ok(found) if found.is_symlink() => Err(ReachError::Outside),
        Ok(found) if !found.is_file() => Err(ReachError::NotFile),
        Ok(found) => Ok(Some(found.permissions())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if absent(&error) => Err(ReachError::Odd(spot.real.display().to_string())),
        Err(error) => Err(FileError::of(&spot.real)(error).into()),
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
