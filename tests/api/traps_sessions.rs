//! Traps of the predecessor about sessions, transcripts and the database (contract-core §8.1,
//! §8.3), each through the door at which it showed.

use crate::past::{FIRST, leave_in};
use crate::traps_turns::{leave, transcripts};
use http::Method;
use parachute_tests::{Caller, Home};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::time::Duration;

const OTHER: &str = "00000000-0000-4000-8000-0000000000aa";

fn database(home: &Home) -> Connection {
    let db = Connection::open(home.vault().join("Chat/sessions.db")).expect("a database");
    db.busy_timeout(Duration::from_secs(30)).expect("patient");
    db
}

async fn turn(caller: &Caller, body: Value) -> parachute_tests::Stream {
    let mut body = body;
    body["message"] = "x @@{\"n\":1}@@".into();
    caller.chat("", &body).await.whole().await
}

/// Lines of a transcript as the predecessor's sandbox made them up.
fn lines(told: &[(&str, &str)]) -> String {
    let line = |(kind, text): &(&str, &str)| {
        let at = "2026-01-01T10:00:00.000Z";
        let said = match *kind {
            "result" => json!({ "type": "result", "result": text, "timestamp": at }),
            kind => {
                let content = json!([{ "type": "text", "text": text }]);
                json!({ "type": kind, "timestamp": at, "cwd": "/vault",
                    "message": { "role": kind, "content": content } })
            }
        };
        format!("{said}\n")
    };
    told.iter().map(line).collect()
}

/// Puts a transcript where the predecessor's containers had theirs.
fn sandboxed(home: &Home, session: &str, text: &str) {
    let folder = home.vault().join(".parachute/sandbox/work/.claude/projects/-vault-Projects");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(format!("{session}.jsonl")), text).expect("written");
}

#[tokio::test]
async fn an_inner_error_is_told_without_its_cause_trap_30() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let session = turn(&caller, json!({})).await.session();
    let db = database(&home);
    db.execute_batch("ALTER TABLE sessions RENAME TO put_away").expect("renamed");
    let at = format!("/api/chat/{session}");
    let bug = json!({ "detail": "Internal Server Error" });
    for path in ["/api/chat", "/api/chat/stats", at.as_str(), &format!("{at}/transcript")] {
        let answer = caller.get(path).await;
        if answer.status != 200 {
            assert_eq!((answer.status, answer.json()), (500, bug.clone()), "{path}");
        }
    }
    let change = json!({ "title": "t", "trustLevel": "trusted" });
    let answer = caller.send(Method::PATCH, &format!("{at}/config"), &change).await;
    assert_eq!((answer.status, answer.json()), (500, bug.clone()));
    assert_eq!(caller.ask(Method::DELETE, &at, None).await.json(), bug);
    let stream = turn(&caller, json!({ "sessionId": session })).await;
    let error = stream.event("typed_error");
    let said = error.to_string();
    assert!(error["message"].as_str().expect("a sentence").contains("could not begin"), "{said}");
    for cause in ["no such table", "put_away", "SELECT", "rusqlite", "sessions.db"] {
        assert!(!said.contains(cause), "{said}");
    }
    assert!(server.log().contains("no such table"), "the journal has the cause");
    db.execute_batch("ALTER TABLE put_away RENAME TO sessions").expect("renamed");
    turn(&caller, json!({ "sessionId": session })).await.event("done");
}

