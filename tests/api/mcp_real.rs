//! A real MCP server, the protocol's own reference, over each of its transports; and the real
//! CLI with the vault's servers. Where scripts/test provides them.

use parachute_tests::{Caller, Home, RealMcp, ScriptedMcp, eventually, program, real_mcp};
use serde_json::{Value, json};

/// Has a server tried, and says in which revision it spoke.
async fn works(caller: &Caller, name: &str, config: Value) -> String {
    let saved = caller.post("/api/mcps", &json!({ "name": name, "config": config })).await;
    assert_eq!(saved.status, 200, "{}", saved.json());
    let tested = caller.post(&format!("/api/mcps/{name}/test"), &json!({})).await.json();
    assert_eq!(tested["status"], "ok", "{tested}");
    let count = tested["toolsCount"].as_u64().expect("a number");
    let told = caller.get(&format!("/api/mcps/{name}/tools")).await.json();
    let tools = told["tools"].as_array().expect("a list");
    assert_eq!(tools.len() as u64, count, "{told}");
    let echo = tools.iter().find(|tool| tool["name"] == "echo").expect("it echoes");
    assert!(echo["description"].as_str().is_some_and(|text| !text.is_empty()), "{echo}");
    tested["protocolVersion"].as_str().expect("text").to_owned()
}

#[tokio::test]
async fn the_reference_server_works_over_each_of_its_transports() {
    let Some(server) = real_mcp() else { return };
    let home = Home::new();
    let parachute = home.server().await;
    let caller = parachute.local();
    let stdio = json!({ "command": "node", "args": [server, "stdio"] });
    let revision = works(&caller, "stdio", stdio).await;
    assert!(revision.as_str() >= "2025-11-25", "{revision}");
    let streamable = RealMcp::start("streamableHttp").expect("it serves");
    let http = json!({ "type": "http", "url": streamable.url("mcp") });
    assert_eq!(works(&caller, "http", http).await, revision);
    let older = RealMcp::start("sse").expect("it serves");
    works(&caller, "older", json!({ "type": "sse", "url": older.url("sse") })).await;
    // Asked in the wrong way, it is said what may be wrong.
    let wrong = json!({ "name": "wrong", "url": older.url("sse") });
    assert_eq!(caller.post("/api/mcps", &wrong).await.status, 200);
    let tested = caller.post("/api/mcps/wrong/test", &json!({})).await.json();
    assert_eq!(tested["status"], "error", "{tested}");
    assert!(tested["hint"].as_str().is_some_and(|hint| hint.contains("`sse`")), "{tested}");
}

#[tokio::test]
async fn the_real_cli_gets_the_vaults_servers_and_speaks_with_them() {
    let Some(mut home) = Home::real() else { return };
    home.set("A_TOKEN", "very-private");
    let notes = home.path("notes");
    let noting = ["--notes", notes.to_str().expect("text")];
    let http = ScriptedMcp::start(&[&noting[..], &["--token", "very-private"]].concat());
    let file = json!({ "mcpServers": {
        "local": { "command": program("scripted-mcp"), "args": noting, "_mine": true },
        "remote": {
            "type": "streamable-http", "url": http.url, "auth": "bearer",
            "trust_level": "untrusted",
            "headers": { "Authorization": "Bearer ${A_TOKEN}" },
        },
        "broken": { "args": [] },
    } });
    std::fs::write(home.vault().join(".mcp.json"), file.to_string()).expect("written");
    let server = home.server().await;
    let body = json!({ "message": "hello" });
    let turn = server.local().chat("text=delta", &body).await.whole().await;
    let of_kind = |kind: &str| {
        let events = turn.events.iter().map(|(_, event)| event);
        events.filter(|event| event["type"] == kind).cloned().collect::<Vec<_>>()
    };
    let init = of_kind("init").pop().expect("it began");
    let servers = init["mcpServers"].as_array().expect("a list");
    let mut names: Vec<&str> = servers.iter().filter_map(|s| s["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["local", "remote"], "{init}");
    // It does not wait for one that takes long.
    let well = |server: &Value| matches!(server["status"].as_str(), Some("connected" | "pending"));
    assert!(servers.iter().all(well), "{init}");
    eventually("both are spoken with", async || {
        let noted = std::fs::read_to_string(&notes).unwrap_or_default();
        let shown = noted.contains("\"authorization\":\"Bearer very-private\"");
        (shown && noted.matches("\"pid\"").count() == 2).then_some(())
    })
    .await;
    let warned = format!("{:?}", of_kind("warning"));
    assert!(warned.contains("`broken` is left out"), "{warned}");
    let events = format!("{:?}", turn.events);
    assert!(!events.contains("very-private"), "{events}");
}
