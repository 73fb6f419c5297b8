//! A module's folder as one number: the predecessor's hash (contract-core §6.3), which counts the
//! bytes of its Python files and manifest alone, and our digest, which counts every name, length
//! and byte. Links to folders are not entered; nothing is followed out of the vault; a folder
//! with more in it than is looked at has no number.

use super::super::files::Stamp;
use super::super::sync::rests;
use super::super::{FileError, Folder, bounded, bytes_of};
use crate::limits::{MODULE_BYTES_MAX, MODULE_DEPTH_MAX, MODULE_FILES_MAX};
use cap_std::fs::Metadata;
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
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
    /// The SHA-256 of its prompt's text, as it was counted, in hex; a link is none.
    pub(crate) prompt: Option<String>,
}

/// What a module's folder is told from others by without its being read: every name, and of
/// every file the mark that its last change left.
pub(super) type Seal = [u8; 32];

/// A module's folder as it was looked at; nothing of it is read yet.
pub(super) struct Look {
    /// In the order in which it counts.
    found: Vec<One>,
}

/// A module's folder that was read.
pub(super) struct Counted {
    pub(super) tree: Tree,
    /// Of what was read, whatever stood there when it was looked at.
    pub(super) seal: Seal,
    /// Everything had rested, so that a later change shows in the seal.
    pub(super) is_lasting: bool,
}

impl Look {
    /// Looks at a module's folder, which is at this path of the vault. An error is for people.
    pub(super) fn at(vault: &Folder, module: &Path) -> Result<Look, String> {
        let mut found = walk(vault, module)?;
        found.sort_by_cached_key(|one| order(&one.path));
        Ok(Look { found })
    }

    pub(super) fn seal(&self) -> Seal {
        seal(&self.found)
    }

    /// How many bytes are to be read, if there are no more than there is room for.
    pub(super) fn bytes(&self, room: u64) -> Result<u64, String> {
        let sizes = self.found.iter().map(|one| one.mark.size());
        let bytes = sizes.fold(0, u64::saturating_add);
        if bytes > MODULE_BYTES_MAX.min(room) { Err(too_much()) } else { Ok(bytes) }
    }

    /// Reads it, as long as there are bytes left to be read.
    pub(super) fn read(
        mut self,
        vault: &Folder,
        module: &Path,
        room: &mut u64,
        now_ns: i64,
    ) -> Result<Counted, String> {
        let (mut hash, mut digest) = (Sha256::new(), Sha256::new());
        let (mut manifest, mut programs, mut prompt) = (Vec::new(), 0, None);
        let mut left = MODULE_BYTES_MAX.min(*room);
        for one in &mut self.found {
            let is_program = one.path.as_os_str().as_bytes().ends_with(b".py");
            let is_manifest = one.path == Path::new(MANIFEST);
            let bytes = content(vault, module, one, left, is_program || is_manifest)?;
            left -= bytes.len() as u64;
            *room -= bytes.len() as u64;
            head(&mut digest, one, bytes.len() as u64);
            digest.update(&bytes);
            // A folder that is called `x.py` has no bytes (trap 85).
            if is_program && one.mark != Mark::Folder {
                hash.update(&bytes);
                programs += 1;
            }
            if one.path == Path::new(PROMPT) && one.kind == Kind::File {
                prompt = text(&bytes).map(prompt_hash);
            }
            if is_manifest {
                manifest = bytes;
            }
        }
        hash.update(&manifest);
        let (hash, digest) = (hex(hash), hex(digest));
        let is_lasting = self.found.iter().all(|one| one.mark.rests(now_ns));
        let tree = Tree { hash, digest, programs, prompt };
        Ok(Counted { tree, seal: self.seal(), is_lasting })
    }
}

/// What the text of a prompt is told from others by.
pub(super) fn prompt_hash(text: &str) -> String {
    hex(Sha256::new_with_prefix(text))
}

