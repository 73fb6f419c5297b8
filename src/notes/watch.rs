//! Who tells us that a file changed: the system, folder by folder where it counts folders
//! (inotify), all at once where it does not (FSEvents). Says nothing of what changed. Where it
//! cannot be told, it is said that we are blind, and everything is looked at now and then.

use crate::RULES_FILE;
use crate::files::{is_hidden, is_note};
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RemoveKind};
use notify::{
    Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher, WatcherKind,
};
use std::path::{Path, PathBuf};

/// What may have changed.
#[derive(Debug)]
pub(crate) enum Heard {
    /// What is at this path.
    Changed(PathBuf),
    /// Anything: some of it was not heard, or somebody wants everything to be looked at.
    All,
}

/// A vault that is watched.
pub(crate) struct Watch {
    watcher: Option<RecommendedWatcher>,
    vault: PathBuf,
    is_blind: bool,
    /// The whole vault is watched.
    is_whole: bool,
}

impl Watch {
    /// Watches nothing yet.
    pub(crate) fn new(vault: &Path, tell: impl Fn(Heard) + Send + 'static) -> Watch {
        let top = vault.to_owned();
        let hear = move |heard: notify::Result<Event>| match heard {
            Ok(event) if event.need_rescan() => tell(Heard::All),
            Ok(event) => {
                let kind = event.kind;
                event
                    .paths
                    .into_iter()
                    .filter(|path| concerns(&kind, path.strip_prefix(&top).unwrap_or(path)))
                    .for_each(|path| tell(Heard::Changed(path)));
            }
            Err(error) => {
                tracing::debug!(%error, "changes of notes were not heard");
                tell(Heard::All);
            }
        };
        let config = Config::default().with_follow_symlinks(false);
        let watcher = RecommendedWatcher::new(hear, config);
        let vault = vault.to_owned();
        let mut watch = Watch { watcher: None, vault, is_blind: false, is_whole: false };
        match watcher {
            Ok(watcher) => watch.watcher = Some(watcher),
            Err(error) => watch.blind(&error),
        }
        watch
    }

    /// Watches a folder below the vault, but not the folders in it.
    pub(crate) fn folder(&mut self, folder: &str) {
        let path = self.vault.join(folder);
        if one_by_one() {
            self.watch(&path, RecursiveMode::NonRecursive);
        } else if folder.is_empty() && !self.is_whole {
            self.is_whole = self.watch(&path, RecursiveMode::Recursive);
        }
    }

    /// Whether that is now so.
    fn watch(&mut self, path: &Path, mode: RecursiveMode) -> bool {
        let Some(watcher) = self.watcher.as_mut().filter(|_| !self.is_blind) else { return false };
        match watcher.watch(path, mode) {
            Ok(()) => return true,
            // Whoever lists it next sees that it is gone.
            Err(error) if matches!(error.kind, ErrorKind::PathNotFound) => {}
            // Nor is there anything to be heard of one that is closed; what is above it tells
            // when it is opened.
            Err(error) if is_closed(&error) && path != self.vault => {}
            Err(error) => self.blind(&error),
        }
        false
    }

    fn blind(&mut self, error: &notify::Error) {
        self.is_blind = true;
        let seconds = crate::limits::ROUND.as_secs();
        let hint = match error.kind {
            ErrorKind::MaxFilesWatch => "; fs.inotify.max_user_watches (sysctl) is too small",
            _ => "",
        };
        tracing::warn!(
            "changes of notes are not told to us, and looked for every {seconds} s: {error}{hint}"
        );
    }

    /// Whether changes are not heard.
    pub(crate) fn is_blind(&self) -> bool {
        self.is_blind
    }
}

fn is_closed(error: &notify::Error) -> bool {
    let closed = std::io::ErrorKind::PermissionDenied;
    matches!(&error.kind, ErrorKind::Io(source) if source.kind() == closed)
}

/// Whether each folder has to be watched by itself.
fn one_by_one() -> bool {
    RecommendedWatcher::kind() == WatcherKind::Inotify
}

/// Whether an event may be about notes: reading is none, and of what is no note only that it came
/// or went, for it may be a folder.
fn concerns(kind: &EventKind, path: &Path) -> bool {
    let written = AccessKind::Close(AccessMode::Write);
    if path == Path::new(RULES_FILE) {
        // Else that we read them would be told to us, and we would read them again, for ever.
        return !matches!(kind, EventKind::Access(how) if *how != written);
    }
    let mut names = path.iter().map(|name| name.to_str().unwrap_or("."));
    if names.any(is_hidden) {
        return false;
    }
    let is_note = path.to_str().is_some_and(is_note);
    match kind {
        EventKind::Access(how) => *how == written && is_note,
        EventKind::Create(CreateKind::File)
        | EventKind::Remove(RemoveKind::File)
        | EventKind::Modify(ModifyKind::Data(_)) => is_note,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{DataChange, MetadataKind, RenameMode};

    #[test]
    fn reading_and_what_is_no_note_concern_nobody() {
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let read = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let moved = EventKind::Modify(ModifyKind::Name(RenameMode::From));
        let of_folder = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
        for (kind, path, does) in [
            (written, "a/b.md", true),
            (written, "Chat/sessions.db-wal", false),
            (data, "Chat/sessions.db", false),
            (read, "a/b.md", false),
            (moved, "a/b", true),
            (moved, "a/.b.md", false),
            (moved, ".git/b.md", false),
            (written, ".parachuteignore", true),
            (of_folder, ".parachuteignore", true),
            (read, ".parachuteignore", false),
            (EventKind::Create(CreateKind::Folder), "a", true),
            (EventKind::Create(CreateKind::File), "a", false),
            (of_folder, "a", true),
            (EventKind::Any, "a", true),
        ] {
            assert_eq!(concerns(&kind, Path::new(path)), does, "{kind:?} {path}");
        }
    }
}
