//! A vault as the predecessor leaves it: its database with two sessions, and a transcript. The
//! recorded answers in `tests/golden/predecessor` were given on the same.

use parachute_tests::Home;
use rusqlite::Connection;

/// Has a transcript with a compaction in it.
pub(crate) const FIRST: &str = "00000000-0000-4000-8000-000000000001";
/// Waits for its owner's word, and has no transcript.
pub(crate) const SECOND: &str = "00000000-0000-4000-8000-000000000002";

pub(crate) const TABLES: &str = "
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY, title TEXT, module TEXT NOT NULL DEFAULT 'chat',
        source TEXT NOT NULL DEFAULT 'parachute', working_directory TEXT, vault_root TEXT,
        model TEXT, message_count INTEGER DEFAULT 0, archived INTEGER DEFAULT 0,
        created_at TEXT NOT NULL, last_accessed TEXT NOT NULL, continued_from TEXT,
        agent_type TEXT, metadata TEXT, trust_level TEXT DEFAULT 'full',
        linked_bot_platform TEXT, linked_bot_chat_id TEXT, linked_bot_chat_type TEXT,
        workspace_id TEXT);
    CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL);
    INSERT INTO schema_version VALUES
        (10, '2026-01-01 00:00:00'), (14, '2026-01-01 00:00:00'), (15, '2026-01-01 00:00:00');
";

const TRANSCRIPT: &str = include_str!("../golden/compacted-transcript.jsonl");

/// Puts the predecessor's leavings into a home; before its server starts.
pub(crate) fn leave_in(home: &Home) {
    let folder = home.vault().join("Chat");
    std::fs::create_dir_all(&folder).expect("a folder");
    let db = Connection::open(folder.join("sessions.db")).expect("a database");
    db.execute_batch(TABLES).expect("tables");
    let insert = "INSERT INTO sessions (id, title, working_directory, model, message_count,
        created_at, last_accessed, metadata, trust_level) VALUES (?,?,?,?,?,?,?,?,?)";
    let at = |day: u8, time: &str| format!("2026-01-0{day}T{time}+00:00");
    db.execute(
        insert,
        (
            FIRST,
            "First session",
            None::<&str>,
            "claude-sonnet-4-5-20250929",
            2,
            at(1, "10:00:00.123456"),
            at(1, "11:00:00"),
            None::<&str>,
            "trusted",
        ),
    )
    .expect("a row");
    db.execute(
        insert,
        (
            SECOND,
            "Second session",
            "/vault/Projects/x",
            None::<&str>,
            4,
            at(2, "10:00:00.123456"),
            at(2, "11:00:00"),
            r#"{"config_overrides": {"system_prompt": "p"}, "pending_initialization": true}"#,
            None::<&str>,
        ),
    )
    .expect("a row");
    std::fs::create_dir_all(home.vault().join("Projects/x")).expect("a folder");
    let projects = home.path("h/.claude/projects/-vault");
    std::fs::create_dir_all(&projects).expect("a folder");
    std::fs::write(projects.join(format!("{FIRST}.jsonl")), TRANSCRIPT).expect("written");
}
