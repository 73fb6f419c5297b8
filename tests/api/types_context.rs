//! The answers about workspaces, contexts, prompts, models and usage against the types the app
//! parses.

use crate::tables_context as t;
use crate::types::{get, parses};
use http::Method;
use parachute_tests::Home;
use serde_json::json;

#[tokio::test]
async fn workspaces_parse() {
    let home = Home::new();
    let server = home.server().await;
    let local = server.local();
    let new = json!({
        "name": "My Work", "working_directory": "Projects/x", "model": "sonnet",
        "capabilities": { "mcps": ["a"] }, "sandbox": { "memory": "1g" },
    });
    parses(&local.post("/api/workspaces", &new).await, 201, t::WORKSPACE);
    parses(&local.post("/api/workspaces", &json!({ "name": "x" })).await, 201, t::WORKSPACE);
    get(&local, "/api/workspaces", t::WORKSPACES).await;
    let at = "/api/workspaces/my-work";
    get(&local, at, t::WORKSPACE).await;
    let body = json!({ "message": "x @@{\"n\":1}@@", "workspaceId": "my-work" });
    local.chat("", &body).await.whole().await;
    get(&local, &format!("{at}/sessions"), t::WORKSPACE_SESSIONS).await;
    let change = json!({ "description": "e" });
    parses(&local.send(Method::PUT, at, &change).await, 200, t::WORKSPACE);
    parses(&local.ask(Method::DELETE, at, None).await, 200, t::WORKSPACE_DELETED);
    parses(&local.get(at).await, 404, crate::tables::DETAIL);
}
