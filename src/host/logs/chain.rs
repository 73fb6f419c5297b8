//! A log file and its older siblings as one long text, and places in it that hold when files
//! are renamed, copied or emptied: a place names its file by inode number and by its first line,
//! since numbers are used again and copies have new ones.

use super::LogError;
use std::fmt::Write;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Older siblings looked for.
const SIBLINGS_MAX: u32 = 9;
/// Of a file's first line, so much tells it from others, in bytes.
const HEAD_BYTES: usize = 256;

/// A place in a unit's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    /// Which file; 0: there was none.
    pub(super) inode: u64,
    /// A sum of its first line; 0: it had none.
    pub(super) head: u32,
    /// How far into it, in bytes.
    pub(super) offset: u64,
}

/// One of the files, opened.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) file: File,
    pub(super) inode: u64,
    pub(super) head: u32,
    pub(super) size: u64,
}

/// What is there of a log, the oldest first; the last is the one that is written to.
pub(super) fn parts(path: &Path) -> Result<Vec<Part>, LogError> {
    let name = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    let mut parts: Vec<Part> = Vec::new();
    for path in (1..=SIBLINGS_MAX).rev().map(name).chain([path.to_owned()]) {
        let found = Part::open(&path).map_err(|source| LogError::File { path, source })?;
        if let Some(part) = found {
            // Renamed while we looked: the same file under two names.
            parts.retain(|known| known.inode != part.inode);
            parts.push(part);
        }
    }
    Ok(parts)
}

/// The file that one of these places is in, or a copy of it, and how far into it.
pub(super) fn find(parts: &[Part], spots: &[Spot]) -> Option<(usize, u64)> {
    let place = |fits: fn(&Part, &Spot) -> bool| {
        spots.iter().find_map(|spot| {
            let fits = |part: &Part| part.size >= spot.offset && fits(part, spot);
            Some((parts.iter().position(fits)?, spot.offset))
        })
    };
    let itself = |part: &Part, spot: &Spot| {
        part.inode == spot.inode && (spot.head == 0 || part.head == spot.head)
    };
    let copy = |part: &Part, spot: &Spot| spot.head != 0 && part.head == spot.head;
    place(itself).or_else(|| place(copy))
}

impl Part {
    fn open(path: &Path) -> io::Result<Option<Part>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let (inode, size) = (found.ino(), found.len());
        let head = head(&file)?;
        Ok(Some(Part { file, inode, head, size }))
    }

    /// The place at its end, or at `offset`.
    pub(super) fn spot(&self, offset: u64) -> Spot {
        Spot { inode: self.inode, head: self.head, offset }
    }
}

/// A sum of a file's first line (FNV-1a), never 0; 0 while it has no whole one.
pub(super) fn head(file: &File) -> io::Result<u32> {
    let mut bytes = [0; HEAD_BYTES];
    let read = file.read_at(&mut bytes, 0)?;
    let line = bytes[..read].iter().position(|b| *b == b'\n');
    let Some(length) = line.or((read == HEAD_BYTES).then_some(HEAD_BYTES)) else {
        return Ok(0);
    };
    let sum = |sum: u32, byte: &u8| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    Ok(bytes[..length].iter().fold(0x811c_9dc5, sum).max(1))
}

/// A place in several logs at once, as text.
pub(super) fn cursor(spots: &[Spot]) -> String {
    let mut text = String::with_capacity(spots.len() * 32);
    for (number, spot) in spots.iter().enumerate() {
        let between = if number == 0 { "" } else { ";" };
        write!(text, "{between}{:x}.{:x}-{}", spot.inode, spot.head, spot.offset)
            .expect("a String takes what is written");
    }
    text
}

/// The places in such a text.
pub(super) fn spots(cursor: &str) -> Option<Vec<Spot>> {
    let spot = |text: &str| {
        let (file, offset) = text.split_once('-')?;
        let (inode, head) = file.split_once('.')?;
        Some(Spot {
            inode: u64::from_str_radix(inode, 16).ok()?,
            head: u32::from_str_radix(head, 16).ok()?,
            offset: offset.parse().ok()?,
        })
    };
    cursor.split(';').map(spot).collect()
}

pub(super) fn is_cursor(text: &str) -> bool {
    spots(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_place_is_found_in_the_file_its_new_name_or_its_copy() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        fs::write(&log, "one\ntwo\n").unwrap();
        let place = parts(&log).unwrap()[0].spot(4);
        let renamed = folder.path().join("x.log.1");
        fs::rename(&log, &renamed).unwrap();
        fs::write(&log, "three\n").unwrap();
        assert_eq!(find(&parts(&log).unwrap(), &[place]), Some((0, 4)));

        fs::copy(&renamed, folder.path().join("copy")).unwrap();
        fs::rename(folder.path().join("copy"), &renamed).unwrap();
        assert_eq!(find(&parts(&log).unwrap(), &[place]), Some((0, 4)));

        // Its number is another's now, which begins otherwise.
        let other = Spot { inode: parts(&log).unwrap()[1].inode, ..place };
        assert_eq!(find(&parts(&log).unwrap(), &[other]), Some((0, 4)));
        fs::remove_file(&renamed).unwrap();
        assert_eq!(find(&parts(&log).unwrap(), &[other]), None);
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let places = [
            Spot { inode: 0x1f, head: 0xffff_ffff, offset: 12 },
            Spot::default(),
            Spot { inode: u64::MAX, head: 1, offset: u64::MAX },
        ];
        assert_eq!(spots(&cursor(&places)), Some(places.to_vec()));
        for bad in ["", "1-2", "1.2-x", ";", "1.2-3;", "g.1-1", "1.1--1"] {
            assert!(!is_cursor(bad), "{bad:?}");
        }
    }
}
