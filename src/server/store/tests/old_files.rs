//! Files as the predecessor left them at each of its versions, and files that are refused.

use super::{at, folder, texts};
use crate::store::{ListFilter, SessionRow, Store, StoreError};
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What each version of the predecessor did to its file, from nothing to 15.
const STAGES: [(i64, &str); 8] = [
    (
        8,
        "CREATE TABLE sessions (id TEXT PRIMARY KEY, title TEXT,
            module TEXT NOT NULL DEFAULT 'chat', source TEXT NOT NULL DEFAULT 'parachute',
            working_directory TEXT, model TEXT, message_count INTEGER DEFAULT 0,
            archived INTEGER DEFAULT 0, created_at TEXT NOT NULL, last_accessed TEXT NOT NULL,
            continued_from TEXT, metadata TEXT);
        CREATE TABLE session_tags (session_id TEXT NOT NULL, tag TEXT NOT NULL,
            created_at TEXT NOT NULL, PRIMARY KEY (session_id, tag),
            FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE);
        CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL);
        CREATE INDEX idx_sessions_module ON sessions(module);
        INSERT INTO schema_version VALUES (8, datetime('now'));
        INSERT INTO sessions VALUES ('first', 'First session', 'chat', 'parachute', 'Projects/x',
            NULL, 2, 0, '2026-01-01T10:00:00.123456+00:00', '2026-01-01T11:00:00+00:00', NULL,
            NULL);
        INSERT INTO session_tags VALUES ('gone', 'left behind', '2026-01-01T10:00:00+00:00');",
    ),
    (9, "ALTER TABLE sessions ADD COLUMN vault_root TEXT;"),
    (
        10,
        "ALTER TABLE sessions ADD COLUMN agent_type TEXT;
        CREATE INDEX idx_sessions_agent_type ON sessions(agent_type);
        INSERT INTO schema_version VALUES (10, datetime('now'));",
    ),
    (
        11,
        "ALTER TABLE sessions ADD COLUMN trust_level TEXT DEFAULT 'full';
        ALTER TABLE sessions ADD COLUMN linked_bot_platform TEXT;
        ALTER TABLE sessions ADD COLUMN linked_bot_chat_id TEXT;
        ALTER TABLE sessions ADD COLUMN linked_bot_chat_type TEXT;
        CREATE INDEX idx_sessions_trust_level ON sessions(trust_level);
        CREATE INDEX idx_sessions_linked_bot
            ON sessions(linked_bot_platform, linked_bot_chat_id);",
    ),
    (
        12,
        "CREATE TABLE pairing_requests (id TEXT PRIMARY KEY, platform TEXT NOT NULL,
            platform_user_id TEXT NOT NULL, platform_user_display TEXT,
            platform_chat_id TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'pending',
            approved_trust_level TEXT, created_at TEXT NOT NULL, resolved_at TEXT,
            resolved_by TEXT, UNIQUE (platform, platform_user_id, status));
        INSERT INTO pairing_requests VALUES ('p1', 'telegram', 'u', NULL, 'c', 'approved',
            'vault', '2026-01-01T10:00:00+00:00', NULL, NULL);
        INSERT INTO sessions (id, created_at, last_accessed, trust_level, working_directory)
            VALUES ('boxed', '2026-01-02T10:00:00+00:00', '2026-01-02T10:00:00+00:00',
                'sandboxed', '/vault/y');",
    ),
    (13, "ALTER TABLE sessions ADD COLUMN workspace_id TEXT;"),
    (
        14,
        "UPDATE sessions SET trust_level = 'trusted' WHERE trust_level = 'full';
        UPDATE sessions SET trust_level = 'untrusted' WHERE trust_level = 'sandboxed';
        UPDATE pairing_requests SET approved_trust_level = 'trusted';
        INSERT INTO schema_version VALUES (14, datetime('now'));",
    ),
    (
        15,
        "UPDATE sessions SET working_directory = '/vault/Projects/x' WHERE id = 'first';
        INSERT INTO schema_version VALUES (15, datetime('now'));",
    ),
];

fn predecessor(path: &Path, version: i64) {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    for (_, sql) in STAGES.iter().take_while(|(stage, _)| *stage <= version) {
        connection.execute_batch(sql).unwrap();
    }
}

