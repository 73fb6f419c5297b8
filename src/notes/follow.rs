//! Keeps the index as the vault is: everything is compared once at the start, then what is told
//! to have changed. The only writer, in a thread of its own; whatever goes wrong is said in the
//! log and tried again, and harms nobody but those who search.

use crate::files::{Kind, Vault};
use crate::limits::{CHANGED_MAX, IDLE, QUIET, QUIET_MAX, ROUND};
use crate::store::{self, ENTITIES, IndexError, Store};
use crate::walk::Walk;
use crate::watch::{Heard, Watch};
use crate::{Ignored, RULES_FILE, Shared};
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Nobody waits longer for nothing; only that a wait has an end.
const LONG: Duration = Duration::from_secs(3600);

pub(crate) struct Follower {
    shared: Arc<Shared>,
    heard: Receiver<Heard>,
    store: Option<Store>,
    watch: Watch,
    /// None: they were never read.
    rules: Option<Ignored>,
    /// What was said of them last.
    told: Vec<String>,
    /// The last time it could not be done.
    failed: bool,
}

/// What is looked at next.
enum Next {
    All,
    These(BTreeSet<PathBuf>),
    Nothing,
}

impl Follower {
    pub(crate) fn new(shared: Arc<Shared>, heard: Receiver<Heard>) -> Follower {
        let to = shared.clone();
        let watch = Watch::new(&shared.vault, move |heard| to.tell(heard));
        let told = Vec::new();
        Follower { shared, heard, store: None, watch, rules: None, told, failed: false }
    }

    /// Follows until it is told to stop.
    pub(crate) fn run(mut self) {
        let mut next = Next::All;
        while !self.shared.stop.load(Relaxed) {
            let done = match next {
                Next::All => self.all(),
                Next::These(paths) => self.these(&paths),
                Next::Nothing => Ok(()),
            };
            next = match done {
                Ok(()) => self.wait(),
                Err(error) => self.fail(&error),
            };
        }
    }

    /// Gives up what may be broken; it is tried again soon.
    fn fail(&mut self, error: &IndexError) -> Next {
        let is_broken = error.is_broken();
        if self.failed {
            tracing::debug!(%error, "the notes cannot be followed");
        } else {
            tracing::warn!(%error, "the notes cannot be followed; it is tried again");
        }
        // What was begun is undone by closing it.
        self.store = None;
        self.shared.is_broken.fetch_or(is_broken, Relaxed);
        self.shared.looked(Some(error.to_string()));
        // A broken one is begun anew at once, but not for ever.
        let again = is_broken && !self.failed;
        self.failed = true;
        if again { Next::All } else { self.wait() }
    }

    fn wait(&mut self) -> Next {
        let mut is_resting = false;
        let first = loop {
            if self.shared.stop.load(Relaxed) {
                return Next::Nothing;
            }
            if self.shared.is_deaf.swap(false, Relaxed) {
                return Next::All;
            }
            let in_rounds = self.watch.is_blind() || self.failed;
            let patience = match (is_resting, in_rounds) {
                (false, _) => IDLE,
                (true, true) => ROUND,
                (true, false) => LONG,
            };
            match self.heard.recv_timeout(patience) {
                Ok(heard) => break heard,
                Err(RecvTimeoutError::Disconnected) => return Next::Nothing,
                Err(RecvTimeoutError::Timeout) if is_resting && in_rounds => return Next::All,
                Err(RecvTimeoutError::Timeout) => {
                    is_resting = true;
                    self.shared.readers.rest();
                    self.store.iter().for_each(Store::rest);
                }
            }
        };
        self.gather(first)
    }

    /// What else changes at about the same time.
    fn gather(&mut self, first: Heard) -> Next {
        let mut changed = BTreeSet::new();
        let mut heard = Some(first);
        let end = Instant::now() + QUIET_MAX;
        while let Some(one) = heard {
            match one {
                Heard::Changed(path) if changed.len() < CHANGED_MAX => drop(changed.insert(path)),
                // What is in the queue is part of everything.
                Heard::Changed(_) | Heard::All => {
                    while self.heard.try_recv().is_ok() {}
                    return Next::All;
                }
            }
            let left = end.saturating_duration_since(Instant::now()).min(QUIET);
            heard = self.heard.recv_timeout(left).ok();
        }
        Next::These(changed)
    }

