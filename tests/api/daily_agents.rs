//! Agents that read a day and write about it (contract-core §1.15, contract-extended §4.1, §4.2).

use crate::contexts::write;
use http::Method;
use parachute_tests::{Answer, Caller, Home, Stream, eventually, program};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

pub(crate) const AT: &str = "/api/modules/daily/agents";
pub(crate) const DAY: &str = "2026-11-19";

/// A home with the agent `poet`, and a journal in which stands what the scripted CLI shall do.
pub(crate) fn home(plan: &str) -> Home {
    let home = Home::new();
    journal(&home, plan);
    write(&home, &[("Daily/.agents/poet.md", "---\ndisplayName: The Poet\n---\nWrite a poem.")]);
    home
}

pub(crate) fn journal(home: &Home, plan: &str) {
    write(home, &[(&format!("Daily/journals/{DAY}.md"), &format!("We sailed. {plan}"))]);
}

pub(crate) async fn run(caller: &Caller, agent: &str, body: &Value) -> Answer {
    caller.post(&format!("{AT}/{agent}/run"), body).await
}

pub(crate) async fn ran(caller: &Caller) -> Value {
    let answer = run(caller, "poet", &json!({ "date": DAY, "force": true })).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

fn output(home: &Home) -> String {
    fs::read_to_string(home.vault().join("Daily/poet/2026-11-20.md")).unwrap_or_default()
}

pub(crate) fn state(home: &Home) -> Value {
    let text = fs::read_to_string(home.vault().join("Daily/.poet/state.json")).expect("a state");
    serde_json::from_str(&text).expect("JSON")
}

/// All events of a run's session.
async fn events(caller: &Caller, run: &Value) -> Stream {
    let session = run["sdk_session_id"].as_str().expect("a session");
    caller
        .follow(&format!("/api/chat/{session}/stream?after=0"))
        .await
        .expect("a log")
        .whole()
        .await
}

#[tokio::test]
async fn an_agent_reads_a_day_and_writes_for_the_next() {
    let home = home("@@{\"text\":\"The sea, the sea.\"}@@");
    let server = home.server().await;
    let caller = server.local();
    let run_of = ran(&caller).await;
    assert_eq!(run_of["status"], "completed", "{run_of}");
    for (name, value) in [
        ("output_path", json!("Daily/poet/2026-11-20.md")),
        ("journal_date", json!(DAY)),
        ("output_date", json!("2026-11-20")),
        ("error", Value::Null),
        ("output_written", json!(true)),
    ] {
        assert_eq!(run_of[name], value, "{name}");
    }
    let text = output(&home);
    assert!(text.starts_with("---\ndate: "), "{text}");
    assert!(
        text.contains("\nagent: poet\ngenerated_at: ") && text.ends_with("The sea, the sea.\n")
    );
    let kept = state(&home);
    assert_eq!((&kept["run_count"], &kept["last_processed_date"]), (&json!(1), &json!(DAY)));
    assert_eq!((&kept["agent"], &kept["backend"]), (&json!("poet"), &json!("claude-sdk")));
    assert_eq!(kept["sdk_session_id"], run_of["sdk_session_id"]);

    let shown = caller.get(&format!("{AT}/poet")).await.json();
    assert_eq!(
        (&shown["displayName"], &shown["state"]["runCount"]),
        (&json!("The Poet"), &json!(1))
    );
    assert_eq!(shown["outputPath"], "Daily/poet/{date}.md");
    let days = caller.get(&format!("{AT}/status?date=2026-11-20")).await.json();
    assert_eq!(
        (&days["date"], &days["agents"][0]["hasOutput"]),
        (&json!("2026-11-20"), &json!(true))
    );
    // From the folder that the app syncs.
    assert_eq!(days["agents"][0]["outputPath"], "poet/2026-11-20.md");
    let other = caller.get(&format!("{AT}/status?date={DAY}")).await.json();
    assert_eq!(
        (&other["agents"][0]["hasOutput"], &other["agents"][0]["outputPath"]),
        (&json!(false), &Value::Null)
    );

    let again = run(&caller, "poet", &json!({ "date": DAY })).await.json();
    assert_eq!(
        (&again["status"], &again["last_run_at"]),
        (&json!("skipped"), &kept["last_run_at"])
    );
    // Its own output may be replaced, and the talk goes on.
    journal(&home, "@@{\"text\":\"Another.\"}@@");
    let second = ran(&caller).await;
    assert_eq!(
        (&second["status"], &second["sdk_session_id"]),
        (&json!("completed"), &kept["sdk_session_id"])
    );
    assert!(output(&home).ends_with("Another.\n"));
    let told = caller.get(&format!("{AT}/poet/transcript?limit=3")).await.json();
    assert_eq!(
        (&told["hasTranscript"], &told["totalMessages"]),
        (&json!(true), &json!(4)),
        "{told}"
    );
    assert_eq!(told["messages"].as_array().map(Vec::len), Some(3));
    assert_eq!(told["messages"][2]["blocks"][0]["text"], "Another.");

    let reset = caller.ask(Method::POST, &format!("{AT}/poet/reset"), None).await;
    assert_eq!((reset.status, &state(&home)["sdk_session_id"]), (200, &Value::Null));
    assert_eq!(state(&home)["run_count"], 2);
    let told = caller.get(&format!("{AT}/poet/transcript")).await.json();
    assert_eq!((&told["hasTranscript"], told["message"].is_string()), (&json!(false), true));
    assert_ne!(ran(&caller).await["sdk_session_id"], kept["sdk_session_id"]);
}

#[tokio::test]
async fn there_may_be_nothing_to_read_nothing_to_say_or_an_error() {
    let home = home("@@{\"text\":\" NO_OUTPUT\\n\"}@@");
    let server = home.server().await;
    let caller = server.local();
    let none = run(&caller, "poet", &json!({ "date": "2020-01-01", "force": true })).await.json();
    assert_eq!((&none["status"], none["reason"].is_string()), (&json!("skipped"), true), "{none}");
    assert!(!home.vault().join("Daily/.poet").exists());
    let silent = ran(&caller).await;
    assert_eq!(
        (&silent["status"], &silent["output_path"]),
        (&json!("completed_no_output"), &Value::Null)
    );
    assert_eq!((output(&home), &state(&home)["run_count"]), (String::new(), &json!(1)));
    journal(&home, "@@{\"fail\":\"error_result\"}@@");
    let failed = ran(&caller).await;
    assert_eq!(
        (&failed["status"], failed["error"].is_string()),
        (&json!("error"), true),
        "{failed}"
    );
    assert_eq!((output(&home), &state(&home)["run_count"]), (String::new(), &json!(1)));
    // What the person wrote there is not the agent's to replace.
    journal(&home, "@@{\"text\":\"Mine.\"}@@");
    write(&home, &[("Daily/poet/2026-11-20.md", "my own words")]);
    let beside = ran(&caller).await;
    assert_eq!(beside["output_path"], "Daily/poet/2026-11-20-2.md", "{beside}");
    assert!(beside["reason"].is_string(), "{beside}");
    assert_eq!(output(&home), "my own words");
    // An agent that reads no journal needs none.
    write(&home, &[("Daily/.agents/poet.md", "---\ntools: [read_chat_log]\n---\nx")]);
    let run = run(&caller, "poet", &json!({ "date": "2020-01-01" })).await.json();
    assert_eq!(run["status"], "completed", "{run}");
}

#[tokio::test]
async fn trap_t18_an_agent_has_no_tools_but_those_it_is_given() {
    let uses = json!([
        { "name": "Bash", "input": { "command": "touch made" } },
        { "name": "Write", "input": { "file_path": "made", "content": "x" } },
        { "name": "Read", "input": { "file_path": "CLAUDE.md" } },
        { "name": "mcp__notes__list", "input": {} },
        { "name": "AskUserQuestion", "input": { "questions": [] } },
    ]);
    let home = home(&format!("@@{{\"uses\":{uses},\"text\":\"Done.\"}}@@"));
    let server = home.server().await;
    let caller = server.local();
    let run_of = ran(&caller).await;
    assert_eq!(run_of["status"], "completed", "{run_of}");
    let stream = events(&caller, &run_of).await;
    let denied = stream.event("done")["permissionDenials"].clone();
    let names: Vec<&str> = denied
        .as_array()
        .expect("denials")
        .iter()
        .filter_map(|d| d["tool_name"].as_str().or(d["toolName"].as_str()))
        .collect();
    assert_eq!(names, ["Bash", "Write", "Read", "mcp__notes__list", "AskUserQuestion"], "{denied}");
    // Nor has anybody else who speaks in its session, whatever is asked for.
    let body = json!({ "sessionId": run_of["sdk_session_id"], "trustLevel": "full",
        "message": format!("x @@{{\"uses\":{uses},\"text\":\"Done.\"}}@@") });
    let stream = caller.chat("", &body).await.whole().await;
    assert_eq!(stream.event("done")["permissionDenials"].as_array().map(Vec::len), Some(5));
    let metadata = stream.event("prompt_metadata");
    assert_eq!(metadata["availableMcps"], json!([]));
}

#[tokio::test]
async fn an_agent_with_tools_reaches_no_further_than_the_vault() {
    let home = home("@@{\"text\":\"Done.\"}@@");
    let definition = "---\ntools: [read_journal, Read, Bash, mcp__notes__list]\n---\nRead.";
    let one = json!({ "command": "true", "trust_level": "vault" });
    let mcp = json!({ "mcpServers": { "notes": one, "other": one } }).to_string();
    write(&home, &[("Daily/.agents/poet.md", definition), (".mcp.json", &mcp)]);
    let server = home.server().await;
    let caller = server.local();
    let shown = caller.get(&format!("{AT}/poet")).await.json();
    assert_eq!(shown["tools"], json!(["Read", "mcp__notes__list"]));
    assert!(shown["problems"].to_string().contains("Bash"), "{shown}");
    let run_of = ran(&caller).await;
    // Where nothing can confine, nothing is run.
    if run_of["status"] == "completed" {
        let stream = events(&caller, &run_of).await;
        assert_eq!(stream.event("session")["trust"], "vault");
    } else {
        assert!(run_of["error"].as_str().expect("a sentence").contains("onfine"), "{run_of}");
    }
    let session = state(&home)["sdk_session_id"].as_str().expect("a session").to_owned();
    let preview = caller.get(&format!("/api/prompt/preview?sessionId={session}")).await.json();
    assert_eq!(preview["availableMcps"], json!(["notes"]), "{preview}");
}

#[tokio::test]
async fn trap_t61_an_agent_has_the_credential_and_the_cli_no_tools() {
    let mut home = home("@@{\"text\":\"Done.\"}@@");
    home.env.remove("ANTHROPIC_API_KEY");
    write(&home, &[(".parachute/.token", "sk-ant-oat01-canary\n")]);
    let (script, seen) = (home.path("claude"), home.path("seen"));
    let text = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$CLAUDE_CODE_OAUTH_TOKEN\" \"$@\" > {}\nexec {} \"$@\"\n",
        seen.display(),
        program("scripted-claude").display()
    );
    fs::write(&script, text).expect("written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("changed");
    home.set("CLAUDE_PATH", script.to_str().expect("text"));
    let server = home.server().await;
    assert_eq!(ran(&server.local()).await["status"], "completed");
    let seen = fs::read_to_string(seen).expect("it ran");
    assert_eq!(seen.lines().next(), Some("sk-ant-oat01-canary"));
    assert!(seen.lines().any(|argument| argument == "--tools="), "{seen}");
}

#[tokio::test]
async fn traps_t63_and_t67_a_day_is_told_whatever_it_was_kept_in() {
    let home = home("");
    let server = home.server().await;
    let caller = server.local();
    home.plan(&json!({ "text": "in the north" }));
    let body = json!({ "message": "where is the harbour" });
    caller.chat("", &body).await.whole().await;
    let entry = caller.post("/api/daily/entries", &json!({ "content": "an entry of today" })).await;
    let today = entry.json()["created_at"].as_str().expect("a time")[..10].to_owned();
    write(&home, &[("Daily/journals/2026-11-18.md", "the day before")]);
    // The scripted CLI says again what it is asked.
    home.plan(&json!({}));
    let run_of = run(&caller, "poet", &json!({ "date": today })).await.json();
    assert_eq!(run_of["status"], "completed", "{run_of}");
    let path = home.vault().join(run_of["output_path"].as_str().expect("a path"));
    let told = fs::read_to_string(path).expect("an output");
    for words in ["an entry of today", "where is the harbour", "in the north"] {
        assert!(told.contains(words), "{words} in {told}");
    }
    // A chat log that somebody keeps counts in its place; a run is no chat.
    write(&home, &[(&format!("Daily/chat-log/{today}.md"), "kept by hand")]);
    let run_of = run(&caller, "poet", &json!({ "date": today, "force": true })).await.json();
    let path = home.vault().join(run_of["output_path"].as_str().expect("a path"));
    let told = fs::read_to_string(path).expect("an output");
    assert!(told.contains("kept by hand") && !told.contains("in the north"), "{told}");
}

#[tokio::test]
async fn trap_t66_no_tool_of_its_own_is_needed_to_write() {
    let home = home("@@{\"told\":true}@@");
    let profile = "**Name**: Ann\nLikes {braces}.";
    let prompt = "For {user_name} write {verse} with write_output.\n\n{user_context}";
    write(&home, &[("context/curator.md", profile), ("Daily/.agents/poet.md", prompt)]);
    let server = home.server().await;
    assert_eq!(ran(&server.local()).await["status"], "completed");
    let said = "told: For Ann write {verse} with write_output.\n\n**Name**: Ann\nLikes {braces}.\n";
    assert!(output(&home).ends_with(said), "{}", output(&home));
}

#[tokio::test]
async fn a_run_outlives_the_server() {
    let home = home("@@{\"text\":\"After all.\",\"n\":10,\"delay_us\":200000}@@");
    let mut server = home.server().await;
    let caller = server.local();
    let asked = tokio::spawn({
        let caller = caller.clone();
        async move {
            let body = json!({ "date": DAY }).to_string();
            let path = format!("{AT}/poet/run");
            // Whoever waits for it is cut off.
            drop(caller.open(Method::POST, &path, Some(body.into())).await);
        }
    });
    eventually("it is at work", async || {
        let shown = caller.get(&format!("{AT}/poet")).await.json();
        let taken = server.log().contains("turn accepted");
        (shown["running"] == true && taken).then_some(())
    })
    .await;
    server.crash_and_restart();
    eventually("its output is there", async || output(&home).contains("After all.").then_some(()))
        .await;
    asked.await.expect("no panic");
    eventually("it is noted", async || (state(&home)["run_count"] == 1).then_some(())).await;
    eventually("it is at rest", async || {
        let shown = caller.get(&format!("{AT}/poet")).await.json();
        (shown["running"] == false).then_some(())
    })
    .await;
    assert_eq!(fs::read_dir(home.path("s/parachute/daily")).expect("listed").count(), 0);
}

#[tokio::test]
async fn two_who_ask_at_once_get_one_run() {
    let home = home("@@{\"text\":\"Once.\",\"tools\":1,\"tool_ms\":300}@@");
    let server = home.server().await;
    let caller = server.local();
    let (one, other) = tokio::join!(ran(&caller), ran(&caller));
    assert_eq!(one, other);
    assert_eq!(state(&home)["run_count"], 1);
}

#[tokio::test]
async fn the_real_cli_has_no_tools_in_a_run() {
    let Some(home) = Home::real() else { return };
    journal(&home, "And came back.");
    let definition = "---\ntools: [read_journal]\n---\nWrite a poem.";
    write(&home, &[("Daily/.agents/poet.md", definition)]);
    let server = home.server().await;
    let caller = server.local();
    let run_of = ran(&caller).await;
    assert_eq!(run_of["status"], "completed", "{run_of}");
    let stream = events(&caller, &run_of).await;
    assert_eq!(stream.event("init")["tools"], json!([]));
    assert!(!output(&home).is_empty());
}

#[tokio::test]
async fn a_run_has_no_more_trust_than_the_owner_set() {
    let home = home("@@{\"text\":\"Done.\"}@@");
    let server = home.server().await;
    let caller = server.local();
    let first = ran(&caller).await;
    let stream = events(&caller, &first).await;
    assert_eq!(stream.event("session")["trust"], "full");
    let session = first["sdk_session_id"].as_str().expect("a session");
    let lower = json!({ "trustLevel": "sandboxed" });
    let path = format!("/api/chat/{session}/config");
    assert_eq!(caller.send(Method::PATCH, &path, &lower).await.status, 200);
    // There is no engine here, and no silent way round it.
    let refused = ran(&caller).await;
    assert_eq!(refused["status"], "error", "{refused}");
    assert_eq!(refused["sdk_session_id"], session);
    assert_eq!(state(&home)["run_count"], 1);
}

#[tokio::test]
async fn whoever_waits_is_told_when_the_server_goes() {
    let home = home("@@{\"text\":\"After all.\",\"n\":10,\"delay_us\":200000}@@");
    let mut server = home.server().await;
    let caller = server.local();
    let asked = tokio::spawn({
        let caller = caller.clone();
        async move { ran(&caller).await }
    });
    eventually("it is at work", async || server.log().contains("turn accepted").then_some(()))
        .await;
    let stopped = tokio::task::spawn_blocking(move || {
        server.restart();
        server
    });
    let told = asked.await.expect("no panic");
    assert_eq!((&told["status"], told["error"].is_string()), (&json!("running"), true), "{told}");
    let _server = stopped.await.expect("no panic");
    eventually("its output is there", async || output(&home).contains("After all.").then_some(()))
        .await;
}
