//! A look at a database that changes nothing in it: what it is, and what opening it would do.

use super::StoreError;
use super::schema::{KNOWN, has_object, is_behind, version};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// What was seen.
pub(crate) struct Peek {
    /// The version it claims; 0 if it claims none.
    pub(crate) schema: i64,
    /// The version it would be brought up to.
    pub(crate) wanted: i64,
    /// Whether anything in it is missing.
    pub(crate) is_behind: bool,
    /// The ids of its sessions.
    pub(crate) sessions: Vec<String>,
}

/// Looks. None: there is no file, or nothing in it.
pub(crate) fn peek(path: &Path) -> Result<Option<Peek>, StoreError> {
    if std::fs::metadata(path).map_or(true, |found| found.len() == 0) {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let seen = Connection::open_with_flags(path, flags).and_then(|connection| {
        let sessions = match has_object(&connection, "sessions")? {
            true => ids(&connection)?,
            false => Vec::new(),
        };
        let schema = version(&connection)?;
        Ok(Peek { schema, wanted: KNOWN, is_behind: is_behind(&connection)?, sessions })
    });
    seen.map(Some).map_err(|error| StoreError::of(path, error))
}

fn ids(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection.prepare("SELECT id FROM sessions")?.query_map([], |row| row.get(0))?.collect()
}
