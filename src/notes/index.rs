//! The index of a vault's notes as whoever asks it sees it. Asking never waits for what is being
//! indexed: it is answered from what there is, with the word that there may be more.

use crate::follow::Follower;
use crate::limits::{CHANGED_MAX, RELOAD_WAIT};
use crate::readers::Readers;
use crate::search::{self, Counted, Found, Named, Scope, Wanted};
use crate::store::{IndexError, is_broken};
use crate::watch::Heard;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// An answer, and whether the vault is just being gone through.
#[derive(Debug)]
pub struct Answer<T> {
    /// What is known.
    pub known: T,
    /// There may be more soon.
    pub indexing: bool,
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Notes under `Brain/entities`.
    pub entities: usize,
    /// Notes of the vault.
    pub notes: usize,
    /// The first of what is wrong with some of them.
    pub warnings: Vec<String>,
    /// Why it could not be done, if so.
    pub problem: Option<String>,
}

/// The index of one vault.
pub struct Index {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Until it begins.
    heard: Mutex<Option<Receiver<Heard>>>,
}

/// What the index and its thread have in common.
pub(crate) struct Shared {
    pub(crate) vault: PathBuf,
    pub(crate) file: PathBuf,
    pub(crate) readers: Readers,
    pub(crate) stop: AtomicBool,
    /// Somebody who read it saw that it is broken.
    pub(crate) is_broken: AtomicBool,
    /// More was told than fitted in.
    pub(crate) is_deaf: AtomicBool,
    to: SyncSender<Heard>,
    looks: Mutex<Looks>,
    ended: Condvar,
}

/// How often everything was looked at.
#[derive(Default)]
struct Looks {
    begun: u64,
    ended: u64,
    problem: Option<String>,
}

impl Shared {
    pub(crate) fn tell(&self, heard: Heard) {
        if self.to.try_send(heard).is_err() {
            self.is_deaf.store(true, Relaxed);
        }
    }

    pub(crate) fn begin(&self) {
        self.looks().begun += 1;
    }

    /// Everything was looked at, or why not.
    pub(crate) fn looked(&self, problem: Option<String>) {
        let mut looks = self.looks();
        looks.ended = looks.begun;
        looks.problem = problem;
        self.ended.notify_all();
    }

    fn looks(&self) -> MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    /// Of this vault, kept in this file. Nothing is done before [`begin`](Index::begin).
    #[must_use]
    pub fn new(vault: PathBuf, file: PathBuf) -> Index {
        let (to, heard) = sync_channel(CHANGED_MAX);
        let readers = Readers::new(file.clone());
        let shared = Arc::new(Shared {
            vault,
            file,
            readers,
            stop: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
            is_deaf: AtomicBool::new(false),
            to,
            looks: Mutex::default(),
            ended: Condvar::new(),
        });
        Index { shared, thread: Mutex::new(None), heard: Mutex::new(Some(heard)) }
    }