    /// The vault, with the index open.
    fn opened(&mut self) -> Result<Vault, IndexError> {
        let vault = Vault::open(&self.shared.vault)?;
        let is_broken = self.shared.is_broken.swap(false, Relaxed);
        if is_broken || !self.store.as_ref().is_some_and(Store::is_there) {
            self.shared.readers.close();
            self.store = None;
            if is_broken {
                tracing::warn!("the index of the notes is begun anew");
                store::remove(&self.shared.file)?;
            }
            self.store = Some(Store::open(&self.shared.file, &self.shared.vault)?);
            self.shared.readers.open();
        }
        Ok(vault)
    }

    /// Compares everything.
    fn all(&mut self) -> Result<(), IndexError> {
        self.shared.begin();
        let since = Instant::now();
        let vault = self.opened()?;
        // Before anything is read of it: when the rules become others is heard.
        self.watch.folder("");
        self.read_rules()?;
        let mut walk = self.walk(&vault);
        // These are asked for most. It is only for that order, so that what is wrong with them
        // stops nobody.
        let entities = walk.vault.kind(ENTITIES).unwrap_or_else(|error| {
            tracing::warn!(%error, "{ENTITIES} cannot be looked at before the others");
            None
        });
        if entities == Some(Kind::Folder) && !walk.is_ignored(ENTITIES, true) {
            walk.folder(ENTITIES)?;
        }
        walk.folder("")?;
        let (changed, notes) = (walk.changed, walk.store.count()?);
        if changed > 0 {
            let millis = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(notes, changed, millis, "the notes are indexed");
        }
        self.failed = false;
        self.shared.looked(None);
        Ok(())
    }

    /// Compares what is at these paths.
    fn these(&mut self, paths: &BTreeSet<PathBuf>) -> Result<(), IndexError> {
        let top = self.shared.vault.clone();
        let below = |path: &PathBuf| Some(path.strip_prefix(&top).ok()?.to_str()?.to_owned());
        let paths: Vec<String> = paths.iter().filter_map(below).collect();
        let is_there = self.store.as_ref().is_some_and(Store::is_there);
        let of_all = |path: &String| path.is_empty() || path == RULES_FILE;
        if !is_there || self.failed || paths.iter().any(of_all) {
            return self.all();
        }
        let vault = self.opened()?;
        let mut walk = self.walk(&vault);
        for path in &paths {
            walk.path(path)?;
        }
        walk.store.settle()?;
        Ok(())
    }

    /// Reads what is left alone. As long as nobody knows that, nothing is looked at: what the
    /// owner lists would be found. Of what is known the last word counts.
    fn read_rules(&mut self) -> Result<(), IndexError> {
        let problems = match Ignored::read(&self.shared.vault) {
            Ok(rules) => {
                let problems = rules.warnings().iter().map(ToString::to_string).collect();
                self.rules = Some(rules);
                problems
            }
            Err(error) if self.rules.is_some() => vec![format!("{RULES_FILE}: {error}")],
            Err(error) => {
                let said = format!("nothing new is found until {RULES_FILE} can be read: {error}");
                return Err(io::Error::new(error.kind(), said).into());
            }
        };
        if problems != self.told {
            problems.iter().for_each(|problem| tracing::warn!("what is left alone: {problem}"));
            self.told = problems;
        }
        Ok(())
    }

    fn walk<'w>(&'w mut self, vault: &'w Vault) -> Walk<'w> {
        let store = self.store.as_mut().expect("opened before");
        let rules = self.rules.as_ref().expect("read before");
        Walk::new(vault, rules, store, &mut self.watch, &self.shared.stop)
    }
}
