//! Traps of the predecessor about turns (contract-core §8.2, contract-extended §7), each in a
//! whole turn with the scripted CLI.

use crate::contexts::told;
use parachute_tests::{Caller, Home, Stream, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Ends the agents of a home, so that the next turn begins with a new one.
pub(crate) async fn leave(home: &Home) {
    for agent in home.agents() {
        let agent = Pid::from_raw(agent.cast_signed()).expect("a process");
        kill_process(agent, Signal::TERM).expect("told to leave");
    }
    eventually("no agent is left", async || home.agents().is_empty().then_some(())).await;
}

/// The CLI's transcripts, wherever it put them.
pub(crate) fn transcripts(home: &Home) -> Vec<PathBuf> {
    let projects = std::fs::read_dir(home.path("h/.claude/projects")).into_iter().flatten();
    let files = projects.flatten().flat_map(|dir| std::fs::read_dir(dir.path()).expect("a folder"));
    files.map(|file| file.expect("a file").path()).collect()
}

/// A turn that begins a session in which there is something to remember.
async fn begun(caller: &Caller) -> String {
    let message = "remember the heron @@{\"text\":\"I shall.\"}@@";
    let first = caller.chat("", &json!({ "message": message })).await.whole().await;
    first.event("done");
    first.session()
}

async fn ids(caller: &Caller) -> Vec<String> {
    let list = caller.get("/api/chat?limit=500").await.json();
    let sessions = list["sessions"].as_array().expect("a list").iter();
    sessions.map(|session| session["id"].as_str().expect("an id").to_owned()).collect()
}

fn events<'s>(stream: &'s Stream, kind: &str) -> Vec<&'s Value> {
    stream.events.iter().map(|(_, event)| event).filter(|event| event["type"] == kind).collect()
}

#[tokio::test]
async fn what_is_off_limits_is_refused_in_mode_auto_trap_23() {
    let home = Home::new();
    let token = home.vault().join(".parachute/.token");
    std::fs::write(&token, "sk-ant-oat01-SECRET").expect("written");
    let server = home.server().await;
    // The CLI's own rules allow all of them, and none is asked for.
    let uses = json!([
        { "name": "Bash", "input": { "command": "cd /tmp && sudo id" } },
        { "name": "Read", "input": { "file_path": token } },
        { "name": "Bash", "input": { "command": "cat .parachute/.token" } },
        { "name": "Grep", "input": { "pattern": ".", "path": ".parachute" } },
        { "name": "Write", "input": { "file_path": "keys/id_rsa", "content": "x" } },
        { "name": "Read", "input": { "file_path": "Notes/a.md" } },
        { "name": "Bash", "input": { "command": "echo all is well" } },
    ]);
    let body = json!({ "message": format!("x @@{}@@", json!({ "uses": uses })) });
    let stream = server.local().chat("", &body).await.whole().await;
    let refused: Vec<(&Value, &Value)> = events(&stream, "permission_denied")
        .into_iter()
        .map(|event| (&event["toolName"], &event["reason"]))
        .collect();
    let (dangerous, ignored) = (json!("dangerous_command"), json!("denied_by_ignore_list"));
    let (bash, read, grep, write) = (json!("Bash"), json!("Read"), json!("Grep"), json!("Write"));
    assert_eq!(
        refused,
        [
            (&bash, &dangerous),
            (&read, &ignored),
            (&bash, &ignored),
            (&grep, &ignored),
            (&write, &ignored)
        ]
    );
    let results = events(&stream, "tool_result");
    let failed: Vec<bool> = results.iter().map(|result| result["isError"] == true).collect();
    assert_eq!(failed, [true, true, true, true, true, false, false]);
    let denials = stream.event("done")["permissionDenials"].as_array().expect("a list").clone();
    assert_eq!(denials.len(), 5);
    assert_eq!(denials[0]["command"], "cd /tmp && sudo id");
    assert_eq!(denials[1]["file_path"], token.display().to_string());
    assert!(events(&stream, "permission_request").is_empty(), "{:?}", stream.kinds());
}

#[tokio::test]
async fn a_missing_transcript_changes_no_id_trap_41() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let session = begun(&caller).await;
    leave(&home).await;
    for file in transcripts(&home) {
        std::fs::remove_file(file).expect("removed");
    }
    let (stream, words) = told(&caller, json!({ "sessionId": session })).await;
    assert_eq!(stream.session(), session);
    let resume = &stream.event("session")["resumeInfo"];
    assert_eq!(
        (&resume["method"], &resume["is_new_session"]),
        (&json!("new"), &json!(false)),
        "{resume}"
    );
    assert_eq!(
        (&resume["contextInjected"], &resume["messagesInjected"]),
        (&json!(true), &json!(2)),
        "{resume}"
    );
    assert!(words.contains("remember the heron") && words.contains("I shall."), "{words}");
    assert_eq!(stream.event("done")["messageCount"], 4);
    assert_eq!(ids(&caller).await, std::slice::from_ref(&session));
    // Its doors are where they were, and the next turn goes on.
    let slow = "x @@{\"n\":100000,\"delay_us\":1000}@@";
    let body = json!({ "message": slow, "sessionId": session });
    let mut stream = caller.chat("text=delta", &body).await;
    assert!(stream.until("text").await);
    assert_eq!(stream.event("session")["resumeInfo"]["method"], "sdk_resume");
    let at = format!("/api/chat/{session}");
    let status = caller.get(&format!("{at}/stream-status")).await.json();
    assert_eq!((&status["active"], &status["sessionId"]), (&json!(true), &json!(session)));
    assert_eq!(caller.post(&format!("{at}/abort"), &json!({})).await.status, 200);
    assert_eq!(stream.whole().await.event("aborted")["sessionId"], session);
}