    /// Follows the vault from now on, in a thread that does this first.
    ///
    /// # Errors
    /// There can be no thread.
    pub fn begin(&self, first: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        let Some(heard) = self.heard.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Ok(());
        };
        let shared = self.shared.clone();
        let follow = move || {
            first();
            Follower::new(shared, heard).run();
        };
        let thread = std::thread::Builder::new().name("notes".into()).spawn(follow)?;
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(())
    }

    /// Searches. Blocks; it reads the disk.
    ///
    /// # Errors
    /// The index cannot be read. Of what is looked for, nothing is an error.
    pub fn search(&self, wanted: &Wanted) -> Result<Answer<Found>, IndexError> {
        self.ask(|sql| search::search(sql, wanted))
    }

    /// The path below the vault of the note with this id.
    ///
    /// # Errors
    /// As [`search`](Index::search).
    pub fn of_id(&self, id: &str) -> Result<Answer<Option<String>>, IndexError> {
        self.ask(|sql| search::of_id(sql, id))
    }

    /// The path below the vault of the entity with this name, case aside.
    ///
    /// # Errors
    /// As [`search`](Index::search).
    pub fn of_name(&self, name: &str) -> Result<Answer<Option<String>>, IndexError> {
        self.ask(|sql| search::of_name(sql, name))
    }

    /// Which of these terms are names of entities, case aside; each entity once.
    ///
    /// # Errors
    /// As [`search`](Index::search).
    pub fn named(&self, terms: &[String]) -> Result<Answer<Vec<Named>>, IndexError> {
        self.ask(|sql| search::named(sql, terms))
    }

    /// The notes that link to the note at this path below the vault.
    ///
    /// # Errors
    /// As [`search`](Index::search).
    pub fn backlinks(&self, path: &str) -> Result<Answer<Found>, IndexError> {
        self.ask(|sql| search::backlinks(sql, path))
    }

    /// The tags in use, the most used first.
    ///
    /// # Errors
    /// As [`search`](Index::search).
    pub fn tags(&self, scope: Scope) -> Result<Answer<Vec<Counted>>, IndexError> {
        self.ask(|sql| search::tags(sql, scope))
    }

    /// Looks at everything once more, and waits for that, but not for ever.
    ///
    /// # Errors
    /// As [`search`](Index::search).
    pub fn reload(&self) -> Result<Answer<Census>, IndexError> {
        let mut looks = self.shared.looks();
        let wanted = looks.begun + 1;
        self.shared.tell(Heard::All);
        let more = |looks: &mut Looks| looks.ended < wanted;
        looks = self
            .shared
            .ended
            .wait_timeout_while(looks, RELOAD_WAIT, more)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        let problem = looks.problem.clone();
        drop(looks);
        self.ask(search::census).map(|answer| {
            let (entities, notes, warnings) = answer.known;
            let known = Census { entities, notes, warnings, problem };
            Answer { known, indexing: answer.indexing }
        })
    }

    /// Ends the thread; what it has begun is finished or undone.
    pub fn close(&self) {
        self.shared.stop.store(true, Relaxed);
        // Who closes the file last puts it in order, and only a writer can.
        self.shared.readers.close();
        // Wakes it; if there is no room, it is awake.
        let _ = self.shared.to.try_send(Heard::All);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the notes ended badly");
        }
    }

    fn ask<T: Default>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Answer<T>, IndexError> {
        let known = match self.shared.readers.read(work) {
            Err(error) if is_broken(&error) => {
                tracing::warn!(%error, "the index of the notes is broken");
                self.shared.is_broken.store(true, Relaxed);
                self.shared.readers.close();
                self.shared.tell(Heard::All);
                None
            }
            known => known?,
        };
        let looks = self.shared.looks();
        let indexing = known.is_none() || looks.ended == 0 || looks.ended < looks.begun;
        Ok(Answer { known: known.unwrap_or_default(), indexing })
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RULES_FILE, limits::BUSY};
    use std::fs;
    use std::time::Instant;

    #[test]
    fn who_reads_the_rules_makes_nobody_look_at_everything() {
        let dir = tempfile::tempdir().expect("a folder");
        let vault = dir.path().join("vault");
        fs::create_dir(&vault).expect("made");
        fs::write(vault.join(RULES_FILE), "private\n").expect("written");
        let index = Index::new(vault.clone(), dir.path().join("index.db"));
        index.begin(|| ()).expect("begun");
        index.reload().expect("looked at");
        let begun = index.shared.looks().begun;
        for _ in 0..9 {
            fs::read(vault.join(RULES_FILE)).expect("read");
        }
        // What comes after is heard after.
        fs::write(vault.join("a.md"), "word").expect("written");
        let wanted = Wanted { scope: Scope::Vault, limit: 9, ..Wanted::default() };
        let end = Instant::now() + 15 * BUSY;
        while index.search(&wanted).expect("searched").known.hits.is_empty() {
            assert!(Instant::now() < end, "it is not found");
            std::thread::yield_now();
        }
        assert_eq!(index.shared.looks().begun, begun);
    }
}
