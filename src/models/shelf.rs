//! The list of models, kept: for an hour it is not asked for again, and where the vendor does not
//! answer the old one is given, marked as such. One list, in memory and in a file; it belongs to
//! an address and a kind of credential. Of the credential itself nothing is kept but four bytes
//! of a hash, so that a new one is tried at once.

use crate::disk;
use crate::error::ListError;
use crate::limits::{FRESH_TIME, REFRESH_PAUSE, RETRY_PAUSE};
use crate::order::latest;
use crate::vendor::Vendor;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use wire::Timestamp;
use wire::agent::CredentialKind;
use wire::supervisor::{Model, ModelList};

/// Where the list of models is kept. Every caller may ask at any time: the vendor is asked by one
/// at a time, and hardly more often than its list can have changed.
pub struct Shelf {
    file: PathBuf,
    state: Arc<Mutex<State>>,
    /// Held by whoever asks the vendor.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// A list from the shelf.
#[derive(Clone, Debug)]
pub struct Shelved {
    /// All models, in order.
    pub models: Arc<[Model]>,
    /// When the vendor said so.
    pub cached_at: Timestamp,
    /// The vendor was asked again, or would have been, and this is the old list.
    pub is_stale: bool,
    /// Why it gave no new one.
    pub problem: Option<ListError>,
}

impl Shelved {
    /// As the wire has it: all, or the newest of each family.
    pub fn told(&self, show_all: bool, current_model: Option<String>) -> ModelList {
        let models = if show_all { self.models.to_vec() } else { latest(&self.models) };
        ModelList {
            count: models.len(),
            models,
            show_all,
            current_model,
            cached_at: self.cached_at,
            is_stale: self.is_stale,
            problem: self.problem.as_ref().map(ToString::to_string),
        }
    }
}

/// Who was asked and with what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    base_url: String,
    credential_kind: CredentialKind,
    credential_hash: String,
}

impl Mark {
    fn of(vendor: &Vendor) -> Result<Mark, ListError> {
        let base_url = vendor.address()?;
        let hash = Sha256::new()
            .chain_update(&base_url)
            .chain_update([0])
            .chain_update(vendor.credential.secret.expose())
            .finalize();
        let credential_hash = hash[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Mark { base_url, credential_kind: vendor.credential.kind, credential_hash })
    }

    /// Whether a list that was given for the one may stand in for the other's.
    fn is_of(&self, other: &Mark) -> bool {
        self.base_url == other.base_url && self.credential_kind == other.credential_kind
    }
}

/// The list on the shelf.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) asked: Mark,
    pub(crate) cached_at: Timestamp,
    pub(crate) models: Arc<[Model]>,
}

impl Kept {
    fn shelved(&self, problem: Option<ListError>) -> Shelved {
        Shelved {
            models: self.models.clone(),
            cached_at: self.cached_at,
            is_stale: problem.is_some(),
            problem,
        }
    }
}

/// How it went when the vendor was last asked.
struct Attempt {
    asked: Mark,
    at: Timestamp,
    problem: Option<ListError>,
}

#[derive(Default)]
struct State {
    /// Whether the file has been looked at.
    is_open: bool,
    kept: Option<Kept>,
    last: Option<Attempt>,
    /// How often the vendor was asked, to the end.
    attempts: u64,
}

impl State {
    /// The answer that needs no asking. `seen` is how many attempts had ended when the caller
    /// came: one that ended since then is its own, too.
    fn answer(
        &self,
        mark: &Mark,
        refresh: bool,
        now: Timestamp,
        seen: u64,
    ) -> Option<Result<Shelved, ListError>> {
        let kept = self.kept.as_ref().filter(|kept| kept.asked.is_of(mark));
        let fresh = kept
            .filter(|kept| kept.asked == *mark && is_within(kept.cached_at, now, FRESH_TIME))
            .filter(|_| !refresh);
        if let Some(kept) = fresh {
            return Some(Ok(kept.shelved(None)));
        }
        let last = self.last.as_ref().filter(|last| last.asked == *mark)?;
        let pause = if refresh { REFRESH_PAUSE } else { RETRY_PAUSE };
        if self.attempts == seen && !is_within(last.at, now, pause) {
            return None;
        }
        match (kept, &last.problem) {
            (Some(kept), problem) => Some(Ok(kept.shelved(problem.clone()))),
            (None, Some(problem)) => Some(Err(problem.clone())),
            (None, None) => None,
        }
    }

