//! Conversations that were held elsewhere become sessions (contract-extended §5.3): one at a
//! time, first its transcript, then its row, so that an import that was cut off goes on where it
//! ended when it is asked for once more.
//!
//! A conversation is known again by its id there. One that has newer messages is brought up to
//! date unless somebody went on with it here, and then it is left as it is. Reading exports is
//! the business of `imports`.

mod notes;
mod spool;
mod sync;
mod take;
mod write;

use super::keys::blocking;
use super::{Domain, DomainError};
use crate::limits::{IMPORT_ERRORS_MAX, IMPORT_PROGRESS_PAUSE};
use crate::vault::Folder;
use crate::vault::files::{self, ReachError};
use imports::export::{Archived, Envelope, envelope, read, read_file};
use imports::{Bad, Bounds, Found, Stopped};
use serve::Feed;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use take::Taking;
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc};
use tokio_util::sync::CancellationToken;
use wire::import::{ImportAnswer, ImportEvent};

/// The folder of the vault that imported sessions work in.
const PLACE: &str = "Chat";

/// One import at a time.
#[derive(Default)]
pub(crate) struct Imports(Arc<Mutex<()>>);

/// The right to import.
pub(crate) struct Turn(#[allow(dead_code, reason = "held")] OwnedMutexGuard<()>);

/// What is to be imported.
pub(crate) struct Job {
    file: File,
    /// Where in the file the export is; None: it is the file, JSON or an archive.
    part: Option<(u64, u64)>,
    archived: bool,
    /// Until it is done.
    _turn: Turn,
}

/// What is wrong with the body of an import.
pub(crate) enum BodyError {
    /// It is no JSON, or not whole.
    NotJson(Stopped),
    /// There is no `data`.
    NoData,
    /// `archived` is neither true nor false.
    Archived,
    Domain(DomainError),
}

impl Job {
    pub(crate) fn of_file(file: File, archived: bool, turn: Turn) -> Job {
        Job { file, part: None, archived, _turn: turn }
    }

    /// The job that a body asks for: `{data, archived}`.
    pub(crate) async fn of_body(mut file: File, turn: Turn) -> Result<Job, BodyError> {
        let looking = blocking(move || {
            file.seek(SeekFrom::Start(0)).map_err(Stopped::from)?;
            envelope(&file).map(|found| (found, file))
        });
        let looked = looking.await.map_err(BodyError::Domain)?;
        let (Envelope { data, archived }, file) = looked.map_err(BodyError::NotJson)?;
        let archived = match archived {
            Archived::Unsaid => true,
            Archived::Said(archived) => archived,
            Archived::Unclear => return Err(BodyError::Archived),
        };
        let part = Some(data.ok_or(BodyError::NoData)?);
        Ok(Job { file, part, archived, _turn: turn })
    }
}

impl Domain {
    /// The right to import, if nobody has it.
    pub(crate) fn import_turn(&self) -> Result<Turn, DomainError> {
        let taken = || DomainError::Taken("another import is under way".into());
        self.imports.0.clone().try_lock_owned().map(Turn).map_err(|_| taken())
    }

    /// The folder that imported sessions work in, as their CLI finds it: links followed.
    async fn chat_folder(&self) -> Result<String, DomainError> {
        let folder = self.vault().join(PLACE);
        let found = blocking(move || folder.canonicalize()).await?.map_err(|error| {
            DomainError::Unusable(format!("the vault's {PLACE} cannot be had: {error}"))
        })?;
        Ok(found.display().to_string())
    }

    /// A file that a caller names, if they may: the owner any, others one of the vault. What is
    /// refused is refused alike, whether it is there or not (trap T-12).
    pub(crate) async fn import_source(
        &self,
        path: String,
        is_owner: bool,
    ) -> Result<File, DomainError> {
        let top = self.vault().to_owned();
        if is_owner && Path::new(&path).is_absolute() && !Path::new(&path).starts_with(&top) {
            return blocking(move || plain_file(&PathBuf::from(path))).await?;
        }
        self.in_files(move |vault| {
            let path = path.strip_prefix("/vault/").unwrap_or(&path);
            let found = files::from_vault(&top, path)
                .and_then(|asked| files::spot(vault, &asked))
                .and_then(|spot| spot.map_or(Ok(None), |spot| spot.open()));
            match found {
                Ok(Some(found)) => Ok(found.file),
                Ok(None) | Err(ReachError::NotFile) => {
                    Err(DomainError::Missing("File not found".into()))
                }
                Err(_) => Err(DomainError::Protected(
                    "only files of the vault are imported by their path".into(),
                )),
            }
        })
        .await
    }

    /// Imports, and tells how it goes if somebody listens. Goes on if they leave, and stops with
    /// the server.
    ///
    /// # Errors
    /// Nothing came of it. Where something did, the answer says why no more.
    pub(crate) async fn import(
        &self,
        job: Job,
        feed: Option<&Feed>,
    ) -> Result<ImportAnswer, DomainError> {
        let length = job.file.metadata().map_err(unreadable)?.len();
        let mut taking = Taking::begin(self, job.archived).await?;
        let (tell, mut told) = mpsc::channel(1);
        let done = Arc::new(AtomicU64::new(0));
        let stop = self.agents.stopping();
        // Also of a reader who finds nothing that could be told.
        let enough = stop.child_token();
        let counted = Counted { file: job.file, read: done.clone(), enough: enough.clone() };
        let reading = blocking(move || {
            let mut tell = |found: Found| match tell.blocking_send(found) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            };
            read_job(counted, job.part, &mut tell)
        });
        let reading = tokio::spawn(reading);
        let mut failed = None;
        let mut feed = feed;
        let mut shown = Instant::now();
        while let Some(found) = told.recv().await {
            if stop.is_cancelled() {
                break;
            }
            if let Err(error) = taking.take(found).await {
                failed = Some(error);
                break;
            }
            if feed.is_some() && shown.elapsed() >= IMPORT_PROGRESS_PAUSE {
                shown = Instant::now();
                let event = taking.progress(done.load(Ordering::Relaxed).min(length), length);
                // Whoever does not listen any more is not waited for.
                feed = match feed {
                    Some(feed) if tell_event(feed, &event).await => Some(feed),
                    _ => None,
                };
            }
        }
        drop(told);
        enough.cancel();
        let read = reading.await.map_err(|_| DomainError::Broken)??;
        finish(taking.answer(), failed, read, stop.is_cancelled())
    }
}

