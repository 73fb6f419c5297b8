//! Files of a [`Folder`] that are read piece by piece: transcripts, which no bound of a note fits.

use super::{FileError, Folder, absent};
use cap_std::fs::{OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;
use std::fs::File;
use std::path::Path;

impl Folder {
    /// A new file, opened to be written and read again, for its owner alone.
    pub(crate) fn create_open(&self, name: &Path) -> Result<File, FileError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = self.dir().open_with(name, &options).map_err(FileError::of(name))?;
        Ok(file.into_std())
    }

    /// A file that is to be read, none that a link leads to. None where there is no file.
    pub(crate) fn file_unlinked(&self, name: &Path) -> Result<Option<File>, FileError> {
        // Opening a pipe would wait for its other end.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flags.bits().cast_signed());
        let file = match self.dir().open_with(name, &options) {
            Ok(file) => file,
            Err(error) if absent(&error) => return Ok(None),
            Err(error) => return Err(FileError::of(name)(error)),
        };
        let is_file = file.metadata().map_err(FileError::of(name))?.is_file();
        Ok(is_file.then(|| file.into_std()))
    }
}
