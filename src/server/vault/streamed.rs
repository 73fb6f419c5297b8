//! Files of a [`Folder`] that are written and read piece by piece: transcripts, which no bound of
//! a note fits.

use super::{FileError, Folder, absent};
use cap_std::fs::{OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

const BUFFER_BYTES: usize = 64 * 1024;

impl Folder {
    /// Writes a file whole or not at all, for its owner alone; what has its name is replaced.
    /// How long it is.
    pub(crate) fn write_through(
        &self,
        name: &Path,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<u64, FileError> {
        let shown = name.file_name().unwrap_or_default().to_string_lossy();
        let unfinished = format!(".{shown}.{}.parachute", uuid::Uuid::new_v4().simple());
        let unfinished = PathBuf::from(unfinished);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let written = self.dir().open_with(&unfinished, &options).and_then(|file| {
            let mut to = BufWriter::with_capacity(BUFFER_BYTES, file);
            fill(&mut to)?;
            let file = to.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            Ok(file.metadata()?.len())
        });
        let done = written.and_then(|length| {
            self.dir().rename(&unfinished, self.dir(), name)?;
            Ok(length)
        });
        done.map_err(|error| {
            // The reason is what counts, not that a rest of it stays.
            let _ = self.dir().remove_file(&unfinished);
            FileError::of(name)(error)
        })
    }

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
