//! The store on real files and in memory: what it opens, what it refuses, what it keeps.

mod lanes;
mod old_files;
mod plans;
mod runs;
mod search;
mod sessions;

use super::{ListFilter, SessionRow, Store};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use wire::Timestamp;

fn store() -> Store {
    Store::memory().unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// A session that began at noon of day `day` in January 2026.
fn chat(id: &str, day: u32) -> SessionRow {
    SessionRow::new(id, at(&format!("2026-01-{day:02}T12:00:00Z")))
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Chat").join("sessions.db");
    std::fs::create_dir(folder.path().join("Chat")).unwrap();
    (folder, path)
}

fn texts(path: &Path, sql: &str) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut query = connection.prepare(sql).unwrap();
    let rows = query.query_map([], |row| row.get::<_, Option<String>>(0)).unwrap();
    rows.map(|text| text.unwrap().unwrap_or_else(|| "NULL".into())).collect()
}

fn all() -> ListFilter {
    ListFilter { limit: 100, ..ListFilter::default() }
}

async fn ids(store: &Store, filter: &ListFilter) -> Vec<String> {
    store.list_sessions(filter).await.unwrap().into_iter().map(|row| row.id).collect()
}
