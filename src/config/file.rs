//! Small files of the user: read whole and bounded, replaced whole and atomically, under a lock
//! file so that two programs do not undo each other's change. What is in them is not known here.

use atomic_write_file::OpenOptions;
use atomic_write_file::unix::OpenOptionsExt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt as _, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest file taken, in bytes.
const BYTES_MAX: u64 = 1 << 20;
/// How long to wait for another program's lock.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// How often to look.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// What a file on disk looked like when it was read: another look that differs means that
/// somebody wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Stamp {
    /// None if there is no file.
    pub(crate) fn of(path: &Path) -> Option<Stamp> {
        fs::metadata(path).ok().map(|found| Stamp::from(&found))
    }

    fn from(found: &fs::Metadata) -> Stamp {
        let changed = (found.mtime(), found.mtime_nsec());
        Stamp { inode: found.ino(), bytes: found.len(), changed }
    }
}

/// The text of a file; None if there is none.
pub(crate) fn read(path: &Path) -> io::Result<Option<String>> {
    Ok(read_stamped(path)?.map(|(text, _)| text))
}

/// The text of a file and what it looked like just before it was read.
pub(crate) fn read_stamped(path: &Path) -> io::Result<Option<(String, Stamp)>> {
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    // Opening a pipe would wait for its other end.
    if !found.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let file = File::open(path)?;
    let stamp = Stamp::from(&file.metadata()?);
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(io::Error::other(format!("it is longer than {BYTES_MAX} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))?;
    Ok(Some((text, stamp)))
}

/// Which mode a replaced file has. A new one is always 0600.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The one it had.
    Kept,
    /// 0600.
    Private,
}

/// Replaces a file as a whole: a reader sees the old text or the new one, a power cut leaves one
/// of them.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
    // A link is followed; renaming over it would cut the user's file off from its other name.
    let real = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        real => real?,
    };
    let mut file = OpenOptions::new().mode(0o600).preserve_mode(mode == Mode::Kept).open(real)?;
    file.write_all(bytes)?;
    file.commit()
}

/// Makes the folder of a file, for its owner only.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => fs::DirBuilder::new().recursive(true).mode(0o700).create(folder),
        None => Ok(()),
    }
}

/// Whether others than the owner may read a file.
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

/// An exclusive lock among programs that agree on its file. It ends with the value, or with the
/// process.
pub(crate) struct Lock {
    _held: File,
}

impl Lock {
    /// Waits for the lock, not forever.
    pub(crate) fn take(path: &Path) -> io::Result<Lock> {
        let file =
            File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _held: file }),
                Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_WAIT => {
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    let said = format!("another program holds {}", path.display());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, said));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }
}
