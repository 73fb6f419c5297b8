//! The name that a file of the vault has until it is whole and in its place, and what becomes of
//! one whose writer was killed: whoever goes through a folder takes it away, once it is old.
//! Writes nothing.

use crate::limits::DRAFT_SECONDS_MAX;
use cap_std::fs::{DirEntry, Metadata, MetadataExt};
use std::time::SystemTime;

/// Digits of a random UUID (RFC 9562, version 4), by which nobody else's file is hit.
const DIGITS: usize = 32;

/// Whether a file of this name waits for its place. Short, as the longest lawful name leaves no
/// room for more: `.<32 digits>.parachute`.
#[must_use]
pub fn is_draft(name: &str) -> bool {
    let digits = name.strip_prefix('.').and_then(|rest| rest.strip_suffix(".parachute"));
    digits.is_some_and(|digits| {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        digits.len() == DIGITS
            && digits.bytes().all(is_digit)
            && digits.as_bytes()[12] == b'4'
            && b"89ab".contains(&digits.as_bytes()[16])
    })
}

/// Takes an entry away if it is a file that nobody will ever put in its place.
pub fn sweep(entry: &DirEntry, name: &str) {
    sweep_at(entry, name, seconds_now());
}

fn sweep_at(entry: &DirEntry, name: &str, now: i64) {
    if !is_draft(name) || !entry.metadata().is_ok_and(|found| is_left(&found, now)) {
        return;
    }
    match entry.remove_file() {
        Ok(()) => tracing::info!(name, "what a server left that was killed is swept"),
        Err(error) => tracing::warn!(%error, name, "what a server left is still there"),
    }
}

/// Whether it is a file that rested long. One that is taken away to be deleted is as old as it
/// ever was; only its change tells that it was given such a name just now.
fn is_left(found: &Metadata, now: i64) -> bool {
    let newest = found.mtime().max(found.ctime());
    found.is_file() && now.saturating_sub(newest) > DRAFT_SECONDS_MAX
}

fn seconds_now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cap_std::ambient_authority;
    use cap_std::fs::Dir;

    const DRAFT: &str = ".0123456789ab4def89ab0123456789ab.parachute";

    #[test]
    fn only_a_name_that_we_give_is_one_of_ours() {
        assert!(is_draft(DRAFT));
        for name in [
            "",
            ".parachute",
            &DRAFT[1..],
            ".note.0123456789ab4def89ab0123456789ab.parachute",
            ".0123456789ab4def89ab0123456789ab.Parachute",
            ".0123456789AB4DEF89AB0123456789AB.parachute",
            ".0123456789ab1def89ab0123456789ab.parachute",
            ".0123456789ab4defc9ab0123456789ab.parachute",
            ".0123456789ab4def89ab0123456789ab.parachute.md",
            ".0123456789ab4def89ab0123456789a.parachute",
            ".01234567-89ab-4def-89ab-0123456789ab.parachute",
            &".é".repeat(16),
        ] {
            assert!(!is_draft(name), "{name}");
        }
    }

    fn sweep_all(folder: &std::path::Path, now: i64) {
        let top = Dir::open_ambient_dir(folder, ambient_authority()).expect("opened");
        for entry in top.entries().expect("listed") {
            let entry = entry.expect("an entry");
            sweep_at(&entry, entry.file_name().to_str().expect("text"), now);
        }
    }

    #[test]
    fn a_file_that_rested_is_swept_and_a_fresh_one_a_folder_and_a_link_are_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = |digit: char| dir.path().join(DRAFT.replacen('0', &digit.to_string(), 1));
        let (file, folder, link, note) = (path('1'), path('2'), path('3'), path('4'));
        let note = note.with_extension("md");
        std::fs::write(&file, "").expect("written");
        std::fs::write(&note, "").expect("written");
        std::fs::create_dir(&folder).expect("made");
        std::os::unix::fs::symlink(&note, &link).expect("linked");
        // What says that it is old was made, or given its name, just now.
        let old = std::fs::File::options().write(true).open(&file).expect("opened");
        old.set_modified(SystemTime::UNIX_EPOCH).expect("set");
        sweep_all(dir.path(), seconds_now());
        assert!(file.exists());
        sweep_all(dir.path(), seconds_now() + DRAFT_SECONDS_MAX + 10);
        assert!(!file.exists());
        assert!(folder.is_dir() && link.is_symlink() && note.exists());
    }
}