/// A prompt's text. None: it is too long for one, or none.
fn text(bytes: &[u8]) -> Option<&str> {
    let text =
        std::str::from_utf8(bytes).ok().filter(|_| bounded(Path::new(PROMPT), bytes).is_ok());
    if text.is_none() {
        tracing::warn!("a module's {PROMPT} is too long, or no UTF-8 text, and is not told");
    }
    text.map(|text| text.strip_prefix('\u{feff}').unwrap_or(text))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Folder,
    File,
    /// And what it leads to, as it is written.
    Link(PathBuf),
}

/// What is found where something is, links followed as far as they stay in the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// Nothing that has bytes.
    Nothing,
    Folder,
    File(Stamp),
}

impl Mark {
    fn of(found: &Metadata) -> Mark {
        match (found.is_file(), found.is_dir()) {
            (true, _) => Mark::File(Stamp::of(found)),
            (_, true) => Mark::Folder,
            _ => Mark::Nothing,
        }
    }

    fn size(self) -> u64 {
        if let Mark::File(stamp) = self { stamp.size } else { 0 }
    }

    fn rests(self, now_ns: i64) -> bool {
        if let Mark::File(stamp) = self { rests(&stamp, now_ns) } else { true }
    }
}

struct One {
    /// From the module's folder.
    path: PathBuf,
    kind: Kind,
    mark: Mark,
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
            let mark = match kind {
                Kind::Folder => Mark::Folder,
                // As it will be opened. Nothing that leads out is looked at.
                _ => {
                    vault.dir().metadata(module.join(&path)).map_or(Mark::Nothing, |m| Mark::of(&m))
                }
            };
            found.push(One { path, kind, mark });
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
    one: &mut One,
    left: u64,
    counts: bool,
) -> Result<Vec<u8>, String> {
    if one.kind == Kind::Folder {
        return Ok(Vec::new());
    }
    // What is read is what is known of it, whatever stood there before.
    one.mark = Mark::Nothing;
    match opened(vault, &module.join(&one.path), left, &mut one.mark) {
        Ok(Some(bytes)) => Ok(bytes),
        Err(FileError::TooLong(_)) => Err(too_much()),
        Ok(None) if !counts || one.mark == Mark::Folder => Ok(Vec::new()),
        Err(FileError::Link(_)) if !counts => Ok(Vec::new()),
        Ok(None) | Err(FileError::Link(_)) => {
            Err(format!("{} is a link that leads to no file of the vault", shown(&one.path)))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// What is in a file, and the mark that it had before it was read.
fn opened(
    vault: &Folder,
    path: &Path,
    left: u64,
    mark: &mut Mark,
) -> Result<Option<Vec<u8>>, FileError> {
    let Some(file) = vault.plain(path, OFlags::empty())? else { return Ok(None) };
    *mark = Mark::of(&file.metadata().map_err(FileError::of(path))?);
    bytes_of(file, path, left)
}

fn too_much() -> String {
    let most = MODULE_BYTES_MAX >> 20;
    format!("there are more than {most} MiB in it, or too much in all modules")
}

/// What our digest counts of an entry before its bytes: kind, lengths and names.
fn head(digest: &mut Sha256, one: &One, length: u64) {
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
    digest.update(length.to_be_bytes());
}

fn seal(found: &[One]) -> Seal {
    let mut seal = Sha256::new();
    for one in found {
        head(&mut seal, one, one.mark.size());
        match one.mark {
            Mark::Nothing => seal.update(b"n"),
            Mark::Folder => seal.update(b"d"),
            Mark::File(Stamp { inode, modified_ns, changed_ns, .. }) => {
                seal.update(b"f");
                seal.update(inode.to_be_bytes());
                seal.update(modified_ns.to_be_bytes());
                seal.update(changed_ns.to_be_bytes());
            }
        }
    }
    seal.finalize().into()
}

/// The order of Python's paths: part by part, each by code points; a byte that is no UTF-8 is
/// the code point that Python gives it.
fn order(path: &Path) -> Vec<Vec<u32>> {
    path.iter().map(|part| points(part.as_bytes())).collect()
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
