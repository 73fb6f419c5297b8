//! Speaking into a running turn: injecting, answering, granting, stopping (contract-core §1.3,
//! §1.5, §2.6–§2.8).

use parachute_tests::{Caller, Home, Stream, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

async fn turn(caller: &Caller, directive: &str, mode: &str, until: &str) -> (Stream, String) {
    let body = json!({ "message": format!("x @@{directive}@@"), "permissionMode": mode });
    let mut stream = caller.chat("text=delta", &body).await;
    assert!(stream.until(until).await, "{:?}", stream.kinds());
    let at = format!("/api/chat/{}", stream.session());
    (stream, at)
}

async fn aborted(caller: &Caller, stream: Stream, at: &str) -> Stream {
    assert_eq!(caller.post(&format!("{at}/abort"), &json!({})).await.status, 200);
    let stream = stream.whole().await;
    assert_eq!(stream.kinds().last().map(String::as_str), Some("aborted"), "{:?}", stream.kinds());
    let session = stream.session();
    assert_eq!(stream.event("aborted")["sessionId"], session);
    // The session is free at once, and the count is what was said.
    let body = json!({ "message": "again @@{\"n\":2}@@", "sessionId": session });
    let next = caller.chat("", &body).await.whole().await;
    next.event("done");
    stream
}

#[tokio::test]
async fn abort_while_the_model_speaks() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let (stream, at) = turn(&caller, "{\"n\":100000,\"delay_us\":1000}", "auto", "text").await;
    let stream = aborted(&caller, stream, &at).await;
    let partial = stream.event("aborted")["partialResponse"].as_str().expect("text").to_owned();
    assert_eq!(partial, stream.heard.texts.concat());
}

#[tokio::test]
async fn abort_while_a_tool_runs() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let (stream, at) = turn(&caller, "{\"tools\":1,\"tool_ms\":600000}", "auto", "tool_use").await;
    aborted(&caller, stream, &at).await;
}

#[tokio::test]
async fn abort_while_a_permission_is_asked_for() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let (stream, at) = turn(&caller, "{\"ask\":\"Write\"}", "ask", "permission_request").await;
    let request = stream.event("permission_request")["requestId"].clone();
    aborted(&caller, stream, &at).await;
    let late = json!({ "requestId": request });
    assert_eq!(caller.post(&format!("{at}/permissions/grant"), &late).await.status, 404);
}

#[tokio::test]
async fn abort_while_a_question_is_open() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let (stream, at) = turn(&caller, "{\"question\":true}", "auto", "user_question").await;
    aborted(&caller, stream, &at).await;
}

#[tokio::test]
async fn abort_of_a_cli_that_hears_nothing() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let (stream, at) = turn(&caller, "{\"fail\":\"silent\"}", "auto", "prompt_metadata").await;
    aborted(&caller, stream, &at).await;
}

#[tokio::test]
async fn what_is_injected_is_echoed_and_answered_in_the_same_turn() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let (stream, at) = turn(&caller, "{\"n\":200,\"delay_us\":3000}", "auto", "text").await;
    for body in [json!({ "message": "" }), json!({ "message": "x".repeat(32_001) }), json!({})] {
        assert_eq!(caller.post(&format!("{at}/inject"), &body).await.status, 422);
    }
    let more = json!({ "message": "and this @@{\"text\":\"the second answer\"}@@" });
    assert_eq!(caller.post(&format!("{at}/inject"), &more).await.status, 200);
    let stream = stream.whole().await;
    let said: Vec<&Value> = stream
        .events
        .iter()
        .map(|(_, e)| e)
        .filter(|e| e["type"] == "user_message" && e["injected"] == true)
        .collect();
    assert_eq!(said.len(), 1, "{:?}", stream.kinds());
    assert_eq!(said[0]["content"], more["message"]);
    assert!(stream.heard.texts.concat().contains("the second answer"));
    let done = stream.event("done");
    assert_eq!(done["response"].as_str().map(|r| r.contains("the second answer")), Some(true));
    assert_eq!(caller.post(&format!("{at}/inject"), &more).await.status, 404);
}

#[tokio::test]
async fn more_than_twenty_injected_messages_are_too_many() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let (stream, at) = turn(&caller, "{\"tools\":1,\"tool_ms\":600000}", "auto", "tool_use").await;
    let mut last = 0;
    for n in 0..21 {
        let body = json!({ "message": format!("{n} @@{{\"n\":1}}@@") });
        last = caller.post(&format!("{at}/inject"), &body).await.status;
        assert!(n == 20 || last == 200, "{n}: {last}");
    }
    assert_eq!(last, 429);
    aborted(&caller, stream, &at).await;
}

