//! What comes from a device: texts and deletions, each judged by the rules against what is there
//! at this very moment, and then done whole or not at all. One device at a time.

use super::aside::Aside;
use super::rules::{self, Base, Here, Verdict};
use super::{Root, few, is_known, path_in, said, stored, text_of, unlinked, who};
use crate::domain::files::FilesError;
use crate::domain::{Domain, keys};
use crate::limits::{SYNC_COMPARED_BYTES_MAX, SYNC_FILE_BYTES_MAX};
use crate::store::sync::{Memory, News, Visit};
use crate::vault::files::{self, ReachError, Spot, Stamp, Vault};
use crate::vault::sync::hashed;
use crate::vault::{FileError, Folder};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use notes::Ignored;
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use wire::Timestamp;
use wire::sync::{Conflict, Deleted, PushBody, Pushed, PushedFile, TakenFile};

/// Files kept beside each other within a second.
const KEPT_TRIES: usize = 100;

/// Files that a device wants deleted.
#[derive(Clone, Debug)]
pub(crate) struct DeleteAsk {
    pub(crate) root: String,
    pub(crate) paths: Vec<String>,
    /// In the order of the paths, if there are any.
    pub(crate) bases: Option<Vec<String>>,
    pub(crate) device: Option<String>,
}

/// Something that a device wants done with a file.
struct Work {
    /// As the device named it.
    asked: String,
    path: PathBuf,
    key: String,
    base: Option<String>,
    /// None: it is to be deleted.
    text: Option<(Vec<u8>, String)>,
}

/// What became of it.
#[derive(Default)]
struct Outcome {
    /// Of what is there now; None: nothing is, or it was refused.
    hash: Option<String>,
    kept: Option<String>,
    refused: Option<(String, Conflict)>,
    news: Vec<News>,
    version: i64,
}

/// Each of what was asked for, by the name that the device gave, and what became of it.
type Done = Vec<(String, Result<Outcome, String>)>;

impl Domain {
    pub(super) async fn push(&self, body: PushBody, caller: String) -> Result<Pushed, FilesError> {
        few(body.files.len())?;
        let who = who(body.device, caller)?;
        let root = self.sync_root(&body.root).await?;
        let ignored = self.ignored().await?;
        let below = root.clone();
        let (works, errors) =
            keys::blocking(move || of_files(&below, body.files, &ignored)).await?;
        let mut out = Pushed { errors, ..Pushed::default() };
        let pushed = Some(root.key.clone());
        for (asked, done) in self.all(root, works, who, pushed).await? {
            match done {
                Err(why) => out.errors.push(format!("{asked}: {why}")),
                Ok(Outcome { refused: Some((why, conflict)), version, .. }) => {
                    out.errors.push(format!("{asked}: {why}"));
                    out.conflicts.push(Conflict { version: known(version), ..conflict });
                }
                Ok(Outcome { hash, kept, version, .. }) => {
                    let hash = hash.unwrap_or_default();
                    out.files.push(TakenFile { path: asked, hash, version, kept });
                }
            }
        }
        out.pushed = out.files.len();
        Ok(out)
    }

    pub(super) async fn delete(
        &self,
        ask: DeleteAsk,
        caller: String,
    ) -> Result<Deleted, FilesError> {
        let DeleteAsk { root, paths, bases, device } = ask;
        few(paths.len())?;
        if bases.as_ref().is_some_and(|bases| bases.len() != paths.len()) {
            return Err(super::bad("each path has a base, or none has".into()));
        }
        let who = who(device, caller)?;
        let root = self.sync_root(&root).await?;
        let ignored = self.ignored().await?;
        let mut out = Deleted::default();
        let mut works = Vec::new();
        let mut bases = bases.map(Vec::into_iter);
        for asked in paths {
            let base = bases.as_mut().and_then(Iterator::next);
            match path_in(&root, &asked) {
                Ok(path) if ignored.is_ignored(&root.real.join(&path), false) => {
                    out.errors.push(format!("{asked}: it is left alone by .parachuteignore"));
                }
                Ok(path) => {
                    let key = root.key_of(&path);
                    works.push(Work { asked, path, key, base, text: None });
                }
                Err(why) => out.errors.push(format!("{asked}: {why}")),
            }
        }
        for (asked, done) in self.all(root, works, who, None).await? {
            match done {
                Err(why) => out.errors.push(format!("{asked}: {why}")),
                Ok(Outcome { refused: Some((why, conflict)), version, .. }) => {
                    out.errors.push(format!("{asked}: {why}"));
                    out.conflicts.push(Conflict { version: known(version), ..conflict });
                }
                Ok(_) => out.deleted += 1,
            }
        }
        Ok(out)
    }

