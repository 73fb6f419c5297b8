//! Files of the vault as a person browses and edits them: a folder's list, a file's text or
//! bytes, a text that replaces it. What the client believes is there is judged right before a
//! file is replaced, while none of our other doors writes one; where paths lead is the vault's.

use super::{Domain, DomainError, keys};
use crate::limits::FILE_TEXT_BYTES_MAX;
use crate::vault::FileError;
use crate::vault::files::{self, Act, Found, ReachError, Spot, Vault};
use std::fs::File;
use std::path::Path;
use wire::files::{FileText, FileWritten, Listing, NewFile};

/// Why a file was not had or not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    #[error("Path not found")]
    NoFolder,
    #[error("File not found")]
    NoFile,
    /// The file is not what the client believes.
    #[error("the file is no longer what it was; read it again")]
    Changed,
    /// Its bytes can be had, but not as text in JSON.
    #[error("{0}; ask for its bytes with raw=true")]
    RawOnly(ReachError),
    #[error(transparent)]
    Reach(#[from] ReachError),
    #[error(transparent)]
    Domain(#[from] DomainError),
}

/// A file to be sent as it is.
pub(crate) struct OpenFile {
    pub(crate) file: File,
    pub(crate) bytes: u64,
    pub(crate) tag: String,
    pub(crate) name: String,
}

impl Domain {
    /// What is in a folder.
    pub(crate) async fn list_files(
        &self,
        path: Option<String>,
        hidden: bool,
    ) -> Result<Listing, FilesError> {
        let path = path.unwrap_or_default();
        let top = self.vault().to_owned();
        self.in_files(move |vault| {
            let asked = files::from_vault(&top, &path)?;
            let found = files::list(vault, &top, &asked, hidden)?.ok_or(FilesError::NoFolder)?;
            let (real, entries) = found;
            let full_path = match real.as_os_str().is_empty() {
                true => top,
                false => top.join(real),
            };
            let full_path = full_path.to_string_lossy().into_owned();
            Ok(Listing { path, full_path, entries })
        })
        .await
    }

    /// A file's text, and its tag.
    pub(crate) async fn read_file(&self, path: String) -> Result<(FileText, String), FilesError> {
        let top = self.vault().to_owned();
        self.in_files(move |vault| {
            let (_, mut found) = found(vault, &top, &path)?;
            let bytes = found.bytes(FILE_TEXT_BYTES_MAX).map_err(|error| match error {
                ReachError::TooLong(_) => FilesError::RawOnly(error),
                error => error.into(),
            })?;
            let tag = files::hash(&bytes);
            let size = bytes.len() as u64;
            let content =
                String::from_utf8(bytes).map_err(|_| FilesError::RawOnly(ReachError::NotText))?;
            let last_modified = found.stamp.modified();
            Ok((FileText { path, content, size, last_modified }, tag))
        })
        .await
    }

    /// A file, opened.
    pub(crate) async fn open_file(&self, path: String) -> Result<OpenFile, FilesError> {
        let top = self.vault().to_owned();
        self.in_files(move |vault| {
            let (spot, mut found) = found(vault, &top, &path)?;
            let tag = found.tag()?;
            let name = spot.name.to_string_lossy().into_owned();
            Ok(OpenFile { bytes: found.stamp.size, file: found.file, tag, name })
        })
        .await
    }

    /// Replaces a file's text, or makes the file, if the tag of what is there lets it. Answers
    /// also with the new tag.
    pub(crate) async fn write_file(
        &self,
        new: NewFile,
        lets: impl Fn(Option<&str>) -> bool + Send + 'static,
    ) -> Result<(FileWritten, String), FilesError> {
        let top = self.vault().to_owned();
        let _alone = self.changing_files.lock().await;
        self.in_files(move |vault| {
            let asked = files::from_vault(&top, &new.path)?;
            vault.judge(&asked, Act::Write)?;
            // What comes to nothing makes no folders.
            if files::spot(vault, &asked)?.is_none() && !lets(None) {
                return Err(FilesError::Changed);
            }
            let spot = files::spot_to_write(vault, &asked)?;
            let draft = spot.draft(new.content.as_bytes())?;
            let there = spot.open()?.map(|mut found| found.tag()).transpose()?;
            if !lets(there.as_deref()) {
                return Err(FilesError::Changed);
            }
            let stamp = draft.settle()?;
            let tag = files::hash(new.content.as_bytes());
            let (path, size) = (new.path, stamp.size);
            let last_modified = stamp.modified();
            Ok((FileWritten { success: true, path, size, last_modified }, tag))
        })
        .await
    }

    /// Works on the vault's files by paths that callers name, off the event loop.
    pub(super) async fn in_files<T: Send + 'static, E: From<DomainError> + Send + 'static>(
        &self,
        work: impl FnOnce(&Vault) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let (path, database) = (self.vault().to_owned(), self.settings.database());
        keys::blocking(move || {
            let vault = Vault::open(&path, &database).map_err(DomainError::from)?;
            let none = || DomainError::Bad(format!("there is no vault at {}", path.display()));
            work(&vault.ok_or_else(none)?)
        })
        .await?
    }
}

fn found(vault: &Vault, top: &Path, path: &str) -> Result<(Spot, Found), FilesError> {
    let asked = files::from_vault(top, path)?;
    let spot = files::spot(vault, &asked)?.ok_or(FilesError::NoFile)?;
    let found = spot.open()?.ok_or(FilesError::NoFile)?;
    Ok((spot, found))
}

impl From<FileError> for FilesError {
    fn from(error: FileError) -> FilesError {
        ReachError::from(error).into()
    }
}
