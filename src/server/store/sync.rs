//! `sync.db`, among what is ours and not the user's: of each synchronised file its text by hash
//! and by what it is known to be unchanged; deletions; texts that files had; what each device was
//! given last. Without it every file is read anew, and deletions are forgotten; no note is lost.
//!
//! Paths are absolute, so that vaults do not meet. It decides nothing.

use super::error::StoreError;
use super::lane::{self, Lane};
use crate::limits::{SYNC_SEEN_MAX, SYNC_TEXTS_MAX, SYNC_TOMBSTONES_MAX};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, Transaction, params};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Jobs that wait for the thread before callers wait for a place.
const QUEUED_MAX: usize = 64;
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// What a device was given so long ago counts no more, in milliseconds.
const SEEN_MILLIS_MAX: i64 = 400 * 24 * 3600 * 1000;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS files (
        path TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        hash TEXT NOT NULL,
        size INTEGER, inode INTEGER, modified_ns INTEGER, changed_ns INTEGER,
        deleted_at INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS files_deleted ON files (deleted_at) WHERE deleted_at IS NOT NULL;
    CREATE TABLE IF NOT EXISTS texts (
        path TEXT NOT NULL, hash TEXT NOT NULL, version INTEGER NOT NULL,
        PRIMARY KEY (path, hash)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS seen (
        who TEXT NOT NULL, path TEXT NOT NULL, hash TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (path, who)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS roots (
        path TEXT PRIMARY KEY, pushed_at INTEGER, pushed_by TEXT, pushed_files INTEGER
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS latest (version INTEGER NOT NULL);
    INSERT INTO latest SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM latest);";

/// The open database. Clones share it.
#[derive(Clone)]
pub(crate) struct SyncStore {
    lane: Arc<Lane>,
    path: PathBuf,
}

/// By what a file is known to be unchanged: size, inode, and both its times.
pub(crate) type Mark = (i64, i64, i64, i64);

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownFile {
    pub(crate) path: String,
    pub(crate) version: i64,
    pub(crate) hash: String,
    /// None: its text has to be read anew.
    pub(crate) mark: Option<Mark>,
    /// In milliseconds since 1970.
    pub(crate) deleted_at: Option<i64>,
}

/// What is known of a path with regard to a device and a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) known: Option<KnownFile>,
    /// What the device was given last; empty: that there is nothing.
    pub(crate) seen: Option<String>,
    /// Whether the text was there at some time.
    pub(crate) had: bool,
    /// Whether other devices were given a text of it.
    pub(crate) shared: bool,
}

/// What was found out of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) path: String,
    /// None: it is gone.
    pub(crate) text: Option<(String, Option<Mark>)>,
    /// Counts only if the file's version is still this one (0: it is not known yet).
    pub(crate) only_at: Option<i64>,
}

/// What a device did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) who: String,
    /// What it was given, or gave; empty: it knows that there is nothing.
    pub(crate) seen: Vec<(String, String)>,
    /// Where it pushed, and how many files.
    pub(crate) pushed: Option<(String, i64)>,
}

/// What is known of a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownRoot {
    pub(crate) path: String,
    pub(crate) files: i64,
    pub(crate) tombstones: i64,
    pub(crate) pushed_at: Option<i64>,
    pub(crate) pushed_by: Option<String>,
    pub(crate) pushed_files: Option<i64>,
}

const KNOWN: &str = "SELECT path, version, hash, size, inode, modified_ns, changed_ns, deleted_at
    FROM files";

