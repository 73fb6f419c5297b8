//! What dies comes back and has lost nothing: the agent, the server, both, at a bad moment
//! (DESIGN §4.4, §4.5, §4.7).

use crate::in_hand::behind;
use parachute_tests::{Caller, Home, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    kill_process(pid, Signal::KILL).expect("killed");
}

fn agent(home: &Home) -> u32 {
    let agents = home.agents();
    assert_eq!(agents.len(), 1, "{agents:?}");
    agents[0]
}

async fn shown(caller: &Caller, session: &str) -> Value {
    caller.get(&format!("/api/chat/{session}")).await.json()
}

/// Commands that the CLI was told to run in a session, as its transcript has them.
fn tool_calls(home: &Home) -> usize {
    let projects = home.path("h/.claude/projects");
    let files = std::fs::read_dir(projects).expect("a folder").flatten();
    let files = files.flat_map(|d| std::fs::read_dir(d.path()).expect("a folder").flatten());
    files
        .map(|f| std::fs::read_to_string(f.path()).expect("text"))
        .map(|text| text.matches("\"type\":\"tool_use\"").count())
        .sum()
}

#[tokio::test]
async fn an_agent_killed_in_mid_tool_says_what_is_uncertain_and_repeats_nothing() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let body = json!({ "message": "x @@{\"n\":20,\"tools\":1,\"tool_ms\":600000}@@" });
    let mut stream = caller.chat("text=delta", &body).await;
    assert!(stream.until("tool_use").await);
    let session = stream.session();
    let first = agent(&home);
    let calls = tool_calls(&home);
    kill(first);
    let stream = stream.whole().await;
    let last = stream.event("typed_error");
    assert_eq!(last["code"], "agent_lost");
    let said = last["message"].as_str().expect("text");
    assert!(
        said.contains("Bash") && said.contains("echo 0") && said.contains("not known"),
        "{said}"
    );
    assert_eq!(stream.kinds().iter().filter(|k| *k == "tool_use").count(), 1);
    assert_eq!(shown(&caller, &session).await["messageCount"], last["messageCount"]);
    let body = json!({ "message": "next @@{\"n\":3}@@", "sessionId": session });
    let next = caller.chat("text=delta", &body).await.whole().await;
    next.event("done");
    assert!(!next.kinds().contains(&"tool_use".into()), "{:?}", next.kinds());
    assert_eq!(tool_calls(&home), calls, "the call was made again");
    assert_ne!(agent(&home), first);
}

#[tokio::test]
async fn an_agent_killed_in_mid_text_ends_the_stream_in_words() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let body = json!({ "message": "x @@{\"n\":100000,\"delay_us\":1000,\"utf8\":true}@@" });
    for query in ["text=content", "text=delta"] {
        let mut stream = caller.chat(query, &body).await;
        for _ in 0..20 {
            stream.more().await;
        }
        let session = stream.session();
        kill(*home.agents().last().expect("an agent"));
        let stream = stream.whole().await;
        assert_eq!(stream.kinds().last().map(String::as_str), Some("typed_error"));
        let again = caller.resume(&session, query, 0).await.expect("a replay").whole().await;
        assert_eq!(stream.heard, again.heard, "nothing is lost, nothing comes twice");
        eventually("its agent is gone", async || {
            let path = format!("/api/chat/{session}/stream-status");
            (caller.get(&path).await.json()["active"] == false).then_some(())
        })
        .await;
        caller.ask(http::Method::DELETE, &format!("/api/chat/{session}"), None).await;
        eventually("no agent is left", async || home.agents().is_empty().then_some(())).await;
    }
}

/// One turn over a server that ends again and again in a way of the caller's.
async fn survives(query: &str, mut end: impl FnMut(&mut parachute_tests::Server)) {
    let home = Home::new();
    let mut server = home.server().await;
    let caller = server.local();
    let message =
        "count\nmore @@{\"n\":1500,\"delay_us\":1500,\"utf8\":true,\"tools\":2,\"thinking\":9}@@";
    let mut stream = caller.chat(query, &json!({ "message": message })).await;
    assert!(stream.until("model").await);
    let session = stream.session();
    let pid = agent(&home);
    for _ in 0..5 {
        for _ in 0..5 {
            stream.more().await;
        }
        end(&mut server);
        let heard = std::mem::take(&mut stream.heard);
        stream = caller.resume(&session, query, heard.last_id).await.expect("taken up");
        assert_eq!(stream.status, 200);
        stream.heard = heard;
    }
    let stream = stream.whole().await;
    assert_eq!(agent(&home), pid, "the agent was not touched");
    let unbroken = caller.resume(&session, query, 0).await.expect("a replay").whole().await;
    assert_eq!(stream.heard, unbroken.heard);
    let done = unbroken.event("done");
    let shown = shown(&caller, &session).await;
    assert_eq!((&shown["messageCount"], &shown["title"]), (&json!(2), &json!("count")));
    assert_eq!(shown["messages"][1]["content"], done["response"]);
    assert!(shown["model"].is_string());
}

