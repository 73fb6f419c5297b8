//! Goes through folders of the vault and makes the index the same: a look at each file, and its
//! bytes only where that look shows another file than before. A note that was moved goes and
//! comes within one transaction, so that no search misses it.

use crate::files::{Kind, Stat, Vault, below, is_gone};
use crate::limits::{
    FOLDERS_DEEP_MAX, FOLDERS_MAX, LISTED_MAX, NOTE_BYTES_MAX, NOTES_MAX, WARNINGS_MAX,
};
use crate::store::{IndexError, Kept, Store};
use crate::watch::Watch;
use crate::{Ignored, Note, Warning};
use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::SystemTime;

/// Two changes of a file may have the same time within so long (FAT counts every other second).
const TICK_NANOS: u64 = 2_000_000_000;

pub(crate) struct Walk<'w> {
    pub(crate) vault: &'w Vault,
    rules: &'w Ignored,
    pub(crate) store: &'w mut Store,
    watch: &'w mut Watch,
    stop: &'w AtomicBool,
    /// Nanoseconds since 1970.
    now: i64,
    /// Notes that came, changed or went.
    pub(crate) changed: usize,
    told: usize,
    /// How many notes there may be.
    max: usize,
    /// How many more may come one by one, as soon as they were counted.
    room: Option<usize>,
}

