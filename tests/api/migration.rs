//! Sessions of an older place of the vault are shown, and brought to the one in use.

use crate::tables_migration as t;
use crate::types::{get, parses};
use parachute_tests::{Caller, Home};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

const OLD: &str = "/old/place/notes";

/// A session with a turn, in the vault's folder `work`.
async fn session(home: &Home, caller: &Caller) -> String {
    fs::create_dir_all(home.vault().join("work")).expect("made");
    let body = json!({ "message": "Plan it", "workingDirectory": "work" });
    let stream = caller.chat("", &body).await.whole().await;
    stream.event("done");
    stream.session()
}

/// As if it had begun when the vault was elsewhere; where its transcript is then.
fn made_old(home: &Home, id: &str) -> PathBuf {
    let db = Connection::open(home.vault().join("Chat/sessions.db")).expect("a database");
    let sql = "UPDATE sessions SET vault_root = ?2, working_directory = ?3 WHERE id = ?1";
    let changed = db.execute(sql, params![id, OLD, format!("{OLD}/work")]).expect("changed");
    assert_eq!(changed, 1);
    let old = home.path("h/.claude/projects/-old-place-notes-work");
    fs::create_dir_all(&old).expect("made");
    let to = old.join(format!("{id}.jsonl"));
    fs::rename(transcript(home, id), &to).expect("moved");
    to
}

/// Where the CLI keeps the transcript of a session in `work` now.
fn transcript(home: &Home, id: &str) -> PathBuf {
    let work = home.vault().join("work").canonicalize().expect("there");
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let folder: String = work.display().to_string().chars().map(plain).collect();
    home.path("h/.claude/projects").join(folder).join(format!("{id}.jsonl"))
}

async fn migrate(caller: &Caller, id: &str, copy: bool) -> Value {
    let body = json!({ "copyTranscript": copy });
    let answer = caller.post(&format!("/api/migration/session/{id}"), &body).await;
    parses(&answer, 200, t::ONE);
    answer.json()
}

async fn migrate_all(caller: &Caller, copy: bool) -> Value {
    let answer = caller.post("/api/migration/all", &json!({ "copyTranscripts": copy })).await;
    parses(&answer, 200, t::ALL);
    answer.json()
}

#[tokio::test]
async fn where_all_sessions_go_with_the_vault_there_is_nothing_to_migrate() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let id = session(&home, &caller).await;
    let scan = get(&caller, "/api/migration/scan", t::SCAN).await;
    let vault = home.vault().canonicalize().expect("there");
    assert_eq!(scan["currentVaultRoot"], vault.display().to_string());
    assert_eq!((&scan["needsMigration"], &scan["noVaultRoot"]), (&json!([]), &json!(1)));
    let before = caller.get(&format!("/api/chat/{id}")).await.json();
    assert_eq!(migrate_all(&caller, true).await["total"], 0);
    assert_eq!(migrate(&caller, &id, true).await["migrated"], false);
    assert_eq!(caller.get(&format!("/api/chat/{id}")).await.json(), before);
    for none in ["x1", "00000000-0000-4000-8000-000000000000", "..%2Fsecret"] {
        let path = format!("/api/migration/session/{none}");
        let answer = caller.post(&path, &json!({ "copyTranscript": true })).await;
        parses(&answer, 404, crate::tables::DETAIL);
    }
}

