//! The user's files that the server reads and writes on request: skills, agents, workspaces and
//! their like. A [`Folder`] cannot be left: not by `..`, an absolute path or a link, whatever a
//! caller names (openat2(2) beneath it, through cap-std). Knows no sessions and no HTTP.
//!
//! Files are bounded, replaced whole, and keep their mode.

pub(crate) mod bundle;
mod change;
pub(crate) mod cli;
pub(crate) mod contexts;
pub(crate) mod daily;
pub(crate) mod definitions;
mod draft;
pub(crate) mod files;
pub(crate) mod git;
pub(crate) mod hooks;
pub(crate) mod mcps;
pub(crate) mod modules;
pub(crate) mod name;
mod pattern;
pub(crate) mod plugins;
pub(crate) mod repo;
pub(crate) mod skills;
pub(crate) mod slug;
mod streamed;
pub(crate) mod sync;
#[cfg(test)]
mod tests;
pub(crate) mod unpack;
pub(crate) mod workspaces;

pub(crate) use change::bounded;
pub(crate) use draft::Draft;
pub(crate) use name::Name;
pub(crate) use notes::{Front, front};
pub(crate) use pattern::Pattern;
pub(crate) use slug::Slug;

use crate::limits::{FOLDER_ENTRIES_MAX, VAULT_FILE_BYTES_MAX};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, MetadataExt, OpenOptions, OpenOptionsExt, PermissionsExt};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A folder that paths cannot lead out of.
pub(crate) struct Folder {
    dir: Dir,
}

/// Why a file could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// It is longer than what is read.
    #[error("{0} is longer than {max} KiB", max = VAULT_FILE_BYTES_MAX / 1024)]
    TooLong(PathBuf),
    /// A folder has more in it than is looked at.
    #[error("there are more than {FOLDER_ENTRIES_MAX} files in one folder")]
    TooMany,
    /// It is no text in UTF-8.
    #[error("{0} is not UTF-8 text")]
    NotText(PathBuf),
    /// There is something of this name already.
    #[error("{0} is there already")]
    Taken(PathBuf),
    /// It is a link that leads out, or one where a file of ours would be written.
    #[error("{0} is a link that is not followed")]
    Link(PathBuf),
    /// What the system says of it.
    #[error("{path}: {source}")]
    Io {
        /// Of what.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl FileError {
    fn of(path: &Path) -> impl FnOnce(io::Error) -> FileError {
        move |source| {
            // How cap-std says that a path leads out; the kernel's own refusals have a number.
            let leads_out =
                source.kind() == io::ErrorKind::PermissionDenied && source.raw_os_error().is_none();
            if leads_out || Errno::from_io_error(&source) == Some(Errno::LOOP) {
                return FileError::Link(path.to_owned());
            }
            FileError::Io { path: path.to_owned(), source }
        }
    }
}

/// What is in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its name; none that is not UTF-8 is listed.
    pub(crate) name: String,
    /// A folder, links followed where they stay inside.
    pub(crate) is_folder: bool,
    /// In bytes.
    pub(crate) size: u64,
    /// When it was written last.
    pub(crate) modified: wire::Timestamp,
}

/// What stands in a folder, as it is.
pub(crate) struct Entry {
    /// Its name, which may be anything.
    pub(crate) name: OsString,
    /// A folder.
    pub(crate) is_folder: bool,
    /// A file that has something in it, no pipe and no device.
    pub(crate) is_file: bool,
    /// A link.
    pub(crate) is_link: bool,
    /// In bytes.
    pub(crate) size: u64,
}

impl Folder {
    /// Opens a folder by its absolute path. None where there is none.
    pub(crate) fn open(path: &Path) -> Result<Option<Folder>, FileError> {
        match Dir::open_ambient_dir(path, ambient_authority()) {
            Ok(dir) => Ok(Some(Folder { dir })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FileError::of(path)(error)),
        }
    }