#[tokio::test]
async fn a_transcript_is_found_anywhere_traps_64_65() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let mut begun = Vec::new();
    for folder in ["Projects/My Dir_x.y", "a-b", "\u{fc}nder-\u{4e16}"] {
        let place = home.vault().join(folder);
        std::fs::create_dir_all(&place).expect("a folder");
        let stream = turn(&caller, json!({ "workingDirectory": folder })).await;
        let kept = format!("/vault/{folder}");
        assert_eq!(stream.event("session")["workingDirectory"], kept);
        begun.push((stream.session(), place.canonicalize().expect("there"), kept));
    }
    // One that no name of a folder leads to.
    let odd = home.path("h/.claude/projects/what a name!");
    std::fs::create_dir_all(&odd).expect("a folder");
    let told = lines(&[("user", "hello"), ("assistant", "hi")]);
    std::fs::write(odd.join(format!("{OTHER}.jsonl")), told).expect("written");
    leave(&home).await;
    for (session, place, kept) in &begun {
        let transcript = caller.get(&format!("/api/chat/{session}/transcript")).await;
        assert_eq!(transcript.status, 200);
        assert_eq!(transcript.json()["cwd"], place.display().to_string());
        let stream = turn(&caller, json!({ "sessionId": session })).await;
        let said = stream.event("session");
        assert_eq!(said["resumeInfo"]["method"], "sdk_resume", "{kept}");
        assert_eq!((&said["workingDirectory"], stream.session()), (&json!(kept), session.clone()));
    }
    assert_eq!(transcripts(&home).len(), 4, "none was begun anew");
    let stream = turn(&caller, json!({ "sessionId": OTHER })).await;
    assert_eq!(stream.session(), OTHER);
    assert_eq!(stream.event("session")["resumeInfo"]["method"], "sdk_resume");
    let transcript = caller.get(&format!("/api/chat/{OTHER}/transcript")).await.json();
    assert_eq!(transcript["events"][0]["message"]["content"][0]["text"], "hello");
}

#[tokio::test]
async fn a_repeated_result_is_said_and_told_once_trap_66() {
    let home = Home::new();
    leave_in(&home);
    for file in transcripts(&home) {
        std::fs::remove_file(file).expect("removed");
    }
    let text = lines(&[
        ("user", "which bird?"),
        ("assistant", "the heron"),
        ("result", "the heron"),
        ("user", "and which tree?"),
        ("result", "the alder"),
    ]);
    sandboxed(&home, FIRST, &text);
    let server = home.server().await;
    let caller = server.local();
    let shown = caller.get(&format!("/api/chat/{FIRST}")).await.json();
    let said: Vec<(&str, &str)> = shown["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|m| (m["role"].as_str().expect("a role"), m["content"].as_str().expect("text")))
        .collect();
    let expected = [
        ("user", "which bird?"),
        ("assistant", "the heron"),
        ("user", "and which tree?"),
        ("assistant", "the alder"),
    ];
    assert_eq!(said, expected);
    let (stream, words) = crate::contexts::told(&caller, json!({ "sessionId": FIRST })).await;
    assert_eq!(words.matches("the heron").count(), 1, "{words}");
    assert_eq!(words.matches("the alder").count(), 1, "{words}");
    assert_eq!(stream.event("session")["resumeInfo"]["messagesInjected"], 4);
}

#[tokio::test]
async fn overrides_are_merged_also_two_at_once_trap_70() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let session = turn(&caller, json!({})).await.session();
    let path = format!("/api/chat/{session}/config");
    let shown =
        async || caller.get(&format!("/api/chat/{session}")).await.json()["metadata"].take();
    assert_eq!(shown().await, Value::Null, "it begins without any");
    let both = json!({ "configOverrides": { "a": 1 }, "responseMode": "mention_only" });
    assert_eq!(caller.send(Method::PATCH, &path, &both).await.status, 200);
    let metadata = shown().await;
    assert_eq!(metadata["config_overrides"], json!({ "a": 1 }));
    assert_eq!(metadata["bot_settings"]["response_mode"], "mention_only");
    let changes: Vec<_> = (0..16)
        .map(|n| {
            let (caller, path) = (caller.clone(), path.clone());
            let change = json!({ "configOverrides": { format!("k{n}"): n } });
            tokio::spawn(async move { caller.send(Method::PATCH, &path, &change).await.status })
        })
        .collect();
    for change in changes {
        assert_eq!(change.await.expect("answered"), 200);
    }
    let gone = json!({ "configOverrides": { "a": null, "k3": "other" }, "mentionPattern": "@me" });
    assert_eq!(caller.send(Method::PATCH, &path, &gone).await.status, 200);
    let metadata = shown().await;
    let overrides = metadata["config_overrides"].as_object().expect("an object").clone();
    assert_eq!(overrides.len(), 16, "{overrides:?}");
    assert_eq!((&overrides["k3"], &overrides["k15"]), (&json!("other"), &json!(15)));
    let bot = json!({ "response_mode": "mention_only", "mention_pattern": "@me" });
    assert_eq!(metadata["bot_settings"], bot);
}