fn copy_of(path: &Path) -> std::path::PathBuf {
    path.with_file_name("sessions.db.before-v16")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn shape(path: &Path) -> Vec<String> {
    texts(path, "SELECT type || ' ' || name FROM sqlite_master ORDER BY type, name")
}

#[tokio::test]
async fn a_fresh_file_has_everything_and_no_copy() {
    let (_folder, path) = folder();
    Store::open(&path).unwrap().close().await;
    let versions = texts(&path, "SELECT CAST(version AS TEXT) FROM schema_version ORDER BY 1");
    assert_eq!(versions, ["10", "14", "15", "16"]);
    assert_eq!(shape(&path).iter().filter(|name| name.starts_with("index idx_")).count(), 18);
    assert_eq!(names(path.parent().unwrap()), ["sessions.db"]);
}

#[tokio::test]
async fn a_file_of_any_version_becomes_ours_and_a_copy_is_kept() {
    let (_fresh_folder, fresh) = folder();
    Store::open(&fresh).unwrap().close().await;
    for (version, _) in STAGES {
        let (_folder, path) = folder();
        predecessor(&path, version);
        let before = shape(&path);

        let store = Store::open(&path).unwrap();
        let first = store.session("first").await.unwrap().unwrap();
        assert_eq!(first.title.as_deref(), Some("First session"), "version {version}");
        assert_eq!(first.working_directory.as_deref(), Some("/vault/Projects/x"));
        assert_eq!(first.trust_level.as_deref(), Some("trusted"));
        assert_eq!(first.created_at.to_string(), "2026-01-01T10:00:00.123456Z");
        if version >= 12 {
            let boxed = store.session("boxed").await.unwrap().unwrap();
            assert_eq!(boxed.trust_level.as_deref(), Some("untrusted"));
            assert_eq!(boxed.working_directory.as_deref(), Some("/vault/y"));
        }
        store.close().await;

        let pairing = texts(&path, "SELECT approved_trust_level FROM pairing_requests");
        assert!(pairing.iter().all(|level| level == "trusted"), "version {version}");
        assert_eq!(shape(&path), shape(&fresh), "version {version}");
        assert_eq!(shape(&copy_of(&path)), before, "version {version}");
        let mode = fs::metadata(copy_of(&path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            names(path.parent().unwrap()),
            ["sessions.db", "sessions.db.before-v16"],
            "version {version}"
        );
    }
}

#[tokio::test]
async fn a_file_that_lacks_nothing_is_not_copied_again() {
    let (_folder, path) = folder();
    predecessor(&path, 15);
    Store::open(&path).unwrap().close().await;
    fs::remove_file(copy_of(&path)).unwrap();
    Store::open(&path).unwrap().close().await;
    assert!(!copy_of(&path).exists());
}

#[tokio::test]
async fn a_copy_is_never_replaced_and_a_partial_one_never_kept() {
    let (_folder, path) = folder();
    predecessor(&path, 11);
    fs::write(copy_of(&path), "from an earlier try").unwrap();
    fs::write(path.with_file_name("sessions.db.before-v16.partial"), "cut short").unwrap();
    Store::open(&path).unwrap().close().await;
    assert_eq!(fs::read_to_string(copy_of(&path)).unwrap(), "from an earlier try");
    let second = path.with_file_name("sessions.db.before-v16.2");
    assert_eq!(texts(&second, "SELECT title FROM sessions"), ["First session"]);
    assert_eq!(names(path.parent().unwrap()).len(), 3);
}

#[tokio::test]
async fn a_migration_that_cannot_be_done_leaves_no_trace() {
    let (_folder, path) = folder();
    predecessor(&path, 13);
    let sql = "CREATE VIEW runs AS SELECT 1 AS a; CREATE VIEW idx_sessions_source AS SELECT 1;";
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let before = fs::read(&path).unwrap();
    let error = Store::open(&path).err().unwrap();
    assert!(matches!(error, StoreError::Sql(_)), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(names(path.parent().unwrap()), ["sessions.db"]);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_not_touched() {
    let (_folder, path) = folder();
    predecessor(&path, 15);
    let sql = "INSERT INTO schema_version VALUES (17, datetime('now'))";
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let before = fs::read(&path).unwrap();
    let error = Store::open(&path).err().unwrap();
    assert!(matches!(error, StoreError::Newer { found: 17, known: 16, .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn what_is_no_database_and_what_is_a_broken_one_are_told_apart() {
    let (_folder, path) = folder();
    fs::write(&path, "not a database at all\n".repeat(100)).unwrap();
    let error = Store::open(&path).err().unwrap();
    assert!(matches!(error, StoreError::NotADatabase { .. }), "{error}");

    fs::remove_file(&path).unwrap();
    predecessor(&path, 15);
    let mut bytes = fs::read(&path).unwrap();
    // Every page but the first, which holds the schema.
    bytes[4096..].fill(0xA5);
    fs::write(&path, &bytes).unwrap();
    let error = Store::open(&path).err().unwrap();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(names(path.parent().unwrap()), ["sessions.db"]);

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = Store::open(&path).err().unwrap();
    assert!(matches!(error, StoreError::Unopenable { .. }), "{error}");
}

#[test]
fn a_file_under_a_file_has_no_folder() {
    let (_folder, path) = folder();
    fs::write(&path, "").unwrap();
    let error = Store::open(&path.join("sessions.db")).err().unwrap();
    assert!(matches!(error, StoreError::Folder { .. }), "{error}");
}

#[tokio::test]
async fn a_full_disk_and_a_read_only_file_have_errors_of_their_own() {
    let (_folder, path) = folder();
    let store = Store::open(&path).unwrap();
    let wide = "x".repeat(1 << 20);
    let full = store
        .write(move |change| {
            change.pragma_update(None, "max_page_count", 1)?;
            change.execute("INSERT INTO metadata VALUES ('wide', ?1, '')", [wide])
        })
        .await;
    assert!(matches!(full, Err(StoreError::Full { .. })), "{full:?}");
    let write = "INSERT INTO metadata VALUES ('a', 'b', '')";
    let read_only = store.read(move |connection| connection.execute(write, [])).await;
    assert!(matches!(read_only, Err(StoreError::ReadOnly { .. })), "{read_only:?}");
    store.close().await;
}

#[tokio::test]
async fn two_stores_on_one_file_see_each_other() {
    let (_folder, path) = folder();
    let (one, two) = (Store::open(&path).unwrap(), Store::open(&path).unwrap());
    let row = SessionRow::new("shared", at("2026-01-01T00:00:00Z"));
    one.insert_session(&row).await.unwrap();
    assert_eq!(two.session("shared").await.unwrap(), Some(row));
    one.close().await;
    let filter = ListFilter { limit: 9, ..ListFilter::default() };
    assert_eq!(two.list_sessions(&filter).await.unwrap().len(), 1);
    two.close().await;
    assert_eq!(names(path.parent().unwrap()), ["sessions.db"]);
}