    /// The same, made if it is not there, for its owner alone. Its place is ours to choose.
    pub(crate) fn made(path: &Path) -> Result<Folder, FileError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(path).map_err(FileError::of(path))?;
        let gone = || FileError::of(path)(io::ErrorKind::NotFound.into());
        Folder::open(path)?.ok_or_else(gone)
    }

    /// A folder in this one. None where there is none.
    pub(crate) fn folder(&self, path: &Path) -> Result<Option<Folder>, FileError> {
        match self.dir.open_dir(path) {
            Ok(dir) => Ok(Some(Folder { dir })),
            Err(error) if absent(&error) => Ok(None),
            Err(error) => Err(FileError::of(path)(error)),
        }
    }

    /// The same, made if it is not there, for its owner alone.
    pub(crate) fn folder_made(&self, path: &Path) -> Result<Folder, FileError> {
        let mut builder = cap_std::fs::DirBuilder::new();
        cap_std::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true);
        self.dir.create_dir_with(path, &builder).map_err(FileError::of(path))?;
        let dir = self.dir.open_dir(path).map_err(FileError::of(path))?;
        Ok(Folder { dir })
    }

    /// The same, where no part of the path may be a link, not even one that stays inside.
    pub(crate) fn folder_made_unlinked(&self, path: &Path) -> Result<Folder, FileError> {
        let mut builder = cap_std::fs::DirBuilder::new();
        cap_std::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let mut within = Folder { dir: self.dir.try_clone().map_err(FileError::of(path))? };
        for part in path.iter().map(Path::new) {
            match within.dir.create_dir_with(part, &builder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(FileError::of(path)(error));
                }
                _ => {}
            }
            let link = || FileError::Link(path.to_owned());
            let flags = OFlags::NOFOLLOW | OFlags::DIRECTORY;
            let opened = within.opened(part, flags)?.ok_or_else(link)?;
            within = Folder { dir: Dir::from_std_file(opened.into_std()) };
        }
        Ok(within)
    }

    /// What is in it, by name, but for links that lead out or nowhere.
    pub(crate) fn list(&self) -> Result<Vec<Listed>, FileError> {
        let here = Path::new(".");
        let mut listed = Vec::new();
        for entry in self.dir.entries().map_err(FileError::of(here))? {
            let entry = entry.map_err(FileError::of(here))?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let Ok(found) = self.dir.metadata(&name) else { continue };
            if listed.len() >= FOLDER_ENTRIES_MAX {
                return Err(FileError::TooMany);
            }
            let modified = found.modified().map(cap_std::time::SystemTime::into_std);
            let since = modified.ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            let millis = since.and_then(|since| i64::try_from(since.as_millis()).ok());
            listed.push(Listed {
                name,
                is_folder: found.is_dir(),
                size: found.len(),
                modified: wire::Timestamp::from_millis(millis.unwrap_or(0)),
            });
        }
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// What is in a folder within, links as what they are; in no order.
    pub(crate) fn entries(&self, path: &Path) -> Result<Vec<Entry>, FileError> {
        let mut entries = Vec::new();
        for entry in self.dir.read_dir(path).map_err(FileError::of(path))? {
            let entry = entry.map_err(FileError::of(path))?;
            let found = match entry.metadata() {
                Ok(found) => found,
                // It went while we looked.
                Err(error) if absent(&error) => continue,
                Err(error) => return Err(FileError::of(path)(error)),
            };
            entries.push(Entry {
                name: entry.file_name(),
                is_folder: found.is_dir(),
                is_file: found.is_file(),
                is_link: found.is_symlink(),
                size: found.len(),
            });
        }
        Ok(entries)
    }

    /// Whether there is something at the end of a path, and all its links stay inside.
    pub(crate) fn leads_inside(&self, path: &Path) -> bool {
        self.dir.metadata(path).is_ok()
    }

    /// Which folder of this machine it is, however it was found.
    pub(crate) fn id(&self) -> Option<(u64, u64)> {
        let found = self.dir.dir_metadata().ok()?;
        Some((found.dev(), found.ino()))
    }

    /// The text of a file. None where there is no file.
    pub(crate) fn read(&self, path: &Path) -> Result<Option<String>, FileError> {
        match self.plain(path, OFlags::empty())? {
            Some(file) => text_of(file, path),
            None => Ok(None),
        }
    }

    /// What is in a file of at most so many bytes, and whether it may be run. None where there is
    /// no file.
    pub(crate) fn bytes(
        &self,
        path: &Path,
        max: u64,
    ) -> Result<Option<(Vec<u8>, bool)>, FileError> {
        let Some(file) = self.plain(path, OFlags::empty())? else { return Ok(None) };
        let found = file.metadata().map_err(FileError::of(path))?;
        let may_run = found.permissions().mode() & 0o100 != 0;
        Ok(bytes_of(file, path, max)?.map(|bytes| (bytes, may_run)))
    }

    /// The same as [`read`](Folder::read), where no part of the path may be a link, not even one
    /// that stays inside.
    pub(crate) fn read_unlinked(&self, path: &Path) -> Result<Option<String>, FileError> {
        let mut within: Option<Folder> = None;
        for folder in path.parent().into_iter().flat_map(Path::iter) {
            let here = within.as_ref().unwrap_or(self);
            let flags = OFlags::NOFOLLOW | OFlags::DIRECTORY;
            let Some(opened) = here.opened(Path::new(folder), flags)? else { return Ok(None) };
            within = Some(Folder { dir: Dir::from_std_file(opened.into_std()) });
        }
        let name = Path::new(path.file_name().unwrap_or_default());
        match within.as_ref().unwrap_or(self).plain(name, OFlags::NOFOLLOW)? {
            Some(file) => text_of(file, path),
            None => Ok(None),
        }
    }

    /// The folder itself, for what else is needed.
    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// The same as [`opened`](Folder::opened) for what is to be a file: a socket cannot be opened,
    /// nor a device without a driver, and neither is one.
    fn plain(&self, path: &Path, flags: OFlags) -> Result<Option<File>, FileError> {
        match self.opened(path, flags) {
            Err(FileError::Io { source, .. })
                if Errno::from_io_error(&source) == Some(Errno::NXIO) =>
            {
                Ok(None)
            }
            opened => opened,
        }
    }

    fn opened(&self, path: &Path, flags: OFlags) -> Result<Option<File>, FileError> {
        // Opening a pipe would wait for its other end.
        let flags = flags | OFlags::NONBLOCK;
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flags.bits().cast_signed());
        match self.dir.open_with(path, &options) {
            Ok(file) => Ok(Some(file)),
            Err(error) if absent(&error) => Ok(None),
            Err(error) => Err(FileError::of(path)(error)),
        }
    }
}

fn text_of(file: File, path: &Path) -> Result<Option<String>, FileError> {
    let Some(bytes) = bytes_of(file, path, VAULT_FILE_BYTES_MAX)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|_| FileError::NotText(path.to_owned()))?;
    Ok(Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)))
}

/// What is in a file, if it is one.
fn bytes_of(file: File, path: &Path, max: u64) -> Result<Option<Vec<u8>>, FileError> {
    if !file.metadata().map_err(FileError::of(path))?.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).map_err(FileError::of(path))?;
    if bytes.len() as u64 > max {
        return Err(FileError::TooLong(path.to_owned()));
    }
    Ok(Some(bytes))
}

fn absent(error: &io::Error) -> bool {
    // The last two: a name that is too long or has a NUL in it can be no file's.
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename | InvalidInput)
}
