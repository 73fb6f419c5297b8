//! Files of the vault by paths that callers name: where such a path really leads. What is read and
//! what is written is then opened folder by folder, no link followed, so that nothing moves
//! underneath. Knows no conditions and no devices; those are the callers'.

mod change;
mod closed;
mod list;
#[cfg(test)]
mod tests;

pub(crate) use closed::{Act, Vault, judge};
pub(crate) use list::list;

use super::{FileError, Folder, absent};
use crate::limits::{FILE_TEXT_BYTES_MAX, PATH_BYTES_MAX};
use cap_std::fs::{Dir, Metadata, MetadataExt};
use rustix::fs::OFlags;
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;
use wire::Timestamp;

/// Why a path leads to nothing that may be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReachError {
    #[error("Access denied: path outside vault")]
    Outside,
    /// It is there for the server or for Git alone.
    #[error("Access denied: {0} is not to be had by its path")]
    Closed(String),
    /// It may be read.
    #[error("Access denied: what runs later is not written by its path ({0})")]
    RunsLater(String),
    #[error("{0} cannot be a file's path")]
    Odd(String),
    #[error("Path is not a directory")]
    NotFolder,
    #[error("Path is not a file")]
    NotFile,
    /// More than is read whole.
    #[error("the file is larger than {max} MiB", max = .0 >> 20)]
    TooLong(u64),
    /// More than are listed, or synchronised.
    #[error("there are more than {0} files")]
    TooMany(usize),
    #[error("File is not UTF-8 text")]
    NotText,
    #[error(transparent)]
    File(#[from] FileError),
}

/// A place in the vault: the folder, opened, and the name there, which is no link's.
pub(crate) struct Spot {
    pub(crate) folder: Folder,
    pub(crate) name: PathBuf,
    /// From the vault, no link in it.
    pub(crate) real: PathBuf,
}

/// A file that was found.
pub(crate) struct Found {
    pub(crate) file: File,
    pub(crate) stamp: Stamp,
}

/// By what a file is known to be unchanged without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) size: u64,
    pub(crate) inode: u64,
    /// When its bytes were changed, in nanoseconds since 1970.
    pub(crate) modified_ns: i64,
    /// When anything of it was, which nobody can set.
    pub(crate) changed_ns: i64,
}

impl Stamp {
    pub(crate) fn of(found: &Metadata) -> Stamp {
        let ns = |seconds: i64, ns: i64| seconds.saturating_mul(1_000_000_000).saturating_add(ns);
        Stamp {
            size: found.len(),
            inode: found.ino(),
            modified_ns: ns(found.mtime(), found.mtime_nsec()),
            changed_ns: ns(found.ctime(), found.ctime_nsec()),
        }
    }

    pub(crate) fn modified(&self) -> Timestamp {
        Timestamp::from_micros(self.modified_ns.div_euclid(1000))
    }
}

/// A caller's path as one from the vault. An absolute one may name the vault itself.
pub(crate) fn from_vault(vault: &Path, path: &str) -> Result<PathBuf, ReachError> {
    if path.len() > PATH_BYTES_MAX || path.contains('\0') {
        return Err(ReachError::Odd(path.chars().take(100).collect()));
    }
    let path = Path::new(path);
    if path.is_absolute() {
        let inside = path.strip_prefix(vault).map_err(|_| ReachError::Outside)?;
        return Ok(inside.to_owned());
    }
    Ok(path.to_owned())
}

/// Where a path really leads, if there is something. Where there is nothing, the way to it must
/// be open all the same: what is closed does not even tell what is not in it.
pub(crate) fn real(vault: &Vault, path: &Path, act: Act) -> Result<Option<PathBuf>, ReachError> {
    for there in path.ancestors() {
        if let Some(found) = leads_to(vault, there, act)? {
            return Ok(Some(found).filter(|_| there == path));
        }
    }
    Ok(None)
}

/// The same of this very path.
pub(crate) fn leads_to(
    vault: &Vault,
    path: &Path,
    act: Act,
) -> Result<Option<PathBuf>, ReachError> {
    let real = match vault.dir().canonicalize(Path::new(".").join(path)) {
        Ok(real) => real,
        Err(error) if absent(&error) => return Ok(None),
        Err(error) => return Err(outside(FileError::of(path)(error))),
    };
    let real: PathBuf = real.components().filter(|part| *part != Component::CurDir).collect();
    vault.judge(&real, act)?;
    Ok(Some(real))
}

/// The place of something that is there.
pub(crate) fn spot(vault: &Vault, path: &Path) -> Result<Option<Spot>, ReachError> {
    // Also a path that is none's is refused by its names.
    vault.judge(path, Act::Read)?;
    let Some(real) = real(vault, path, Act::Read)? else { return Ok(None) };
    let Some(name) = real.file_name() else { return Err(ReachError::NotFile) };
    let name = PathBuf::from(name);
    let above = real.parent().unwrap_or(Path::new(""));
    Ok(walk(vault, above)?.map(|folder| Spot { folder, name, real: real.clone() }))
}

