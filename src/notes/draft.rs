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
    if !is_draft(name) || !entry.metadata().is_ok_and(|found| is_left(&found, seconds_now())) {
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

    #[test]
    fn a_file_that_rested_is_swept_and_a_fresh_one_a_folder_and_a_link_are_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let top = Dir::open_ambient_dir(dir.path(), ambient_authority()).expect("opened");
        top.write("file", "").expect("written");
        top.create_dir("folder").expect("made");
        top.symlink("file", "link").expect("linked");
        let found = |name: &str| top.symlink_metadata(name).expect("there");
        let (now, later) = (seconds_now(), seconds_now() + DRAFT_SECONDS_MAX + 10);
        assert!(is_left(&found("file"), later));
        assert!(!is_left(&found("file"), now));
        assert!(!is_left(&found("folder"), later) && !is_left(&found("link"), later));
        // What says that it is old was renamed just now.
        let file = std::fs::File::options().write(true).open(dir.path().join("file"));
        file.expect("opened").set_modified(SystemTime::UNIX_EPOCH).expect("set");
        assert!(!is_left(&found("file"), now));
    }

    #[test]
    fn what_is_young_stays_whatever_it_is() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(DRAFT), "").expect("written");
        let top = Dir::open_ambient_dir(dir.path(), ambient_authority()).expect("opened");
        for entry in top.entries().expect("listed") {
            sweep(&entry.expect("an entry"), DRAFT);
        }
        assert!(dir.path().join(DRAFT).exists());
    }
}
