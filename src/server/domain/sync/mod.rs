//! Folders of the vault kept the same on several devices: what there is, what comes, what goes.
//! The disk is the truth; `sync.db` only remembers what it held, so that an unchanged file costs
//! a look at its name instead of its bytes, and a device that merely still has what was deleted
//! does not bring it back, for as long as the deletion is remembered. What is done where two sides
//! differ is decided by [`rules`] alone.

mod aside;
mod manifest;
mod pull;
mod push;
pub(crate) mod rules;

pub(crate) use manifest::ManifestAsk;
pub(crate) use push::DeleteAsk;

use super::files::FilesError;
use super::{Domain, DomainError, keys};
use crate::limits::{SYNC_ASIDE_KEPT, SYNC_DEVICE_BYTES_MAX, SYNC_PATHS_MAX};
use crate::store::replaced::Replaced;
use crate::store::sync::{KnownFile, Mark, SyncStore};
use crate::vault::FileError;
use crate::vault::files::{Act, ReachError, Stamp, Vault, judge, leads_to, real};
use crate::vault::sync::{Hashed, lawful};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wire::Timestamp;
use wire::sync::{
    Deleted, Manifest, PullBody, Pulled, PushBody, Pushed, SyncAside, SyncRoot, SyncStatus,
};

/// What synchronising needs between requests.
pub(crate) struct Sync {
    path: PathBuf,
    store: tokio::sync::Mutex<Option<SyncStore>>,
    /// What was replaced or deleted on a guess.
    replaced: Replaced,
    /// What was said of the owner's rules last: it is said again only if it is another thing.
    warned: std::sync::Mutex<Vec<String>>,
}

impl Sync {
    /// With its database there; it is opened when it is needed first.
    pub(crate) fn new(path: PathBuf) -> Sync {
        let replaced = Replaced::new(path.with_file_name("sync-replaced"));
        let (store, warned) = Default::default();
        Sync { path, store, replaced, warned }
    }
}

/// A folder that is synchronised.
#[derive(Clone, Debug)]
pub(super) struct Root {
    /// From the vault, no link in it.
    pub(super) real: PathBuf,
    /// What paths in the database begin with.
    pub(super) key: String,
}

impl Root {
    /// How a file below it is called in the database.
    pub(super) fn key_of(&self, path: &Path) -> String {
        format!("{}/{}", self.key, path.to_string_lossy())
    }

    /// Where a file below it is, from the vault.
    pub(super) fn path_of(&self, known: &KnownFile) -> PathBuf {
        self.real.join(known.path.get(self.key.len() + 1..).unwrap_or_default())
    }
}

impl Domain {
    /// What there is below a folder.
    pub(crate) async fn sync_manifest(
        self: &Arc<Self>,
        ask: ManifestAsk,
    ) -> Result<Manifest, FilesError> {
        let domain = self.clone();
        finished(async move { domain.manifest(ask).await }).await
    }

    /// Takes files from a device.
    pub(crate) async fn sync_push(
        self: &Arc<Self>,
        body: PushBody,
        caller: String,
    ) -> Result<Pushed, FilesError> {
        let domain = self.clone();
        finished(async move { domain.push(body, caller).await }).await
    }

    /// Gives files to a device.
    pub(crate) async fn sync_pull(
        self: &Arc<Self>,
        body: PullBody,
        caller: String,
    ) -> Result<Pulled, FilesError> {
        let domain = self.clone();
        finished(async move { domain.pull(body, caller).await }).await
    }

    /// Deletes files for a device.
    pub(crate) async fn sync_delete(
        self: &Arc<Self>,
        ask: DeleteAsk,
        caller: String,
    ) -> Result<Deleted, FilesError> {
        let domain = self.clone();
        finished(async move { domain.delete(ask, caller).await }).await
    }

    /// The folders that are synchronised, and what is known of them.
    pub(crate) async fn sync_status(&self) -> Result<SyncStatus, FilesError> {
        let top = self.vault().to_string_lossy().into_owned();
        let (known, version) = self.sync_store().await?.roots(top.clone()).await.map_err(stored)?;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        let roots = known.into_iter().map(|known| SyncRoot {
            root: relative(&known.path, &top),
            files: count(known.files),
            tombstones: count(known.tombstones),
            last_push: known.pushed_at.map(Timestamp::from_millis),
            last_push_by: known.pushed_by,
            last_push_files: known.pushed_files.map(count),
        });
        let replaced = self.sync.replaced.clone();
        let folder = replaced.folder().to_owned();
        let counted = keys::blocking(move || replaced.count()).await?;
        let unread = |source| FileError::Io { path: folder.clone(), source };
        let (files, bytes) = counted.map_err(unread)?;
        let folder = folder.to_string_lossy().into_owned();
        let days = SYNC_ASIDE_KEPT.as_secs() / (24 * 3600);
        let aside = SyncAside { folder, files, bytes, days };
        Ok(SyncStatus { version, roots: roots.collect(), aside })
    }

    async fn sync_store(&self) -> Result<SyncStore, FilesError> {
        let mut store = self.sync.store.lock().await;
        if let Some(store) = &*store {
            return Ok(store.clone());
        }
        let path = self.sync.path.clone();
        let opened = keys::blocking(move || SyncStore::open(&path)).await?.map_err(stored)?;
        *store = Some(opened.clone());
        Ok(opened)
    }

