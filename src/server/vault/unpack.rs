//! ZIP archives that somebody hands in. Everything in one is hostile: how many files it says it
//! has, how large they become, what they are called, what they are. Whoever calls takes away
//! what was unpacked before the fault.

use super::{FileError, Folder};
use crate::limits::{
    ARCHIVE_BYTES_MAX, ARCHIVE_DEPTH_MAX, ARCHIVE_ENTRIES_MAX, ARCHIVE_RATIO_MAX,
    ARCHIVE_SMALL_BYTES, ARCHIVE_UNPACKED_BYTES_MAX,
};
use std::io::{Cursor, Read};
use std::path::{Component, Path, PathBuf};
use zip::ZipArchive;

/// What begins the entry of each file in an archive's table.
const ENTRY: &[u8] = b"PK\x01\x02";

/// Kinds of files in the mode that an archive tells.
const KIND: u32 = 0o170_000;
const KINDS_TAKEN: [u32; 3] = [0, 0o100_000, 0o040_000];

/// Why an archive was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    #[error("this is no ZIP archive that can be read: {0}")]
    Broken(String),
    #[error("the archive is larger than {max} MiB", max = ARCHIVE_BYTES_MAX >> 20)]
    Large,
    #[error("there are more than {ARCHIVE_ENTRIES_MAX} files in the archive")]
    Many,
    #[error("what is in the archive is larger than {max} MiB, or out of proportion to it",
        max = ARCHIVE_UNPACKED_BYTES_MAX >> 20)]
    Bomb,
    #[error("the archive has {0:?} in it, which is not taken for a path")]
    Path(String),
    #[error("{0:?} in the archive is neither a file nor a folder")]
    Kind(String),
    #[error("{0:?} in the archive is encrypted")]
    Encrypted(String),
    #[error("the archive has no file in it")]
    Empty,
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<zip::result::ZipError> for ArchiveError {
    fn from(error: zip::result::ZipError) -> ArchiveError {
        ArchiveError::Broken(error.to_string())
    }
}

/// Unpacks an archive into an empty folder. If all of it lies in one folder, that is left out.
pub(crate) fn unpack(bytes: &[u8], into: &Folder) -> Result<(), ArchiveError> {
    if bytes.len() > ARCHIVE_BYTES_MAX {
        return Err(ArchiveError::Large);
    }
    // Before a table of millions of entries is read into memory.
    if memchr::memmem::find_iter(bytes, ENTRY).nth(ARCHIVE_ENTRIES_MAX).is_some() {
        return Err(ArchiveError::Many);
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    let paths = judged(&mut archive)?;
    let files = || paths.iter().flatten();
    let first = files().next().ok_or(ArchiveError::Empty)?;
    let top = first.iter().next().map(PathBuf::from).unwrap_or_default();
    let alone = files().all(|path| path != &top && path.starts_with(&top));
    let mut left = unpacked_max(bytes.len());
    for (index, path) in paths.iter().enumerate() {
        let Some(path) = path else { continue };
        let path = if alone { path.strip_prefix(&top).unwrap_or(path) } else { path };
        let mut entry = archive.by_index(index)?;
        // Others may read nothing of it; its owner may run what was a program.
        let mode =
            if entry.unix_mode().is_some_and(|mode| mode & 0o100 != 0) { 0o700 } else { 0o600 };
        let mut text = Vec::new();
        // What it says of its size is not believed.
        let read = (&mut entry).take(left + 1).read_to_end(&mut text);
        read.map_err(|error| ArchiveError::Broken(error.to_string()))?;
        left = left.checked_sub(text.len() as u64).ok_or(ArchiveError::Bomb)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            into.folder_made(folder)?;
        }
        into.create_as(path, &text, mode)?;
    }
    Ok(())
}

/// So much may come of an archive of this size.
fn unpacked_max(packed: usize) -> u64 {
    let by_ratio = (packed as u64).saturating_mul(ARCHIVE_RATIO_MAX);
    by_ratio.clamp(ARCHIVE_SMALL_BYTES, ARCHIVE_UNPACKED_BYTES_MAX)
}

/// Where each entry belongs, before anything is written; None for folders, and for what Finder
/// adds.
fn judged(archive: &mut ZipArchive<Cursor<&[u8]>>) -> Result<Vec<Option<PathBuf>>, ArchiveError> {
    let mut paths = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index)?;
        let name = String::from_utf8(entry.name_raw().to_vec()).map_err(|error| {
            ArchiveError::Path(String::from_utf8_lossy(error.as_bytes()).into())
        })?;
        let kind = entry.unix_mode().unwrap_or_default() & KIND;
        if entry.is_symlink() || !KINDS_TAKEN.contains(&kind) {
            return Err(ArchiveError::Kind(name));
        }
        if entry.encrypted() {
            return Err(ArchiveError::Encrypted(name));
        }
        let path = lawful(&name).ok_or_else(|| ArchiveError::Path(name.clone()))?;
        let added = path.starts_with("__MACOSX") || path.ends_with(".DS_Store");
        paths.push((!name.ends_with('/') && !added).then_some(path));
    }
    Ok(paths)
}

/// A path of plain parts, as every system understands them.
fn lawful(name: &str) -> Option<PathBuf> {
    let odd = |c: char| c.is_control() || c == '\\' || c == ':';
    if name.contains(odd) || name.starts_with('/') {
        return None;
    }
    let path = Path::new(name.trim_end_matches('/'));
    let mut parts = path.components();
    let plain = parts.all(|part| matches!(part, Component::Normal(part) if part.len() <= 255));
    let depth = path.components().count();
    // Spelt in one way: `a//b` and `a/./b` are not what they were taken for.
    let spelt = path.iter().collect::<Vec<_>>().join("/".as_ref()) == *path.as_os_str();
    (plain && spelt && (1..=ARCHIVE_DEPTH_MAX).contains(&depth)).then(|| path.to_owned())
}
