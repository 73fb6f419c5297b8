//! How SQLite goes about the queries that have to be fast.

use crate::store::{schema, sessions};
use rusqlite::params;

fn plan(sql: &str) -> String {
    let connection = schema::open_memory().unwrap();
    let mut query = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let nothing: Option<String> = None;
    let values = params![false, nothing, nothing, nothing, 100, 0, false];
    let steps = query.query_map(values, |row| row.get::<_, String>(3)).unwrap();
    steps.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
}

#[test]
fn a_listing_walks_the_index_and_sorts_nothing() {
    let plan = plan(&sessions::list_sql());
    assert!(plan.contains("USING INDEX idx_sessions_last_accessed"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
}
