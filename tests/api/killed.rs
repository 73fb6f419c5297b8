//! SIGKILL at any moment, fifty times each: while the database is migrated, while files are
//! written, while an export is imported, while notes are indexed. Whatever was under way, no file
//! is half of anything, the database is whole, and the next start goes on. (The pauses before a
//! kill are the fault itself; nothing is waited for by them.)

use crate::rng::Rng;
use http::Method;
use http_body_util::BodyExt;
use parachute_tests::{Home, program};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// A text that says how long it has to be.
fn sized(version: u64) -> String {
    let length = 1000 + version * 7919 % 200_000;
    format!("{version} {length}\n{}", "x".repeat(length as usize))
}

/// The version of a text that is whole.
fn version_of(text: &str) -> u64 {
    let (head, body) = text.split_once('\n').expect("a first line");
    let (version, length) = head.split_once(' ').expect("two numbers");
    assert_eq!(body.len().to_string(), length, "half a file");
    version.parse().expect("a number")
}

#[tokio::test]
async fn a_file_whose_writer_is_killed_is_the_old_or_the_new_one() {
    let home = Home::new();
    let mut server = home.server().await;
    let mut rng = Rng::new(0x7772_6974);
    let mut version = 0;
    for round in 0..KILLS {
        let ended = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let (caller, first, ended) = (server.local(), version, ended.clone());
                tokio::spawn(async move {
                    let mut kept = None;
                    for version in first.. {
                        // Who waits for a connection is served by the next server.
                        if ended.load(Ordering::Relaxed) {
                            break;
                        }
                        let content = sized(version);
                        let pushed = json!({"path": format!("{writer}.md"), "content": content});
                        let (method, path, body) = match writer {
                            0 => (Method::PUT, "/api/write", pushed),
                            _ => {
                                let body = json!({"root": "Daily", "files": [pushed]});
                                (Method::POST, "/api/sync/push", body)
                            }
                        };
                        let body = Some(body.to_string().into());
                        let Ok(answer) = caller.open(method, path, body).await else { break };
                        let Ok(answer) = answer.into_body().collect().await else { break };
                        let answer: Value =
                            serde_json::from_slice(&answer.to_bytes()).expect("JSON");
                        assert!(answer["success"] == true || answer["pushed"] == 1, "{answer}");
                        kept = Some(version);
                    }
                    kept
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_micros(rng.below(60_000))).await;
        ended.store(true, Ordering::Relaxed);
        server.crash_and_restart();
        for (writer, kept) in writers.into_iter().enumerate() {
            let kept = kept.await.expect("no panic");
            let folder = if writer == 0 { home.vault() } else { home.vault().join("Daily") };
            let path = folder.join(format!("{writer}.md"));
            let there = std::fs::read_to_string(&path).ok().map(|text| version_of(&text));
            // What was answered is there; what was not may be.
            assert!(there >= kept, "round {round}, {writer}: {there:?} after {kept:?}");
            version = version.max(there.map_or(0, |there| there + 1));
        }
        server.ready().await;
    }
    assert!(version > 0, "nothing was ever written");
    // What was left unfinished has a name by which it is swept one day.
    for folder in [home.vault(), home.vault().join("Daily")] {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let name = entry.expect("an entry").file_name().into_string().expect("text");
            let is_draft = name.len() == 43 && name.ends_with(".parachute");
            assert!(!name.starts_with('.') || name == ".parachute" || is_draft, "{name}");
        }
    }
    server.stop();
    whole(&home.path("s/parachute/sync.db"));
    whole(&home.vault().join("Chat/sessions.db"));
}

/// An export of so many conversations.
fn export(conversations: usize) -> String {
    let said = |sender: &str, n: usize| {
        let text = format!("{sender} {n} {}", "word ".repeat(40));
        json!({"sender": sender, "text": text, "created_at": "2026-01-01T10:00:00Z"})
    };
    let one = |n: usize| {
        json!({
            "uuid": format!("original-{n}"),
            "name": format!("Conversation {n}"),
            "created_at": "2026-01-01T10:00:00Z",
            "updated_at": "2026-01-01T11:00:00Z",
            "chat_messages": [said("human", n), said("assistant", n)],
        })
    };
    Value::Array((0..conversations).map(one).collect()).to_string()
}