#[tokio::test]
async fn another_program_writes_beside_the_server_trap_74() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let session = turn(&caller, json!({})).await.session();
    let db = database(&home);
    let mode: String = db.query_row("PRAGMA journal_mode", (), |row| row.get(0)).expect("a mode");
    assert_eq!(mode, "wal");
    // One that reads holds nobody up.
    db.execute_batch("BEGIN; SELECT count(*) FROM sessions").expect("read");
    let path = format!("/api/chat/{session}/config");
    let patch = json!({ "configOverrides": { "a": 1 } });
    assert_eq!(caller.send(Method::PATCH, &path, &patch).await.status, 200);
    db.execute_batch("COMMIT").expect("ended");
    // One that writes and one that writes: both do.
    let id = session.clone();
    let other = std::thread::spawn(move || {
        for n in 0..100 {
            let title = format!("theirs {n}");
            let sql = "UPDATE sessions SET title = ?1 WHERE id = ?2";
            db.execute(sql, (title, &id)).expect("written beside the server");
        }
    });
    for n in 0..50 {
        let patch = json!({ "configOverrides": { format!("k{n}"): n } });
        let answer = caller.send(Method::PATCH, &path, &patch).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
    }
    other.join().expect("nothing was locked");
    let shown = caller.get(&format!("/api/chat/{session}")).await.json();
    let kept = shown["metadata"]["config_overrides"].as_object().map(serde_json::Map::len);
    assert_eq!((kept, &shown["title"]), (Some(51), &json!("theirs 99")));
}

#[tokio::test]
async fn what_is_not_there_is_empty_trap_76() {
    let home = Home::new();
    leave_in(&home);
    let own = transcripts(&home).pop().expect("the predecessor's");
    let server = home.server().await;
    let caller = server.local();
    let get = async |query: &str| {
        let answer = caller.get(&format!("/api/chat/{FIRST}/transcript{query}")).await;
        (answer.status, answer.json())
    };
    for segment in ["9", "2"] {
        let (status, beyond) = get(&format!("?segment={segment}")).await;
        assert_eq!((status, &beyond["events"]), (200, &json!([])), "{beyond}");
        assert_eq!(beyond["loadedSegmentIndex"], Value::Null, "{beyond}");
    }
    for nothing in ["", "\n\n", "{\"type\":\"summary\"}\n"] {
        std::fs::write(&own, nothing).expect("written");
        for query in ["", "?full=true", "?segment=0"] {
            let (status, empty) = get(query).await;
            assert_eq!((status, &empty["eventCount"]), (200, &json!(0)), "{query}: {empty}");
            assert_eq!(empty["loadedSegmentIndex"], Value::Null, "{query}: {empty}");
            assert_eq!(empty["segments"], json!([]), "{query}: {empty}");
        }
    }
    std::fs::remove_file(own).expect("removed");
    assert_eq!(get("").await.0, 404);
    sandboxed(&home, FIRST, &lines(&[("user", "in a container"), ("assistant", "so it was")]));
    let (status, found) = get("").await;
    assert_eq!((status, &found["eventCount"]), (200, &json!(2)), "{found}");
    assert_eq!(found["segments"][0]["preview"], "in a container");
    // A link is not followed: what ran in the container could have made it.
    let folder = home.vault().join(".parachute/sandbox/work/.claude/projects/-vault-Projects");
    let (file, aside) = (folder.join(format!("{FIRST}.jsonl")), home.path("aside.jsonl"));
    std::fs::rename(&file, &aside).expect("moved");
    std::os::unix::fs::symlink(&aside, &file).expect("linked");
    assert_eq!(get("").await.0, 404);
}
