//! The journal: which of its files we may read, where they begin, and a bell that tells those
//! who follow it at once when something was written. Reading entries is left to journalctl.
//!
//! journald says no more often than every 250 ms that a file of the journal has changed, so
//! what `journalctl --follow` shows is a quarter of a second old, and more. But an entry can be
//! read as soon as it is written, and journalctl looks whenever anything happens in a folder
//! that it watches. So it is given a folder of ours, in which the folders of the journal stand
//! as links; whenever the head of a journal file has changed we touch a file there.

use super::LogError;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

/// Where journald keeps its files, in folders named by the machine's id.
const PLACES: [&str; 2] = ["/var/log/journal", "/run/log/journal"];
/// The name of its folder there.
const MACHINE_ID: &str = "/etc/machine-id";
/// How the names of the system's files begin.
const SYSTEM: &str = "system";
/// How often the files are looked at while somebody follows.
const LOOK_MS: u64 = 20;
/// The head of a journal file, in which each new entry is counted.
const HEAD_BYTES: usize = 256;
/// Where it has `head_entry_seqnum`, by systemd's "Journal File Format".
const HEAD_SEQNUM_AT: u64 = 168;

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

/// The folders in which there are journal files of this machine.
fn places() -> io::Result<Vec<PathBuf>> {
    let id = fs::read_to_string(MACHINE_ID)?;
    let inside = PLACES.map(|place| Path::new(place).join(id.trim()));
    Ok(inside.into_iter().filter(|place| place.is_dir()).collect())
}

/// How the names of this user's own files begin, where each has some.
fn own() -> String {
    format!("user-{}", crate::own_uid())
}

/// Whose files of the journal hold what this user's programs say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Files {
    /// This user's own.
    Own,
    /// The system's: system users have none of their own, and nobody has where the journal is
    /// kept in memory. Members of the group systemd-journal may read them.
    System,
}

/// The files that are there and that we may read. journalctl would show nothing where there are
/// none, and not say why.
pub(super) fn files() -> Result<Files, LogError> {
    let none = |said: String| LogError::NoAccess { said };
    let places = places().map_err(|error| none(format!("{MACHINE_ID}: {error}")))?;
    if opened(&places, &own()).next().is_some() {
        return Ok(Files::Own);
    }
    match (opened(&places, SYSTEM).next().is_some(), places.is_empty()) {
        (true, _) => Ok(Files::System),
        (false, true) => Err(none("there are no files of it".to_owned())),
        (false, false) => Err(none("none of its files may be read by this user".to_owned())),
    }
}

/// Those files whose names begin so that can be read. Older ones have a @ and when they were put
/// away behind that; while this is done there may be no other.
fn opened(places: &[PathBuf], name: &str) -> impl Iterator<Item = File> {
    let listed = places.iter().flat_map(fs::read_dir).flatten().flatten();
    listed.filter_map(move |file| {
        let listed = file.file_name();
        let rest = listed.to_str()?.strip_prefix(name)?;
        if rest.starts_with(['.', '@']) { File::open(file.path()).ok() } else { None }
    })
}

/// The numbers of the entries with which files begin.
#[derive(Debug, Default)]
pub(super) struct Heads {
    looked: Option<Instant>,
    numbers: Vec<u64>,
}

impl Heads {
    /// Whether a file begins with the entry of this number.
    pub(super) fn has(&mut self, number: u64) -> bool {
        let fresh = Duration::from_millis(LOOK_MS);
        if self.looked.is_none_or(|looked| looked.elapsed() > fresh) {
            self.looked = Some(Instant::now());
            self.numbers = Heads::read().unwrap_or_default();
        }
        self.numbers.contains(&number)
    }

    fn read() -> io::Result<Vec<u64>> {
        let places = places()?;
        let head = |file: File| {
            let mut number = [0; 8];
            file.read_exact_at(&mut number, HEAD_SEQNUM_AT).ok()?;
            Some(u64::from_le_bytes(number))
        };
        let names = [own(), SYSTEM.to_owned()];
        Ok(names.iter().flat_map(|name| opened(&places, name)).filter_map(head).collect())
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
        let places = places()?;
        crate::dirs::make_private(folder)?;
        for (number, place) in places.iter().enumerate() {
            // Any id does for the name of a link.
            symlink(place, folder.join(format!("{:032x}", number + 1)))?;
        }
        let names = [own() + ".journal", SYSTEM.to_owned() + ".journal"];
        let files = places.iter().flat_map(|place| names.each_ref().map(|name| place.join(name)));
        let clapper = File::create(folder.join("changed"))?;
        Ok(Arc::new(Bell { folder: folder.to_owned(), clapper, files: files.collect() }))
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