/// The place of something that is to be written; folders on the way to it are made.
pub(crate) fn spot_to_write(vault: &Vault, path: &Path) -> Result<Spot, ReachError> {
    vault.judge(path, Act::Write)?;
    let odd = || ReachError::Odd(path.display().to_string());
    for there in path.ancestors() {
        let Some(base) = leads_to(vault, there, Act::Write)? else { continue };
        let rest = path.strip_prefix(there).map_err(|_| odd())?;
        let plain = rest.components().all(|part| matches!(part, Component::Normal(_)));
        let real = base.join(rest);
        let (Some(name), true) = (real.file_name().map(PathBuf::from), plain) else {
            return Err(odd());
        };
        // By `..` or a link the last name may have come below another folder.
        vault.judge(&real, Act::Write)?;
        let made = real.parent().unwrap_or(Path::new(""));
        let kept = if rest.as_os_str().is_empty() { made } else { &base };
        let mut folder = walk(vault, kept)?.ok_or(ReachError::NotFolder)?;
        for part in made.strip_prefix(kept).map_err(|_| odd())?.iter() {
            folder = folder.entered_or_made(Path::new(part))?;
        }
        return Ok(Spot { folder, name, real });
    }
    Err(odd())
}

/// Opens a folder by a real path. What is ours is not entered by whatever name: a file system
/// may have more than one for it.
pub(crate) fn walk(vault: &Vault, real: &Path) -> Result<Option<Folder>, ReachError> {
    let mut here = Folder { dir: vault.dir.try_clone().map_err(FileError::of(real))? };
    for part in real.iter() {
        match here.entered(Path::new(part))? {
            Some(folder) if vault.is_ours(&folder) => {
                return Err(ReachError::Closed(real.display().to_string()));
            }
            Some(folder) => here = folder,
            None => return Ok(None),
        }
    }
    Ok(Some(here))
}

impl Folder {
    /// A folder here that is one itself, and no link.
    pub(crate) fn entered(&self, name: &Path) -> Result<Option<Folder>, ReachError> {
        let flags = OFlags::NOFOLLOW | OFlags::DIRECTORY;
        let opened = self.opened(name, flags).map_err(outside)?;
        Ok(opened.map(|folder| Folder { dir: Dir::from_std_file(folder.into_std()) }))
    }

    fn entered_or_made(&self, name: &Path) -> Result<Folder, ReachError> {
        match self.dir.create_dir(name) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if absent(&error) => {
                return Err(ReachError::Odd(name.display().to_string()));
            }
            Err(error) => return Err(FileError::of(name)(error).into()),
        }
        self.entered(name)?.ok_or(ReachError::NotFolder)
    }
}

impl Spot {
    /// The file there. None: there is nothing.
    pub(crate) fn open(&self) -> Result<Option<Found>, ReachError> {
        Found::open(&self.folder, &self.name)
    }

    /// Gives what is there the time of now.
    pub(crate) fn touch(&self) -> Result<(), ReachError> {
        let Some(found) = self.open()? else { return Ok(()) };
        let touched = found.file.set_modified(SystemTime::now());
        touched.map_err(|error| FileError::of(&self.real)(error).into())
    }
}

impl Found {
    /// A file of a folder, which is no link.
    pub(crate) fn open(folder: &Folder, name: &Path) -> Result<Option<Found>, ReachError> {
        let opened = match folder.opened(name, OFlags::NOFOLLOW) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(None),
            // A socket cannot be opened, nor a device without a driver.
            Err(FileError::Io { source, .. })
                if Errno::from_io_error(&source) == Some(Errno::NXIO) =>
            {
                return Err(ReachError::NotFile);
            }
            Err(error) => return Err(outside(error)),
        };
        let found = opened.metadata().map_err(FileError::of(name))?;
        if !found.is_file() {
            return Err(ReachError::NotFile);
        }
        Ok(Some(Found { stamp: Stamp::of(&found), file: opened.into_std() }))
    }

    /// All that is in it, if that is not too much.
    pub(crate) fn bytes(&mut self, max: u64) -> Result<Vec<u8>, ReachError> {
        let wrong = FileError::of(Path::new("the file"));
        if self.stamp.size > max {
            return Err(ReachError::TooLong(max));
        }
        let mut bytes = Vec::with_capacity(self.stamp.size as usize);
        (&self.file).take(max + 1).read_to_end(&mut bytes).map_err(wrong)?;
        if bytes.len() as u64 > max {
            return Err(ReachError::TooLong(max));
        }
        Ok(bytes)
    }

    /// What the file is told from others by: the hash of its bytes, or, of one that is too large
    /// to be read just for this, the mark that the file system leaves of its last change.
    pub(crate) fn tag(&mut self) -> Result<String, ReachError> {
        let Stamp { size, inode, modified_ns, changed_ns } = self.stamp;
        if size > FILE_TEXT_BYTES_MAX {
            return Ok(format!("{size:x}-{inode:x}-{modified_ns:x}-{changed_ns:x}"));
        }
        let wrong = |error| ReachError::from(FileError::of(Path::new("the file"))(error));
        let hash = hash_of(&self.file).map_err(wrong)?;
        self.file.rewind().map_err(wrong)?;
        Ok(hash)
    }
}

/// SHA-256 of all that can be read, in lower-case hex.
pub(crate) fn hash_of(mut from: impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    // Most notes are shorter, and nothing is set aside for each of many.
    let mut piece = [0; 16 * 1024];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(hex(&hash.finalize())),
            Ok(read) => hash.update(&piece[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The same of bytes.
pub(crate) fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Now, in nanoseconds since 1970.
pub(crate) fn now_ns() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

fn outside(error: FileError) -> ReachError {
    match error {
        FileError::Link(_) => ReachError::Outside,
        error => ReachError::File(error),
    }
}