#[tokio::test]
async fn a_turn_survives_a_server_that_is_killed_for_an_app() {
    survives("text=content", parachute_tests::Server::crash_and_restart).await;
}

#[tokio::test]
async fn a_turn_survives_a_server_that_is_killed_for_a_client_of_deltas() {
    survives("text=delta", parachute_tests::Server::crash_and_restart).await;
}

#[tokio::test]
async fn a_turn_survives_restarts_of_the_server() {
    survives("text=content", parachute_tests::Server::restart).await;
}

#[tokio::test]
async fn a_turn_that_ends_while_no_server_runs_is_counted_all_the_same() {
    let home = Home::new();
    let mut server = home.server().await;
    let caller = server.local();
    let body = json!({ "message": "hello @@{\"n\":300,\"delay_us\":2000}@@" });
    let mut stream = caller.chat("", &body).await;
    assert!(stream.until("text").await);
    let session = stream.session();
    drop(stream);
    assert!(server.stop().success());
    let log = home.run(&session).join("events.jsonl");
    eventually("the turn ends without a server", async || {
        std::fs::read_to_string(&log).ok()?.contains("\"type\":\"done\"").then_some(())
    })
    .await;
    server.start_again();
    eventually("the database takes it in", async || {
        (shown(&caller, &session).await["messageCount"] == 2).then_some(())
    })
    .await;
    let shown = shown(&caller, &session).await;
    assert!(shown["model"].is_string(), "{shown}");
    assert_eq!(shown["title"].as_str().map(|t| t.starts_with("hello")), Some(true));
}

#[tokio::test]
async fn a_server_that_exits_idle_in_mid_turn_comes_back_at_the_next_connection() {
    let mut home = Home::new();
    home.set("IDLE_EXIT_SECONDS", "1");
    let mut server = home.server().await;
    let caller = server.local();
    let body = json!({ "message": "x @@{\"n\":3000,\"delay_us\":2000}@@" });
    let mut stream = caller.chat("text=delta", &body).await;
    assert!(stream.until("text").await);
    let session = stream.session();
    let heard = std::mem::take(&mut stream.heard);
    drop(stream);
    let status = server.wait(std::time::Duration::from_secs(30)).expect("it leaves by itself");
    assert!(status.success());
    let pid = agent(&home);
    // The manager starts it again when somebody connects; the connection waits until then.
    let waiting = caller.resume(&session, "text=delta", heard.last_id);
    server.start_again();
    let mut stream = waiting.await.expect("taken up");
    stream.heard = heard;
    let stream = stream.whole().await;
    assert_eq!(agent(&home), pid);
    let unbroken = caller.resume(&session, "text=delta", 0).await.expect("a replay").whole().await;
    assert_eq!(stream.heard, unbroken.heard);
    unbroken.event("done");
    assert_eq!(shown(&caller, &session).await["messageCount"], 2);
}

#[tokio::test]
async fn an_agent_that_left_idle_is_not_woken_for_a_replay_but_for_a_turn() {
    let mut home = Home::new();
    home.set("AGENT_IDLE_SECONDS", "1");
    let server = home.server().await;
    let caller = server.local();
    let body = json!({ "message": "x @@{\"n\":30,\"tools\":1}@@" });
    let first = caller.chat("", &body).await.whole().await;
    let session = first.session();
    eventually("the agent leaves", async || home.agents().is_empty().then_some(())).await;
    let again = caller.resume(&session, "", 0).await.expect("a replay").whole().await;
    assert_eq!(again.heard, first.heard);
    let nothing = caller.resume(&session, "", first.heard.last_id).await.expect("a replay");
    assert!(nothing.whole().await.events.is_empty());
    assert!(home.agents().is_empty(), "a replay needs no agent");
    let body = json!({ "message": "x @@{\"n\":3}@@", "sessionId": session });
    let next = caller.chat("", &body).await.whole().await;
    assert_eq!(next.event("done")["messageCount"], 4);
    assert!(next.heard.last_id > first.heard.last_id, "ids go on");
    assert_eq!(next.event("session")["resumeInfo"]["method"], "sdk_resume");
}

