//! The journal, and a bell that tells those who follow it at once when something was written.
//!
//! journald says no more often than every 250 ms that a file of the journal has changed, so
//! what `journalctl --follow` shows is a quarter of a second old, and more. But an entry can be
//! read as soon as it is written, and journalctl looks whenever anything happens in a folder
//! that it watches. So it is given a folder of ours, in which the folders of the journal stand
//! as links; whenever the head of a journal file has changed we touch a file there.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

/// Where journald keeps its files, in folders named by the machine's id.
const PLACES: [&str; 2] = ["/var/log/journal", "/run/log/journal"];
/// How often the files are looked at while somebody follows.
const LOOK_MS: u64 = 20;
/// The head of a journal file, in which each new entry is counted.
const HEAD_BYTES: usize = 256;

/// The journal of this user.
#[derive(Clone, Debug)]
pub struct Journal {
    folder: PathBuf,
    kept: Arc<Mutex<Kept>>,
}

/// How many bells there were, and the last of them.
#[derive(Debug, Default)]
struct Kept {
    count: u64,
    bell: Weak<Bell>,
}

impl Journal {
    /// `runtime` is our folder for sockets; while somebody follows there is a `journal` in it.
    pub fn new(runtime: &Path) -> Journal {
        Journal { folder: runtime.join("journal"), kept: Arc::default() }
    }

    /// The bell, for as long as the caller keeps it. Without one all works, only later.
    pub(super) fn bell(&self) -> Option<Arc<Bell>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = kept.bell.upgrade() {
            return Some(bell);
        }
        if kept.count == 0 {
            // Of a process that was killed.
            let _ = fs::remove_dir_all(&self.folder);
        }
        kept.count += 1;
        // Each has a folder of its own: the last one's may be going away just now.
        let folder = self.folder.join(kept.count.to_string());
        match Bell::hang(&folder) {
            Ok(bell) => {
                kept.bell = Arc::downgrade(&bell);
                tokio::spawn(keep_watch(kept.bell.clone()));
                Some(bell)
            }
            Err(error) => {
                tracing::debug!(?folder, %error, "no folder for the journal: logs come later");
                None
            }
        }
    }
}

/// A folder for journalctl to watch; gone when this is.
#[derive(Debug)]
pub(super) struct Bell {
    folder: PathBuf,
    clapper: File,
    /// Journal files that may be written to.
    files: Vec<PathBuf>,
}

impl Bell {
    fn hang(folder: &Path) -> io::Result<Arc<Bell>> {
        let id = fs::read_to_string("/etc/machine-id")?;
        let id = id.trim();
        crate::dirs::make_private(folder)?;
        let user = format!("user-{}.journal", crate::own_uid());
        let mut files = Vec::new();
        for (number, place) in PLACES.iter().enumerate() {
            let place = Path::new(place).join(id);
            if place.is_dir() {
                // Any id does for the name of a link.
                symlink(&place, folder.join(format!("{:032x}", number + 1)))?;
                files.extend([user.as_str(), "system.journal"].map(|name| place.join(name)));
            }
        }
        let clapper = File::create(folder.join("changed"))?;
        Ok(Arc::new(Bell { folder: folder.to_owned(), clapper, files }))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn heads(&self, into: &mut Vec<u8>) {
        into.clear();
        for path in &self.files {
            let mut head = [0; HEAD_BYTES];
            let read = File::open(path).and_then(|file| file.read_at(&mut head, 0));
            into.extend_from_slice(&head[..read.unwrap_or(0)]);
        }
    }

    fn ring(&self) {
        if let Err(error) = self.clapper.set_modified(SystemTime::now()) {
            tracing::debug!(%error, "the bell of the journal does not ring");
        }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        // The folder is in one that goes away with the session.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Rings whenever a journal file has changed, until nobody listens.
async fn keep_watch(bell: Weak<Bell>) {
    let (mut before, mut now) = (Vec::new(), Vec::new());
    loop {
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
        let Some(bell) = bell.upgrade() else {
            return;
        };
        bell.heads(&mut now);
        if now != before {
            bell.ring();
            std::mem::swap(&mut now, &mut before);
        }
    }
}