    /// Does all of it, and takes down what became of it.
    async fn all(
        &self,
        root: Root,
        works: Vec<Work>,
        who: String,
        pushed: Option<String>,
    ) -> Result<Done, FilesError> {
        let store = self.sync_store().await?;
        let _alone = self.changing_files.lock().await;
        let hash = |work: &Work| work.text.as_ref().map_or("", |(_, hash)| hash).to_owned();
        let asked = works.iter().map(|work| (work.key.clone(), hash(work))).collect();
        let memories = store.remember(who.clone(), asked).await.map_err(stored)?;
        let mut aside = Aside::new(self.sync.replaced.clone());
        let done = self.in_files(move |vault| {
            let mut changed = BTreeSet::new();
            let done = works.into_iter().zip(memories).map(|(work, memory)| {
                let done = do_one(vault, &root, &work, &memory, &mut aside);
                if done.as_ref().is_ok_and(|done| !done.news.is_empty()) {
                    changed.extend(root.real.join(&work.path).parent().map(Path::to_owned));
                }
                if let Err(ReachError::File(error)) = &done {
                    tracing::warn!(%error, "a file could not be synchronised");
                }
                (work.asked, work.key, done.map_err(said))
            });
            let done = done.collect::<Vec<_>>();
            for folder in changed {
                match files::walk(vault, &folder) {
                    Ok(folder) => folder.iter().for_each(Folder::sync),
                    Err(error) => tracing::warn!(%error, "a folder of new files is not synced"),
                }
            }
            aside.sweep();
            Ok::<_, FilesError>(done)
        });
        let done = done.await?;
        let (mut news, mut seen, mut count) = (Vec::new(), Vec::new(), 0);
        for (_, key, done) in &done {
            let Ok(done) = done else { continue };
            news.extend(done.news.iter().cloned());
            if done.refused.is_none() {
                seen.push((key.clone(), done.hash.clone().unwrap_or_default()));
                count += 1;
            }
        }
        let pushed = pushed.map(|root| (root, count));
        let visit = Visit { who, seen, pushed };
        let (versions, _) = store.note(news, Some(visit)).await.map_err(stored)?;
        let mut versions = versions.into_iter();
        let mut out = Vec::with_capacity(done.len());
        for (asked, _, mut done) in done {
            if let Ok(done) = &mut done {
                // The last news are the newest.
                let newest = versions.by_ref().take(done.news.len()).last();
                done.version = newest.unwrap_or(done.version);
            }
            out.push((asked, done));
        }
        Ok(out)
    }
}

/// What is to be done, and what is wrong with the rest. Large files are looked through here.
fn of_files(root: &Root, files: Vec<PushedFile>, ignored: &Ignored) -> (Vec<Work>, Vec<String>) {
    let (mut works, mut errors) = (Vec::new(), Vec::new());
    let mut named = HashSet::new();
    for file in files {
        let asked = file.path.clone();
        let work = of_file(root, file).and_then(|work| {
            if ignored.is_ignored(&root.real.join(&work.path), false) {
                return Err("it is left alone by .parachuteignore".into());
            }
            match named.insert(work.key.clone()) {
                true => Ok(work),
                false => Err("it is named twice".into()),
            }
        });
        match work {
            Ok(work) => works.push(work),
            Err(why) => errors.push(format!("{asked}: {why}")),
        }
    }
    (works, errors)
}

fn of_file(root: &Root, file: PushedFile) -> Result<Work, String> {
    let path = path_in(root, &file.path)?;
    let bytes = match file.is_binary {
        true => STANDARD.decode(file.content).map_err(|_| "it is no base64".to_owned())?,
        false => file.content.into_bytes(),
    };
    if bytes.len() as u64 > SYNC_FILE_BYTES_MAX {
        return Err(format!("it is larger than {} MiB", SYNC_FILE_BYTES_MAX >> 20));
    }
    let hash = files::hash(&bytes);
    let key = root.key_of(&path);
    Ok(Work { asked: file.path, path, key, base: file.base, text: Some((bytes, hash)) })
}

fn do_one(
    vault: &Vault,
    root: &Root,
    work: &Work,
    memory: &Memory,
    aside: &mut Aside,
) -> Result<Outcome, ReachError> {
    let there = unlinked(vault, root, &work.path)?;
    let base = match &work.base {
        Some(base) => Base::Told(base.to_ascii_lowercase()),
        None => Base::Seen(memory.seen.clone()),
    };
    let version = memory.known.as_ref().map_or(0, |known| known.version);
    let mut out = Outcome { version, ..Outcome::default() };
    let spot = there.map(|real| files::spot(vault, &real)).transpose()?.flatten();
    let Some((bytes, hash)) = &work.text else {
        return delete(work, spot.as_ref(), &base, memory, out, aside);
    };
    // What comes to nothing makes no folders.
    let (here, _) = look(work, spot.as_ref(), memory, &mut out)?;
    match rules::of_push(&here, &base, hash, || true) {
        Verdict::Same => {
            out.hash = here.hash;
            return Ok(out);
        }
        verdict @ (Verdict::Refuse | Verdict::Stale) => {
            if let (Verdict::Stale, Some(spot)) = (verdict, &spot) {
                spot.touch()?;
            }
            out.refused = Some(refusal(work, here));
            return Ok(out);
        }
        Verdict::Do | Verdict::Keep | Verdict::Aside => {}
    }
    let spot = files::spot_to_write(vault, &root.real.join(&work.path))?;
    // Written before it is judged again: then hardly any time is left for another's change.
    let draft = spot.draft(bytes)?;
    let (here, _) = look(work, Some(&spot), memory, &mut out)?;
    match rules::of_push(&here, &base, hash, || is_grown(&spot, bytes)) {
        Verdict::Same => out.hash = here.hash,
        // What came just now is judged by its time the next time.
        Verdict::Refuse | Verdict::Stale => out.refused = Some(refusal(work, here)),
        verdict @ (Verdict::Do | Verdict::Keep | Verdict::Aside) => {
            match verdict {
                Verdict::Keep => out.kept = Some(keep(&spot, work)?),
                Verdict::Aside => aside.put(&spot, &here)?,
                _ => {}
            }
            let stamp = draft.settle_one_of_many()?;
            let text = Some((hash.clone(), None));
            tracing::debug!(path = work.key, size = stamp.size, "a file came from a device");
            out.news.push(News { path: work.key.clone(), text, only_at: None });
            out.hash = Some(hash.clone());
        }
    }
    Ok(out)
}