#[tokio::test]
async fn a_session_of_an_older_place_comes_along_with_its_transcript_once() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let id = session(&home, &caller).await;
    let old = made_old(&home, &id);
    let told = fs::read(&old).expect("a transcript");
    let before = caller.get(&format!("/api/chat/{id}")).await.json();

    let scan = get(&caller, "/api/migration/scan", t::SCAN).await;
    let listed = &scan["needsMigration"][0];
    assert_eq!((&listed["sessionId"], &listed["title"]), (&json!(id), &json!("Plan it")));
    assert_eq!((&listed["oldVaultRoot"], &listed["transcriptExists"]), (&json!(OLD), &json!(true)));
    assert_eq!(listed["transcriptPath"], old.display().to_string());
    assert!(!transcript(&home, &id).exists(), "looking changes nothing");

    let done = migrate(&caller, &id, true).await;
    assert_eq!((&done["migrated"], &done["transcriptCopied"]), (&json!(true), &json!(true)));
    assert_eq!(done["session"]["workingDirectory"], "/vault/work");
    assert_eq!(done["session"]["lastAccessed"], before["lastAccessed"], "nobody used it");
    assert_eq!(fs::read(transcript(&home, &id)).expect("copied"), told);
    assert_eq!(fs::read(&old).expect("still there"), told);

    let again = migrate(&caller, &id, true).await;
    assert_eq!((&again["migrated"], &again["transcriptCopied"]), (&json!(false), &json!(false)));
    assert_eq!(again["session"], done["session"]);
    let scan = get(&caller, "/api/migration/scan", t::SCAN).await;
    let counts = (&scan["needsMigration"], &scan["alreadyCurrent"], &scan["total"]);
    assert_eq!(counts, (&json!([]), &json!(1), &json!(1)));

    let body = json!({ "message": "Go on", "sessionId": id });
    let next = caller.chat("", &body).await.whole().await;
    assert_eq!(next.event("session")["workingDirectory"], "/vault/work");
    assert_eq!(next.event("done")["sessionResume"]["method"], "sdk_resume");
}

#[tokio::test]
async fn a_session_whose_transcript_is_gone_comes_along_without() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let (gone, kept) = (session(&home, &caller).await, session(&home, &caller).await);
    fs::remove_file(made_old(&home, &gone)).expect("removed");
    made_old(&home, &kept);
    let scan = get(&caller, "/api/migration/scan", t::SCAN).await;
    let listed = scan["needsMigration"].as_array().expect("a list");
    let of = |id: &str| listed.iter().find(|one| one["sessionId"] == id).expect("listed").clone();
    assert_eq!(of(&gone)["transcriptExists"], false);
    assert_eq!(
        (&of(&gone)["transcriptPath"], &of(&kept)["transcriptExists"]),
        (&Value::Null, &json!(true))
    );
    let all = migrate_all(&caller, false).await;
    assert_eq!(
        (&all["success"], &all["migrated"], &all["failed"]),
        (&json!(true), &json!(2), &json!(0))
    );
    assert!(!transcript(&home, &kept).exists(), "a copy was not asked for");
    assert_eq!(migrate_all(&caller, true).await["total"], 0);
    // What was said is still there: our own log does not depend on the place.
    let shown = caller.get(&format!("/api/chat/{gone}")).await.json();
    assert_eq!(
        (&shown["messageCount"], &shown["messages"][0]["content"]),
        (&json!(2), &json!("Plan it"))
    );
}

#[tokio::test]
async fn a_copy_is_put_over_no_file_and_nowhere_but_in_claudes_own_folder() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let (one, two) = (session(&home, &caller).await, session(&home, &caller).await);
    made_old(&home, &one);
    made_old(&home, &two);
    // A transcript of this name is there already, and is what the CLI goes on with.
    fs::write(transcript(&home, &one), "gone on with").expect("written");
    assert_eq!(migrate(&caller, &one, true).await["transcriptCopied"], false);
    assert_eq!(fs::read_to_string(transcript(&home, &one)).expect("there"), "gone on with");
    // The folder leads elsewhere.
    let folder = transcript(&home, &two).parent().expect("a folder").to_owned();
    fs::remove_dir_all(&folder).expect("removed");
    let elsewhere = home.path("elsewhere");
    fs::create_dir(&elsewhere).expect("made");
    std::os::unix::fs::symlink(&elsewhere, &folder).expect("linked");
    let path = format!("/api/migration/session/{two}");
    let refused = caller.post(&path, &json!({ "copyTranscript": true })).await;
    parses(&refused, 400, crate::tables::DETAIL);
    let all = migrate_all(&caller, true).await;
    assert_eq!(
        (&all["success"], &all["failed"], &all["total"]),
        (&json!(false), &json!(1), &json!(1))
    );
    assert!(all["error"].as_str().expect("a sentence").contains(&two), "{all}");
    assert_eq!(fs::read_dir(&elsewhere).expect("a folder").count(), 0);
    let shown = caller.get(&format!("/api/chat/{two}")).await.json();
    assert_eq!(shown["vaultRoot"], OLD, "what failed is left as it was");
    assert_eq!(migrate(&caller, &two, false).await["migrated"], true);
}
