//! What no search can be brought to by its door alone: odd places in a text, and bounds.

use super::*;
use crate::Note;
use crate::files::Stat;
use crate::store::Store;
use proptest::prelude::*;

#[test]
fn it_is_said_that_not_all_texts_were_looked_at() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("index.db");
    let mut store = Store::open(&file, dir.path()).expect("an index");
    for name in ["a.md", "b.md", "c.md"] {
        let note = Note::read(name, b"a text with a word");
        store.put(("Brain/entities", name), Stat::default(), &note).expect("put");
    }
    store.settle().expect("written");
    let sql = Connection::open(&file).expect("opened");
    let wanted = Wanted { limit: 9, ..Wanted::default() };
    for (max, expected) in [(1000, (3, false)), (40, (2, true)), (1, (0, true))] {
        let found = by_parts(&sql, "wor", &wanted, &HashSet::new(), max).expect("searched");
        assert_eq!((found.0.len(), found.1), expected, "{max}");
    }
}

proptest! {
    #[test]
    fn some_of_a_text_is_shown_whatever_parts_its_words(
        text in "[a日\u{a0}\u{3000}\u{2003}\u{200b} \n]{30,90}", at in 0_usize..300,
    ) {
        let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        let around = around(&text, at.unwrap_or(0));
        prop_assert!(around.chars().count() <= SNIPPET_CHARS_MAX);
    }
}
