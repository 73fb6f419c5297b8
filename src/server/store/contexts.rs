//! Contexts of sessions: which folders and notes a person chose. What they lead to is not known
//! here.

use super::{Store, StoreError, row};
use rusqlite::{Connection, params};
use wire::Timestamp;

impl Store {
    /// The contexts of a session, by name. None: there is no such session.
    pub async fn contexts(&self, id: &str) -> Result<Option<Vec<String>>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| {
            if !is_there(connection, &id)? {
                return Ok(None);
            }
            let sql = "SELECT folder_path FROM session_contexts WHERE session_id = ?1 ORDER BY 1";
            let mut query = connection.prepare_cached(sql)?;
            let paths =
                query.query_map([&id], |found| Ok(row::text(found, 0)?.unwrap_or_default()))?;
            paths.collect::<rusqlite::Result<Vec<_>>>().map(Some)
        })
        .await
    }

    /// Replaces the contexts of a session. False: there is no such session.
    pub async fn set_contexts(&self, id: &str, paths: Vec<String>) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |change| {
            if !is_there(change, &id)? {
                return Ok(false);
            }
            let sql = "DELETE FROM session_contexts WHERE session_id = ?1";
            change.prepare_cached(sql)?.execute([&id])?;
            paths.iter().try_for_each(|path| add(change, &id, path))?;
            Ok(true)
        })
        .await
    }

    /// Adds a context, once. False: there is no such session.
    pub async fn add_context(&self, id: &str, path: &str) -> Result<bool, StoreError> {
        let (id, path) = (id.to_owned(), path.to_owned());
        self.write(move |change| {
            if !is_there(change, &id)? {
                return Ok(false);
            }
            add(change, &id, &path).map(|()| true)
        })
        .await
    }

    /// Takes a context away. False: there is no such session.
    pub async fn remove_context(&self, id: &str, path: &str) -> Result<bool, StoreError> {
        let (id, path) = (id.to_owned(), path.to_owned());
        self.write(move |change| {
            let sql = "DELETE FROM session_contexts WHERE session_id = ?1 AND folder_path = ?2";
            change.prepare_cached(sql)?.execute([&id, &path])?;
            is_there(change, &id)
        })
        .await
    }
}

fn is_there(connection: &Connection, id: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM sessions WHERE id = ?1")?.exists([id])
}

fn add(connection: &Connection, id: &str, path: &str) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO session_contexts (session_id, folder_path, added_at) \
               VALUES (?1, ?2, ?3)";
    let at = Timestamp::now().to_stored();
    connection.prepare_cached(sql)?.execute(params![id, path, at]).map(|_| ())
}
