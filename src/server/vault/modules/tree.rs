//! A module's folder as one number: the predecessor's hash (contract-core §6.3), which counts the
//! bytes of its Python files and manifest alone, and our digest, which counts every name, length
//! and byte. Links to folders are not entered; nothing is followed out of the vault; a folder
//! with more in it than is looked at has no number.

use super::super::{FileError, Folder, bounded};
use crate::limits::{MODULE_BYTES_MAX, MODULE_DEPTH_MAX, MODULE_FILES_MAX};
use sha2::{Digest, Sha256};
use std::cmp::Ordering;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What a module says of itself, in its folder.
pub(crate) const MANIFEST: &str = "manifest.yaml";

/// What is told in the chats of a module, in its folder.
pub(crate) const PROMPT: &str = "CLAUDE.md";

/// What stands in a module's folder, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    /// The predecessor's hash, in hex.
    pub(crate) hash: String,
    /// Ours, in hex.
    pub(crate) digest: String,
    /// Python files.
    pub(crate) programs: usize,
    /// The text of its prompt, as it was counted; a link is none.
    pub(crate) prompt: Option<String>,
}

/// Counts a module's folder, which is at this path of the vault, as long as there are bytes
/// left to be read. An error is for people.
pub(crate) fn count(vault: &Folder, module: &Path, room: &mut u64) -> Result<Tree, String> {
    let mut found = walk(vault, module)?;
    found.sort_by(|a, b| in_order(&a.path, &b.path));
    let (mut hash, mut digest) = (Sha256::new(), Sha256::new());
    let (mut manifest, mut programs, mut prompt) = (Vec::new(), 0, None);
    let mut left = MODULE_BYTES_MAX.min(*room);
    for one in &found {
        let is_program = one.path.as_os_str().as_bytes().ends_with(b".py");
        let is_manifest = one.path == Path::new(MANIFEST);
        let bytes = content(vault, module, one, left, is_program || is_manifest)?;
        left -= bytes.len() as u64;
        *room -= bytes.len() as u64;
        head(&mut digest, one, bytes.len());
        digest.update(&bytes);
        // A folder that is called `x.py` has no bytes (trap 85).
        if is_program && one.kind != Kind::Folder && !one.leads_to_folder(vault, module) {
            hash.update(&bytes);
            programs += 1;
        }
        if one.path == Path::new(PROMPT) && one.kind == Kind::File {
            prompt = text(&bytes);
        }
        if is_manifest {
            manifest = bytes;
        }
    }
    hash.update(&manifest);
    Ok(Tree { hash: hex(hash), digest: hex(digest), programs, prompt })
}

/// A prompt's text. None: it is too long for one, or none.
fn text(bytes: &[u8]) -> Option<String> {
    let text =
        std::str::from_utf8(bytes).ok().filter(|_| bounded(Path::new(PROMPT), bytes).is_ok());
    if text.is_none() {
        tracing::warn!("a module's {PROMPT} is too long, or no UTF-8 text, and is not told");
    }
    text.map(|text| text.strip_prefix('\u{feff}').unwrap_or(text).to_owned())
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Folder,
    File,
    /// And what it leads to, as it is written.
    Link(PathBuf),
}

struct One {
    /// From the module's folder.
    path: PathBuf,
    kind: Kind,
}

impl One {
    fn leads_to_folder(&self, vault: &Folder, module: &Path) -> bool {
        let followed = || vault.dir().metadata(module.join(&self.path));
        matches!(self.kind, Kind::Link(_)) && followed().is_ok_and(|found| found.is_dir())
    }
}

/// Everything in it, in no order.
fn walk(vault: &Folder, module: &Path) -> Result<Vec<One>, String> {
    let mut found = Vec::new();
    let mut open = vec![(PathBuf::new(), 0)];
    while let Some((folder, depth)) = open.pop() {
        let at = module.join(&folder);
        let entries = vault.dir().read_dir(&at).map_err(|error| said(&folder, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| said(&folder, &error))?;
            let path = folder.join(entry.file_name());
            let kind = entry.file_type().map_err(|error| said(&path, &error))?;
            let kind = if kind.is_dir() {
                if depth >= MODULE_DEPTH_MAX {
                    return Err(format!("its folders are more than {MODULE_DEPTH_MAX} deep"));
                }
                open.push((path.clone(), depth + 1));
                Kind::Folder
            } else if kind.is_symlink() {
                let link = vault.dir().read_link_contents(module.join(&path));
                Kind::Link(link.map_err(|error| said(&path, &error))?)
            } else if kind.is_file() {
                Kind::File
            } else {
                return Err(format!("{} is neither a file nor a folder", shown(&path)));
            };
            found.push(One { path, kind });
            if found.len() > MODULE_FILES_MAX {
                return Err(format!("there are more than {MODULE_FILES_MAX} files in it"));
            }
        }
    }
    Ok(found)
}

/// What is in a file. A link counts as what it leads to, if that is a file of the vault; one that
/// leads elsewhere is only in the way where the predecessor would have run what it leads to.
fn content(
    vault: &Folder,
    module: &Path,
    one: &One,
    left: u64,
    counts: bool,
) -> Result<Vec<u8>, String> {
    if one.kind == Kind::Folder {
        return Ok(Vec::new());
    }
    match vault.bytes(&module.join(&one.path), left) {
        Ok(Some((bytes, _))) => Ok(bytes),
        Err(FileError::TooLong(_)) => {
            let most = MODULE_BYTES_MAX >> 20;
            Err(format!("there are more than {most} MiB in it, or too much in all modules"))
        }
        Ok(None) if !counts || one.leads_to_folder(vault, module) => Ok(Vec::new()),
        Err(FileError::Link(_)) if !counts => Ok(Vec::new()),
        Ok(None) | Err(FileError::Link(_)) => {
            Err(format!("{} is a link that leads to no file of the vault", shown(&one.path)))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// What our digest counts of an entry before its bytes: kind, lengths and names.
fn head(digest: &mut Sha256, one: &One, length: usize) {
    let (kind, link) = match &one.kind {
        Kind::Folder => (b'd', &b""[..]),
        Kind::File => (b'f', &b""[..]),
        Kind::Link(to) => (b'l', to.as_os_str().as_bytes()),
    };
    digest.update([kind]);
    for text in [one.path.as_os_str().as_bytes(), link] {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    digest.update((length as u64).to_be_bytes());
}

/// The order of Python's paths: part by part, each by code points; a byte that is no UTF-8 is
/// the code point that Python gives it.
fn in_order(one: &Path, other: &Path) -> Ordering {
    let parts = |path: &Path| -> Vec<Vec<u32>> {
        path.iter().map(|part| points(part.as_bytes())).collect()
    };
    parts(one).cmp(&parts(other))
}

fn points(bytes: &[u8]) -> Vec<u32> {
    let mut points = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        points.extend(chunk.valid().chars().map(u32::from));
        points.extend(chunk.invalid().iter().map(|byte| 0xDC00 + u32::from(*byte)));
    }
    points
}

fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn said(path: &Path, error: &std::io::Error) -> String {
    format!("{} cannot be read: {error}", shown(path))
}

/// A name as it is fit for a sentence.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    let text: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
    if text.is_empty() { "its folder".into() } else { text }
}

#[cfg(test)]
mod tests;
