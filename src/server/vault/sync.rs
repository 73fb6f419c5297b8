//! What of the vault is synchronised: paths that devices may name, a walk over the files below a
//! folder, and their hashes. Links are neither followed nor synchronised, and of what is hidden
//! only `.agents` is (contract-extended §5.1). What is done about a difference is not known here.

use super::files::{self, Act, Found, ReachError, Stamp, Vault, now_ns};
use super::{FileError, Folder, absent};
use crate::limits::{
    FOLDERS_DEEP_MAX, PATH_BYTES_MAX, SYNC_FILE_BYTES_MAX, SYNC_FILES_MAX, SYNC_PROBLEMS_MAX,
    SYNC_REST_NS,
};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// The one hidden folder that is synchronised: it holds daily agents.
const SHOWN: &str = ".agents";
/// A name in every file system that counts.
const NAME_BYTES_MAX: usize = 255;
/// How often a file that is being written is looked into anew.
const TRIES: usize = 3;

/// A path that a device names, from the vault or from a root. Two dots within a name are letters
/// like others (trap T-82).
pub(crate) fn lawful(text: &str) -> Result<PathBuf, &'static str> {
    if text.len() > PATH_BYTES_MAX {
        return Err("the path is too long");
    }
    let mut path = PathBuf::new();
    for part in Path::new(text).components() {
        match part {
            Component::Normal(part) => {
                let part = part.to_str().unwrap_or_default();
                if is_hidden(part) {
                    return Err("hidden files are not synchronised");
                }
                if part.len() > NAME_BYTES_MAX {
                    return Err("a name in the path is too long");
                }
                if part.chars().any(char::is_control) {
                    return Err("a name in the path has characters that are none");
                }
                path.push(part);
            }
            Component::CurDir => {}
            _ => return Err("the path leads out"),
        }
    }
    Ok(path)
}

fn is_hidden(name: &str) -> bool {
    name.starts_with('.') && name != SHOWN
}

/// A file on the way.
pub(crate) struct Visit<'w> {
    folder: &'w Folder,
    name: &'w str,
    /// From where the walk began.
    pub(crate) path: &'w str,
    pub(crate) stamp: Stamp,
}

/// A file's text by its hash, and by what the file is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hashed {
    pub(crate) hash: String,
    pub(crate) stamp: Stamp,
    /// Whether the stamp tells of every change since: not if the file was changed just now.
    pub(crate) is_lasting: bool,
}

impl Visit<'_> {
    /// Reads it. None: it is gone meanwhile.
    pub(crate) fn hashed(&self) -> Result<Option<Hashed>, ReachError> {
        hashed(self.folder, Path::new(self.name))
    }
}

/// Reads a file of a folder. None: there is none. One that can go to no device is not read.
pub(crate) fn hashed(folder: &Folder, name: &Path) -> Result<Option<Hashed>, ReachError> {
    for last in 1..=TRIES {
        let Some(found) = Found::open(folder, name)? else { return Ok(None) };
        let began = now_ns();
        if found.stamp.size > SYNC_FILE_BYTES_MAX {
            return Err(ReachError::TooLong(SYNC_FILE_BYTES_MAX));
        }
        // It may grow meanwhile.
        let bounded = (&found.file).take(SYNC_FILE_BYTES_MAX);
        let hash = files::hash_of(bounded).map_err(FileError::of(name))?;
        let after = folder.dir().symlink_metadata(name).ok().map(|found| Stamp::of(&found));
        let stamp = found.stamp;
        let same = after == Some(stamp);
        if same || last == TRIES {
            return Ok(Some(Hashed { hash, stamp, is_lasting: same && rests(&stamp, began) }));
        }
    }
    Ok(None)
}

/// Whether a file had rested when it was read, so that a later change shows in its stamp.
pub(crate) fn rests(stamp: &Stamp, read_ns: i64) -> bool {
    read_ns.saturating_sub(stamp.modified_ns.max(stamp.changed_ns)) > SYNC_REST_NS
}

/// Whether a file is there, no link on the way; or may be, as far as can be seen.
pub(crate) fn is_there(vault: &Vault, real: &Path) -> bool {
    let (Some(above), Some(name)) = (real.parent(), real.file_name()) else { return false };
    match files::walk(vault, above) {
        Ok(Some(folder)) => match folder.dir().symlink_metadata(name) {
            Ok(found) => found.is_file(),
            Err(error) => !absent(&error),
        },
        Ok(None) | Err(ReachError::Outside) => false,
        Err(_) => true,
    }
}

/// What came of a walk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Walked {
    /// It did not see all there is.
    pub(crate) is_partial: bool,
    /// The first of what it saw and cannot tell, each with the reason.
    pub(crate) problems: Vec<String>,
}

impl Walked {
    pub(crate) fn problem(&mut self, path: &str, why: &str) {
        if self.problems.len() < SYNC_PROBLEMS_MAX {
            let shown: String = path.chars().take(PATH_BYTES_MAX / 4).collect();
            self.problems.push(format!("{shown}: {why}"));
        }
    }
}

