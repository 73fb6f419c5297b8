//! MCP servers tried through their doors (contract-extended §1.2), with a scripted server at the
//! other end. What a server can do to its client is in `mcp_talk.rs`, a real one is in
//! `mcp_real.rs`.

use http::Method;
use parachute_tests::{Caller, Home, ScriptedMcp, Server, eventually, program};
use serde_json::{Value, json};

/// The scripted server over standard streams, told to do this.
fn scripted(words: &[&str]) -> Value {
    json!({ "command": program("scripted-mcp"), "args": words })
}

async fn put(caller: &Caller, name: &str, config: &Value) {
    let saved = caller.post("/api/mcps", &json!({ "name": name, "config": config })).await;
    assert_eq!(saved.status, 200, "{}", saved.json());
}

/// What the app gets of a test and of the tools.
async fn tried(caller: &Caller, name: &str) -> (Value, Value) {
    // The app sends no body.
    let tested = caller.ask(Method::POST, &format!("/api/mcps/{name}/test"), None).await;
    let tools = caller.get(&format!("/api/mcps/{name}/tools")).await;
    assert_eq!((tested.status, tools.status), (200, 200), "{} {}", tested.json(), tools.json());
    (tested.json(), tools.json())
}

#[tokio::test]
async fn servers_that_work_say_what_they_can() {
    let mut home = Home::new();
    home.set("A_TOKEN", "very-private");
    let http = ScriptedMcp::start(&["--token", "very-private", "--events", "--sessions"]);
    let older = ScriptedMcp::start(&["--older", "--revision", "2024-11-05"]);
    let server = home.server().await;
    let caller = server.local();
    put(&caller, "local", &scripted(&["--revision", "2025-06-18"])).await;
    let headers = json!({ "Authorization": "Bearer ${A_TOKEN}" });
    put(&caller, "remote", &json!({ "url": http.url, "headers": headers, "auth": "bearer" })).await;
    put(&caller, "older", &json!({ "url": older.url, "type": "sse" })).await;
    for (name, revision, status) in [
        ("local", "2025-06-18", None),
        ("remote", "2025-11-25", Some(200)),
        ("older", "2024-11-05", Some(202)),
    ] {
        let (tested, tools) = tried(&caller, name).await;
        let message = format!("scripted 1.0 speaks MCP {revision}; its tools: 2");
        let mut is = json!({
            "name": name, "builtin": false, "status": "ok", "message": message,
            "toolsCount": 2, "tools_count": 2, "protocolVersion": revision,
        });
        if let Some(status) = status {
            is["httpStatus"] = status.into();
        }
        assert_eq!(tested, is);
        let is = json!({
            "name": name, "toolsCount": 2, "protocolVersion": revision,
            "tools": [
                { "name": "tool-0", "description": "Does 0 things." },
                { "name": "tool-1", "description": null },
            ],
        });
        assert_eq!(tools, is);
    }
}

#[tokio::test]
async fn servers_that_fail_are_told_in_words() {
    let mut home = Home::new();
    home.set("A_TOKEN", "very-private");
    let refusing = ScriptedMcp::start(&["--token", "another"]);
    let server = home.server().await;
    let caller = server.local();
    let mut exits =
        scripted(&["--fault", "exit", "--says", "no way with very-private or secret-9"]);
    exits["env"] = json!({ "T": "${A_TOKEN}", "U": "secret-9" });
    put(&caller, "exits", &exits).await;
    let headers = json!({ "Authorization": "Bearer ${A_TOKEN}" });
    put(&caller, "refuses", &json!({ "url": refusing.url, "headers": headers })).await;
    put(&caller, "missing", &json!({ "command": "no-such-program", "args": ["${NOT_SET}"] })).await;
    let file = home.vault().join(".mcp.json");
    let text = std::fs::read_to_string(&file).expect("a file");
    let text = text.replacen("\"exits\":", "\"odd\": {}, \"exits\":", 1);
    std::fs::write(&file, text).expect("written");
    for (name, error, hint, status) in [
        (
            "exits",
            "the server ended with status 3",
            "no way with [REDACTED] or [REDACTED]",
            json!(null),
        ),
        ("refuses", "the server answered 401", "it wants another credential", json!(401)),
        (
            "missing",
            "`no-such-program` is not found",
            "there is no value for `NOT_SET`",
            json!(null),
        ),
        ("odd", "it has neither a `command` nor a `url`", "", json!(null)),
    ] {
        let (tested, tools) = tried(&caller, name).await;
        assert_eq!(tested["status"], "error", "{tested}");
        assert_eq!(tested["error"], error);
        let said = tested["hint"].as_str().unwrap_or_default();
        assert!(said.starts_with(hint) && said.is_empty() == hint.is_empty(), "{tested}");
        assert_eq!(tested["httpStatus"], status);
        assert!(tested.get("toolsCount").is_none(), "{tested}");
        assert_eq!((&tools["tools"], &tools["error"]), (&json!([]), &json!(error)), "{tools}");
    }
    for path in ["/api/mcps/nobody/test", "/api/mcps/nobody/tools"] {
        let method = if path.ends_with("test") { Method::POST } else { Method::GET };
        let answer = caller.ask(method, path, None).await;
        assert_eq!(answer.json()["detail"], "MCP server 'nobody' not found");
        assert_eq!(answer.status, 404);
    }
    let log = server.log();
    assert!(!log.contains("very-private") && !log.contains("secret-9"), "{log}");
}

/// How many processes the notes of scripted servers speak of, and which.
fn begun(home: &Home) -> Vec<i64> {
    let text = std::fs::read_to_string(home.path("notes")).unwrap_or_default();
    let notes = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    notes.map(|note| note["pid"].as_i64().expect("a pid")).collect()
}

fn lives(pid: i64) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn asking(server: &Server, name: &str) -> tokio::task::JoinHandle<Value> {
    let (caller, path) = (server.local(), format!("/api/mcps/{name}/test"));
    tokio::spawn(async move { caller.post(&path, &json!({})).await.json() })
}

#[tokio::test]
async fn trap_t71_silent_servers_hold_nobody_up_and_are_gone_when_the_app_gives_up() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let notes = home.path("notes");
    let notes = notes.to_str().expect("text");
    put(&caller, "silent", &scripted(&["--fault", "silent", "--notes", notes])).await;
    // As many as there is room for, and one more.
    let asked: Vec<_> = (0..5).map(|_| asking(&server, "silent")).collect();
    eventually("four are asked", async || (begun(&home).len() == 4).then_some(())).await;
    assert_eq!(caller.get("/api/health").await.status, 200);
    assert_eq!(caller.get("/api/mcps/silent").await.status, 200);
    eventually("all are answered", async || {
        let live = begun(&home).into_iter().filter(|pid| lives(*pid)).count();
        assert!(live <= 4, "{live} at once");
        asked.iter().all(tokio::task::JoinHandle::is_finished).then_some(())
    })
    .await;
    let mut said = Vec::new();
    for answer in asked {
        let answer = answer.await.expect("an answer");
        assert_eq!(answer["status"], "error", "{answer}");
        said.push(answer["error"].as_str().expect("text").to_owned());
    }
    let in_time = "the server did not begin to speak within 10 s";
    assert_eq!(said.iter().filter(|said| *said == in_time).count(), 4, "{said:?}");
    for pid in begun(&home) {
        assert!(!lives(pid), "{pid} lives on");
    }
}
