//! Searching titles and paging.

use super::{all, chat, ids, store};
use crate::store::{ListFilter, sessions};
use proptest::prelude::*;
use rusqlite::{Connection, params};

#[tokio::test]
async fn search_takes_signs_for_what_they_are_and_pages_do_not_overlap() {
    let store = store();
    for (id, title) in [("1", "100%"), ("2", "a_b"), ("3", r"back\slash"), ("4", "axb 1000")] {
        let mut row = chat(id, 1);
        row.title = Some(title.into());
        store.insert_session(&row).await.unwrap();
    }
    for (search, found) in [("%", "1"), ("_", "2"), ("\\", "3"), ("AXB", "4"), ("0%", "1")] {
        let filter = ListFilter { search: Some(search.into()), ..all() };
        assert_eq!(ids(&store, &filter).await, [found], "{search}");
    }
    let endless = ListFilter { search: Some("a".repeat(100_000)), ..all() };
    assert!(ids(&store, &endless).await.is_empty());
    let mut seen = Vec::new();
    for offset in 0..4 {
        seen.extend(ids(&store, &ListFilter { limit: 1, offset, ..ListFilter::default() }).await);
    }
    assert_eq!(seen, ["1", "2", "3", "4"], "rows of one moment keep their order");
}

proptest! {
    #[test]
    fn a_pattern_finds_exactly_the_titles_that_contain_the_text(
        title in "[a%_\\\\é🪂]{0,8}", text in "[a%_\\\\é🪂]{0,3}",
    ) {
        let connection = Connection::open_in_memory().unwrap();
        let found: bool = connection
            .query_row(
                "SELECT ?1 LIKE ?2 ESCAPE '\\'",
                params![title, sessions::contains(&text)],
                |row| row.get(0),
            )
            .unwrap();
        prop_assert_eq!(found, title.contains(&text));
    }
}