    /// The answer where nobody can be asked: whatever is on the shelf.
    fn answer_unasked(&self, problem: ListError) -> Result<Shelved, ListError> {
        match &self.kept {
            Some(kept) => Ok(kept.shelved(Some(problem))),
            None => Err(problem),
        }
    }

    fn note(&mut self, asked: Mark, at: Timestamp, listed: Result<Vec<Model>, ListError>) {
        self.attempts += 1;
        let problem = match listed {
            Ok(models) => {
                let models = models.into();
                self.kept = Some(Kept { asked: asked.clone(), cached_at: at, models });
                None
            }
            Err(problem) => Some(problem),
        };
        self.last = Some(Attempt { asked, at, problem });
    }
}

/// Whether `now` is less than `span` after `then`. A clock that was put back makes it false.
fn is_within(then: Timestamp, now: Timestamp, span: Duration) -> bool {
    u128::try_from(now.as_millis() - then.as_millis()).is_ok_and(|age| age < span.as_millis())
}

impl Shelf {
    /// A shelf whose list is also kept in `file`, in the state directory. Reads nothing yet.
    pub fn new(file: PathBuf) -> Shelf {
        Shelf { file, state: Arc::default(), turn: Arc::default() }
    }

    /// The list: from memory while it is fresh, else from the vendor, and where that fails the
    /// old one with the reason. An error only where there is no list at all.
    ///
    /// `vendor` is whom to ask, or a sentence that says why nobody can be; then any list will
    /// do. After a failure the vendor is left alone for 30 s; a `refresh` asks all the same,
    /// though not more than every 2 s. `now` is the time by the caller's clock.
    pub async fn get(
        &self,
        vendor: Result<Vendor, String>,
        refresh: bool,
        now: Timestamp,
    ) -> Result<Shelved, ListError> {
        let vendor = match vendor {
            Ok(vendor) => vendor,
            Err(reason) => {
                if !self.state().is_open {
                    self.turn().await;
                }
                return self.state().answer_unasked(ListError::NoCredential(reason));
            }
        };
        let mark = Mark::of(&vendor)?;
        let seen = {
            let state = self.state();
            if let Some(answer) = state.answer(&mark, refresh, now, state.attempts) {
                return answer;
            }
            state.attempts
        };
        let turn = self.turn().await;
        if let Some(answer) = self.state().answer(&mark, refresh, now, seen) {
            return answer;
        }
        self.ask(turn, vendor, mark, now).await
    }

    /// Asks the vendor. It is done to the end even if the caller leaves: others may wait for it.
    async fn ask(
        &self,
        turn: OwnedMutexGuard<()>,
        vendor: Vendor,
        mark: Mark,
        now: Timestamp,
    ) -> Result<Shelved, ListError> {
        let (state, file) = (self.state.clone(), self.file.clone());
        let asked = tokio::spawn(async move {
            let listed = vendor.list().await;
            match &listed {
                Ok(models) => tracing::debug!(count = models.len(), "the vendor listed its models"),
                Err(problem) => tracing::warn!(%problem, "the vendor's models are not listed"),
            }
            let (answer, written) = {
                let mut state = lock(&state);
                let seen = state.attempts;
                let written = listed.is_ok();
                state.note(mark.clone(), now, listed);
                let answer = state.answer(&mark, true, now, seen);
                (answer, state.kept.clone().filter(|_| written))
            };
            if let Some(kept) = written {
                let wrote = tokio::task::spawn_blocking(move || disk::write(&file, &kept)).await;
                if let Err(error) = wrote.expect("writing a file does not panic") {
                    tracing::warn!(%error, "the list of models is kept in memory only");
                }
            }
            drop(turn);
            answer.expect("an attempt ended: there is a list or a reason")
        });
        asked.await.expect("asking does not panic")
    }

    /// The right to ask. Whoever has it first looks into the file.
    async fn turn(&self) -> OwnedMutexGuard<()> {
        let turn = self.turn.clone().lock_owned().await;
        if !self.state().is_open {
            let file = self.file.clone();
            let kept = tokio::task::spawn_blocking(move || disk::read(&file)).await;
            let mut state = self.state();
            state.kept = kept.expect("reading a file does not panic");
            state.is_open = true;
        }
        turn
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