impl SyncStore {
    /// Opens the file, or makes it. One that is damaged is put aside: it can be made anew.
    /// Blocks.
    pub(crate) fn open(path: &Path) -> Result<SyncStore, StoreError> {
        let opened = connect(path).or_else(|error| {
            let broken = matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
            );
            if !broken {
                return Err(error);
            }
            let aside = path.with_extension("db.broken");
            tracing::error!(%error, aside = %aside.display(), "sync.db is damaged; made anew");
            match std::fs::rename(path, aside) {
                Ok(()) => connect(path),
                Err(_) => Err(error),
            }
        });
        let connection = opened.map_err(|error| StoreError::of(path, error))?;
        let lane = Lane::start("sync-store", connection, QUEUED_MAX, super::checkpoint)
            .map_err(StoreError::Threads)?;
        Ok(SyncStore { lane: Arc::new(lane), path: path.to_owned() })
    }

    /// All that is known below a folder, deleted files too, by path.
    pub(crate) async fn below(&self, folder: String) -> Result<Vec<KnownFile>, StoreError> {
        self.run(move |change| {
            let sql = format!("{KNOWN} WHERE path >= ?1 AND path < ?2 ORDER BY path");
            let mut query = change.prepare_cached(&sql)?;
            // What follows a slash comes before what follows the next sign.
            query.query_map([format!("{folder}/"), format!("{folder}0")], known)?.collect()
        })
        .await
    }

    /// The deleted files among them, by path.
    pub(crate) async fn buried(&self, folder: String) -> Result<Vec<KnownFile>, StoreError> {
        self.run(move |change| {
            // By their own index: they are few beside those that are there.
            let sql = format!(
                "{KNOWN} INDEXED BY files_deleted
                 WHERE deleted_at IS NOT NULL AND path >= ?1 AND path < ?2 ORDER BY path"
            );
            let mut query = change.prepare_cached(&sql)?;
            query.query_map([format!("{folder}/"), format!("{folder}0")], known)?.collect()
        })
        .await
    }

    /// What is known of each of these paths, with regard to a device and a text's hash.
    pub(crate) async fn remember(
        &self,
        who: String,
        asked: Vec<(String, String)>,
    ) -> Result<Vec<Memory>, StoreError> {
        self.run(move |change| {
            let mut files = change.prepare_cached(&format!("{KNOWN} WHERE path = ?1"))?;
            let seen = "SELECT hash FROM seen WHERE who = ?1 AND path = ?2";
            let mut seen = change.prepare_cached(seen)?;
            let others = "SELECT 1 FROM seen WHERE path = ?2 AND who <> ?1";
            let mut others = change.prepare_cached(others)?;
            let texts = "SELECT 1 FROM texts WHERE path = ?1 AND hash = ?2";
            let mut texts = change.prepare_cached(texts)?;
            let mut of = |(path, hash): &(String, String)| {
                Ok(Memory {
                    known: files.query_row([path], known).optional()?,
                    seen: seen.query_row([&who, path], |row| row.get(0)).optional()?,
                    had: texts.exists([path, hash])?,
                    shared: others.exists([&who, path])?,
                })
            };
            asked.iter().map(&mut of).collect()
        })
        .await
    }

    /// Takes news down, and what a device did. Answers with the version of each file, and last
    /// the newest of all.
    pub(crate) async fn note(
        &self,
        news: Vec<News>,
        visit: Option<Visit>,
    ) -> Result<(Vec<i64>, i64), StoreError> {
        self.run(move |change| {
            let now = wire::Timestamp::now().as_millis();
            let versions = news.iter().map(|news| note(change, news, now));
            let versions = versions.collect::<rusqlite::Result<Vec<i64>>>()?;
            if let Some(visit) = &visit {
                visited(change, visit, now)?;
            }
            let newest = change.query_row("SELECT version FROM latest", [], |row| row.get(0))?;
            Ok((versions, newest))
        })
        .await
    }

    /// Takes down that this folder is synchronised.
    pub(crate) async fn root(&self, path: String) -> Result<(), StoreError> {
        let sql = "INSERT OR IGNORE INTO roots (path) VALUES (?1)";
        self.run(move |change| change.prepare_cached(sql)?.execute([path]).map(|_| ())).await
    }

    /// The synchronised folders in and below a folder, by path, and the newest version of all.
    pub(crate) async fn roots(&self, top: String) -> Result<(Vec<KnownRoot>, i64), StoreError> {
        self.run(move |change| {
            let sql = "SELECT path, pushed_at, pushed_by, pushed_files, \
                       (SELECT count(*) FROM files WHERE files.path >= roots.path || '/' \
                        AND files.path < roots.path || '0' AND deleted_at IS NULL), \
                       (SELECT count(*) FROM files WHERE files.path >= roots.path || '/' \
                        AND files.path < roots.path || '0' AND deleted_at IS NOT NULL) \
                       FROM roots WHERE path = ?1 OR (path >= ?1 || '/' AND path < ?1 || '0') \
                       ORDER BY path";
            let mut query = change.prepare_cached(sql)?;
            let of = |row: &Row<'_>| {
                Ok(KnownRoot {
                    path: row.get(0)?,
                    pushed_at: row.get(1)?,
                    pushed_by: row.get(2)?,
                    pushed_files: row.get(3)?,
                    files: row.get(4)?,
                    tombstones: row.get(5)?,
                })
            };
            let roots = query.query_map([top], of)?.collect::<rusqlite::Result<_>>()?;
            let newest = change.query_row("SELECT version FROM latest", [], |row| row.get(0))?;
            Ok((roots, newest))
        })
        .await
    }

    async fn run<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let answer = self.lane.run(move |connection| {
            let change = connection.transaction()?;
            let answer = job(&change)?;
            change.commit()?;
            Ok(answer)
        });
        let answer = answer.await.map_err(|lane::Closed| StoreError::Closed)?;
        answer.map_err(|error| StoreError::of(&self.path, error))
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT)?;
    let _: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.execute_batch(TABLES)?;
    let long_ago = wire::Timestamp::now().as_millis() - SEEN_MILLIS_MAX;
    connection.execute("DELETE FROM seen WHERE at < ?1", [long_ago])?;
    let forgotten = "SELECT path FROM files WHERE deleted_at IS NOT NULL \
                     ORDER BY deleted_at DESC LIMIT -1 OFFSET ?1";
    let kept = i64::try_from(SYNC_TOMBSTONES_MAX).unwrap_or(i64::MAX);
    for table in ["texts", "files"] {
        let sql = format!("DELETE FROM {table} WHERE path IN ({forgotten})");
        connection.execute(&sql, [kept])?;
    }
    Ok(connection)
}