#[tokio::test]
async fn a_question_is_answered_with_labels_lists_and_free_words() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let (stream, at) = turn(&caller, "{\"question\":true}", "auto", "user_question").await;
    let question = stream.event("user_question").clone();
    assert_eq!(question["sessionId"], stream.session());
    let call = stream.event("tool_use")["tool"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(question["requestId"], format!("{}-q-{call}", stream.session()));
    let answer = |id: &Value| {
        json!({ "request_id": id, "answers": {
            "Which fruit do you want?": "something else", "Which colours?": ["Red", "Blue"] } })
    };
    let path = format!("{at}/answer");
    assert_eq!(caller.post(&path, &json!({ "answers": {} })).await.status, 400);
    assert_eq!(caller.post(&path, &json!({ "request_id": "" })).await.status, 400);
    assert_eq!(caller.post(&path, &json!([])).await.status, 422);
    assert_eq!(caller.post(&path, &answer(&"another".into())).await.status, 404);
    assert_eq!(caller.post(&path, &answer(&question["requestId"])).await.status, 200);
    let stream = stream.whole().await;
    let result = stream.event("tool_result")["content"].as_str().expect("text").to_owned();
    assert!(result.contains("something else") && result.contains("Red, Blue"), "{result}");
    stream.event("done");
}

#[tokio::test]
async fn a_granted_call_runs_and_a_denied_one_does_not() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    for (verb, is_error) in [("grant", false), ("deny", true)] {
        let (stream, at) = turn(&caller, "{\"ask\":\"Write\"}", "ask", "permission_request").await;
        let request = stream.event("permission_request").clone();
        assert_eq!(request["toolName"], "Write");
        assert_eq!(request["timeoutSeconds"], 120);
        let pending = caller.get(&format!("{at}/permissions")).await.json();
        assert_eq!(pending["pending"][0]["id"], request["requestId"]);
        let body = json!({ "requestId": request["requestId"] });
        assert_eq!(caller.post(&format!("{at}/permissions/{verb}"), &body).await.status, 200);
        let stream = stream.whole().await;
        assert_eq!(stream.event("tool_result")["isError"], is_error);
        let denials = &stream.event("done")["permissionDenials"];
        assert_eq!(denials.is_null(), !is_error, "{denials}");
        assert_eq!(caller.get(&format!("{at}/permissions")).await.json()["pending"], json!([]));
    }
}

#[tokio::test]
async fn a_granted_pattern_covers_the_next_call() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let (stream, at) = turn(&caller, "{\"ask\":\"Bash\"}", "ask", "permission_request").await;
    let request = stream.event("permission_request").clone();
    assert_eq!(request["filePath"], "touch made.txt && ls");
    // A pattern for one command must not cover what is chained to it.
    let body = json!({ "requestId": request["requestId"], "pattern": "Bash" });
    assert_eq!(caller.post(&format!("{at}/permissions/grant"), &body).await.status, 200);
    let session = stream.whole().await.session();
    let body = json!({ "message": "x @@{\"ask\":\"Bash\"}@@", "sessionId": session });
    let stream = caller.chat("", &body).await.whole().await;
    assert!(!stream.kinds().contains(&"permission_request".into()), "{:?}", stream.kinds());
    assert_eq!(stream.event("tool_result")["isError"], false);
    // The session remembers it, whichever agent works for it.
    for agent in home.agents() {
        let agent = Pid::from_raw(agent.cast_signed()).expect("a process");
        kill_process(agent, Signal::TERM).expect("told to leave");
    }
    eventually("its agent is gone", async || home.agents().is_empty().then_some(())).await;
    let stream = caller.chat("", &body).await.whole().await;
    assert!(!stream.kinds().contains(&"permission_request".into()), "{:?}", stream.kinds());
}

#[tokio::test]
async fn a_permission_request_survives_a_restart_of_the_server() {
    let home = Home::new();
    let mut server = home.server().await;
    let caller = server.local();
    let (stream, at) = turn(&caller, "{\"ask\":\"Write\"}", "ask", "permission_request").await;
    let request = stream.event("permission_request")["requestId"].clone();
    let heard = stream.heard.last_id;
    let session = stream.session();
    drop(stream);
    server.restart();
    let pending = caller.get(&format!("{at}/permissions")).await.json();
    assert_eq!(pending["pending"][0]["id"], request);
    let body = json!({ "requestId": request });
    assert_eq!(caller.post(&format!("{at}/permissions/grant"), &body).await.status, 200);
    let stream = caller.resume(&session, "", heard).await.expect("taken up").whole().await;
    stream.event("done");
}

#[tokio::test]
async fn levels_of_trust_that_cannot_be_had_are_refused_and_nothing_is_run() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    for level in ["sandboxed", "untrusted"] {
        let body = json!({ "message": "x @@{\"n\":1}@@", "trustLevel": level });
        let stream = caller.chat("", &body).await.whole().await;
        assert_eq!(stream.event("typed_error")["code"], "trust_unavailable", "{level}");
        assert!(!stream.kinds().contains(&"init".into()));
    }
    let body = json!({ "message": "x @@{\"n\":1}@@", "trustLevel": "trusted" });
    let session = caller.chat("", &body).await.whole().await.session();
    let path = format!("/api/chat/{session}/config");
    let lower = json!({ "trustLevel": "untrusted" });
    assert_eq!(caller.send(http::Method::PATCH, &path, &lower).await.status, 200);
    // A request may lower trust, never raise it above what the owner set.
    for asked in ["full", "trusted"] {
        let body = json!({ "message": "x", "sessionId": session, "trustLevel": asked });
        let stream = caller.chat("", &body).await.whole().await;
        assert_eq!(stream.event("typed_error")["code"], "trust_unavailable", "{asked}");
    }
}