    /// The root that a caller names.
    async fn sync_root(&self, named: &str) -> Result<Root, FilesError> {
        let asked = lawful(named).map_err(|why| bad(format!("{named:?} is no root: {why}")))?;
        judge(&asked, Act::Write)?;
        let top = self.vault().to_owned();
        self.in_files(move |vault| {
            let found = real(vault, &asked, Act::Write)?;
            if let Some(found) = &found
                && !found.as_os_str().is_empty()
                && !vault.dir().metadata(found).is_ok_and(|found| found.is_dir())
            {
                return Err(bad("the root is not a directory".into()));
            }
            let real = found.unwrap_or(asked);
            // Also a link must not make a root of what is hidden.
            lawful(&real.to_string_lossy()).map_err(|why| bad(format!("it is no root: {why}")))?;
            let key = match real.as_os_str().is_empty() {
                true => top,
                false => top.join(&real),
            };
            Ok(Root { real, key: key.to_string_lossy().into_owned() })
        })
        .await
    }
}

/// A path of the database from the vault.
fn relative(key: &str, top: &str) -> String {
    key.strip_prefix(top).unwrap_or(key).trim_start_matches('/').to_owned()
}

/// Does this to its end, also where nobody waits any more: what was read need not be read again,
/// and what was done is taken down.
async fn finished<T: Send + 'static>(
    work: impl Future<Output = Result<T, FilesError>> + Send + 'static,
) -> Result<T, FilesError> {
    tokio::spawn(work).await.map_err(|_| DomainError::Broken)?
}

/// By what the server tells devices apart: as one calls itself, else as the caller is known.
pub(super) fn who(device: Option<String>, caller: String) -> Result<String, FilesError> {
    let Some(device) = device else { return Ok(caller) };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if device.is_empty() || device.len() > SYNC_DEVICE_BYTES_MAX || !device.chars().all(plain) {
        let said = "a device is called by up to 64 letters, digits and - _ .";
        return Err(bad(said.into()));
    }
    Ok(format!("device {device}"))
}

/// A file's path from a root, where it may be synchronised.
pub(super) fn path_in(root: &Root, named: &str) -> Result<PathBuf, String> {
    let path = lawful(named)?;
    if path.as_os_str().is_empty() {
        return Err("it is no file's path".into());
    }
    judge(&root.real.join(&path), Act::Write).map_err(|error| error.to_string())?;
    Ok(path)
}

/// Refuses a path that a link is part of: what it leads to has a path of its own.
pub(super) fn unlinked(
    vault: &Vault,
    root: &Root,
    path: &Path,
) -> Result<Option<PathBuf>, ReachError> {
    let wanted = root.real.join(path);
    for there in wanted.ancestors() {
        match leads_to(vault, there, Act::Write)? {
            Some(found) if found != there => {
                return Err(ReachError::Odd("links are not synchronised; this".into()));
            }
            Some(found) => return Ok(Some(found).filter(|_| there == wanted)),
            None => {}
        }
    }
    Ok(None)
}

/// What is wrong, for the device; what the disk says is in the journal.
pub(super) fn said(error: ReachError) -> String {
    match error {
        ReachError::File(FileError::Io { source, .. }) => source.kind().to_string(),
        error => error.to_string(),
    }
}

/// The hash of what is there, read anew only if something changed since it was known.
pub(super) fn is_known<'k>(known: Option<&'k KnownFile>, stamp: &Stamp) -> Option<&'k KnownFile> {
    known.filter(|known| known.deleted_at.is_none() && known.mark == Some(mark(stamp)))
}

pub(super) fn mark(stamp: &Stamp) -> Mark {
    // Numbers of which only the sameness counts.
    (stamp.size.cast_signed(), stamp.inode.cast_signed(), stamp.modified_ns, stamp.changed_ns)
}

/// How a text is taken down: by what it can be known again, if that tells.
pub(super) fn text_of(hashed: &Hashed) -> (String, Option<Mark>) {
    (hashed.hash.clone(), hashed.is_lasting.then(|| mark(&hashed.stamp)))
}

/// Seconds since 1970, as the contract tells them.
pub(super) fn seconds(stamp: &Stamp) -> f64 {
    // To the microsecond, which a double holds for another two centuries.
    stamp.modified_ns.div_euclid(1000) as f64 / 1e6
}

/// What the contract sends as base64, by the ends of names.
pub(super) fn is_binary(path: &Path) -> bool {
    const ENDINGS: [&str; 11] =
        ["wav", "mp3", "m4a", "ogg", "opus", "png", "jpg", "jpeg", "gif", "webp", "pdf"];
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

pub(super) fn few(paths: usize) -> Result<(), FilesError> {
    if paths <= SYNC_PATHS_MAX {
        return Ok(());
    }
    Err(bad(format!("at most {SYNC_PATHS_MAX} files go in one request, and these are {paths}")))
}

pub(super) fn bad(said: String) -> FilesError {
    FilesError::Domain(DomainError::Bad(said))
}

pub(super) fn stored(error: crate::store::StoreError) -> FilesError {
    FilesError::Domain(error.into())
}
