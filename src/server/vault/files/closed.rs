//! What of the vault nobody reaches by its path, whatever it is called and by whatever link: what
//! is ours, secrets, what runs later, the database. Judges names; opens nothing but the vault.

use super::ReachError;
use crate::vault::{FileError, Folder};
use std::ops::Deref;
use std::path::{Component, Path, PathBuf};

/// Ours: keys, tokens, what runs.
const OURS: &str = ".parachute";
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
    /// The database from here, if it is in the vault, but not in its usual place; where it is a
    /// link, its end, too.
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
        let inside = all.filter_map(|at| Some(at.strip_prefix(&top).ok()?.to_owned()));
        let mut databases: Vec<PathBuf> =
            inside.filter(|at| judge(at, Act::Read).is_ok()).collect();
        databases.dedup();
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
