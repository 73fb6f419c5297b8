//! Sessions that name the place where the vault stood when they began; most name none.

use super::row::{self, SessionRow};
use super::{Store, StoreError};
use rusqlite::params;

impl Store {
    /// Sessions that name a place of the vault, oldest first, at most so many.
    pub async fn rooted(&self, limit: u32) -> Result<Vec<SessionRow>, StoreError> {
        self.read(move |connection| {
            let selected = row::selected();
            connection
                .prepare_cached(&format!(
                    "SELECT {selected} FROM sessions WHERE COALESCE(vault_root, '') <> '' \
                     ORDER BY created_at, rowid LIMIT ?1"
                ))?
                .query_map([limit], row::session)?
                .collect()
        })
        .await
    }

    /// Gives a session another place and folder, if it still names the place `from`. Nobody used
    /// it thereby: its last access stays. False if it does not, or there is no such session.
    pub async fn move_session(
        &self,
        id: &str,
        from: &str,
        to: &str,
        working_directory: Option<&str>,
    ) -> Result<bool, StoreError> {
        let (id, from, to) = (id.to_owned(), from.to_owned(), to.to_owned());
        let directory = working_directory.map(str::to_owned);
        self.write(move |change| {
            let moved = change
                .prepare_cached(
                    "UPDATE sessions SET vault_root = ?3, working_directory = ?4 \
                     WHERE id = ?1 AND vault_root = ?2",
                )?
                .execute(params![id, from, to, directory])?;
            Ok(moved > 0)
        })
        .await
    }
}
