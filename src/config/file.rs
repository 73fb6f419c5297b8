//! Small files of the user: read whole and bounded, replaced whole and atomically, under a lock
//! file so that two programs do not undo each other's change. What is in them is not known here.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest file taken and written, in bytes.
const BYTES_MAX: u64 = 1 << 20;
/// How the name of a file ends that is not yet in its place. A program that is killed while it
/// writes leaves one behind; nobody else gives such names, so it can be told from a user's file.
const UNFINISHED: &str = ".parachute";
/// Digits before that end, all random.
const UNFINISHED_DIGITS: usize = 16;
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
    if bytes.len() as u64 > BYTES_MAX {
        return Err(io::Error::other(format!("it would be longer than {BYTES_MAX} bytes")));
    }
    let real = real(path)?;
    let new = real.with_file_name(unfinished_name(&real)?);
    let file = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
    let written = fill(file, &real, bytes, mode).and_then(|()| fs::rename(&new, &real));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written?;
    sync_folder(&real)
}

fn fill(mut file: File, old: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
    if let Ok(old) = fs::metadata(old) {
        // Only root may give a file away; anybody else's file becomes ours.
        match fchown(&file, Some(old.uid()), Some(old.gid())) {
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
            _ => {}
        }
        if mode == Mode::Kept {
            file.set_permissions(Permissions::from_mode(old.mode() & 0o777))?;
        }
    }
    file.write_all(bytes)?;
    file.sync_all()
}

/// Takes a file away, for good also after a power cut. One that is missing is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| sync_folder(path)),
    }
}

/// A link is followed; renaming over it would cut the user's file off from its other name.
fn real(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        real => real,
    }
}

/// The folder a file is in, as a path that can be opened.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

fn unfinished_name(path: &Path) -> io::Result<OsString> {
    let mut random = [0; UNFINISHED_DIGITS / 2];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let mut name = unfinished_start(path);
    random.iter().for_each(|byte| name.push(format!("{byte:02x}")));
    name.push(UNFINISHED);
    Ok(name)
}

fn unfinished_start(path: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    name
}

/// Whether a file of this name is one that was to become the one at `path`.
fn is_unfinished(name: &OsStr, path: &Path) -> bool {
    let start = unfinished_start(path);
    let digits = name.as_bytes().strip_prefix(start.as_bytes());
    digits.and_then(|rest| rest.strip_suffix(UNFINISHED.as_bytes())).is_some_and(|digits| {
        digits.len() == UNFINISHED_DIGITS && digits.iter().all(u8::is_ascii_hexdigit)
    })
}

/// Takes away what killed programs left beside a file. They may hold its secrets.
fn sweep(path: &Path) -> io::Result<()> {
    let real = real(path)?;
    for entry in fs::read_dir(folder(&real))? {
        let entry = entry?;
        if is_unfinished(&entry.file_name(), &real) {
            remove(&entry.path())?;
        }
    }
    Ok(())
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

/// Threads of this program wait here for their turn, before they wait for other programs: among
/// many who look again and again, one could be passed over until its time is up.
static TURN: Mutex<()> = Mutex::new(());

/// An exclusive lock among programs that agree on its file. It ends with the value, or with the
/// process. A thread has one at a time.
pub(crate) struct Lock {
    _held: File,
    _turn: MutexGuard<'static, ()>,
}

impl Lock {
    /// Replaces a file that nobody writes without this lock, as [`replace`] does, and takes away
    /// what killed programs left beside it.
    pub(crate) fn replace(&self, path: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
        // What cannot be taken away now will be tried again; it is no reason not to write.
        let _ = sweep(path);
        replace(path, bytes, mode)
    }

    /// Waits for the threads before this one, and for other programs not forever.
    pub(crate) fn take(path: &Path) -> io::Result<Lock> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let file =
            File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _held: file, _turn: turn }),
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