#[tokio::test]
async fn a_recovery_keeps_the_session_trap_43() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let session = begun(&caller).await;
    for (nth, (mode, tells)) in
        [("inject_context", true), ("fresh_start", false)].into_iter().enumerate()
    {
        let body = json!({ "sessionId": session, "recoveryMode": mode });
        let (stream, words) = told(&caller, body).await;
        assert_eq!(stream.session(), session, "{mode}");
        let resume = &stream.event("session")["resumeInfo"];
        assert_eq!((&resume["method"], &resume["contextInjected"]), (&"new".into(), &tells.into()));
        assert_eq!(words.contains("remember the heron"), tells, "{mode}: {words}");
        assert_eq!(transcripts(&home).len(), 2 + nth, "a conversation of its own");
        assert_eq!(stream.event("done")["messageCount"], 4 + 2 * i64::try_from(nth).expect("few"));
    }
    leave(&home).await;
    let (stream, _) = told(&caller, json!({ "sessionId": session })).await;
    assert_eq!(stream.event("session")["resumeInfo"]["method"], "sdk_resume");
    assert_eq!(transcripts(&home).len(), 3, "the newest goes on");
    assert_eq!(stream.event("done")["messageCount"], 8);
    assert_eq!(ids(&caller).await, [session]);
}

#[tokio::test]
async fn a_recovered_session_asks_trap_54() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let session = begun(&caller).await;
    let body = json!({ "message": "x @@{\"question\":true}@@", "sessionId": session,
        "recoveryMode": "fresh_start" });
    let mut stream = caller.chat("text=delta", &body).await;
    assert!(stream.until("user_question").await, "{:?}", stream.kinds());
    let question = stream.event("user_question").clone();
    assert_eq!(question["sessionId"], session);
    let id = question["requestId"].as_str().expect("an id");
    assert!(id.starts_with(&format!("{session}-q-")), "{id}");
    let answer = json!({ "request_id": id, "answers": { "Which fruit do you want?": "Plum" } });
    let path = format!("/api/chat/{session}/answer");
    assert_eq!(caller.post(&path, &answer).await.status, 200);
    let stream = stream.whole().await;
    assert!(stream.event("tool_result")["content"].as_str().expect("text").contains("Plum"));
}

#[tokio::test]
async fn a_lost_conversation_begins_anew_trap_45() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let session = begun(&caller).await;
    leave(&home).await;
    home.plan(&json!({ "fail": "lost", "when": "start" }));
    let body = json!({ "message": "and now? @@{\"n\":1}@@", "sessionId": session });
    let stream = caller.chat("", &body).await.whole().await;
    let last = stream.event("session_unavailable");
    assert_eq!(last["reason"], "sdk_session_not_found");
    assert_eq!(
        (&last["sessionId"], &last["hasMarkdownHistory"]),
        (&json!(session), &json!(true)),
        "{last}"
    );
    // The CLI would still not find it; it is not asked for it again.
    let (stream, words) = told(&caller, json!({ "sessionId": session })).await;
    assert_eq!(stream.session(), session);
    assert!(words.contains("remember the heron"), "{words}");
    assert_eq!(ids(&caller).await, [session]);
}

#[tokio::test]
async fn long_lines_and_noise_pass_trap_t_50() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    // Sixteen times what broke the predecessor.
    let body = json!({ "message": "x @@{\"n\":8,\"fail\":\"huge_line\",\"bytes\":1048576}@@" });
    let stream = caller.chat("", &body).await.whole().await;
    let long = stream.event("done")["response"].as_str().expect("text");
    assert!(long.len() > 1_048_576, "{}", long.len());
    // More than any pipe holds, while the answer comes.
    let body = json!({ "message": "x @@{\"n\":400,\"fail\":\"noise\"}@@" });
    let stream = caller.chat("text=delta", &body).await.whole().await;
    let said = stream.event("done")["response"].as_str().expect("text");
    assert_eq!(said.split_whitespace().count(), 400);
    assert!(!stream.kinds().contains(&"warning".into()), "{:?}", stream.kinds());
}

