//! Turns that were accepted and not yet seen to their end: none is lost, none is run twice, and
//! those of a session that is gone are not run at all.

use parachute_tests::{Caller, Home, Stream, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

fn kill_agents(home: &Home) {
    for pid in home.agents() {
        let pid = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
        kill_process(pid, Signal::KILL).expect("killed");
    }
}

/// How often the CLI was asked something that contains this, by its transcripts.
fn asked(home: &Home, words: &str) -> usize {
    let projects = std::fs::read_dir(home.path("h/.claude/projects")).into_iter().flatten();
    let files = projects.flatten().flat_map(|d| std::fs::read_dir(d.path()).expect("a folder"));
    let texts = files.map(|f| std::fs::read_to_string(f.expect("a file").path()).expect("text"));
    texts
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter(|line| line.contains("\"type\":\"user\"") && line.contains(words))
        .count()
}

fn log_of(home: &Home) -> String {
    std::fs::read_to_string(home.path("server.log")).unwrap_or_default()
}

/// A turn in the middle of a long tool call, and one of this message that waits behind it.
pub(crate) async fn behind(
    home: &Home,
    caller: &Caller,
    message: &str,
) -> (Stream, JoinHandle<Stream>) {
    let body = json!({ "message": "x @@{\"tools\":1,\"tool_ms\":600000}@@" });
    let mut first = caller.chat("text=delta", &body).await;
    assert!(first.until("tool_use").await);
    let body = json!({ "message": message, "sessionId": first.session() });
    let second = tokio::spawn({
        let caller = caller.clone();
        async move { caller.chat("text=delta", &body).await.whole().await }
    });
    eventually("it is accepted", async || {
        (log_of(home).matches("turn accepted").count() == 2).then_some(())
    })
    .await;
    (first, second)
}

#[tokio::test]
async fn a_turn_that_waits_outlives_server_and_agent() {
    let home = Home::new();
    let mut server = home.server().await;
    let caller = server.local();
    let (first, second) = behind(&home, &caller, "waits @@{\"text\":\"answered\"}@@").await;
    let session = first.session();
    server.crash_and_restart();
    kill_agents(&home);
    let path = format!("/api/chat/{session}");
    let messages = eventually("it is answered", async || {
        let messages = caller.get(&path).await.json()["messages"].clone();
        messages.to_string().contains("answered").then_some(messages)
    })
    .await;
    let said = |m: &Value| m["content"].as_str().unwrap_or_default().starts_with("waits");
    assert_eq!(messages.as_array().expect("a list").iter().filter(|m| said(m)).count(), 1);
    let done = caller.resume(&session, "", 0).await.expect("a replay").whole().await;
    assert_eq!(done.kinds().iter().filter(|kind| *kind == "done").count(), 1);
    assert_eq!(asked(&home, "waits"), 1);
    second.await.expect("its client was cut off");
}

#[tokio::test]
async fn turns_of_a_deleted_session_are_not_run() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let (first, second) = behind(&home, &caller, "never @@{\"n\":3}@@").await;
    let session = first.session();
    let path = format!("/api/chat/{session}");
    assert_eq!(caller.ask(http::Method::DELETE, &path, None).await.status, 200);
    let second = second.await.expect("a stream");
    assert_eq!(second.event("typed_error")["code"], "session_not_found");
    eventually("its agent leaves", async || home.agents().is_empty().then_some(())).await;
    assert!(!home.run(&session).exists(), "its log stays");
    assert_eq!(asked(&home, "never"), 0);
}

#[tokio::test]
async fn a_log_that_was_lost_costs_its_past_and_no_turn() {
    let mut home = Home::new();
    home.set("AGENT_IDLE_SECONDS", "1");
    let mut server = home.server().await;
    let caller = server.local();
    let first = caller.chat("text=delta", &json!({ "message": "one @@{\"n\":60}@@" })).await;
    let session = first.whole().await.session();
    eventually("the agent leaves", async || home.agents().is_empty().then_some(())).await;
    std::fs::remove_file(home.run(&session).join("events.jsonl")).expect("lost");
    let body = json!({ "message": "two @@{\"n\":3}@@", "sessionId": session });
    let second = caller.chat("text=delta", &body).await.whole().await;
    second.event("done");
    let path = format!("/api/chat/{session}");
    assert_eq!(caller.get(&path).await.json()["messageCount"], 4);
    eventually("the agent leaves", async || home.agents().is_empty().then_some(())).await;
    server.restart();
    server.ready().await;
    let third = json!({ "message": "three @@{\"n\":3}@@", "sessionId": session });
    caller.chat("text=delta", &third).await.whole().await.event("done");
    assert_eq!((asked(&home, "one"), asked(&home, "two"), asked(&home, "three")), (1, 1, 1));
    assert!(!log_of(&home).contains("gone with work in hand"), "{}", log_of(&home));
}

#[tokio::test]
async fn a_turn_whose_agent_definition_is_gone_is_not_in_hand_for_ever() {
    let home = Home::new();
    let mut server = home.server().await;
    let first =
        server.local().chat("", &json!({ "message": "x @@{\"n\":1}@@" })).await.whole().await;
    assert!(server.stop().success());
    let file = home.vault().join("Chat/sessions.db");
    let body = json!({ "message": "y", "agentPath": "agents/gone.md" }).to_string();
    let db = rusqlite::Connection::open(&file).expect("a database");
    let row = "INSERT INTO handed (turn, session_id, body, at) VALUES ('t', ?1, ?2, '2026')";
    db.execute(row, [&first.session(), &body]).expect("a row");
    server.start_again();
    server.ready().await;
    eventually("it is given up", async || {
        let left = db.query_row("SELECT count(*) FROM handed", [], |row| row.get::<_, i64>(0));
        (left.expect("a count") == 0).then_some(())
    })
    .await;
    assert!(log_of(&home).contains("Agent not found: agents/gone.md"));
}
