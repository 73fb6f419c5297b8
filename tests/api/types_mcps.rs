//! The answers about MCP servers against the types the app parses.

use crate::tables_mcps as t;
use crate::types::{get, parses};
use http::Method;
use parachute_tests::{Home, program};
use serde_json::json;

#[tokio::test]
async fn mcp_servers_parse() {
    let home = Home::new();
    let server = home.server().await;
    let local = server.local();
    let scripted = json!({ "name": "local", "command": program("scripted-mcp") });
    parses(&local.post("/api/mcps", &scripted).await, 200, t::SAVED);
    std::fs::write(
        home.vault().join(".mcp.json"),
        json!({ "local": { "command": program("scripted-mcp") }, "bad": { "url": "x" } })
            .to_string(),
    )
    .expect("written");
    let all = get(&local, "/api/mcps", t::SERVERS).await;
    assert!(all["servers"][1]["validationErrors"].is_array(), "{all}");
    get(&local, "/api/mcps/bad", t::SERVER).await;
    let tested = local.post("/api/mcps/local/test", &json!({})).await;
    parses(&tested, 200, t::TESTED);
    parses(&tested, 200, t::WELL);
    parses(&local.post("/api/mcps/bad/test", &json!({})).await, 200, t::TESTED);
    get(&local, "/api/mcps/local/tools", t::TOOLS).await;
    get(&local, "/api/mcps/bad/tools", t::TOOLS).await;
    parses(&local.ask(Method::DELETE, "/api/mcps/bad", None).await, 200, t::REMOVED);
    parses(&local.get("/api/mcps/bad").await, 404, crate::tables::DETAIL);
}
