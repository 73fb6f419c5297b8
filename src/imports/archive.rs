//! ZIP archives with an export in them. Nothing is unpacked: the conversations are read out of
//! the archive as a stream, so that no name in it becomes a path. What an archive says of its
//! lengths is not believed; a bound stands on what is read to know its contents, and one on what
//! comes out of it.

use crate::export::{Tell, read_on};
use crate::limits::{
    ARCHIVE_DEPTH_MAX, ARCHIVE_PARTS_MAX, ARCHIVE_RATIO_MAX, ARCHIVE_SMALL_BYTES, Bounds,
    TABLE_BYTES_MAX,
};
use crate::{Source, Stopped};
use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;
use zip::ZipArchive;

/// Kinds of files in the mode that an archive tells.
const KIND: u32 = 0o170_000;
const KINDS_TAKEN: [u32; 2] = [0, 0o100_000];

/// Reads no more than is left.
struct Metered<R> {
    from: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        let left = self.left.get().checked_sub(read as u64);
        self.left.set(left.unwrap_or(0));
        // One error ends it: there is nothing left from then on.
        left.map(|_| read).ok_or_else(|| io::Error::other("more than is read of an archive"))
    }
}

impl<R: Seek> Seek for Metered<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.from.seek(to)
    }
}

/// Reads the export in an archive.
pub(crate) fn read<R: Read + Seek>(
    mut from: R,
    bounds: &Bounds,
    tell: &mut Tell<'_>,
) -> Result<(), Stopped> {
    let packed = from.seek(SeekFrom::End(0))?;
    let left = Rc::new(Cell::new(TABLE_BYTES_MAX));
    let opened = ZipArchive::new(Metered { from, left: left.clone() });
    let mut archive = opened.map_err(|error| {
        let why = match left.get() {
            0 => "there are too many files in it".into(),
            _ => error.to_string(),
        };
        Stopped::Archive(format!("this is no ZIP archive that can be read: {why}"))
    })?;
    left.set(u64::MAX);
    let parts = parts(&archive)?;
    let by_ratio = packed.saturating_mul(ARCHIVE_RATIO_MAX).max(ARCHIVE_SMALL_BYTES);
    let unpacked = Rc::new(Cell::new(by_ratio.min(bounds.unpacked_bytes_max)));
    let mut index = 0;
    for part in parts {
        let refused = |error: zip::result::ZipError| Stopped::Archive(error.to_string());
        let raw = archive.by_index_raw(part).map_err(refused)?;
        let kind = raw.unix_mode().unwrap_or_default() & KIND;
        if raw.encrypted() {
            return Err(Stopped::Archive("the conversations in the archive are encrypted".into()));
        }
        if raw.is_symlink() || !KINDS_TAKEN.contains(&kind) {
            return Err(Stopped::Archive("the conversations in the archive are no file".into()));
        }
        drop(raw);
        let entry = archive.by_index(part).map_err(refused)?;
        let entry = Metered { from: entry, left: unpacked.clone() };
        index = read_on(entry, bounds, index, tell).map_err(|stopped| match stopped {
            Stopped::Io(_) if unpacked.get() == 0 => Stopped::Archive(
                "what is in the archive is too large, or out of proportion to it".into(),
            ),
            Stopped::Io(error) => Stopped::Archive(format!("the archive is damaged: {error}")),
            other => other,
        })?;
    }
    Ok(())
}

/// The entries that hold conversations: `conversations.json`, the least deep; else all of
/// `conversations-000.json` and so on, as large exports of ChatGPT have them.
fn parts<R: Read + Seek>(archive: &ZipArchive<R>) -> Result<Vec<usize>, Stopped> {
    let mut found: Vec<(usize, usize, String, usize)> = Vec::new();
    for index in 0..archive.len() {
        // What is not UTF-8 has not the name that is looked for.
        let Some(Ok(name)) = archive.name_for_index(index) else { continue };
        if let Some((number, deep)) = judged(&name) {
            found.push((deep, number, name.into_owned(), index));
        }
    }
    found.sort();
    let none = || {
        let names = [Source::Claude, Source::ChatGpt].map(Source::name).join(" or ");
        Stopped::Archive(format!("there is no conversations.json of {names} in the archive"))
    };
    let (deep, number, first, index) = found.first().ok_or_else(none)?;
    if *number == 0 {
        return Ok(vec![*index]);
    }
    let folder = |name: &str| name.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    let beside =
        |part: &&(usize, usize, String, usize)| part.0 == *deep && folder(&part.2) == folder(first);
    let parts: Vec<usize> = found.iter().filter(beside).map(|part| part.3).collect();
    if parts.len() > ARCHIVE_PARTS_MAX {
        return Err(Stopped::Archive("the conversations are in too many files".into()));
    }
    Ok(parts)
}

/// Which part an entry of this name is (0: all), and how deep it lies; None if it is none, or if
/// the name is no plain path.
fn judged(name: &str) -> Option<(usize, usize)> {
    let odd = |c: char| c.is_control() || c == '\\' || c == ':';
    let steps: Vec<&str> = name.split('/').collect();
    let plain = |step: &&str| !matches!(*step, "" | "." | ".." | "__MACOSX");
    if name.contains(odd) || !steps.iter().all(plain) {
        return None;
    }
    let (file, deep) = (steps.last()?, steps.len());
    let rest = file.strip_prefix("conversations")?.strip_suffix(".json")?;
    let number = match rest.strip_prefix('-') {
        None if rest.is_empty() => 0,
        Some(digits) if digits.len() <= 6 && digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse::<usize>().ok()? + 1
        }
        _ => return None,
    };
    (deep <= ARCHIVE_DEPTH_MAX).then_some((number, deep))
}

#[cfg(test)]
mod tests {
    use super::judged;

    #[test]
    fn only_plain_names_are_conversations() {
        for (name, found) in [
            ("conversations.json", Some((0, 1))),
            ("export/conversations.json", Some((0, 2))),
            ("conversations-000.json", Some((1, 1))),
            ("x/conversations-012.json", Some((13, 2))),
            ("../conversations.json", None),
            ("/conversations.json", None),
            ("a//conversations.json", None),
            ("a\\conversations.json", None),
            ("__MACOSX/conversations.json", None),
            ("conversations.json/", None),
            ("conversations-.json", None),
            ("conversations-1234567.json", None),
            ("my_conversations.json", None),
            ("a/b/c/d/e/f/g/h/conversations.json", None),
        ] {
            assert_eq!(judged(name), found, "{name}");
        }
    }
}
