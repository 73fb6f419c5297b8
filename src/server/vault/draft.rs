//! A file while it is not yet in its place: written whole beside it, so that what is there can be
//! judged last of all, and then put there in one step. What is not put in its place is taken away;
//! what a server that was killed left is swept by whoever goes through the folder (`notes`).
//!
//! The one way in which files of the vault are written. What may be written is not known here.

use super::files::Stamp;
use super::{FileError, Folder, absent};
use cap_std::fs::{OpenOptions, OpenOptionsExt};
use rustix::fs::{OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const BUFFER_BYTES: usize = 64 * 1024;

/// A file that waits beside its place.
pub(crate) struct Draft<'f> {
    folder: &'f Folder,
    place: &'f Path,
    /// None: it is in its place.
    name: Option<PathBuf>,
    file: File,
}

impl<'f> Draft<'f> {
    /// Begins one of this mode, as far as the person's own choice lets it (umask).
    pub(crate) fn new(
        folder: &'f Folder,
        place: &'f Path,
        mode: u32,
    ) -> Result<Draft<'f>, FileError> {
        let name = name_beside(place);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        let file = folder.dir.open_with(&name, &options).map_err(FileError::of(place))?;
        Ok(Draft { folder, place, name: Some(name), file: file.into_std() })
    }

    /// The same with the mode of what it will replace, if there is something; a link stays what
    /// it is: neither is it replaced, nor what it leads to.
    pub(crate) fn over(
        folder: &'f Folder,
        place: &'f Path,
        mode: u32,
    ) -> Result<Draft<'f>, FileError> {
        use cap_std::fs::PermissionsExt;
        let kept = match folder.dir.symlink_metadata(place) {
            Ok(found) if found.is_symlink() => return Err(FileError::Link(place.to_owned())),
            Ok(found) => Permissions::from_mode(found.permissions().mode()),
            Err(error) if absent(&error) => return Draft::new(folder, place, mode),
            Err(error) => return Err(FileError::of(place)(error)),
        };
        let draft = Draft::new(folder, place, 0o600)?;
        draft.file.set_permissions(kept).map_err(FileError::of(place))?;
        Ok(draft)
    }

    /// Writes all that is in it.
    pub(crate) fn write(self, bytes: &[u8]) -> Result<Draft<'f>, FileError> {
        self.fill(|to| to.write_all(bytes))
    }

    /// The same, piece by piece.
    pub(crate) fn fill(
        self,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Draft<'f>, FileError> {
        let mut to = BufWriter::with_capacity(BUFFER_BYTES, &self.file);
        let filled = fill(&mut to).and_then(|()| to.flush());
        drop(to);
        let filled = filled.and_then(|()| self.file.sync_all());
        filled.map_err(FileError::of(self.place))?;
        Ok(self)
    }

    /// Gives it another time than that of its making.
    pub(crate) fn dated(self, modified: SystemTime) -> Result<Draft<'f>, FileError> {
        self.file.set_modified(modified).map_err(FileError::of(self.place))?;
        Ok(self)
    }

    /// Puts it in its place, over what is there, and says by what it is known.
    pub(crate) fn settle(self) -> Result<Stamp, FileError> {
        let (folder, place) = (self.folder, self.place);
        let stamp = self.settle_one_of_many()?;
        folder.sync_above(place);
        Ok(stamp)
    }

    /// The same of one of many; whoever writes them syncs their folders in the end.
    pub(crate) fn settle_one_of_many(mut self) -> Result<Stamp, FileError> {
        let (folder, place) = (self.folder, self.place);
        if let Some(draft) = &self.name {
            folder.dir.rename(draft, &folder.dir, place).map_err(FileError::of(place))?;
        }
        self.name = None;
        let found = folder.dir.symlink_metadata(place).map_err(FileError::of(place))?;
        Ok(Stamp::of(&found))
    }

    /// Puts it in its place, if nothing is there.
    pub(crate) fn settle_new(mut self) -> Result<(), FileError> {
        if let Some(draft) = &self.name {
            name_anew(self.folder, draft, self.place)?;
        }
        self.name = None;
        self.folder.sync_above(self.place);
        Ok(())
    }
}

impl Folder {
    /// Sees to it that names of files survive a power cut: else it could bring back what a person
    /// believes to be replaced. It is done all the same where the disk knows no such thing.
    pub(crate) fn sync(&self) {
        self.sync_above(Path::new("x"));
    }

    fn sync_above(&self, place: &Path) {
        let above = place.parent().filter(|above| !above.as_os_str().is_empty());
        let opened = self.opened(above.unwrap_or(Path::new(".")), OFlags::DIRECTORY);
        let synced = opened.and_then(|above| match above {
            Some(above) => above.sync_all().map_err(FileError::of(place)),
            None => Ok(()),
        });
        if let Err(error) = synced {
            tracing::warn!(%error, "a file's new name may not survive a power cut");
        }
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.name.take().map(|name| self.folder.dir.remove_file(name)) {
            tracing::warn!(%error, "what was not put in its place is still beside it");
        }
    }
}

/// Gives what is there another name, if that is nobody's.
fn name_anew(folder: &Folder, from: &Path, to: &Path) -> Result<(), FileError> {
    let dir = &folder.dir;
    let taken = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => FileError::Taken(to.to_owned()),
        _ => FileError::of(to)(error),
    };
    match rustix::fs::renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        renamed => return renamed.map_err(|error| taken(error.into())),
    }
    // Where the disk cannot, a second name can; some disks know neither.
    match dir.hard_link(from, dir, to) {
        Ok(()) => dir.remove_file(from).map_err(taken),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(taken(error)),
        Err(_) if dir.symlink_metadata(to).is_err() => dir.rename(from, dir, to).map_err(taken),
        Err(_) => Err(FileError::Taken(to.to_owned())),
    }
}

/// Where something is until it is whole.
pub(super) fn name_beside(place: &Path) -> PathBuf {
    let name = format!(".{}.parachute", uuid::Uuid::new_v4().simple());
    debug_assert!(notes::is_draft(&name));
    place.with_file_name(name)
}
