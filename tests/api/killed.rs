//! SIGKILL at any moment, fifty times each: while the database is migrated, while files are
//! written, while an export is imported, while notes are indexed. Whatever was under way, no file
//! is half of anything, the database is whole, and the next start goes on. (The pauses before a
//! kill are the fault itself; nothing is waited for by them.)

use crate::rng::Rng;
use parachute_tests::{Home, program};
use rusqlite::Connection;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const KILLS: u64 = 50;
/// Sessions in the predecessor's file: enough for its migration to take a while.
const SESSIONS: i64 = 3000;

/// Nothing is missing in a database, and no page of it is broken.
fn whole(path: &Path) -> Connection {
    let db = Connection::open(path).expect("a database");
    let said: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("asked");
    assert_eq!(said, "ok", "{}", path.display());
    db
}

fn count(db: &Connection, what: &str) -> i64 {
    db.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0)).expect("counted")
}

fn old_database(path: &Path) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let db = Connection::open(path).expect("a database");
    db.execute_batch(crate::past::TABLES).expect("tables");
    db.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO sessions (id, title, created_at, last_accessed, metadata, trust_level)
        SELECT printf('00000000-0000-4000-8000-%012d', i), 'Session ' || i,
            '2026-01-01T10:00:00+00:00', '2026-01-01T10:00:00+00:00',
            json_object('x', hex(zeroblob(200))), 'full' FROM n",
        [SESSIONS],
    )
    .expect("rows");
}

#[test]
fn a_migration_that_is_killed_is_done_again_or_not_at_all() {
    let home = Home::new();
    let database = home.vault().join("Chat/sessions.db");
    let template = home.path("template.db");
    old_database(&template);
    let config = "# mine\nport: 3999\n";
    let mut rng = Rng::new(0x6b69_6c6c);
    let begin = || {
        let mut command = Command::new(program("parachute-server"));
        command.arg("--take-over").env_clear().envs(&home.env);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
    };
    let anew = || {
        let chat = home.vault().join("Chat");
        std::fs::remove_dir_all(&chat).ok();
        std::fs::remove_dir_all(home.vault().join(".parachute")).expect("removed");
        std::fs::create_dir_all(home.vault().join(".parachute")).expect("made");
        std::fs::create_dir_all(&chat).expect("made");
        std::fs::copy(&template, &database).expect("copied");
        home.config(config);
    };
    anew();
    let begun = Instant::now();
    assert!(begin().wait().expect("ended").success());
    let usual = begun.elapsed().as_micros() as u64;

    let (mut early, mut late) = (0, 0);
    for round in 0..KILLS {
        anew();
        let mut child = begin();
        std::thread::sleep(Duration::from_micros(rng.below(usual + usual / 5)));
        // It may be done already.
        let _ = child.kill();
        child.wait().expect("ended");
        let db = whole(&database);
        let is_new = count(&db, "schema_version WHERE version = 16") == 1;
        assert_eq!(count(&db, "sessions"), SESSIONS, "round {round}");
        drop(db);
        (early, late) = (early + u32::from(!is_new), late + u32::from(is_new));
        for copy in [database.with_extension("db.before-v16")] {
            // What has that name is whole.
            if copy.exists() {
                assert_eq!(count(&whole(&copy), "sessions"), SESSIONS, "round {round}");
            }
        }
        let kept = home.vault().join(".parachute/before-v16/config.yaml");
        if kept.parent().expect("a folder").exists() {
            assert_eq!(std::fs::read_to_string(&kept).expect("kept"), config, "round {round}");
        }
        assert!(begin().wait().expect("ended").success(), "round {round}");
        let db = whole(&database);
        assert_eq!(count(&db, "schema_version WHERE version = 16"), 1);
        assert_eq!(count(&db, "sessions WHERE trust_level = 'full'"), SESSIONS);
        assert_eq!(count(&db, "sessions"), SESSIONS);
        assert_eq!(std::fs::read_to_string(&kept).expect("kept"), config);
    }
    assert!(early > 0 && late > 0, "{early} were killed before the change, {late} after it");
}