#[tokio::test]
async fn every_turn_says_the_level_in_force_trap_52() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let workspace = json!({ "name": "box", "default_trust_level": "untrusted" });
    assert_eq!(caller.post("/api/workspaces", &workspace).await.status, 201);
    for (first, names) in [
        (json!({}), ("trusted", "full", true)),
        (json!({ "trustLevel": "full" }), ("trusted", "full", true)),
        (json!({ "trustLevel": "untrusted" }), ("untrusted", "sandboxed", false)),
        (json!({ "workspaceId": "box" }), ("untrusted", "sandboxed", false)),
        (
            json!({ "trustLevel": "trusted", "workspaceId": "box" }),
            ("untrusted", "sandboxed", false),
        ),
    ] {
        let mut body = first.clone();
        body["message"] = "x @@{\"n\":1}@@".into();
        let begun = caller.chat("", &body).await.whole().await;
        let next = json!({ "message": "x @@{\"n\":1}@@", "sessionId": begun.session() });
        let next = caller.chat("", &next).await.whole().await;
        for stream in [&begun, &next] {
            let session = stream.event("session");
            let said = (
                session["trustLevel"].as_str().expect("a level"),
                session["trust"].as_str().expect("a level"),
                stream.event("prompt_metadata")["trustMode"].as_bool().expect("a flag"),
            );
            assert_eq!(said, names, "{first}");
        }
    }
}

#[tokio::test]
async fn a_folder_outside_is_worked_in_trap_63() {
    let home = Home::new();
    crate::past::leave_in(&home);
    let outside = home.path("else where/My Project_x.y");
    std::fs::create_dir_all(&outside).expect("a folder");
    let outside = outside.canonicalize().expect("there").display().to_string();
    // A session of the CLI's own that the predecessor had adopted.
    let db = rusqlite::Connection::open(home.vault().join("Chat/sessions.db")).expect("a database");
    let adopted =
        "UPDATE sessions SET working_directory = ?1, source = 'claude-code' WHERE id = ?2";
    db.execute(adopted, (&outside, crate::past::FIRST)).expect("changed");
    drop(db);
    let server = home.server().await;
    let caller = server.local();
    let body = json!({ "message": "x @@{\"n\":1}@@", "workingDirectory": outside });
    let begun = caller.chat("", &body).await.whole().await.session();
    for session in [begun.as_str(), crate::past::FIRST] {
        leave(&home).await;
        let body = json!({ "message": "where? @@{\"n\":1}@@", "sessionId": session });
        let stream = caller.chat("", &body).await.whole().await;
        stream.event("done");
        let said = stream.event("session");
        assert_eq!(said["workingDirectory"], outside, "{session}");
        assert_eq!(said["resumeInfo"]["method"], "sdk_resume", "{session}");
        assert!(!stream.kinds().contains(&"warning".into()), "{:?}", stream.kinds());
        // Where the CLI itself says that it was, for this last question.
        let name = format!("{session}.jsonl");
        let mut files = transcripts(&home).into_iter().filter(|file| file.ends_with(&name));
        let text = std::fs::read_to_string(files.next().expect("a transcript")).expect("text");
        let asked = text.lines().rfind(|line| line.contains("where? ")).expect("the question");
        let asked: Value = serde_json::from_str(asked).expect("JSON");
        assert!(asked["cwd"] == outside || asked["type"] == "last-prompt", "{asked}");
        let worked = text.matches(&format!("\"cwd\":\"{outside}\"")).count();
        assert!(worked >= 2, "{session}: {text}");
    }
}

#[tokio::test]
async fn no_folder_outside_is_given_to_a_confined_agent_trap_t_16() {
    let home = Home::new();
    let outside = home.path("outside");
    std::fs::create_dir_all(&outside).expect("a folder");
    std::os::unix::fs::symlink(&outside, home.vault().join("link")).expect("linked");
    let server = home.server().await;
    let caller = server.local();
    let turn = async |level: &str, place: &str| {
        let body = json!({ "message": "x @@{\"n\":1}@@", "trustLevel": level,
            "workingDirectory": place });
        caller.chat("", &body).await.whole().await
    };
    let absolute = outside.display().to_string();
    for level in ["sandboxed", "untrusted", "vault"] {
        for place in [absolute.as_str(), "/etc", "/"] {
            let stream = turn(level, place).await;
            assert_eq!(stream.kinds(), ["typed_error"], "{level} {place}");
            let error = stream.event("typed_error");
            assert_eq!(error["code"], "trust_unavailable");
            let said = error["message"].as_str().expect("text");
            assert!(said.contains("outside of the vault"), "{said}");
        }
    }
    for place in ["../outside", "/vault/../outside", "/vault//../outside", "link", "link/../.."] {
        let stream = turn("sandboxed", place).await;
        assert_eq!(stream.event("session")["workingDirectory"], Value::Null, "{place}");
        let warned = stream.event("warning");
        assert_eq!(warned["code"], "working_directory", "{place}: {warned}");
    }
}