#[tokio::test]
async fn a_torn_last_line_of_a_log_is_mended() {
    let mut home = Home::new();
    home.set("AGENT_IDLE_SECONDS", "1");
    let server = home.server().await;
    let caller = server.local();
    let first = caller.chat("", &json!({ "message": "x @@{\"n\":5}@@" })).await.whole().await;
    let session = first.session();
    eventually("the agent leaves", async || home.agents().is_empty().then_some(())).await;
    let log = home.run(&session).join("events.jsonl");
    let mut text = std::fs::read_to_string(&log).expect("a log");
    text.push_str("{\"n\":999,\"t\":2,\"at\":1,\"e\":{\"type\":\"te");
    std::fs::write(&log, text).expect("written");
    let again = caller.resume(&session, "", 0).await.expect("a replay").whole().await;
    assert_eq!(again.heard, first.heard);
    let body = json!({ "message": "x @@{\"n\":3}@@", "sessionId": session });
    let next = caller.chat("", &body).await.whole().await;
    next.event("done");
    let all = caller.resume(&session, "", 0).await.expect("a replay").whole().await;
    assert_eq!(all.kinds().iter().filter(|k| *k == "done").count(), 2);
}

#[tokio::test]
async fn a_turn_that_waits_behind_a_killed_one_is_taken() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let (first, next) = behind(&home, &caller, "y @@{\"text\":\"the next\"}@@").await;
    let session = first.session();
    kill(agent(&home));
    let first = first.whole().await;
    assert_eq!(first.event("typed_error")["code"], "agent_lost");
    let next = next.await.expect("a turn");
    next.event("done");
    assert_eq!(next.heard.texts.concat(), "the next");
    let again = caller.resume(&session, "text=delta", 0).await.expect("a replay").whole().await;
    let ends = again.kinds();
    let ends = ends.iter().filter(|k| *k == "done" || *k == "typed_error");
    assert_eq!(ends.collect::<Vec<_>>(), ["typed_error", "done"]);
}

#[tokio::test]
async fn server_and_agent_killed_at_once_leave_a_turn_that_ends_in_words() {
    let home = Home::new();
    let mut server = home.server().await;
    let caller = server.local();
    let body = json!({ "message": "x @@{\"n\":20,\"tools\":1,\"tool_ms\":600000}@@" });
    let mut stream = caller.chat("text=delta", &body).await;
    assert!(stream.until("tool_use").await);
    let session = stream.session();
    let heard = std::mem::take(&mut stream.heard);
    kill(agent(&home));
    server.crash_and_restart();
    let mut stream = caller.resume(&session, "text=delta", heard.last_id).await.expect("taken up");
    stream.heard = heard;
    let stream = stream.whole().await;
    assert_eq!(stream.event("typed_error")["code"], "agent_lost");
    let count = stream.event("typed_error")["messageCount"].clone();
    eventually("the database takes it in", async || {
        (shown(&caller, &session).await["messageCount"] == count).then_some(())
    })
    .await;
    let active = caller.get("/api/chat/active-streams").await.json();
    assert_eq!(active["count"], 0);
    let body = json!({ "message": "next @@{\"n\":3}@@", "sessionId": session });
    let next = caller.chat("", &body).await.whole().await;
    next.event("done");
    assert_eq!(tool_calls(&home), 1, "the call was made again");
}

#[tokio::test]
async fn a_session_that_is_deleted_in_mid_turn_is_gone() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let body = json!({ "message": "x @@{\"n\":100000,\"delay_us\":1000}@@" });
    let mut stream = caller.chat("text=delta", &body).await;
    assert!(stream.until("text").await);
    let session = stream.session();
    let path = format!("/api/chat/{session}");
    let deleted = caller.ask(http::Method::DELETE, &path, None).await;
    assert_eq!(deleted.status, 200);
    let last = stream.whole().await.kinds().last().cloned();
    assert_eq!(last.as_deref(), Some("aborted"));
    assert_eq!(caller.get(&path).await.status, 404);
    eventually("its agent leaves", async || home.agents().is_empty().then_some(())).await;
    assert!(!home.run(&session).exists(), "its log stays");
    let list = caller.get("/api/chat").await.json();
    assert_eq!(list, json!({ "sessions": [] }));
}
