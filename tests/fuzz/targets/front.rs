//! A note of any bytes: its front matter and what is in it. Nothing panics, nothing grows beyond
//! its bounds, and front matter that was written is read as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use notes::{FOUND_MAX, Front, Note};

fuzz_target!(|bytes: &[u8]| {
    let note = Note::read("a/b.md", bytes);
    assert!(note.tags.len() <= FOUND_MAX && note.links.len() <= FOUND_MAX);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(front) = Front::read(text) else { return };
    let again = Front::read(&front.write());
    assert_eq!(again.as_ref().map(|again| &again.body), Ok(&front.body));
});