impl<'w> Walk<'w> {
    pub(crate) fn new(
        vault: &'w Vault,
        rules: &'w Ignored,
        store: &'w mut Store,
        watch: &'w mut Watch,
        stop: &'w AtomicBool,
    ) -> Walk<'w> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
        Walk {
            vault,
            rules,
            store,
            watch,
            stop,
            now,
            changed: 0,
            told: 0,
            max: NOTES_MAX,
            room: None,
        }
    }

    pub(crate) fn is_ignored(&self, path: &str, is_folder: bool) -> bool {
        self.rules.is_ignored(Path::new(path), is_folder)
    }

    /// Whether a file is the one that was read. One written just now may have been written again
    /// within the same tick of the disk's clock, and looks the same.
    fn is_known(&self, kept: Option<&Kept>, stat: Stat) -> bool {
        let is_fresh = self.now.abs_diff(stat.modified) < TICK_NANOS;
        kept.is_some_and(|kept| kept.stat == stat) && !is_fresh
    }

    /// Takes a place for one more note, if there is one. What goes meanwhile leaves none.
    fn takes_place(&mut self) -> Result<bool, IndexError> {
        let room = match self.room {
            Some(room) => room,
            None => self.max.saturating_sub(self.store.count()?),
        };
        self.room = Some(room.saturating_sub(1));
        Ok(room > 0)
    }

    /// Compares what is at a path, whatever that is now.
    pub(crate) fn path(&mut self, path: &str) -> Result<(), IndexError> {
        match self.vault.kind(path)? {
            Some(Kind::Folder) if !self.is_ignored(path, true) => {
                // It may have been a note.
                if let Some(kept) = self.store.at(path)? {
                    self.changed += 1;
                    self.store.remove(kept.id)?;
                }
                self.folder(path)
            }
            Some(Kind::Note(stat)) if !self.is_ignored(path, false) => {
                // It may have been a folder.
                for gone in self.store.folders(path)? {
                    self.store.remove_folder(&gone)?;
                }
                let kept = self.store.at(path)?;
                if kept.is_none() && !self.takes_place()? {
                    self.warn(path, "comes after too many notes, and is left out");
                } else if !self.is_known(kept.as_ref(), stat) {
                    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
                    self.note(folder, file)?;
                }
                Ok(())
            }
            _ => {
                if let Some(kept) = self.store.at(path)? {
                    self.changed += 1;
                    return Ok(self.store.remove(kept.id)?);
                }
                for gone in self.store.folders(path)? {
                    self.store.remove_folder(&gone)?;
                }
                Ok(())
            }
        }
    }

    /// Compares a folder and all below it.
    pub(crate) fn folder(&mut self, top: &str) -> Result<(), IndexError> {
        let mut there = HashSet::new();
        // What could not be looked at stays as it was known.
        let mut unseen: Vec<String> = Vec::new();
        let deep = top.split('/').filter(|part| !part.is_empty()).count();
        let mut waiting = vec![(top.to_owned(), deep)];
        let mut notes = 0;
        while let Some((folder, deep)) = waiting.pop() {
            if self.stop.load(Relaxed) {
                return Ok(self.store.settle()?);
            }
            if there.len() >= FOLDERS_MAX || notes >= self.max || deep > FOLDERS_DEEP_MAX {
                self.warn(&folder, "lies too deep, or after too many notes, and is left out");
                continue;
            }
            // Before it is listed: what comes meanwhile is heard.
            self.watch.folder(&folder);
            let listed = match self.vault.list(&folder, LISTED_MAX) {
                Ok(listed) => listed,
                Err(error) if is_gone(&error) && !folder.is_empty() => continue,
                Err(error) if folder.is_empty() => return Err(error.into()),
                Err(error) => {
                    self.warn(&folder, &unreadable(&error));
                    unseen.push(folder);
                    continue;
                }
            };
            let within = self.compare(&folder, listed, &mut notes)?;
            waiting.extend(within.into_iter().map(|inner| (inner, deep + 1)));
            there.insert(folder);
        }
        for known in self.store.folders(top)? {
            let is_unseen = |above: &String| Path::new(&known).starts_with(above);
            if !there.contains(&known) && !unseen.iter().any(is_unseen) {
                self.changed += 1;
                self.store.remove_folder(&known)?;
            }
        }
        Ok(self.store.settle()?)
    }

    /// Compares the notes of a folder, and gives the folders in it.
    fn compare(
        &mut self,
        folder: &str,
        listed: Vec<(String, Kind)>,
        notes: &mut usize,
    ) -> Result<Vec<String>, IndexError> {
        let mut known = self.store.of_folder(folder)?;
        let mut within = Vec::new();
        for (name, kind) in listed {
            let path = below(folder, &name);
            if self.is_ignored(&path, kind == Kind::Folder) {
                continue;
            }
            match kind {
                Kind::Folder => within.push(path),
                Kind::Note(_) if *notes >= self.max => {}
                Kind::Note(stat) => {
                    *notes += 1;
                    let kept = known.remove(&name);
                    if !self.is_known(kept.as_ref(), stat) {
                        self.note(folder, &name)?;
                    }
                }
            }
            if self.stop.load(Relaxed) {
                return Ok(Vec::new());
            }
        }
        for gone in known.into_values() {
            self.changed += 1;
            self.store.remove(gone.id)?;
        }
        self.store.breathe()?;
        Ok(within)
    }

    /// Puts a note in as it is now.
    fn note(&mut self, folder: &str, file: &str) -> Result<(), IndexError> {
        let path = below(folder, file);
        self.changed += 1;
        let (stat, bytes) = match self.vault.read(&path, NOTE_BYTES_MAX) {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(()),
            // It cannot be found by what it says, but is not forgotten.
            Err(error) => {
                self.warn(&path, &unreadable(&error));
                (Stat::default(), Vec::new())
            }
        };
        let mut note = Note::read(&path, &bytes);
        if stat.size > i64::try_from(NOTE_BYTES_MAX).unwrap_or(i64::MAX) {
            let said = format!("only its first {} KiB are found", NOTE_BYTES_MAX / 1024);
            note.warnings.push(Warning { path: path.clone().into(), line: None, said });
        }
        for warning in &note.warnings {
            self.tell(warning);
        }
        if let Some(other) = self.store.put((folder, file), stat, &note)? {
            self.warn(&path, &format!("has the same para_id as {other}"));
        }
        Ok(self.store.breathe()?)
    }

    fn warn(&mut self, path: &str, said: &str) {
        self.tell(&Warning { path: path.into(), line: None, said: said.into() });
    }

    fn tell(&mut self, warning: &Warning) {
        self.told += 1;
        match self.told {
            told if told <= WARNINGS_MAX => tracing::warn!("about a note: {warning}"),
            told if told == WARNINGS_MAX + 1 => tracing::warn!("there are more such notes"),
            _ => {}
        }
    }
}

fn unreadable(error: &io::Error) -> String {
    format!("cannot be read: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn notes_that_come_one_by_one_have_the_same_bound() {
        let dir = tempfile::tempdir().expect("a folder");
        let top = dir.path().join("vault");
        fs::create_dir(&top).expect("made");
        let vault = Vault::open(&top).expect("a vault");
        let (rules, stop) = (Ignored::none(), AtomicBool::new(false));
        let mut store = Store::open(&dir.path().join("index.db"), &top).expect("an index");
        let mut watch = Watch::new(&top, |_| ());
        let mut walk = Walk::new(&vault, &rules, &mut store, &mut watch, &stop);
        walk.max = 3;
        for name in ["a.md", "b.md", "c.md", "d.md", "e.md"] {
            fs::write(top.join(name), "a note").expect("written");
            walk.path(name).expect("looked at");
        }
        assert_eq!(walk.store.count().expect("counted"), 3);
        // Those that are there are followed.
        fs::write(top.join("a.md"), "another").expect("written");
        walk.path("a.md").expect("looked at");
        fs::remove_file(top.join("b.md")).expect("removed");
        walk.path("b.md").expect("looked at");
        assert_eq!(walk.store.count().expect("counted"), 2);
    }
}
