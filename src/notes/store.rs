//! The index's database, as its one writer has it. It is only a cache: one that cannot be opened,
//! is of another version or of another vault is begun anew, and nobody's notes depend on it.

use crate::Note;
use crate::files::{Stat, below};
use crate::limits::{BATCH_BYTES, BATCH_NOTES, BATCH_TIME, BUSY};
use crate::text::spaced;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where entities lie.
pub(crate) const ENTITIES: &str = "Brain/entities";

const SCHEMA: &str = include_str!("schema.sql");
/// Counted up with each change of the schema or of what is put into it.
const VERSION: i32 = 2;

/// Why the index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The database says so.
    #[error("the index of the notes: {0}")]
    Sql(#[from] rusqlite::Error),
    /// Its file, or the vault, cannot be used.
    #[error("the index of the notes: {0}")]
    Io(#[from] io::Error),
}

impl IndexError {
    /// Whether the file is no good, and a new one would be.
    pub(crate) fn is_broken(&self) -> bool {
        let IndexError::Sql(error) = self else { return false };
        is_broken(error)
    }
}

pub(crate) fn is_broken(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    let is_empty = |said: &str| said.contains("no such table") || said.contains("no such column");
    match error {
        rusqlite::Error::SqliteFailure(failure, said) => {
            matches!(failure.code, DatabaseCorrupt | NotADatabase)
                || said.as_deref().is_some_and(is_empty)
        }
        rusqlite::Error::SqlInputError { msg, .. } => is_empty(msg),
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::QueryReturnedNoRows => true,
        _ => false,
    }
}

/// The index, open for writing.
pub(crate) struct Store {
    sql: Connection,
    file: PathBuf,
    /// Which file on the disk that is.
    id: (u64, u64),
    /// What is not yet committed: notes, bytes, since when.
    begun: Option<(usize, usize, Instant)>,
}

/// A note that is in the index.
pub(crate) struct Kept {
    pub(crate) id: i64,
    pub(crate) stat: Stat,
}

impl Store {
    /// Opens the index of a vault, or begins it anew.
    pub(crate) fn open(file: &Path, vault: &Path) -> Result<Store, IndexError> {
        match Store::open_known(file, vault) {
            Ok(Some(store)) => return Ok(store),
            Ok(None) => {}
            Err(error) if error.is_broken() => {
                tracing::warn!(%error, "the index of the notes is broken and begun anew");
            }
            Err(error) => return Err(error),
        }
        remove(file)?;
        let sql = connect(file)?;
        sql.execute_batch(SCHEMA)?;
        sql.execute_batch("CREATE TABLE about (vault TEXT NOT NULL)")?;
        sql.execute("INSERT INTO about VALUES (?1)", [vault.to_string_lossy()])?;
        sql.pragma_update(None, "user_version", VERSION)?;
        Store::of(sql, file)
    }

    fn open_known(file: &Path, vault: &Path) -> Result<Option<Store>, IndexError> {
        if let Some(folder) = file.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let sql = connect(file)?;
        let version: i32 = sql.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version != VERSION {
            return Ok(None);
        }
        let of: String = sql.query_row("SELECT vault FROM about", [], |row| row.get(0))?;
        if of != vault.to_string_lossy() {
            return Ok(None);
        }
        Store::of(sql, file).map(Some)
    }

    fn of(sql: Connection, file: &Path) -> Result<Store, IndexError> {
        let found = fs::metadata(file)?;
        let id = (found.dev(), found.ino());
        Ok(Store { sql, file: file.to_owned(), id, begun: None })
    }

    /// Whether the file is still there; somebody may have taken it away.
    pub(crate) fn is_there(&self) -> bool {
        fs::metadata(&self.file).is_ok_and(|found| (found.dev(), found.ino()) == self.id)
    }

    /// The notes of a folder by their files.
    pub(crate) fn of_folder(&self, folder: &str) -> rusqlite::Result<HashMap<String, Kept>> {
        let mut asked = self.sql.prepare_cached(
            "SELECT file, id, modified, size, inode FROM notes WHERE folder = ?1",
        )?;
        let rows = asked.query_map([folder], |row| {
            let stat = Stat { modified: row.get(2)?, size: row.get(3)?, inode: row.get(4)? };
            Ok((row.get(0)?, Kept { id: row.get(1)?, stat }))
        })?;
        rows.collect()
    }

    /// One note.
    pub(crate) fn at(&self, path: &str) -> rusqlite::Result<Option<Kept>> {
        let mut asked = self
            .sql
            .prepare_cached("SELECT id, modified, size, inode FROM notes WHERE path = ?1")?;
        let row = asked.query_row([path], |row| {
            let stat = Stat { modified: row.get(1)?, size: row.get(2)?, inode: row.get(3)? };
            Ok(Kept { id: row.get(0)?, stat })
        });
        row.optional()
    }

    /// Every folder with notes in it, from this one down.
    pub(crate) fn folders(&self, top: &str) -> rusqlite::Result<Vec<String>> {
        let all = "SELECT DISTINCT folder FROM notes";
        let below = "SELECT DISTINCT folder FROM notes
             WHERE folder = ?1 OR (folder > ?1 || '/' AND folder < ?1 || '0')";
        let mut asked = self.sql.prepare_cached(if top.is_empty() { all } else { below })?;
        let given: &[&str] = if top.is_empty() { &[] } else { &[top] };
        let rows = asked.query_map(params_from_iter(given), |row| row.get(0))?;
        rows.collect()
    }

    /// How many notes there are.
    pub(crate) fn count(&self) -> rusqlite::Result<usize> {
        let count: i64 = self.sql.query_row("SELECT count(*) FROM notes", [], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Puts a note in, instead of what was known of this path. Gives the path of another note
    /// that gives itself the same id.
    pub(crate) fn put(
        &mut self,
        (folder, file): (&str, &str),
        stat: Stat,
        note: &Note,
    ) -> rusqlite::Result<Option<String>> {
        let path = below(folder, file);
        if let Some(kept) = self.at(&path)? {
            self.remove(kept.id)?;
        }
        self.begin(note.body.len())?;
        let is_entity = Path::new(&path).starts_with(ENTITIES);
        let para_id = note.id_at(&path);
        let warnings: Vec<String> = note.warnings.iter().map(ToString::to_string).collect();
        let mut other = None;
        if note.para_id.is_some() {
            let mut asked =
                self.sql.prepare_cached("SELECT path FROM notes WHERE para_id = ?1 LIMIT 1")?;
            other = asked.query_row([para_id], |row| row.get(0)).optional()?;
        }
        self.sql
            .prepare_cached(
                "INSERT INTO notes (folder, file, path, modified, size, inode, is_entity, para_id,
                    name, name_key, tags, aliases, warnings)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute(params![
                folder,
                file,
                path,
                stat.modified,
                stat.size,
                stat.inode,
                is_entity,
                spaced(para_id),
                spaced(&note.name),
                note.name.trim().to_lowercase(),
                spaced(&note.tags.join("\n")),
                note.aliases.join("\n"),
                warnings.join("\n"),
            ])?;
        let id = self.sql.last_insert_rowid();
        self.put_parts(id, note)?;
        Ok(other)
    }

    fn put_parts(&self, id: i64, note: &Note) -> rusqlite::Result<()> {
        let insert = |sql: &str, text: &str| {
            self.sql.prepare_cached(sql)?.execute(params![id, text]).map(drop)
        };
        insert("INSERT INTO texts (id, body) VALUES (?1, ?2)", &spaced(&note.body))?;
        for tag in &note.tags {
            // Two that differ in case alone are one.
            insert("INSERT OR IGNORE INTO tags (note, tag) VALUES (?1, ?2)", &tag.to_lowercase())?;
        }
        for target in &note.links {
            insert("INSERT INTO links (source, target) VALUES (?1, ?2)", target)?;
        }
        self.sql
            .prepare_cached(
                "INSERT INTO words (rowid, name, tags, para_id, body, mark)
                 SELECT id, name, tags, para_id, body, mark FROM shown WHERE id = ?1",
            )?
            .execute([id])
            .map(drop)
    }

    /// Takes a note out.
    pub(crate) fn remove(&mut self, id: i64) -> rusqlite::Result<()> {
        self.begin(0)?;
        for sql in [
            // What the words were has to be said for them to be taken out.
            "INSERT INTO words (words, rowid, name, tags, para_id, body, mark)
             SELECT 'delete', id, name, tags, para_id, body, mark FROM shown WHERE id = ?1",
            "DELETE FROM texts WHERE id = ?1",
            "DELETE FROM tags WHERE note = ?1",
            "DELETE FROM links WHERE source = ?1",
            "DELETE FROM notes WHERE id = ?1",
        ] {
            self.sql.prepare_cached(sql)?.execute([id])?;
        }
        Ok(())
    }

    /// Takes out what lies in a folder, not what lies in folders of it.
    pub(crate) fn remove_folder(&mut self, folder: &str) -> rusqlite::Result<()> {
        for kept in self.of_folder(folder)?.into_values() {
            self.remove(kept.id)?;
            self.breathe()?;
        }
        Ok(())
    }

    fn begin(&mut self, bytes: usize) -> rusqlite::Result<()> {
        if self.begun.is_none() {
            self.sql.execute_batch("BEGIN IMMEDIATE")?;
            self.begun = Some((0, 0, Instant::now()));
        }
        if let Some((notes, sum, _)) = &mut self.begun {
            *notes += 1;
            *sum += bytes;
        }
        Ok(())
    }

    /// Writes what has come together, if that is enough.
    pub(crate) fn breathe(&mut self) -> rusqlite::Result<()> {
        let is_enough = |(notes, bytes, since): (usize, usize, Instant)| {
            notes >= BATCH_NOTES || bytes >= BATCH_BYTES || since.elapsed() >= BATCH_TIME
        };
        if self.begun.is_some_and(is_enough) { self.settle() } else { Ok(()) }
    }

    /// Writes what has come together.
    pub(crate) fn settle(&mut self) -> rusqlite::Result<()> {
        match self.begun.take() {
            Some(_) => self.sql.execute_batch("COMMIT"),
            None => Ok(()),
        }
    }

    /// Gives back what is kept for speed.
    pub(crate) fn rest(&self) {
        self.sql.flush_prepared_statement_cache();
        // The file beside grows with what was written at once, and is read by every search.
        let checked = self.sql.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = checked.and_then(|()| self.sql.release_memory()) {
            tracing::debug!(%error, "the index of the notes does not rest");
        }
    }
}

fn connect(file: &Path) -> Result<Connection, IndexError> {
    // It has texts of a person's notes in it; what lies beside it gets the same mode.
    fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file)?;
    let sql = Connection::open(file)?;
    sql.busy_timeout(BUSY)?;
    sql.pragma_update(None, "journal_mode", "WAL")?;
    // A cache: what the last moment before a power cut wrote may be lost, the order not.
    sql.pragma_update(None, "synchronous", "NORMAL")?;
    sql.pragma_update(None, "cache_size", -2048)?;
    sql.set_prepared_statement_cache_capacity(32);
    Ok(sql)
}

/// Takes the files of an index away.
pub(crate) fn remove(file: &Path) -> io::Result<()> {
    for end in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn at_rest_what_was_written_beside_is_in_the_file_and_nobody_else_reads_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("state/index.db");
        let mut store = Store::open(&file, dir.path()).expect("opened");
        for name in ["a.md", "b.md"] {
            let note = Note::read(name, b"# A note\nwith a text");
            store.put(("", name), Stat::default(), &note).expect("put");
        }
        store.settle().expect("written");
        let length = |end: &str| {
            let found = fs::metadata(dir.path().join(format!("state/index.db{end}")));
            let found = found.expect("a file");
            assert_eq!(found.permissions().mode() & 0o777, 0o600, "{end}");
            found.len()
        };
        assert!(length("-wal") > 0);
        store.rest();
        assert_eq!(length("-wal"), 0);
        assert!(length("") > 0);
        assert_eq!(store.count().expect("counted"), 2);
        assert_eq!(store.folders("").expect("listed"), [""]);
        assert_eq!(store.folders("x").expect("listed"), [""; 0]);
    }
}
