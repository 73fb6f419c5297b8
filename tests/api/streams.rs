//! What a stream costs, and that one client's doings are nobody else's trouble (DESIGN §4).

use parachute_tests::{Caller, Home, Stream, eventually, rss_kib};
use serde_json::{Value, json};
use std::time::Instant;
use wire::frames::CONTENT_BYTES_PER_SECOND;

async fn at_rest(caller: &Caller, session: &str) {
    let path = format!("/api/chat/{session}/stream-status");
    eventually("the session comes to rest", async || {
        (caller.get(&path).await.json()["active"] == false).then_some(())
    })
    .await;
}

async fn shown(caller: &Caller, session: &str) -> Value {
    caller.get(&format!("/api/chat/{session}")).await.json()
}

#[tokio::test]
async fn a_long_answer_costs_an_app_no_more_than_the_bound() {
    let home = Home::new();
    let server = home.server().await;
    let body = json!({ "message": "x @@{\"bytes\":204800,\"n\":20000,\"delay_us\":50}@@" });
    let began = Instant::now();
    let stream = server.owner().chat("", &body).await.whole().await;
    let seconds = began.elapsed().as_secs_f64();
    let text = stream.heard.texts.concat();
    assert_eq!(text.len(), 204_800);
    // One event more than time allows, and the end, which repeats the text.
    let one_event = 2.0 * 204_800.0 * 1.1;
    let most = CONTENT_BYTES_PER_SECOND as f64 * seconds + one_event + 204_800.0 * 1.1 + 65_536.0;
    assert!((stream.bytes as f64) < most, "{} bytes in {seconds} s", stream.bytes);
    assert_eq!(stream.event("done")["response"], text);
}

#[tokio::test]
async fn a_client_that_leaves_takes_nothing_with_it() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.owner();
    let body = json!({ "message": "x @@{\"n\":200,\"delay_us\":2000,\"tools\":1}@@" });
    let mut stream = caller.chat("text=delta", &body).await;
    assert!(stream.until("text").await);
    let session = stream.session();
    drop(stream);
    at_rest(&caller, &session).await;
    let stream = caller.resume(&session, "text=delta", 0).await.expect("a replay").whole().await;
    assert_eq!(stream.kinds().last().map(String::as_str), Some("done"));
    assert_eq!(shown(&caller, &session).await["messageCount"], 2);
}

#[tokio::test]
async fn two_chats_to_one_session_are_taken_one_after_the_other() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.owner();
    let first = caller.chat("", &json!({ "message": "one @@{\"n\":3}@@" })).await.whole().await;
    let session = first.session();
    let turn = |n: usize| {
        let message = format!("{n} @@{{\"n\":60,\"delay_us\":2000,\"tools\":1}}@@");
        let body = json!({ "message": message, "sessionId": session });
        let caller = caller.clone();
        async move { caller.chat("text=delta", &body).await.whole().await }
    };
    let (a, b, c) = tokio::join!(turn(1), turn(2), turn(3));
    for stream in [&a, &b, &c] {
        assert_eq!(stream.kinds().last().map(String::as_str), Some("done"), "{:?}", stream.kinds());
        assert_eq!(stream.kinds().iter().filter(|k| *k == "session").count(), 1);
        assert_eq!(stream.session(), session);
    }
    let mut counts: Vec<i64> = [&a, &b, &c]
        .iter()
        .map(|s| s.event("done")["messageCount"].as_i64().expect("a count"))
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [4, 6, 8]);
    // In the log each turn is whole before the next begins.
    let all = caller.resume(&session, "text=none", 0).await.expect("a replay").whole().await;
    let marks: Vec<String> =
        all.kinds().into_iter().filter(|k| k == "session" || k == "done").collect();
    assert_eq!(marks, ["session", "done"].repeat(4));
    let shown = shown(&caller, &session).await;
    assert_eq!(shown["messageCount"], 8);
    let roles: Vec<&str> = shown["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|m| m["role"].as_str().expect("a role"))
        .collect();
    assert_eq!(roles, ["user", "assistant"].repeat(4));
}