/// Visits each file below a folder, by its real path. None: there is no such folder.
pub(crate) fn walk(
    vault: &Vault,
    root: &Path,
    visit: &mut dyn FnMut(Visit<'_>, &mut Walked) -> Result<(), ReachError>,
) -> Result<Option<Walked>, ReachError> {
    let Some(folder) = files::walk(vault, root)? else { return Ok(None) };
    let mut walk = Walk { vault, root, left: SYNC_FILES_MAX, done: Walked::default(), visit };
    walk.folder(&folder, "", FOLDERS_DEEP_MAX)?;
    Ok(Some(walk.done))
}

struct Walk<'w> {
    vault: &'w Vault,
    root: &'w Path,
    left: usize,
    done: Walked,
    visit: &'w mut dyn FnMut(Visit<'_>, &mut Walked) -> Result<(), ReachError>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Folder, path: &str, deep: usize) -> Result<(), ReachError> {
        let Ok(entries) = folder.dir().entries() else {
            self.unseen(path, "the folder cannot be listed");
            return Ok(());
        };
        for entry in entries {
            let Ok(entry) = entry.map_err(|_| self.done.is_partial = true) else { break };
            let name = entry.file_name();
            let told = name.to_str().filter(|name| !name.chars().any(char::is_control));
            let Some(name) = told.filter(|name| !is_hidden(name)) else {
                match told {
                    Some(draft) => notes::sweep(&entry, draft),
                    None if name.as_encoded_bytes().starts_with(b".") => {}
                    None => {
                        let odd = name.to_string_lossy().escape_debug().to_string();
                        self.done.problem(&below(path, &odd), "its name cannot be told");
                    }
                }
                continue;
            };
            let inside = below(path, name);
            // One that is gone meanwhile is found to be gone the next time.
            let Ok(found) = entry.metadata() else { continue };
            if self.vault.judge(&self.root.join(&inside), Act::Write).is_err() {
                continue;
            }
            if found.is_dir() {
                match folder.entered(Path::new(name)) {
                    Ok(Some(within)) if self.vault.is_ours(&within) => {}
                    Ok(Some(within)) if deep > 0 => self.folder(&within, &inside, deep - 1)?,
                    Ok(None) => {}
                    Ok(Some(_)) => self.unseen(&inside, "the folder lies too deep"),
                    Err(_) => self.unseen(&inside, "the folder cannot be opened"),
                }
            } else if found.is_file() && inside.len() > PATH_BYTES_MAX {
                self.done.problem(&inside, "the path is too long");
            } else if found.is_file() {
                if self.left == 0 {
                    return Err(ReachError::TooMany(SYNC_FILES_MAX));
                }
                self.left -= 1;
                let stamp = Stamp::of(&found);
                (self.visit)(Visit { folder, name, path: &inside, stamp }, &mut self.done)?;
            }
        }
        Ok(())
    }

    fn unseen(&mut self, path: &str, why: &str) {
        self.done.is_partial = true;
        self.done.problem(path, why);
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn trap_t_82_dots_within_a_name_lead_nowhere_and_dots_alone_are_refused() {
        for path in ["a..b.md", "a/b..c/d.md", "...x".trim_start_matches('.'), ".agents/x.md"] {
            assert_eq!(lawful(path), Ok(PathBuf::from(path)), "{path}");
        }
        assert_eq!(lawful("./a//b/./c"), Ok(PathBuf::from("a/b/c")));
        for path in ["..", "../a", "a/../b", "/a", ".x", "a/.versions/b", "a\nb", "..a", ".Agents"]
        {
            assert!(lawful(path).is_err(), "{path}");
        }
        assert!(lawful(&"x".repeat(256)).is_err() && lawful(&"x/".repeat(3000)).is_err());
    }

    #[test]
    fn a_walk_sees_what_is_open_and_follows_no_link() {
        let top = tempfile::tempdir().expect("a folder");
        for path in ["a.md", "b/c.md", ".agents/d.md", ".x/e.md", "b/.f.md", ".parachute/g.md"] {
            let path = top.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, "x").expect("written");
        }
        std::os::unix::fs::symlink("a.md", top.path().join("l.md")).expect("linked");
        std::os::unix::fs::symlink("b", top.path().join("l")).expect("linked");
        let vault = Vault::open(top.path(), Path::new("")).expect("opened").expect("there");
        let mut seen = Vec::new();
        let mut visit = |visit: Visit<'_>, _: &mut Walked| {
            seen.push(visit.path.to_owned());
            let hashed = visit.hashed()?.expect("there");
            assert_eq!(hashed.hash, files::hash(b"x"));
            assert!(!hashed.is_lasting, "it was written just now");
            Ok(())
        };
        assert_eq!(
            walk(&vault, Path::new(""), &mut visit).expect("walked"),
            Some(Walked::default())
        );
        seen.sort();
        assert_eq!(seen, [".agents/d.md", "a.md", "b/c.md"]);
    }

    #[test]
    fn a_file_is_there_if_no_link_is_on_the_way() {
        let top = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(top.path().join("a/b")).expect("made");
        fs::write(top.path().join("a/c.md"), "x").expect("written");
        std::os::unix::fs::symlink("a", top.path().join("l")).expect("linked");
        std::os::unix::fs::symlink("c.md", top.path().join("a/l.md")).expect("linked");
        let vault = Vault::open(top.path(), Path::new("")).expect("opened").expect("there");
        assert!(is_there(&vault, Path::new("a/c.md")));
        for path in ["a/none.md", "none/c.md", "a/c.md/d.md", "l/c.md", "a/l.md", "a/b", ""] {
            assert!(!is_there(&vault, Path::new(path)), "{path}");
        }
    }

    #[test]
    fn a_stamp_counts_only_if_the_file_had_rested() {
        let stamp = Stamp { size: 1, inode: 1, modified_ns: 0, changed_ns: 5_000_000_000 };
        assert!(!rests(&stamp, 5_000_000_000) && !rests(&stamp, 8_000_000_000));
        assert!(rests(&stamp, 8_000_000_001));
        let ahead = Stamp { modified_ns: i64::MAX, ..stamp };
        assert!(!rests(&ahead, 9_000_000_000));
    }
}
