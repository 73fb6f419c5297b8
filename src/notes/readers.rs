//! Connections that read the index beside its one writer: a few, kept while they are used and
//! closed when nobody has asked for a while.

use crate::limits::{BUSY, READERS_MAX};
use rusqlite::{Connection, OpenFlags};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Whoever reads.
pub(crate) struct Readers {
    file: PathBuf,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Default)]
struct Pool {
    /// Whether there is an index to be read.
    is_open: bool,
    /// Counted up when the file becomes another one.
    generation: u64,
    idle: Vec<Connection>,
    lent: usize,
    /// Who waits for one to come back: nobody is woken for nothing, which costs a system call.
    waiting: usize,
}

impl Readers {
    pub(crate) fn new(file: PathBuf) -> Readers {
        Readers { file, pool: Mutex::default(), returned: Condvar::new() }
    }

    /// There is an index now.
    pub(crate) fn open(&self) {
        self.lock().is_open = true;
    }

    /// There is none, or another one soon.
    pub(crate) fn close(&self) {
        let mut pool = self.lock();
        pool.is_open = false;
        pool.generation += 1;
        pool.idle.clear();
    }

    /// Gives back what is kept for speed.
    pub(crate) fn rest(&self) {
        self.lock().idle.clear();
    }

    /// Reads. None: there is no index yet.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        let mut pool = self.lock();
        while pool.is_open && pool.lent >= READERS_MAX {
            pool.waiting += 1;
            pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
            pool.waiting -= 1;
        }
        if !pool.is_open {
            return Ok(None);
        }
        let generation = pool.generation;
        let kept = pool.idle.pop();
        pool.lent += 1;
        drop(pool);
        // Given back however the work ends.
        let lent = Lent { readers: self, generation, sql: kept };
        lent.work(work).map(Some)
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Lent<'r> {
    readers: &'r Readers,
    generation: u64,
    sql: Option<Connection>,
}

impl Lent<'_> {
    fn work<T>(
        mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let sql = match self.sql.take() {
            Some(sql) => sql,
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let sql = Connection::open_with_flags(&self.readers.file, flags)?;
                sql.busy_timeout(BUSY)?;
                sql.pragma_update(None, "cache_size", -2048)?;
                sql
            }
        };
        // What is asked in several steps is asked of one and the same state.
        sql.prepare_cached("BEGIN")?.execute([])?;
        let done = work(&sql)?;
        sql.prepare_cached("COMMIT")?.execute([])?;
        // One that failed is not used again.
        self.sql = Some(sql);
        Ok(done)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut pool = self.readers.lock();
        pool.lent -= 1;
        if let Some(sql) = self.sql.take().filter(|_| pool.generation == self.generation) {
            pool.idle.push(sql);
        }
        if pool.waiting > 0 {
            self.readers.returned.notify_one();
        }
    }
}
