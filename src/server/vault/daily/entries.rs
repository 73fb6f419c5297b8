//! Entries: `Daily/entries/<id>.md`. An id is the minute in which one was made; a second one of
//! the same minute has a number behind it (traps 89 and T-63). Nothing is ever put over another.

use super::super::{FileError, Folder};
use crate::limits::{ENTRIES_MAX, ENTRIES_OF_A_MINUTE_MAX};
use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use wire::Timestamp;

/// Where they are.
pub(crate) const PLACE: &str = "Daily/entries";

/// Length of `2026-11-20-02-18`.
const MINUTE: usize = 16;

/// A file of an entry.
pub(crate) struct Found {
    pub(crate) text: String,
    pub(crate) modified: Timestamp,
}

/// The ids of all entries, newest first.
pub(crate) fn ids(vault: &Folder) -> Result<Vec<String>, FileError> {
    let Some(folder) = vault.folder(Path::new(PLACE))? else { return Ok(Vec::new()) };
    let mut ids = Vec::new();
    for entry in folder.dir().entries().map_err(FileError::of(Path::new(PLACE)))? {
        let entry = entry.map_err(FileError::of(Path::new(PLACE)))?;
        let name = entry.file_name();
        // A name that is no text can be no id.
        let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".md")) else { continue };
        if ids.len() >= ENTRIES_MAX {
            tracing::warn!(max = ENTRIES_MAX, "there are more entries than are looked at");
            break;
        }
        if is_id(id) {
            ids.push(id.to_owned());
        }
    }
    ids.sort_by_cached_key(|id| Reverse(place_in_time(id)));
    Ok(ids)
}

/// The entry of this id. None: there is none.
pub(crate) fn read(vault: &Folder, id: &str) -> Result<Option<Found>, FileError> {
    if !is_id(id) {
        return Ok(None);
    }
    let Some(folder) = vault.folder(Path::new(PLACE))? else { return Ok(None) };
    let file = PathBuf::from(format!("{id}.md"));
    let Some(text) = folder.read_unlinked(&file)? else { return Ok(None) };
    let found = folder.dir().symlink_metadata(&file).and_then(|found| found.modified());
    let since = found.ok().map(cap_std::time::SystemTime::into_std);
    let since = since.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let millis = since.and_then(|since| i64::try_from(since.as_millis()).ok());
    Ok(Some(Found { text, modified: Timestamp::from_millis(millis.unwrap_or(0)) }))
}

/// Puts a new entry down under the id of its minute, with a number behind it if that is taken.
/// `text` makes the file of the id. Whole or not at all, and over nothing.
pub(crate) fn create(
    vault: &Folder,
    minute: &str,
    text: impl Fn(&str) -> String,
) -> Result<String, FileError> {
    let folder = vault.folder_made(Path::new(PLACE))?;
    for number in 1..=ENTRIES_OF_A_MINUTE_MAX {
        let id = if number == 1 { minute.to_owned() } else { format!("{minute}-{number}") };
        let file = PathBuf::from(format!("{id}.md"));
        let text = text(&id);
        if folder.dir().symlink_metadata(&file).is_ok() {
            continue;
        }
        match folder.create(&file, text.as_bytes()) {
            Err(FileError::Taken(_)) => {}
            done => return done.map(|()| id),
        }
    }
    Err(FileError::Taken(Path::new(PLACE).join(minute)))
}

/// Whether a text can be the name of an entry's file: one part of a path, and not hidden.
fn is_id(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('.') && !text.contains(['/', '\0'])
}

/// The minute of an id, and which one it is in it; any other name is a minute of its own.
fn place_in_time(id: &str) -> (String, u32) {
    let whole = (id.to_owned(), 0);
    let Some((minute, rest)) = id.split_at_checked(MINUTE).filter(|(minute, _)| is_minute(minute))
    else {
        return whole;
    };
    match rest.strip_prefix('-').map(str::parse) {
        None if rest.is_empty() => (minute.to_owned(), 1),
        Some(Ok(number)) => (minute.to_owned(), number),
        _ => whole,
    }
}

/// Whether a text is `YYYY-MM-DD-HH-MM`.
pub(crate) fn is_minute(text: &str) -> bool {
    text.len() == MINUTE
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 | 10 | 13 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// The point in time that an id names.
pub(crate) fn time_of(id: &str) -> Option<Timestamp> {
    let minute = id.get(..MINUTE).filter(|minute| is_minute(minute))?;
    let (day, time) = minute.split_at(10);
    Timestamp::parse(&format!("{day}T{}:00Z", time[1..].replace('-', ":")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vault() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().expect("a folder");
        let vault = Folder::open(dir.path()).expect("read").expect("a vault");
        (dir, vault)
    }

    #[test]
    fn traps_89_and_t63_two_of_one_minute_are_two() {
        let (dir, vault) = vault();
        let make = || create(&vault, "2026-11-20-02-18", |id| format!("x {id}")).expect("made");
        let made: Vec<String> = (0..11).map(|_| make()).collect();
        assert_eq!(made[..2], ["2026-11-20-02-18", "2026-11-20-02-18-2"]);
        assert_eq!(made[10], "2026-11-20-02-18-11");
        std::fs::write(dir.path().join(PLACE).join("2026-11-20-02-19.md"), "later").expect("ok");
        std::fs::write(dir.path().join(PLACE).join("by hand.md"), "last").expect("ok");
        std::fs::write(dir.path().join(PLACE).join("no entry.txt"), "").expect("ok");
        let mut expected = made.clone();
        expected.reverse();
        expected.insert(0, "2026-11-20-02-19".into());
        expected.insert(0, "by hand".into());
        assert_eq!(ids(&vault).expect("listed"), expected);
        let text = read(&vault, "2026-11-20-02-18-2").expect("read").expect("there").text;
        assert_eq!(text, "x 2026-11-20-02-18-2");
    }

    #[test]
    fn nothing_is_put_over_another_even_at_once() {
        let (dir, vault) = vault();
        vault.folder_made(Path::new(PLACE)).expect("made");
        let root = dir.path();
        let make = |_| {
            let vault = Folder::open(root).expect("read").expect("a vault");
            create(&vault, "2026-11-20-02-18", |id| format!("x {id}")).expect("made")
        };
        let mut made: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|n| scope.spawn(move || make(n))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        made.sort();
        made.dedup();
        assert_eq!(made.len(), 16);
        assert_eq!(std::fs::read_dir(root.join(PLACE)).expect("listed").count(), 16);
    }

    #[test]
    fn an_id_is_a_name_and_its_time_is_told() {
        let (_dir, vault) = vault();
        for bad in ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\0", ".hidden"] {
            assert!(read(&vault, bad).expect("no fault").is_none(), "{bad:?}");
        }
        let at = time_of("2026-11-20-02-18-2").expect("a time");
        assert_eq!(at.to_string(), "2026-11-20T02:18:00Z");
        for none in ["2026-13-20-02-18", "2026-11-20", "2026-11-20T02-18", "é".repeat(9).as_str()]
        {
            assert_eq!(time_of(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_name_has_a_place(id in "\\PC{0,30}|2026-[0-9]{2}-20-02-18(-[0-9]{0,12})?") {
            let _ = (place_in_time(&id), time_of(&id));
        }
    }
}
