//! One holder at a time, across processes: a lock on a file, which ends with its holder however
//! that ends. The file itself says nothing and stays.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A lock that is ours until this value is dropped or the process ends. Children do not keep it:
/// the descriptor is close-on-exec.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process, or another value in this one, has it.
    #[error("{0} is held by another process")]
    Held(PathBuf),
    /// The file could not be opened or locked.
    #[error("cannot lock {path}")]
    Io {
        /// The lock's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Lock {
    /// Takes the lock at `path` or says at once that it is held. The file is made, with mode
    /// 0600, where it is missing; its folder must exist.
    pub fn take(path: impl AsRef<Path>) -> Result<Lock, LockError> {
        let path = path.as_ref();
        let trouble = |source| LockError::Io { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.custom_flags(libc::O_NOFOLLOW).open(path).map_err(trouble)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(trouble(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lock, LockError};

    #[test]
    fn a_lock_has_one_holder_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = Lock::take(&path).unwrap();
        assert!(matches!(Lock::take(&path), Err(LockError::Held(p)) if p == path));
        drop(lock);
        Lock::take(&path).unwrap();
    }

    #[test]
    fn a_lock_in_no_folder_is_an_error_and_not_held() {
        let dir = tempfile::tempdir().unwrap();
        let taken = Lock::take(dir.path().join("none/lock"));
        assert!(matches!(taken, Err(LockError::Io { .. })));
    }
}
