//! The tables, and how a file of the predecessor (any of its versions) becomes one of ours: a
//! copy first, then everything in one transaction. Facts: contract-core §3.2 and §3.3. A step is
//! taken because what it adds is missing, not because of a version number: the predecessor's
//! numbers do not say what is in the file.

use super::error::StoreError;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The newest schema this version knows.
pub(super) const KNOWN: i64 = 16;

/// How long to wait for a lock that another program holds.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// How many copies are kept beside the file before we ask for one to be moved away.
const COPIES_MAX: u32 = 9;

/// Statements a connection keeps prepared.
const PREPARED_MAX: usize = 64;

/// The predecessor's tables as of v10, and its own indexes on their columns.
const BASE: &str = include_str!("base.sql");

/// Columns of `sessions` that v9 to v13 added, in that order.
const ADDED_COLUMNS: [(&str, &str); 7] = [
    ("vault_root", "TEXT"),
    ("agent_type", "TEXT"),
    ("trust_level", "TEXT DEFAULT 'full'"),
    ("linked_bot_platform", "TEXT"),
    ("linked_bot_chat_id", "TEXT"),
    ("linked_bot_chat_type", "TEXT"),
    ("workspace_id", "TEXT"),
];

/// v11 to v13: the indexes on added columns, and pairing. v16: the index that fresh files of the
/// predecessor lack (trap 75).
const ADDED: &str = include_str!("added.sql");

/// v14: one pair of names for trust.
const RENAME_TRUST: &str = "
    UPDATE sessions SET trust_level = 'trusted' WHERE trust_level IN ('full', 'vault');
    UPDATE sessions SET trust_level = 'untrusted' WHERE trust_level = 'sandboxed';
    UPDATE pairing_requests SET approved_trust_level = 'trusted'
        WHERE approved_trust_level IN ('full', 'vault');
    UPDATE pairing_requests SET approved_trust_level = 'untrusted'
        WHERE approved_trust_level = 'sandboxed';
    INSERT INTO schema_version VALUES (14, datetime('now'));";

/// v15: a relative working directory is one inside the vault.
const ROOT_DIRECTORIES: &str = "
    UPDATE sessions SET working_directory = '/vault/' || working_directory
        WHERE working_directory <> '' AND substr(working_directory, 1, 1) <> '/';
    INSERT INTO schema_version VALUES (15, datetime('now'));";

/// v16, ours. No foreign keys: an event log may outlive its session's row.
const OURS: &str = "
    CREATE TABLE IF NOT EXISTS runs (
        session_id TEXT PRIMARY KEY,
        applied_id INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE IF NOT EXISTS handed (
        turn TEXT PRIMARY KEY,
        session_id TEXT NOT NULL,
        body TEXT NOT NULL,
        at TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS turns (
        session_id TEXT,
        turn INTEGER,
        at TEXT NOT NULL,
        outcome TEXT NOT NULL,
        model TEXT,
        input_tokens INTEGER,
        output_tokens INTEGER,
        cache_read_tokens INTEGER,
        cache_write_tokens INTEGER,
        cost_usd REAL,
        duration_ms INTEGER,
        PRIMARY KEY (session_id, turn)
    );
    INSERT OR IGNORE INTO schema_version VALUES (16, datetime('now'));";

/// Opens the writer's connection: looks at what is there, refuses what we must not touch,
/// migrates what is old, and only then switches the file to WAL.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let wrong = |error| StoreError::of(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(wrong)?;
    connection.busy_timeout(BUSY_WAIT).map_err(wrong)?;
    let found = version(&connection).map_err(wrong)?;
    if found > KNOWN {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: KNOWN });
    }
    // SQLite opens what it may not write without a word.
    if connection.is_readonly("main").map_err(wrong)? {
        return Err(StoreError::ReadOnly { path: path.to_owned() });
    }
    if is_behind(&connection).map_err(wrong)? {
        let copy = if is_empty(&connection).map_err(wrong)? {
            None
        } else {
            Some(keep_copy(&connection, path)?)
        };
        if let Err(error) = migrate(&mut connection) {
            // Nothing was changed, so the copy is one of what is still there.
            if let Some(Err(error)) = copy.map(fs::remove_file) {
                tracing::warn!(%error, "could not remove a copy that is not needed");
            }
            return Err(wrong(error));
        }
    }
    equip(&connection).map_err(wrong)?;
    Ok(connection)
}

/// A connection that cannot write, for a reader. The writer's must be open already.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let wrong = |error| StoreError::of(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(wrong)?;
    connection.busy_timeout(BUSY_WAIT).map_err(wrong)?;
    connection.pragma_update(None, "query_only", true).map_err(wrong)?;
    connection.set_prepared_statement_cache_capacity(PREPARED_MAX);
    Ok(connection)
}