/// Sends an event. False: nobody listens.
pub(crate) async fn tell_event(feed: &Feed, event: &ImportEvent) -> bool {
    let json = serde_json::to_string(event).expect("an event is always JSON");
    feed.send(format!("data: {json}\n\n").into()).await.is_ok()
}

/// What came of it, and why no more.
fn finish(
    mut answer: ImportAnswer,
    failed: Option<DomainError>,
    read: Result<(), Stopped>,
    is_stopping: bool,
) -> Result<ImportAnswer, DomainError> {
    let found = answer.total_conversations + answer.empty_count > 0;
    answer.problem = match (failed, read) {
        (Some(error), _) if answer.session_ids.is_empty() => return Err(error),
        (Some(error), _) => Some(error.to_string()),
        (None, Err(_)) if is_stopping => Some("the server stops; import once more".into()),
        (None, Err(stopped)) if !found => return Err(DomainError::Bad(stopped.to_string())),
        (None, Err(stopped)) => Some(stopped.to_string()),
        (None, Ok(())) => None,
    };
    if let Some(problem) = &answer.problem {
        tracing::warn!(problem, "an import did not come to its end");
        answer.errors.push(problem.clone());
    }
    let (new, newer, known) = (answer.imported_count, answer.updated_count, answer.duplicate_count);
    tracing::info!(new, newer, known, bad = answer.bad_count, "conversations were imported");
    Ok(answer)
}

/// Puts a record that cannot be read into words.
fn note_bad(answer: &mut ImportAnswer, bad: Bad) {
    answer.bad_count += 1;
    answer.skipped_count += 1;
    if answer.errors.len() < IMPORT_ERRORS_MAX {
        let id = bad.id.map(|id| format!(" ({id})")).unwrap_or_default();
        answer.errors.push(format!("conversation {}{id}: {}", bad.index + 1, bad.why));
    }
}

fn read_job(
    mut from: Counted,
    part: Option<(u64, u64)>,
    tell: &mut dyn FnMut(Found) -> ControlFlow<()>,
) -> Result<(), Stopped> {
    let bounds = Bounds::default();
    match part {
        None => {
            from.seek(SeekFrom::Start(0))?;
            read_file(from, &bounds, tell)
        }
        Some((begin, end)) => {
            from.seek(SeekFrom::Start(begin))?;
            read(from.take(end - begin), &bounds, tell)
        }
    }
}

/// A file, and how much of it was read.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
    /// Cancelled when nobody wants more of it.
    enough: CancellationToken,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.enough.is_cancelled() {
            return Err(io::Error::other("nobody wants more of it"));
        }
        let read = self.file.read(into)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// A file anywhere, for its owner.
fn plain_file(path: &Path) -> Result<File, DomainError> {
    let missing = || DomainError::Missing("File not found".into());
    let (folder, name) = path.parent().zip(path.file_name()).ok_or_else(missing)?;
    // A link of the owner's own is followed.
    let real = folder.join(name).canonicalize().map_err(|_| missing())?;
    let (folder, name) = real.parent().zip(real.file_name()).ok_or_else(missing)?;
    let folder = Folder::open(folder)?.ok_or_else(missing)?;
    folder.file_unlinked(Path::new(name))?.ok_or_else(missing)
}

fn unreadable(error: io::Error) -> DomainError {
    DomainError::Unusable(format!("the export cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn an_import_that_finds_nothing_ends_when_nobody_wants_more_of_it() {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&vec![b' '; 4 << 20]).expect("written");
        let (read, enough) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let counted = |file: &File| Counted {
            file: file.try_clone().expect("cloned"),
            read: read.clone(),
            enough: enough.clone(),
        };
        let part = Some((0, 4 << 20));
        let mut tell = |_| ControlFlow::Continue(());
        let _ = read_job(counted(&file), part, &mut tell);
        assert_eq!(read.swap(0, Ordering::Relaxed), 4 << 20);
        enough.cancel();
        assert!(read_job(counted(&file), part, &mut tell).is_err());
        assert_eq!(read.load(Ordering::Relaxed), 0);
    }
}
