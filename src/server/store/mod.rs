//! The database: `vault/Chat/sessions.db`, SQLite in WAL mode. One thread writes, two read;
//! callers hand over closures and await the answers. Rows go in and out as plain structs.
//!
//! It decides nothing: what a trust level or a source means, and what the JSON of a session
//! looks like, is the business of the layers above. An in-memory database is its own fake.

mod contexts;
mod error;
mod imports;
mod lane;
mod moves;
mod peek;
pub(crate) mod replaced;
mod row;
mod runs;
mod schema;
mod sessions;
pub(crate) mod sync;
#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use imports::{FromElsewhere, Renewed};
pub(crate) use peek::{Peek, peek};
pub use row::{Applied, Edit, Handed, ListFilter, MetadataEdit, Patch, SessionRow, Stats, TurnRow};

use lane::Lane;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Jobs that wait for the writer before callers wait for a place.
const WRITES_QUEUED_MAX: usize = 256;
/// The same, for each reader.
const READS_QUEUED_MAX: usize = 64;
/// Threads that read.
const READERS: usize = 2;

/// The open database. Clones share it; [`close`](Store::close) ends all of them.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    path: PathBuf,
    writer: Lane,
    /// Empty for a database in memory: the writer's connection is the only one that sees it.
    readers: Vec<Lane>,
    generation: AtomicU64,
}

impl Store {
    /// Opens the file, making it and its folder if they are missing, and brings an older one up
    /// to date (a copy, `<file>.before-v16`, is kept first). Blocks; may take as long as copying
    /// the file takes.
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|source| StoreError::Folder { path: folder.to_owned(), source })?;
        }
        let writer = schema::open(path)?;
        let readers = (0..READERS).map(|_| schema::open_reader(path)).collect::<Result<_, _>>()?;
        Store::start(path.to_owned(), writer, readers)
    }

    /// A database that is gone with its last clone; for tests.
    pub fn memory() -> Result<Store, StoreError> {
        let path = PathBuf::from(":memory:");
        let writer = schema::open_memory().map_err(|error| StoreError::of(&path, error))?;
        Store::start(path, writer, Vec::new())
    }

    fn start(
        path: PathBuf,
        writer: Connection,
        readers: Vec<Connection>,
    ) -> Result<Store, StoreError> {
        let readers = readers
            .into_iter()
            .map(|reader| Lane::start("store-read", reader, READS_QUEUED_MAX, |_| ()))
            .collect::<Result<_, _>>()
            .map_err(StoreError::Threads)?;
        let writer = Lane::start("store-write", writer, WRITES_QUEUED_MAX, checkpoint)
            .map_err(StoreError::Threads)?;
        Ok(Store(Arc::new(Inner { path, writer, readers, generation: AtomicU64::new(0) })))
    }

    /// Lets queued work finish, folds the write-ahead log into the file and closes it. Later
    /// calls answer [`StoreError::Closed`].
    pub async fn close(&self) {
        for reader in &self.0.readers {
            reader.close().await;
        }
        self.0.writer.close().await;
    }

    /// A number that grows with every write to a session: what was read after it was looked at
    /// holds for as long as it stays the same.
    pub fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// How many writes and pings the writer's thread has done: a watchdog sees that it moves.
    pub fn writer_beats(&self) -> u64 {
        self.0.writer.beats()
    }

    /// Gives the writer's thread something to count, without waiting. False if its queue is full
    /// or it is closed.
    pub fn ping(&self) -> bool {
        self.0.writer.ping()
    }

    /// Test-only: the writer's thread hangs.
    #[cfg(feature = "faults")]
    pub(crate) fn hang(&self) {
        let writer = self.0.clone();
        tokio::spawn(async move {
            let job = |_: &mut Connection| loop {
                std::thread::park();
            };
            let _ = writer.writer.run::<(), _>(job).await;
        });
    }

    /// Runs a job that only reads, on the reader with the least to do.
    async fn read<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let lane = self.0.readers.iter().min_by_key(|lane| lane.load());
        let answer = lane.unwrap_or(&self.0.writer).run(|connection| job(connection)).await;
        answer.map_err(|lane::Closed| StoreError::Closed)?.map_err(|error| self.wrong(error))
    }

    /// Runs a job in one transaction on the writer. It commits if the job succeeds.
    async fn write<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let inner = self.0.clone();
        let answer = self.0.writer.run(move |connection| {
            let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = job(&change)?;
            change.commit()?;
            // After the commit and before anyone hears of it, so that nobody who saw the new
            // number can still read old rows.
            inner.generation.fetch_add(1, Ordering::Release);
            Ok(answer)
        });
        let answer = answer.await.map_err(|lane::Closed| StoreError::Closed)?;
        answer.map_err(|error| self.wrong(error))
    }

    fn wrong(&self, error: rusqlite::Error) -> StoreError {
        StoreError::of(&self.0.path, error)
    }
}

fn checkpoint(connection: &Connection) {
    // A log that could not be folded in is folded in by whoever opens the file next.
    if let Err(error) = connection.pragma_update(None, "wal_checkpoint", "truncate") {
        tracing::warn!(%error, "the write-ahead log could not be folded into the database");
    }
}