#[tokio::test]
async fn too_many_chats_to_one_session_are_refused_in_words() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.owner();
    let long = json!({ "message": "x @@{\"n\":100000,\"delay_us\":1000}@@" });
    let mut running = caller.chat("text=none", &long).await;
    assert!(running.until("init").await);
    let session = running.session();
    let next = json!({ "message": "y @@{\"n\":1}@@", "sessionId": session });
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..12 {
        let (caller, next, tell) = (caller.clone(), next.clone(), tell.clone());
        tokio::spawn(async move {
            let stream = caller.chat("text=none", &next).await.whole().await;
            // Whoever does not listen any more has failed already.
            let _ = tell.send(stream.events.last().expect("an event").1.clone());
        });
    }
    // Eight may wait; the others hear so at once, while the first turn still runs.
    for _ in 0..4 {
        let last = told.recv().await.expect("told");
        assert_eq!((&last["type"], &last["code"]), (&"typed_error".into(), &"rate_limited".into()));
    }
    let path = format!("/api/chat/{session}/abort");
    assert_eq!(caller.post(&path, &json!({})).await.status, 200);
    for _ in 0..8 {
        assert_eq!(told.recv().await.expect("told")["type"], "done");
    }
}

#[tokio::test]
async fn sixteen_sessions_stream_side_by_side() {
    let home = Home::new();
    let server = home.server().await;
    let turns = (0..16).map(|n| {
        let caller = server.owner();
        tokio::spawn(async move {
            let message = format!(
                "x @@{{\"text\":\"answer {n} of many words\",\"n\":6,\"delay_us\":20000}}@@"
            );
            let mut stream = caller.chat("text=delta", &json!({ "message": message })).await;
            assert!(stream.until("text").await, "{:?}", stream.kinds());
            stream.whole().await
        })
    });
    let turns: Vec<_> = turns.collect();
    for (n, turn) in turns.into_iter().enumerate() {
        let stream = turn.await.expect("a turn");
        assert_eq!(stream.heard.texts.concat(), format!("answer {n} of many words"));
        stream.event("done");
    }
    let list = server.owner().get("/api/chat").await.json();
    assert_eq!(list["sessions"].as_array().map(Vec::len), Some(16));
}

#[tokio::test]
async fn a_client_that_stops_reading_harms_nobody() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.owner();
    let (before, bytes) = (rss_kib(server.pid()).expect("alive"), 8_000_000);
    let message = format!("x @@{{\"bytes\":{bytes},\"n\":80000}}@@");
    let mut deaf: Vec<(Stream, String)> = Vec::new();
    for _ in 0..4 {
        let mut stream = caller.chat("text=delta", &json!({ "message": message })).await;
        assert!(stream.until("session").await);
        let session = stream.session();
        deaf.push((stream, session));
    }
    let other = caller.chat("", &json!({ "message": "x @@{\"n\":20}@@" })).await.whole().await;
    other.event("done");
    for (_, session) in &deaf {
        at_rest(&caller, session).await;
    }
    let after = rss_kib(server.pid()).expect("alive");
    assert!(after < before + 48 * 1024, "the server went from {before} to {after} KiB");
    for pid in home.agents() {
        // The text of a turn is kept for its last event; nothing else of it may be.
        let kib = rss_kib(pid).unwrap_or_default();
        assert!(kib < 96 * 1024, "an agent has {kib} KiB");
    }
    for (stream, session) in deaf {
        let heard = stream.heard;
        let mut again =
            caller.resume(&session, "text=delta", heard.last_id).await.expect("a stream");
        again.heard = heard;
        assert_eq!(again.whole().await.heard.texts.concat().len(), bytes);
    }
}

#[tokio::test]
async fn an_unknown_session_begins_a_new_one() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.owner();
    let odd = [
        "new",
        "pending",
        "",
        "../../etc/passwd",
        "%2e%2e",
        "a b",
        "💥",
        "11111111-1111-4111-8111-111111111111",
    ];
    let long = "x".repeat(300);
    for id in odd.into_iter().chain([long.as_str()]) {
        let body = json!({ "message": "x @@{\"n\":1}@@", "sessionId": id });
        let stream = caller.chat("", &body).await.whole().await;
        let session = stream.session();
        assert!(session != id && session.len() == 36, "{id:?} became {session:?}");
        assert_eq!(stream.event("done")["sessionId"], session);
        assert_eq!(shown(&caller, &session).await["messageCount"], 2);
    }
}
