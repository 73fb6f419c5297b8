//! Sessions: find, list, count, add, change, delete.

use super::row::{self, COLUMNS, ListFilter, MetadataEdit, Patch, SessionRow, Stats};
use super::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Map, Value};
use wire::Timestamp;

/// Whether a row counts as put away, whatever is in the column.
const ARCHIVED: &str = "(COALESCE(CAST(archived AS INTEGER), 0) <> 0)";

/// Longest text that is looked for, in bytes. SQLite refuses patterns over 50,000; no title is
/// half as long.
const SEARCH_BYTES_MAX: usize = 4096;

impl Store {
    /// One session.
    pub async fn session(&self, id: &str) -> Result<Option<SessionRow>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| find(connection, &id)).await
    }

    /// Sessions, last used first.
    pub async fn list_sessions(&self, filter: &ListFilter) -> Result<Vec<SessionRow>, StoreError> {
        if filter.search.as_ref().is_some_and(|text| text.len() > SEARCH_BYTES_MAX) {
            return Ok(Vec::new());
        }
        let filter = filter.clone();
        self.read(move |connection| list(connection, &filter)).await
    }

    /// How many sessions there are.
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        self.read(count).await
    }

    /// Adds a session. False if there is one with this id; it is left as it is.
    pub async fn insert_session(&self, row: &SessionRow) -> Result<bool, StoreError> {
        let row = row.clone();
        self.write(move |change| insert(change, &row)).await
    }

    /// Deletes a session and all that hangs on it: tags, contexts, runs. What its turns came to
    /// stays, without a word of whose they were: it was spent all the same. False if there was
    /// none.
    pub async fn delete_session(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |change| {
            // By hand, not by cascade: `runs` has no foreign key, and rows that the predecessor
            // left behind (trap 71) have no session to cascade from.
            for table in ["session_tags", "session_contexts", "runs", "handed"] {
                let sql = format!("DELETE FROM {table} WHERE session_id = ?1");
                change.prepare_cached(&sql)?.execute([&id])?;
            }
            let forget = "UPDATE turns SET session_id = NULL WHERE session_id = ?1";
            change.prepare_cached(forget)?.execute([&id])?;
            let gone =
                change.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([&id])?;
            Ok(gone > 0)
        })
        .await
    }

    /// Puts a session away or takes it out again; its last access becomes now. Answers the row
    /// as it is then, None if there is no such session.
    pub async fn set_archived(
        &self,
        id: &str,
        archived: bool,
    ) -> Result<Option<SessionRow>, StoreError> {
        let (id, at) = (id.to_owned(), Timestamp::now().to_stored());
        self.write(move |change| {
            change
                .prepare_cached(
                    "UPDATE sessions SET archived = ?2, last_accessed = ?3 WHERE id = ?1",
                )?
                .execute(params![id, archived, at])?;
            find(change, &id)
        })
        .await
    }

    /// Sets the last access. False if there is no such session.
    pub async fn touch(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |change| touch(change, &id, at)).await
    }

    /// Changes a session in one step; its last access becomes now unless the patch is empty.
    /// Answers the row as it is then, None if there is no such session.
    pub async fn patch_session(
        &self,
        id: &str,
        patch: Patch,
    ) -> Result<Option<SessionRow>, StoreError> {
        if patch.is_empty() {
            return self.session(id).await;
        }
        let id = id.to_owned();
        self.write(move |change| {
            change
                .prepare_cached(
                    "UPDATE sessions SET title = COALESCE(?2, title), \
                     model = COALESCE(?3, model), module = COALESCE(?4, module), \
                     trust_level = COALESCE(?5, trust_level), \
                     workspace_id = iif(?6, ?7, workspace_id), last_accessed = ?8 WHERE id = ?1",
                )?
                .execute(params![
                    id,
                    patch.title,
                    patch.model,
                    patch.module,
                    patch.trust_level,
                    patch.workspace_id.is_some(),
                    patch.workspace_id.flatten(),
                    Timestamp::now().to_stored(),
                ])?;
            if let Some(edit) = patch.metadata {
                edit_metadata(change, &id, edit)?;
            }
            find(change, &id)
        })
        .await
    }

    /// Takes all sessions out of a workspace; how many there were. `trust` says of the level
    /// that a session has which one it has from then on. Runs on the writer's thread.
    pub async fn leave_workspace(
        &self,
        slug: &str,
        trust: impl Fn(Option<&str>) -> Option<String> + Send + 'static,
    ) -> Result<usize, StoreError> {
        let slug = slug.to_owned();
        self.write(move |change| {
            let rows: Vec<(String, Option<String>)> = change
                .prepare_cached("SELECT id, trust_level FROM sessions WHERE workspace_id = ?1")?
                .query_map([slug], |row| Ok((row.get(0)?, row::text(row, 1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            let sql = "UPDATE sessions SET workspace_id = NULL, trust_level = ?2 WHERE id = ?1";
            let mut update = change.prepare_cached(sql)?;
            for (id, level) in &rows {
                update.execute(params![id, trust(level.as_deref())])?;
            }
            Ok(rows.len())
        })
        .await
    }
}

/// The row of this id.
pub(super) fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<SessionRow>> {
    connection
        .prepare_cached(&format!("SELECT {} FROM sessions WHERE id = ?1", row::selected()))?
        .query_row([id], row::session)
        .optional()
}

/// Adds the row unless its id is taken. True if it was added.
pub(super) fn insert(connection: &Connection, row: &SessionRow) -> rusqlite::Result<bool> {
    let added = connection
        .prepare_cached(&format!(
            "INSERT INTO sessions ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, \
             ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19) ON CONFLICT (id) DO NOTHING"
        ))?
        .execute(params![
            row.id,
            row.title,
            row.module,
            row.source,
            row.working_directory,
            row.vault_root,
            row.model,
            row.message_count,
            row.archived,
            row.created_at.to_stored(),
            row.last_accessed.to_stored(),
            row.continued_from,
            row.agent_type,
            json(row.metadata.as_ref()),
            row.trust_level,
            row.linked_bot_platform,
            row.linked_bot_chat_id,
            row.linked_bot_chat_type,
            row.workspace_id,
        ])?;
    Ok(added > 0)
}

/// Sets the last access. False if there is no such session.
pub(super) fn touch(connection: &Connection, id: &str, at: Timestamp) -> rusqlite::Result<bool> {
    let changed = connection
        .prepare_cached("UPDATE sessions SET last_accessed = ?2 WHERE id = ?1")?
        .execute(params![id, at.to_stored()])?;
    Ok(changed > 0)
}

/// The query of [`list`]. The index on `last_accessed` gives the order; rows of one moment come
/// as they were added, so that pages neither repeat nor skip.
pub(super) fn list_sql() -> String {
    let selected = row::selected();
    format!(
        "SELECT {selected} FROM sessions WHERE (?7 OR {ARCHIVED} = ?1) \
         AND (?2 IS NULL OR module = ?2) AND (?3 IS NULL OR workspace_id = ?3) \
         AND (?4 IS NULL OR title LIKE ?4 ESCAPE '\\') \
         ORDER BY last_accessed DESC, rowid LIMIT ?5 OFFSET ?6"
    )
}

fn list(connection: &Connection, filter: &ListFilter) -> rusqlite::Result<Vec<SessionRow>> {
    let pattern = filter.search.as_deref().map(contains);
    connection
        .prepare_cached(&list_sql())?
        .query_map(
            params![
                filter.archived,
                filter.module,
                filter.workspace_id,
                pattern,
                filter.limit,
                filter.offset,
                filter.archived_too,
            ],
            row::session,
        )?
        .collect()
}

fn count(connection: &Connection) -> rusqlite::Result<Stats> {
    let sql = format!("SELECT module, {ARCHIVED}, count(*) FROM sessions GROUP BY 1, 2");
    let mut query = connection.prepare_cached(&sql)?;
    let mut rows = query.query([])?;
    let mut stats = Stats::default();
    while let Some(group) = rows.next()? {
        add_group(&mut stats, group)?;
    }
    Ok(stats)
}

fn add_group(stats: &mut Stats, group: &Row<'_>) -> rusqlite::Result<()> {
    let module = row::text(group, 0)?.unwrap_or_default();
    let (archived, many): (bool, i64) = (group.get(1)?, group.get(2)?);
    stats.total += many;
    if archived {
        stats.archived += many;
    } else {
        stats.active += many;
    }
    *stats.by_module.entry(module).or_default() += many;
    Ok(())
}

pub(super) fn edit_metadata(
    connection: &Connection,
    id: &str,
    edit: MetadataEdit,
) -> rusqlite::Result<()> {
    let metadata = match edit {
        MetadataEdit::Whole(metadata) => metadata,
        MetadataEdit::With(edit) => {
            let was = find(connection, id)?.and_then(|row| row.metadata);
            let was_null = was.is_none();
            let mut metadata = was.unwrap_or_default();
            edit(&mut metadata);
            (!was_null || !metadata.is_empty()).then_some(metadata)
        }
    };
    connection
        .prepare_cached("UPDATE sessions SET metadata = ?2 WHERE id = ?1")?
        .execute(params![id, json(metadata.as_ref())])
        .map(|_| ())
}

fn json(metadata: Option<&Map<String, Value>>) -> Option<String> {
    metadata.map(|map| Value::Object(map.clone()).to_string())
}

/// A LIKE pattern, with `\` as its escape, for titles that contain the text as it stands.
pub(super) fn contains(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for sign in text.chars() {
        if matches!(sign, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(sign);
    }
    pattern.push('%');
    pattern
}
