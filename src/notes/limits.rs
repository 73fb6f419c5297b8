//! Bounds of what is read of a vault and kept of it, units in the name.

use std::time::Duration;

/// Of a note, so much is read; what comes after is not found.
pub(crate) const NOTE_BYTES_MAX: u64 = 1 << 20;
/// Longest front matter that is read as such.
pub(crate) const FRONT_BYTES_MAX: usize = 64 << 10;
/// A name, an id, a tag, a link's target: longer ones are cut, or are none.
pub(crate) const NAME_CHARS_MAX: usize = 200;
pub(crate) const ID_BYTES_MAX: usize = 1024;
pub(crate) const TAG_CHARS_MAX: usize = 100;
pub(crate) const TARGET_BYTES_MAX: usize = 512;
/// Of one note.
pub(crate) const TAGS_MAX: usize = 100;
pub(crate) const ALIASES_MAX: usize = 100;
pub(crate) const LINKS_MAX: usize = 1000;

/// Of one vault: notes, folders, and how deep those lie.
pub(crate) const NOTES_MAX: usize = 200_000;
pub(crate) const FOLDERS_MAX: usize = 50_000;
pub(crate) const FOLDERS_DEEP_MAX: usize = 32;
/// Notes and folders that are looked at in one folder: as many as the whole vault may have.
pub(crate) const LISTED_MAX: usize = NOTES_MAX + FOLDERS_MAX;

/// A file that is not yet in its place is nobody's any more after so long.
pub(crate) const DRAFT_SECONDS_MAX: i64 = 3600;

/// What is written at once: so many notes, so much text, or what came together in this time.
pub(crate) const BATCH_NOTES: usize = 1000;
pub(crate) const BATCH_BYTES: usize = 4 << 20;
pub(crate) const BATCH_TIME: Duration = Duration::from_millis(500);

/// Words of a query, what is found at once, and how much of a text is shown.
pub(crate) const WORDS_MAX: usize = 32;
/// Most that one search gives.
pub const FOUND_MAX: usize = 1000;
pub(crate) const SNIPPET_CHARS_MAX: usize = 200;
/// Of entities' texts, so much is looked through for what is no whole word.
pub(crate) const SCAN_BYTES_MAX: usize = 32 << 20;
/// Tags that are counted, notes that link to one, and warnings that are kept in mind.
pub(crate) const TAGS_COUNTED_MAX: usize = 1000;
pub(crate) const BACKLINKS_MAX: usize = 500;
pub(crate) const WARNINGS_MAX: usize = 50;

/// Changes are waited for until none has come for so long, but never longer than that.
pub(crate) const QUIET: Duration = Duration::from_millis(30);
pub(crate) const QUIET_MAX: Duration = Duration::from_millis(200);
/// Paths that may have changed; with more, everything is looked at.
pub(crate) const CHANGED_MAX: usize = 4096;
/// How often everything is looked at where nobody says what changes, or nothing could be read.
pub(crate) const ROUND: Duration = Duration::from_secs(60);
/// After so long without work, what is kept for speed is given back.
pub(crate) const IDLE: Duration = Duration::from_secs(10);
/// Searches at once, and for one that waits for the disk.
pub(crate) const READERS_MAX: usize = 4;
pub(crate) const BUSY: Duration = Duration::from_secs(2);
/// For everything to be looked at when somebody waits for it.
pub(crate) const RELOAD_WAIT: Duration = Duration::from_secs(20);
