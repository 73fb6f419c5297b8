//! Everything that can be wrong with the CLI: each has its code, and its message says what to
//! do (contract-core §2.9, DESIGN §4).

use parachute_tests::{Cli, Home, Stream};
use serde_json::{Value, json};

async fn turn(home: &Home, message: &str) -> Stream {
    let server = home.server().await;
    let stream = server.local().chat("", &json!({ "message": message })).await.whole().await;
    let session = stream.session();
    let shown = server.local().get(&format!("/api/chat/{session}")).await.json();
    let last = &stream.events.last().expect("an event").1;
    if last["type"] == "typed_error" {
        assert_eq!(last["sessionId"], session);
        assert_eq!(shown["messageCount"], last["messageCount"], "{last}");
        assert!(!shown["messages"].as_array().expect("messages").is_empty());
    }
    let status = server.local().get(&format!("/api/chat/{session}/stream-status")).await.json();
    assert_eq!(status["active"], false);
    stream
}

/// The typed error that a turn ends with, and that its message advises this.
async fn ends_with(home: &Home, message: &str, code: &str, advice: &str) -> Value {
    let stream = turn(home, message).await;
    let last = stream.events.last().expect("an event").1.clone();
    assert_eq!((&last["type"], &last["code"]), (&"typed_error".into(), &code.into()), "{last}");
    let said = last["message"].as_str().expect("text");
    assert!(said.to_lowercase().contains(advice), "{said}");
    assert!(!last["actions"].as_array().expect("a list").is_empty(), "{last}");
    last
}

#[tokio::test]
async fn no_cli() {
    let home = Home::with(Cli::Missing);
    ends_with(&home, "hello", "cli_missing", "claude_path").await;
}

#[tokio::test]
async fn a_cli_that_is_nowhere_to_be_found() {
    let mut home = Home::with(Cli::Missing);
    home.env.remove("CLAUDE_PATH");
    home.set("PATH", "/nowhere");
    ends_with(&home, "hello", "cli_missing", "install").await;
}

#[tokio::test]
async fn a_cli_that_crashes_in_mid_word() {
    let home = Home::new();
    let said = ends_with(&home, "x @@{\"n\":8,\"fail\":\"crash\"}@@", "cli_failed", "again").await;
    assert_eq!(said["canRetry"], true);
}

#[tokio::test]
async fn a_cli_that_ends_without_a_word() {
    let home = Home::new();
    ends_with(&home, "x @@{\"n\":8,\"fail\":\"exit1\"}@@", "cli_failed", "again").await;
}

#[tokio::test]
async fn a_cli_that_complains_on_stderr() {
    let home = Home::new();
    let said = ends_with(&home, "x @@{\"fail\":\"stderr_only\"}@@", "cli_failed", "again").await;
    let original = said["originalError"].as_str().expect("text");
    assert!(original.contains("something is badly wrong"), "{original}");
}

#[tokio::test]
async fn a_cli_that_does_not_start() {
    let home = Home::new();
    home.plan(&json!({ "fail": "crash", "when": "start" }));
    ends_with(&home, "hello", "cli_failed", "again").await;
}

#[tokio::test]
async fn a_cli_that_refuses_our_options() {
    let home = Home::new();
    home.plan(&json!({ "fail": "old_version", "when": "start" }));
    ends_with(&home, "hello", "cli_too_old", "update").await;
}

#[tokio::test]
async fn a_cli_that_says_it_is_old() {
    let home = Home::new();
    ends_with(&home, "x @@{\"n\":3,\"fail\":\"old_version\"}@@", "cli_too_old", "update").await;
}

#[tokio::test]
async fn a_program_that_is_no_cli() {
    let mut home = Home::new();
    home.set("CLAUDE_PATH", "/bin/echo");
    ends_with(&home, "hello", "cli_failed", "claude_path").await;
}

#[tokio::test]
async fn a_cli_that_prints_garbage_goes_on() {
    let home = Home::new();
    let stream = turn(&home, "x @@{\"n\":8,\"fail\":\"garbage\"}@@").await;
    stream.event("done");
    assert_eq!(stream.event("warning")["code"], "cli_garbage");
    assert_eq!(stream.heard.texts.concat(), stream.event("done")["response"]);
}

#[tokio::test]
async fn a_line_beyond_all_bounds() {
    let home = Home::new();
    ends_with(&home, "x @@{\"n\":8,\"fail\":\"huge_line\"}@@", "cli_failed", "beyond all bounds")
        .await;
}

#[tokio::test]
async fn a_credential_that_is_refused_ends_early() {
    let home = Home::new();
    let said = ends_with(&home, "x @@{\"fail\":\"auth\"}@@", "invalid_api_key", "key").await;
    assert_eq!(said["canRetry"], false);
    assert!(!said.to_string().contains("sk-ant-api-scripted"));
}

#[tokio::test]
async fn an_error_of_the_service() {
    let home = Home::new();
    let said =
        ends_with(&home, "x @@{\"n\":8,\"fail\":\"error_result\"}@@", "service_error", "").await;
    assert_eq!(said["retryDelayMs"], 2000);
}

#[tokio::test]
async fn the_session_goes_on_after_each_of_them() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let first = caller.chat("", &json!({ "message": "x @@{\"n\":2}@@" })).await.whole().await;
    let session = first.session();
    let mut count = 2;
    for fail in ["exit1", "crash", "garbage", "error_result", "stderr_only", "auth", "huge_line"] {
        let message = format!("x @@{{\"n\":8,\"fail\":\"{fail}\"}}@@");
        let body = json!({ "message": message, "sessionId": session });
        caller.chat("", &body).await.whole().await;
        let body = json!({ "message": "x @@{\"n\":2}@@", "sessionId": session });
        let next = caller.chat("", &body).await.whole().await;
        assert_eq!(next.session(), session);
        let now = next.event("done")["messageCount"].as_i64().expect("a count");
        assert!(now == count + 3 || now == count + 4, "after {fail}: {count} to {now}");
        count = now;
    }
}
