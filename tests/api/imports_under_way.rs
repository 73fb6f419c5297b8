//! Imports that take their time: who listens is told how they go, one that was killed goes on,
//! and bodies of any length are taken one at a time and in little memory.

use crate::imports::{CLAUDE, conversation, counts, nothing_is_left, sessions, transcripts, value};
use http::Method;
use parachute_tests::{Answer, Caller, Home, Raw, eventually};
use serde_json::{Value, json};
use serve::Limits;
use std::fs;

#[tokio::test]
async fn whoever_asks_is_told_how_it_goes() {
    let home = Home::new();
    let server = home.server().await;
    let listening = server.local().with("accept", "text/event-stream");
    let events = |answer: &Answer| -> Vec<Value> {
        assert!(
            answer.headers["content-type"].to_str().expect("text").starts_with("text/event-stream")
        );
        let text = String::from_utf8(answer.body.to_vec()).expect("text");
        text.lines().filter_map(|line| line.strip_prefix("data: ")).map(value).collect()
    };
    let body = json!({ "data": value(CLAUDE) });
    let heard = events(&listening.post("/api/import", &body).await);
    let last = heard.last().expect("an event");
    assert_eq!((&last["type"], &last["imported_count"]), (&json!("import_done"), &json!(2)));
    for progress in &heard[..heard.len() - 1] {
        assert_eq!(progress["type"], "import_progress", "{progress}");
    }
    let heard = events(&listening.upload("/api/import/file", "x", b"<html>").await);
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0]["type"], "import_error");
    // What is wrong before it begins is an answer like any other.
    assert_eq!(listening.post("/api/import", &json!({})).await.status, 422);
}

#[tokio::test]
async fn an_import_that_was_killed_goes_on_where_it_ended() {
    const ALL: i64 = 600;
    let home = Home::new();
    let mut server = home.server().await;
    let export: Vec<Value> = (0..ALL).map(|n| conversation(&format!("c{n}"), 4)).collect();
    let body = json!({ "data": export, "archived": false });
    let importing = {
        let (caller, body) = (server.local(), body.to_string());
        tokio::spawn(async move {
            caller.open(Method::POST, "/api/import", Some(body.into())).await.is_ok()
        })
    };
    let caller = server.local();
    eventually("the import is under way", async || {
        let stats = caller.get("/api/chat/stats").await.json();
        (stats["total"].as_u64() > Some(5)).then_some(())
    })
    .await;
    server.crash_and_restart();
    // It broke off, unless it was done already.
    let _ = importing.await.expect("it ends");
    server.ready().await;
    let had = sessions(&caller).await.len() as u64;
    assert_eq!(counts(&caller.post("/api/import", &body).await), (600, 600 - had, had));
    let db = rusqlite::Connection::open(home.vault().join("Chat/sessions.db")).expect("a database");
    let distinct = "SELECT count(*), count(DISTINCT json_extract(metadata, '$.original_id')) \
        FROM sessions WHERE message_count = 4";
    let counted: (i64, i64) =
        db.query_row(distinct, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("counted");
    assert_eq!(counted, (ALL, ALL));
    assert_eq!(transcripts(&home).len() as i64, ALL);
    nothing_is_left(&home);
}

#[tokio::test]
async fn one_import_at_a_time_and_a_sender_who_leaves_holds_up_nobody() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let mut slow = Raw::tcp(server.address()).await;
    let head =
        "POST /api/import HTTP/1.1\r\nhost: localhost:3333\r\ncontent-length: 1000000\r\n\r\n";
    assert!(slow.say(format!("{head}{{\"data\":[")).await);
    let body = json!({ "data": [conversation("a", 1)] });
    eventually("the second is refused", async || {
        let answer = caller.post("/api/import", &json!({ "data": [] })).await;
        (answer.status == 409).then_some(())
    })
    .await;
    assert_eq!(caller.ask(Method::POST, "/api/import/sync", None).await.status, 409);
    drop(slow);
    eventually("the next is taken", async || {
        let answer = caller.post("/api/import", &body).await;
        (answer.status == 200).then_some(())
    })
    .await;
    assert_eq!(sessions(&caller).await.len(), 1);
}

#[tokio::test]
async fn a_body_has_a_length_a_time_and_room() {
    let home = Home::new();
    let limits = Limits { flow_bytes_max: 100_000, body_seconds_max: 1, ..Limits::default() };
    let (address, stop) = crate::http::limited(&home, limits).await;
    let caller = Caller::tcp(address);
    let large = vec![b' '; 2_000_000];
    let upload = caller.upload("/api/import/file", "x", &large).await;
    let body = caller.ask(Method::POST, "/api/import", Some(large.into())).await;
    for answer in [upload, body] {
        assert_eq!(answer.status, 413, "{}", answer.json());
    }
    let mut raw = Raw::tcp(address).await;
    let head = "POST /api/import HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n";
    raw.say(format!("{head}{{\"data\":[")).await;
    let answer = raw.until("took too long", 1).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    // What no disk has room for is refused before it comes.
    let mut raw = Raw::tcp(address).await;
    let head = "POST /api/import HTTP/1.1\r\nhost: localhost\r\n";
    raw.say(format!("{head}content-length: {}\r\n\r\n{{\"data\":[", 1_u64 << 60)).await;
    let answer = raw.until("no space left", 1).await;
    assert!(answer.starts_with("HTTP/1.1 507 "), "{answer}");
    let small = json!({ "data": [conversation("a", 1)] });
    assert_eq!(counts(&caller.post("/api/import", &small).await), (1, 1, 0));
    nothing_is_left(&home);
    stop.cancel();
}

#[tokio::test]
async fn what_is_larger_than_other_bodies_may_be_is_taken_in_little_memory() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let vast = "x".repeat(40 << 20);
    let large = json!({ "uuid": "vast", "chat_messages": [{ "sender": "human", "text": vast }] });
    let text = format!("[{},{large},{}]", conversation("a", 1), conversation("b", 1));
    let answer = caller.upload("/api/import/file", "x.json", text.as_bytes()).await;
    assert_eq!(counts(&answer), (3, 2, 1));
    let said = "conversation 2 (vast): it is larger than a conversation may be";
    assert_eq!(answer.json()["errors"], json!([said]));
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("it lives");
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    let most: u64 = most.trim().trim_end_matches(" kB").parse().expect("a number");
    // The bound of a conversation, and the server itself.
    assert!(most < 160 << 10, "{most} KiB");
}