fn delete(
    work: &Work,
    spot: Option<&Spot>,
    base: &Base,
    memory: &Memory,
    mut out: Outcome,
    aside: &mut Aside,
) -> Result<Outcome, ReachError> {
    let (here, stamp) = look(work, spot, memory, &mut out)?;
    match (rules::of_delete(&here, base), spot, stamp) {
        (Verdict::Refuse, ..) => out.refused = Some(refusal(work, here)),
        (verdict @ (Verdict::Do | Verdict::Aside), Some(spot), Some(stamp)) => {
            if verdict == Verdict::Aside {
                aside.put(spot, &here)?;
            }
            match spot.delete(&stamp)? {
                true => out.news.push(News { path: work.key.clone(), text: None, only_at: None }),
                false => out.refused = Some(refusal(work, here)),
            }
        }
        _ => {}
    }
    Ok(out)
}

/// What is there now, and by what that is known; what is new about it is news.
fn look(
    work: &Work,
    spot: Option<&Spot>,
    memory: &Memory,
    out: &mut Outcome,
) -> Result<(Here, Option<Stamp>), ReachError> {
    let known = memory.known.as_ref();
    let mut stamp = match spot.map(Spot::open).transpose()?.flatten() {
        Some(found) => Some(found.stamp),
        None => None,
    };
    let mut here = Here { had: memory.had, shared: memory.shared, ..Here::default() };
    let path = work.key.clone();
    match (stamp, spot) {
        (Some(seen), Some(spot)) => match is_known(known, &seen) {
            Some(known) => here.hash = Some(known.hash.clone()),
            None => {
                let hashed = hashed(&spot.folder, &spot.name)?.ok_or(ReachError::NotFile)?;
                let text = Some(text_of(&hashed));
                out.news.push(News { path, text, only_at: None });
                stamp = Some(hashed.stamp);
                here.hash = Some(hashed.hash);
            }
        },
        _ => {
            here.buried = known.map(|known| known.hash.clone());
            // Of one that was deleted long ago nothing changes.
            out.news.push(News { path, text: None, only_at: None });
        }
    }
    Ok((here, stamp))
}

fn is_grown(spot: &Spot, new: &[u8]) -> bool {
    let read = || -> Result<Option<Vec<u8>>, ReachError> {
        let Some(mut found) = spot.open()? else { return Ok(None) };
        found.bytes(SYNC_COMPARED_BYTES_MAX).map(Some)
    };
    // What cannot be compared is kept.
    read().ok().flatten().is_some_and(|old| rules::grown(&old, new))
}

/// Keeps what is there beside it; its path from the root.
fn keep(spot: &Spot, work: &Work) -> Result<String, ReachError> {
    let at = Timestamp::now().to_string();
    let name = spot.name.to_string_lossy();
    for number in 0..KEPT_TRIES {
        let kept = rules::kept_name(&name, &at, number);
        match spot.folder.keep_as(&spot.name, Path::new(&kept)) {
            Ok(()) => {
                let path = work.path.with_file_name(&kept);
                tracing::info!(path = %path.display(), "what a device had not seen is kept");
                return Ok(path.to_string_lossy().into_owned());
            }
            Err(FileError::Taken(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(FileError::Taken(spot.real.clone()).into())
}

/// A version, if there is one.
fn known(version: i64) -> Option<i64> {
    Some(version).filter(|version| *version > 0)
}

fn refusal(work: &Work, here: Here) -> (String, Conflict) {
    let why = match here.hash {
        Some(_) => "it is not what this device had; pull it first",
        None => "it was deleted, and this text of it was there before",
    };
    let deleted = here.hash.is_none();
    let conflict = Conflict { path: work.asked.clone(), hash: here.hash, version: None, deleted };
    (why.into(), conflict)
}