/// A fresh database in memory.
pub(super) fn open_memory() -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    migrate(&mut connection)?;
    equip(&connection)?;
    Ok(connection)
}

fn equip(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" && mode != "memory" {
        tracing::warn!(mode, "this file system allows no write-ahead log; readers will wait");
    }
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(PREPARED_MAX);
    Ok(())
}

/// Everything in one transaction, decided again inside it: another program may have been faster.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    change.execute_batch(BASE)?;
    for (column, kind) in ADDED_COLUMNS {
        if !has_column(&change, column)? {
            change.execute_batch(&format!("ALTER TABLE sessions ADD COLUMN {column} {kind}"))?;
        }
    }
    change.execute_batch(ADDED)?;
    for (label, step) in [(14, RENAME_TRUST), (15, ROOT_DIRECTORIES)] {
        if !has_version(&change, label)? {
            change.execute_batch(step)?;
        }
    }
    change.execute_batch(OURS)?;
    change.commit()
}

/// Whether any table, column, index or step of ours is missing.
pub(super) fn is_behind(connection: &Connection) -> rusqlite::Result<bool> {
    for name in names() {
        if !has_object(connection, name)? {
            return Ok(true);
        }
    }
    for (column, _) in ADDED_COLUMNS {
        if !has_column(connection, column)? {
            return Ok(true);
        }
    }
    for label in [14, 15, 16] {
        if !has_version(connection, label)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The tables and indexes that the scripts above make.
fn names() -> impl Iterator<Item = &'static str> {
    [BASE, ADDED, OURS]
        .into_iter()
        .flat_map(|script| script.split(" IF NOT EXISTS ").skip(1))
        .filter_map(|rest| rest.split_whitespace().next())
}

pub(super) fn has_object(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM sqlite_master WHERE name = ?1")?.exists([name])
}

fn has_column(connection: &Connection, column: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM pragma_table_info('sessions') WHERE name = ?1")?
        .exists([column])
}

fn has_version(connection: &Connection, label: i64) -> rusqlite::Result<bool> {
    if !has_object(connection, "schema_version")? {
        return Ok(false);
    }
    connection.prepare("SELECT 1 FROM schema_version WHERE version = ?1")?.exists([label])
}

/// The highest version the file claims; 0 if it claims none.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    if !has_object(connection, "schema_version")? {
        return Ok(0);
    }
    let highest: Option<i64> =
        connection.query_row("SELECT max(version) FROM schema_version", [], |row| row.get(0))?;
    Ok(highest.unwrap_or(0))
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(!connection.prepare("SELECT 1 FROM sqlite_master")?.exists([])?)
}

/// Keeps the file as it is beside itself, readable by its owner only, under the first name that
/// is free. A copy that was cut short never gets such a name.
fn keep_copy(connection: &Connection, path: &Path) -> Result<PathBuf, StoreError> {
    let partial = beside(path, ".before-v16.partial");
    let copying = |error| StoreError::copying(&partial, error);
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(copying(error)),
        _ => {}
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial)
        .map_err(copying)?;
    let copied = fill_copy(connection, path, &partial)
        .and_then(|()| file.sync_all().map_err(copying))
        .and_then(|()| name_copy(path, &partial))
        .and_then(|name| sync_folder(&name).map(|()| name).map_err(copying));
    if let Err(error) = fs::remove_file(&partial)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "could not remove the unfinished copy of the database");
    }
    copied
}

fn fill_copy(connection: &Connection, path: &Path, partial: &Path) -> Result<(), StoreError> {
    let name = partial.to_str().ok_or_else(|| {
        let source = io::Error::other("its path is not UTF-8, move the vault to one that is");
        StoreError::Copy { path: partial.to_owned(), source }
    })?;
    connection
        .execute("VACUUM INTO ?1", [name])
        .map(|_| ())
        .map_err(|error| StoreError::of(path, error))
}

/// Gives the finished copy its name without ever taking one that is in use.
fn name_copy(path: &Path, partial: &Path) -> Result<PathBuf, StoreError> {
    for number in 1..=COPIES_MAX {
        let name = match number {
            1 => beside(path, ".before-v16"),
            _ => beside(path, &format!(".before-v16.{number}")),
        };
        // A link, unlike a rename, refuses to replace.
        match fs::hard_link(partial, &name) {
            Ok(()) => return Ok(name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // Some file systems have no links.
            Err(_) if !name.exists() => {
                return fs::rename(partial, &name)
                    .map(|()| name.clone())
                    .map_err(|error| StoreError::copying(&name, error));
            }
            Err(_) => {}
        }
    }
    let source = io::Error::other("there are nine copies already, move them away");
    Err(StoreError::Copy { path: beside(path, ".before-v16"), source })
}

/// Makes a new name outlive a power cut.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
