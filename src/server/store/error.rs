//! What can go wrong with the database, in words a person can act on. Which code an error
//! becomes for a client is decided elsewhere.

use rusqlite::ErrorCode;
use std::io;
use std::path::{Path, PathBuf};

/// Why the database did not do what was asked. The file is unchanged by the failed act.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is something else, or encrypted.
    #[error(
        "{} is not a SQLite database; move it aside and start again, a new one will be made",
        path.display()
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// SQLite found its own structures broken.
    #[error(
        "{} is damaged; stop the server, keep the file, and put a copy in its place, or save \
         what can be read with `sqlite3 FILE .recover`",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A later version of the suite wrote it.
    #[error(
        "{} was written by a newer version (schema {found}, this one knows {known}); \
         install that version, or put back a copy made before it",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema in the file.
        found: i64,
        /// The newest schema we know.
        known: i64,
    },
    /// The file, its folder or the disk does not take writes.
    #[error(
        "{} cannot be written; check owner and mode of the file and of its folder",
        path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// No space left, or a quota.
    #[error("no space is left to write {}; free some and try again", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Another program kept it locked longer than we wait.
    #[error(
        "{} is held by another program; stop the other server and try again",
        path.display()
    )]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// It is there and cannot be opened.
    #[error(
        "{} cannot be opened; check that it is a file, and its owner and mode",
        path.display()
    )]
    Unopenable {
        /// The file.
        path: PathBuf,
    },
    /// Its folder could not be made.
    #[error("the folder {} cannot be made", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The copy before a migration could not be made, so nothing was migrated.
    #[error("no copy of the database could be kept as {}, so it was left as it is", path.display())]
    Copy {
        /// The copy.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The threads of the store could not be started.
    #[error("the threads of the database could not be started")]
    Threads(#[source] io::Error),
    /// After [`close`](super::Store::close).
    #[error("the database is closed")]
    Closed,
    /// Anything else; a defect of ours more often than not.
    #[error("the database refused")]
    Sql(#[source] rusqlite::Error),
}

impl StoreError {
    /// An error of SQLite on this file, sorted by what a person would do about it.
    pub(super) fn of(path: &Path, error: rusqlite::Error) -> StoreError {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => StoreError::NotADatabase { path },
            Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged { path },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                StoreError::ReadOnly { path }
            }
            Some(ErrorCode::DiskFull) => StoreError::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { path },
            Some(ErrorCode::CannotOpen) => StoreError::Unopenable { path },
            _ => StoreError::Sql(error),
        }
    }

    /// An error while the copy at `path` was made.
    pub(super) fn copying(path: &Path, source: io::Error) -> StoreError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { path },
            _ => StoreError::Copy { path, source },
        }
    }
}
