//! Runs and turns: how far each session's event log has been taken into its row, and what its
//! turns cost. Both follow the log; the log is the truth.

use super::row::{Applied, Handed, TurnRow};
use super::{SessionRow, Store, StoreError, row, sessions};
use rusqlite::{Connection, OptionalExtension, params};
use wire::Timestamp;
use wire::usage::TurnSums;

impl Store {
    /// The start of a turn, in one step: adds `row` if there is no session of this id, sets its
    /// last access and keeps what was asked until the turn's end is seen. False if there is no
    /// session and no row was given; then nothing is written.
    pub async fn begin_turn(
        &self,
        row: Option<SessionRow>,
        handed: Handed,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(move |change| {
            let id = &handed.session_id;
            if let Some(mut row) = row {
                row.id.clone_from(id);
                sessions::insert(change, &row)?;
            }
            if !sessions::touch(change, id, at)? {
                return Ok(false);
            }
            change
                .prepare_cached(
                    "INSERT OR IGNORE INTO handed (turn, session_id, body, at) \
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![handed.turn, id, handed.body, at.to_stored()])?;
            Ok(true)
        })
        .await
    }

    /// Takes a piece of the event log into the session's row, in one step. Asking twice changes
    /// nothing: false if this piece was taken in before, or there is no such session (any more).
    /// A turn that ended is no longer in hand either way.
    pub async fn apply(&self, id: &str, applied: Applied) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |change| apply(change, &id, &applied)).await
    }

    /// Whether the end of this turn has not been seen, and its session is still there.
    pub async fn is_handed(&self, turn: &str) -> Result<bool, StoreError> {
        let turn = turn.to_owned();
        self.read(move |connection| {
            connection.prepare_cached("SELECT 1 FROM handed WHERE turn = ?1")?.exists([turn])
        })
        .await
    }

    /// The session's event log begins anew: nothing of it was taken in.
    pub async fn log_began_anew(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |change| {
            let sql = "UPDATE runs SET applied_id = 0 WHERE session_id = ?1";
            change.prepare_cached(sql)?.execute([id]).map(|_| ())
        })
        .await
    }

    /// Forgets a turn that was accepted and came to nothing: no agent took it.
    pub async fn drop_turn(&self, turn: &str) -> Result<(), StoreError> {
        let turn = turn.to_owned();
        self.write(move |change| drop_handed(change, &turn)).await
    }

    /// Turns whose end has not been seen, oldest first: all, or those of one session.
    pub async fn handed(&self, session: Option<&str>) -> Result<Vec<Handed>, StoreError> {
        let session = session.map(str::to_owned);
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT turn, session_id, body FROM handed \
                     WHERE ?1 IS NULL OR session_id = ?1 ORDER BY at, rowid",
                )?
                .query_map([session], |row| {
                    let (turn, session_id, body) = (row.get(0)?, row.get(1)?, row.get(2)?);
                    Ok(Handed { turn, session_id, body })
                })?
                .collect()
        })
        .await
    }

    /// Id of the last event taken into this session's row; 0 if none was.
    pub async fn applied(&self, id: &str) -> Result<i64, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| applied_id(connection, &id)).await
    }

    /// What the turns of each day came to, from the day of `since` on, newest first; the day as
    /// `2026-11-20` by this machine's clock. Days without a turn are left out.
    pub async fn days(&self, since: Timestamp) -> Result<Vec<(String, TurnSums)>, StoreError> {
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT date(at, 'localtime') AS day, count(*), total(input_tokens), \
                     total(output_tokens), total(cache_read_tokens), total(cache_write_tokens), \
                     total(cost_usd), total(duration_ms) FROM turns \
                     WHERE day >= date(?1, 'localtime') GROUP BY day ORDER BY day DESC",
                )?
                .query_map([since.to_stored()], day)?
                .collect()
        })
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
    if let Some(ended) = &applied.ended {
        // Whatever else is known of it: it has ended.
        drop_handed(connection, ended)?;
    }
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
             title = iif(title IS NULL OR title = ?6, COALESCE(?3, title), title), \
             model = COALESCE(?4, model), last_accessed = ?5 WHERE id = ?1",
        )?
        .execute(params![
            id,
            applied.message_count,
            applied.title,
            applied.model,
            last_accessed.to_stored(),
            applied.title_before,
        ])?;
    connection
        .prepare_cached(
            "INSERT INTO runs (session_id, applied_id) VALUES (?1, ?2) \
             ON CONFLICT (session_id) DO UPDATE SET applied_id = ?2",
        )?
        .execute(params![id, applied.upto])?;
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

fn drop_handed(connection: &Connection, turn: &str) -> rusqlite::Result<()> {
    let sql = "DELETE FROM handed WHERE turn = ?1";
    connection.prepare_cached(sql)?.execute([turn]).map(|_| ())
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

fn day(found: &rusqlite::Row<'_>) -> rusqlite::Result<(String, TurnSums)> {
    let whole = |at: usize| Ok::<_, rusqlite::Error>(row::number(found, at)?.unwrap_or(0));
    let sums = TurnSums {
        turns: whole(1)?,
        input_tokens: whole(2)?,
        output_tokens: whole(3)?,
        cache_read_tokens: whole(4)?,
        cache_write_tokens: whole(5)?,
        cost_usd: found.get(6)?,
        duration_ms: whole(7)?,
    };
    Ok((found.get(0)?, sums))
}
