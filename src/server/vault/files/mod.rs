//! Files of the vault by paths that callers name: where such a path really leads, and what is
//! nobody's to reach by it, whatever it is called and by whatever link. What is read and what is
//! written is then opened folder by folder, no link followed, so that nothing moves underneath.
//!
//! Knows no conditions and no devices; those are the callers'.

mod change;
mod list;
#[cfg(test)]
mod tests;

pub(crate) use list::list;

use super::{FileError, Folder, absent};
use crate::limits::{FILE_TEXT_BYTES_MAX, PATH_BYTES_MAX};
use cap_std::fs::{Dir, Metadata, MetadataExt};
use rustix::fs::OFlags;
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::ops::Deref;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;
use wire::Timestamp;

/// Ours: keys, tokens, what runs.
pub(super) const OURS: &str = ".parachute";
/// What nobody reads or writes by its path, wherever it lies: what is ours, what git runs and
/// all that a repository ever held, secrets of MCP servers, of the CLI and of whatever is started
/// here.
const CLOSED: [&str; 5] = [OURS, ".git", ".mcp.json", ".credentials.json", ".env"];
/// The CLI's settings may hold tokens, and nobody reads them by their path.
const SETTINGS: (&str, &str) = (".claude", "settings");
/// What later turns run or obey has doors of its own, where it is judged. Daily agents are not
/// among it: they are notes in `.agents`, which the app writes.
const RUN_LATER: [&str; 4] = [".claude", ".claude-plugin", ".modules", ".skills"];
/// The database in its usual place, with all that stands beside it.
const DATABASE: (&str, &str) = ("chat", "sessions.db");
/// What stands beside it elsewhere, by the ends of names; copies begin with the last.
const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-journal"];
const COPIES: &str = ".before-v";

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

/// What is asked of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Read,
    Write,
}

/// The vault, opened, and what in it nobody reaches by its path.
pub(crate) struct Vault {
    folder: Folder,
    /// Which folder of this machine is ours, whatever it is called.
    ours: Option<(u64, u64)>,
    /// The database from here, where somebody has put it into the vault; a link, and its end.
    databases: Vec<PathBuf>,
}

impl Vault {
    /// Opens it. None where there is none.
    pub(crate) fn open(path: &Path, database: &Path) -> Result<Option<Vault>, FileError> {
        let Some(folder) = Folder::open(path)? else { return Ok(None) };
        // One that is not there, or elsewhere, is reached by nobody.
        let ours = folder.folder(Path::new(OURS)).ok().flatten().and_then(|folder| folder.id());
        let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let top = canonical(path);
        let beside = database.parent().zip(database.file_name());
        let named = beside.map(|(above, name)| canonical(above).join(name));
        let all = named.into_iter().chain([canonical(database)]);
        let databases = all.filter_map(|at| Some(at.strip_prefix(&top).ok()?.to_owned())).collect();
        Ok(Some(Vault { folder, ours, databases }))
    }

    /// Whether what a path names is closed to this act, by its names and as the database.
    pub(crate) fn judge(&self, path: &Path, act: Act) -> Result<(), ReachError> {
        judge(path, act)?;
        match self.databases.iter().any(|database| is_of(database, path)) {
            true => Err(ReachError::Closed(path.display().to_string())),
            false => Ok(()),
        }
    }

    pub(crate) fn is_ours(&self, folder: &Folder) -> bool {
        self.ours.is_some() && folder.id() == self.ours
    }
}

impl Deref for Vault {
    type Target = Folder;
    fn deref(&self) -> &Folder {
        &self.folder
    }
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
    judge(path, Act::Read)?;
    let Some(real) = real(vault, path, Act::Read)? else { return Ok(None) };
    let Some(name) = real.file_name() else { return Err(ReachError::NotFile) };
    let name = PathBuf::from(name);
    let above = real.parent().unwrap_or(Path::new(""));
    Ok(walk(vault, above)?.map(|folder| Spot { folder, name, real: real.clone() }))
}

/// The place of something that is to be written; folders on the way to it are made.
pub(crate) fn spot_to_write(vault: &Vault, path: &Path) -> Result<Spot, ReachError> {
    judge(path, Act::Write)?;
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

/// Whether what a path names is closed to this act.
pub(crate) fn judge(path: &Path, act: Act) -> Result<(), ReachError> {
    let mut above = String::new();
    for part in path.components() {
        let part = match part {
            Component::Normal(part) => part.to_string_lossy(),
            Component::CurDir | Component::ParentDir => continue,
            Component::RootDir | Component::Prefix(_) => return Err(ReachError::Outside),
        };
        let name = folded(&part);
        let database = above == DATABASE.0 && name.starts_with(DATABASE.1);
        let settings = above == SETTINGS.0 && name.starts_with(SETTINGS.1) && act == Act::Read;
        let of_env = name.starts_with(".env.");
        if CLOSED.contains(&name.as_str()) || of_env || database || settings {
            return Err(ReachError::Closed(part.into_owned()));
        }
        if act == Act::Write && RUN_LATER.contains(&name.as_str()) {
            return Err(ReachError::RunsLater(part.into_owned()));
        }
        above = name;
    }
    Ok(())
}

/// Whether a path is this database's, or of what stands beside it.
fn is_of(database: &Path, path: &Path) -> bool {
    let name = |path: &Path| path.file_name().map(|name| folded(&name.to_string_lossy()));
    let (Some(own), Some(name)) = (name(database), name(path)) else { return false };
    let above = |path: &Path| {
        let parts = path.parent().into_iter().flat_map(Path::iter);
        parts.map(|part| folded(&part.to_string_lossy())).collect::<Vec<_>>()
    };
    let rest = name.strip_prefix(&own);
    rest.is_some_and(|rest| BESIDE.contains(&rest) || rest.starts_with(COPIES))
        && above(database) == above(path)
}

/// A name as the most lenient file system reads it: no case, no signs that are not seen (HFS+),
/// no dots and spaces at its end (FAT).
fn folded(name: &str) -> String {
    // Nearly all names, and quicker by far: a walk asks for each part of each path.
    if name.is_ascii() {
        return name.trim_end_matches(['.', ' ']).to_ascii_lowercase();
    }
    const UNSEEN: [std::ops::RangeInclusive<char>; 5] = [
        '\u{200b}'..='\u{200f}',
        '\u{202a}'..='\u{202e}',
        '\u{2060}'..='\u{206f}',
        '\u{feff}'..='\u{feff}',
        '\u{ad}'..='\u{ad}',
    ];
    let seen = name.chars().filter(|c| !UNSEEN.iter().any(|range| range.contains(c)));
    let text: String = seen.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    text.trim_end_matches(['.', ' ']).to_owned()
}

fn outside(error: FileError) -> ReachError {
    match error {
        FileError::Link(_) => ReachError::Outside,
        error => ReachError::File(error),
    }
}