fn known(row: &Row<'_>) -> rusqlite::Result<KnownFile> {
    let size: Option<i64> = row.get(3)?;
    let mark = match size {
        Some(size) => Some((size, row.get(4)?, row.get(5)?, row.get(6)?)),
        None => None,
    };
    Ok(KnownFile {
        path: row.get(0)?,
        version: row.get(1)?,
        hash: row.get(2)?,
        mark,
        deleted_at: row.get(7)?,
    })
}

/// Takes one file's news down; its version then, 0 where nothing is known of it.
fn note(change: &Transaction<'_>, news: &News, now: i64) -> rusqlite::Result<i64> {
    let sql = "SELECT version, hash, deleted_at FROM files WHERE path = ?1";
    let mut known = change.prepare_cached(sql)?;
    let known: Option<(i64, String, Option<i64>)> = known
        .query_row([&news.path], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let version = known.as_ref().map_or(0, |(version, ..)| *version);
    if news.only_at.is_some_and(|only_at| only_at != version) {
        return Ok(version);
    }
    let next = || -> rusqlite::Result<i64> {
        let sql = "UPDATE latest SET version = version + 1 RETURNING version";
        change.prepare_cached(sql)?.query_row([], |row| row.get(0))
    };
    let Some((hash, mark)) = &news.text else {
        return match known {
            Some((_, _, None)) => {
                let version = next()?;
                let sql = "UPDATE files SET version = ?2, deleted_at = ?3, size = NULL \
                           WHERE path = ?1";
                change.prepare_cached(sql)?.execute(params![news.path, version, now])?;
                Ok(version)
            }
            _ => Ok(version),
        };
    };
    let same = known.is_some_and(|(_, old, deleted)| old == *hash && deleted.is_none());
    let version = if same { version } else { next()? };
    let sql = "INSERT OR REPLACE INTO files (path, version, hash, size, inode, modified_ns, \
               changed_ns, deleted_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL)";
    let mark = mark.map(|(size, inode, modified, changed)| {
        (Some(size), Some(inode), Some(modified), Some(changed))
    });
    let (size, inode, modified, changed) = mark.unwrap_or_default();
    let row = params![news.path, version, hash, size, inode, modified, changed];
    change.prepare_cached(sql)?.execute(row)?;
    if !same {
        remember_text(change, &news.path, hash, version)?;
    }
    Ok(version)
}

fn remember_text(
    change: &Transaction<'_>,
    path: &str,
    hash: &str,
    version: i64,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO texts (path, hash, version) VALUES (?1, ?2, ?3)";
    change.prepare_cached(sql)?.execute(params![path, hash, version])?;
    let sql = "DELETE FROM texts WHERE path = ?1 AND version <= (SELECT version FROM texts \
               WHERE path = ?1 ORDER BY version DESC LIMIT 1 OFFSET ?2)";
    let kept = i64::try_from(SYNC_TEXTS_MAX).unwrap_or(i64::MAX);
    change.prepare_cached(sql)?.execute(params![path, kept]).map(|_| ())
}

fn visited(change: &Transaction<'_>, visit: &Visit, now: i64) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO seen (who, path, hash, at) VALUES (?1, ?2, ?3, ?4)";
    let mut seen = change.prepare_cached(sql)?;
    // Devices call themselves what they like, and could be ever new ones.
    let sql = "DELETE FROM seen WHERE path = ?1 AND who IN (SELECT who FROM seen \
               WHERE path = ?1 ORDER BY who = ?2 DESC, at DESC LIMIT -1 OFFSET ?3)";
    let mut rest = change.prepare_cached(sql)?;
    let kept = i64::try_from(SYNC_SEEN_MAX).unwrap_or(i64::MAX);
    for (path, hash) in &visit.seen {
        seen.execute(params![visit.who, path, hash, now])?;
        rest.execute(params![path, visit.who, kept])?;
    }
    if let Some((root, files)) = &visit.pushed {
        let sql = "INSERT OR REPLACE INTO roots (path, pushed_at, pushed_by, pushed_files) \
                   VALUES (?1, ?2, ?3, ?4)";
        change.prepare_cached(sql)?.execute(params![root, now, visit.who, files])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(path: &str, hash: Option<&str>, only_at: Option<i64>) -> News {
        let text = hash.map(|hash| (hash.to_owned(), Some((1, 2, 3, 4))));
        News { path: path.into(), text, only_at }
    }

    async fn noted(store: &SyncStore, news: News) -> i64 {
        store.note(vec![news], None).await.expect("noted").0[0]
    }

    #[tokio::test]
    async fn versions_grow_with_changes_alone_and_news_of_before_count_no_more() {
        let top = tempfile::tempdir().expect("a folder");
        let store = SyncStore::open(&top.path().join("sync.db")).expect("opened");
        let path = "/v/Daily/a.md";
        let first = noted(&store, news(path, Some("one"), Some(0))).await;
        assert_eq!(noted(&store, news(path, Some("one"), None)).await, first);
        let second = noted(&store, news(path, Some("two"), None)).await;
        assert!(second > first);
        // A walk that began before does not know of the change since.
        assert_eq!(noted(&store, news(path, None, Some(first))).await, second);
        let gone = noted(&store, news(path, None, Some(second))).await;
        assert_eq!(noted(&store, news(path, None, None)).await, gone);
        noted(&store, news("/v/Daily2/b.md", Some("b"), None)).await;
        noted(&store, news("/v/Daily.md", Some("b"), None)).await;
        let below = store.below("/v/Daily".into()).await.expect("known");
        assert_eq!(below.len(), 1, "{below:?}");
        assert!(below[0].deleted_at.is_some() && below[0].hash == "two");
        noted(&store, news("/v/Daily/there.md", Some("c"), None)).await;
        noted(&store, news("/v/Daily2/b.md", None, None)).await;
        assert_eq!(store.buried("/v/Daily".into()).await.expect("known"), below);
        let visit =
            Visit { who: "a".into(), seen: vec![(path.into(), String::new())], pushed: None };
        store.note(Vec::new(), Some(visit)).await.expect("noted");
        let asked = vec![(path.to_owned(), "one".to_owned()), (path.to_owned(), "new".to_owned())];
        let by_a = store.remember("a".into(), asked.clone()).await.expect("remembered");
        assert_eq!((by_a[0].had, by_a[1].had, by_a[0].shared), (true, false, false));
        assert_eq!(by_a[0].seen.as_deref(), Some(""));
        let by_b = store.remember("b".into(), asked).await.expect("remembered");
        assert_eq!((by_b[0].seen.as_deref(), by_b[0].shared), (None, true));
    }

    #[tokio::test]
    async fn of_each_file_only_so_many_devices_are_remembered() {
        let top = tempfile::tempdir().expect("a folder");
        let store = SyncStore::open(&top.path().join("sync.db")).expect("opened");
        for number in 0..3 * SYNC_SEEN_MAX {
            let seen = vec![("/v/a".into(), "x".into()), (format!("/v/{number}"), "x".into())];
            let visit = Visit { who: format!("device {number}"), seen, pushed: None };
            store.note(Vec::new(), Some(visit)).await.expect("noted");
        }
        let of = |number: usize, path: &str| {
            let asked = vec![(path.to_owned(), String::new())];
            let found = store.remember(format!("device {number}"), asked);
            async { found.await.expect("remembered").remove(0).seen }
        };
        let mut known = 0;
        for number in 0..3 * SYNC_SEEN_MAX {
            known += usize::from(of(number, "/v/a").await.is_some());
        }
        assert_eq!(known, SYNC_SEEN_MAX);
        assert!(of(3 * SYNC_SEEN_MAX - 1, "/v/a").await.is_some(), "the newest");
        assert!(of(0, "/v/0").await.is_some(), "what it has of other files stays");
    }

    #[tokio::test]
    async fn of_each_file_only_so_many_texts_are_remembered() {
        let top = tempfile::tempdir().expect("a folder");
        let store = SyncStore::open(&top.path().join("sync.db")).expect("opened");
        let all = (0..=SYNC_TEXTS_MAX).map(|n| news("/v/a", Some(&format!("text {n}")), None));
        store.note(all.collect(), None).await.expect("noted");
        let asked = ["text 0", "text 1"].map(|text| ("/v/a".to_owned(), text.to_owned()));
        let found = store.remember("a".into(), asked.to_vec()).await.expect("remembered");
        assert_eq!((found[0].had, found[1].had), (false, true));
    }
}
