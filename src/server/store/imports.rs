//! Sessions that came from elsewhere: found by their ids there, and set anew as a whole.

use super::row::{self, MetadataEdit};
use super::sessions::edit_metadata;
use super::{Store, StoreError};
use rusqlite::params;
use wire::Timestamp;

/// A session that came from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromElsewhere {
    /// Whose export it was in.
    pub source: String,
    /// Its id there.
    pub original_id: String,
    /// Its id here.
    pub id: String,
}

/// What is set anew of a session.
pub struct Renewed {
    /// Messages of user and assistant.
    pub message_count: i64,
    /// When it began.
    pub created_at: Timestamp,
    /// Last turn or change.
    pub last_accessed: Timestamp,
    /// What happens to the metadata.
    pub metadata: MetadataEdit,
}

impl Store {
    /// All sessions of these sources that have an id from there in their metadata.
    pub async fn from_elsewhere(
        &self,
        sources: [&'static str; 2],
    ) -> Result<Vec<FromElsewhere>, StoreError> {
        self.read(move |connection| {
            // In this order: what is no JSON must not be looked into.
            let original = "CASE WHEN json_valid(metadata) \
                THEN json_extract(metadata, '$.original_id') END";
            let sql =
                format!("SELECT source, {original}, id FROM sessions WHERE source IN (?1, ?2)");
            let mut query = connection.prepare_cached(&sql)?;
            let rows = query.query_map(sources, |found| {
                let text = |at| row::text(found, at);
                Ok((text(0)?, text(1)?, text(2)?))
            })?;
            let whole = |(source, original_id, id)| {
                Some(FromElsewhere { source: source?, original_id: original_id?, id: id? })
            };
            rows.filter_map(|row| row.map(whole).transpose()).collect()
        })
        .await
    }

    /// Sets a session's facts anew. False if there is no such session.
    pub async fn renew_session(&self, id: &str, renewed: Renewed) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |change| {
            let sql = "UPDATE sessions SET message_count = ?2, created_at = ?3, \
                last_accessed = ?4 WHERE id = ?1";
            let changed = change.prepare_cached(sql)?.execute(params![
                id,
                renewed.message_count,
                renewed.created_at.to_stored(),
                renewed.last_accessed.to_stored(),
            ])?;
            if changed > 0 {
                edit_metadata(change, &id, renewed.metadata)?;
            }
            Ok(changed > 0)
        })
        .await
    }
}