#[tokio::test]
async fn an_import_that_is_killed_goes_on_and_nothing_comes_twice() {
    const CONVERSATIONS: usize = 4000;
    let home = Home::new();
    let mut server = home.server().await;
    let mut rng = Rng::new(0x696d_706f);
    let file = home.vault().join("export.json");
    std::fs::write(&file, export(CONVERSATIONS)).expect("written");
    let import = |caller: parachute_tests::Caller| async move {
        let path = "/api/import/path?path=export.json";
        let answer = caller.open(Method::POST, path, None).await.ok()?;
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        Some(serde_json::from_slice::<Value>(&body).expect("JSON"))
    };
    let database = home.vault().join("Chat/sessions.db");
    let mut before = 0;
    for round in 0..KILLS {
        let running = tokio::spawn(import(server.local()));
        tokio::time::sleep(Duration::from_micros(rng.below(120_000))).await;
        server.crash_and_restart();
        // Its answer may have come just before.
        running.await.expect("no panic");
        server.ready().await;
        let now = count(&whole(&database), "sessions");
        assert!(now >= before, "round {round}: {now} after {before}");
        before = now;
    }
    let answer = import(server.local()).await.expect("an answer");
    assert_eq!(answer["total_conversations"], CONVERSATIONS, "{answer}");
    let (imported, skipped) = (&answer["imported_count"], &answer["skipped_count"]);
    let number = |value: &Value| value.as_u64().expect("a number");
    assert_eq!(number(imported) + number(skipped), CONVERSATIONS as u64, "{answer}");
    server.stop();
    let db = whole(&database);
    assert_eq!(count(&db, "sessions"), CONVERSATIONS as i64);
    let originals = "(SELECT DISTINCT json_extract(metadata, '$.original_id') FROM sessions)";
    assert_eq!(count(&db, originals), CONVERSATIONS as i64);
    let mut transcripts = 0;
    for project in std::fs::read_dir(home.path("h/.claude/projects")).expect("a folder") {
        for file in std::fs::read_dir(project.expect("an entry").path()).expect("a folder") {
            let path = file.expect("an entry").path();
            if path.extension().is_none_or(|ending| ending != "jsonl") {
                continue;
            }
            transcripts += 1;
            let text = std::fs::read_to_string(&path).expect("text");
            assert!(text.ends_with('\n') && text.lines().count() >= 2, "{}", path.display());
            for line in text.lines() {
                serde_json::from_str::<Value>(line).expect("each line is whole");
            }
            let id = path.file_stem().expect("a name").to_string_lossy().into_owned();
            assert_eq!(count(&db, &format!("sessions WHERE id = '{id}'")), 1, "{id}");
        }
    }
    assert_eq!(transcripts, CONVERSATIONS);
}

#[tokio::test]
async fn an_index_that_is_killed_finds_everything_in_the_end() {
    const NOTES: usize = 3000;
    let home = Home::new();
    for n in 0..NOTES {
        let folder = home.vault().join(format!("Notes/{}", n % 50));
        std::fs::create_dir_all(&folder).expect("made");
        let text = format!("---\ntags: [t{n}]\n---\n# Note {n}\nword{n} and something else\n");
        std::fs::write(folder.join(format!("{n}.md")), text).expect("written");
    }
    let mut server = home.server().await;
    let mut rng = Rng::new(0x696e_6465);
    for round in 0..KILLS {
        tokio::time::sleep(Duration::from_micros(rng.below(80_000))).await;
        let n = rng.below(NOTES as u64);
        let path = home.vault().join(format!("Notes/{}/{n}.md", n % 50));
        std::fs::write(path, format!("changed{round}\n")).expect("written");
        server.crash_and_restart();
        server.ready().await;
    }
    let caller = server.local();
    let asked = |q: &str| format!("/api/brain/search?scope=vault&q={q}");
    parachute_tests::eventually("all is indexed", async || {
        let found = caller.get(&asked("something")).await.json();
        (found["indexing"] == false).then_some(())
    })
    .await;
    for round in 0..KILLS {
        // A later change may have been to the same note.
        let n = caller.get(&asked(&format!("changed{round}"))).await.json();
        assert!(n["count"].as_u64().is_some_and(|n| n <= 1), "{n}");
    }
    let last = caller.get(&asked(&format!("changed{}", KILLS - 1))).await.json();
    assert_eq!(last["count"], 1, "{last}");
    server.stop();
    let db = whole(&home.path("s/parachute/index.db"));
    assert_eq!(count(&db, "notes"), NOTES as i64);
}
