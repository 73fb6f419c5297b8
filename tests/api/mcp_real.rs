//! A real MCP server, the protocol's own reference, over each of its transports; where
//! scripts/test provides it.

use parachute_tests::{Caller, Home, RealMcp, real_mcp};
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
