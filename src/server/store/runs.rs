//! Runs and turns: how far each session's event log has been taken into its row, and what its
//! turns cost. Both follow the log; the log is the truth.

use super::row::{Applied, TurnRow};
use super::{SessionRow, Store, StoreError, row, sessions};
use rusqlite::{Connection, OptionalExtension, params};
use wire::Timestamp;

impl Store {
    /// The start of a turn, in one step: adds `row` if there is no session of this id, sets its
    /// last access and marks it live. False if there is no session and no row was given; then
    /// nothing is written.
    pub async fn begin_turn(
        &self,
        row: Option<SessionRow>,
        id: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |change| {
            if let Some(mut row) = row {
                row.id.clone_from(&id);
                sessions::insert(change, &row)?;
            }
            if !sessions::touch(change, &id, at)? {
                return Ok(false);
            }
            set_live(change, &id, true)?;
            Ok(true)
        })
        .await
    }

    /// Takes a piece of the event log into the session's row, in one step. Asking twice changes
    /// nothing: false if this piece was taken in before, or there is no such session (any more).
    pub async fn apply(&self, id: &str, applied: Applied) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |change| apply(change, &id, &applied)).await
    }

    /// Marks a session as having no work in hand, whatever the log says: for work that never
    /// reached an agent, or whose agent is known to be gone.
    pub async fn end_run(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |change| set_live(change, &id, false)).await
    }

    /// Sessions whose agent was handed work not yet seen to its end, each with the id of the
    /// last event taken in (0: none).
    pub async fn live_runs(&self) -> Result<Vec<(String, i64)>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT session_id, applied_id FROM runs WHERE live <> 0")?
                .query_map([], |run| Ok((run.get(0)?, run.get(1)?)))?
                .collect()
        })
        .await
    }

    /// Id of the last event taken into this session's row; 0 if none was.
    pub async fn applied(&self, id: &str) -> Result<i64, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| applied_id(connection, &id))
            .await
    }

    /// The turns of a session, first to last.
    pub async fn turns(&self, id: &str) -> Result<Vec<TurnRow>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT turn, at, outcome, model, input_tokens, output_tokens, \
                     cache_read_tokens, cache_write_tokens, cost_usd, duration_ms \
                     FROM turns WHERE session_id = ?1 ORDER BY turn",
                )?
                .query_map([&id], turn)?
                .collect()
        })
        .await
    }
}

fn apply(connection: &Connection, id: &str, applied: &Applied) -> rusqlite::Result<bool> {
    if applied.upto <= applied_id(connection, id)? {
        return Ok(false);
    }
    let Some(session) = sessions::find(connection, id)? else {
        return Ok(false);
    };
    // Events are often taken in long after they happened.
    let last_accessed = session.last_accessed.max(applied.last_accessed);
    connection
        .prepare_cached(
            "UPDATE sessions SET message_count = COALESCE(?2, message_count), \
             title = COALESCE(?3, title), model = COALESCE(?4, model), last_accessed = ?5 \
             WHERE id = ?1",
        )?
        .execute(params![
            id,
            applied.message_count,
            applied.title,
            applied.model,
            last_accessed.to_stored(),
        ])?;
    connection
        .prepare_cached(
            "INSERT INTO runs (session_id, applied_id, live) VALUES (?1, ?2, ?3) \
             ON CONFLICT (session_id) DO UPDATE SET applied_id = ?2, live = ?3",
        )?
        .execute(params![id, applied.upto, applied.live])?;
    if let Some(turn) = &applied.turn {
        keep_turn(connection, id, turn)?;
    }
    Ok(true)
}

fn applied_id(connection: &Connection, id: &str) -> rusqlite::Result<i64> {
    let found = connection
        .prepare_cached("SELECT applied_id FROM runs WHERE session_id = ?1")?
        .query_row([id], |run| run.get(0))
        .optional()?;
    Ok(found.unwrap_or(0))
}

fn set_live(connection: &Connection, id: &str, live: bool) -> rusqlite::Result<()> {
    let sql = if live {
        "INSERT INTO runs (session_id, live) VALUES (?1, 1) \
         ON CONFLICT (session_id) DO UPDATE SET live = 1"
    } else {
        "UPDATE runs SET live = 0 WHERE session_id = ?1"
    };
    connection.prepare_cached(sql)?.execute([id]).map(|_| ())
}

fn keep_turn(connection: &Connection, id: &str, turn: &TurnRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO turns (session_id, turn, at, outcome, model, input_tokens, \
             output_tokens, cache_read_tokens, cache_write_tokens, cost_usd, duration_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            id,
            turn.turn,
            turn.at.to_stored(),
            turn.outcome,
            turn.model,
            turn.input_tokens,
            turn.output_tokens,
            turn.cache_read_tokens,
            turn.cache_write_tokens,
            turn.cost_usd,
            turn.duration_ms,
        ])
        .map(|_| ())
}

fn turn(found: &rusqlite::Row<'_>) -> rusqlite::Result<TurnRow> {
    Ok(TurnRow {
        turn: found.get(0)?,
        at: row::time(found, 1)?,
        outcome: row::text(found, 2)?.unwrap_or_default(),
        model: row::text(found, 3)?,
        input_tokens: row::number(found, 4)?,
        output_tokens: row::number(found, 5)?,
        cache_read_tokens: row::number(found, 6)?,
        cache_write_tokens: row::number(found, 7)?,
        cost_usd: found.get(8)?,
        duration_ms: row::number(found, 9)?,
    })
}
