//! The answers about workspaces, contexts, prompts, models and usage against the types the app
//! parses.

use crate::tables_context as t;
use crate::types::{get, parses};
use http::Method;
use parachute_tests::{Caller, Home, ScriptedApi};
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

#[tokio::test]
async fn contexts_prompts_and_modules_parse() {
    let home = Home::new();
    crate::contexts::write(&home, &[("CLAUDE.md", "root"), ("a/AGENTS.md", "a"), ("n.md", "n")]);
    let server = home.server().await;
    let local = server.local();
    get(&local, "/api/contexts/folders", t::CONTEXT_FOLDERS).await;
    get(&local, "/api/contexts/chain?folders=,a,n.md,gone", t::CHAIN).await;
    let body = json!({ "message": "x @@{\"n\":1}@@" });
    let session = local.chat("", &body).await.whole().await.session();
    let at = format!("/api/contexts/session/{session}");
    let put = local.send(Method::PUT, &at, &json!({ "folder_paths": ["", "a"] })).await;
    parses(&put, 200, t::SESSION_CONTEXTS);
    get(&local, &format!("{at}?include_chain=true"), t::SESSION_CONTEXTS).await;
    let added = local.ask(Method::POST, &format!("{at}/add?folder_path=n.md"), None).await;
    parses(&added, 200, t::SESSION_CONTEXTS);
    let removed = local.ask(Method::DELETE, &format!("{at}/remove?folder_path=a"), None).await;
    parses(&removed, 200, t::SESSION_CONTEXTS);
    get(&local, "/api/prompt/preview?workingDirectory=a&contexts=,n.md", t::PREVIEW).await;
    get(&local, &format!("/api/prompt/preview?sessionId={session}"), t::PREVIEW).await;
    let at = "/api/modules/chat/prompt";
    get(&local, at, t::MODULE_PROMPT).await;
    let put = local.send(Method::PUT, at, &json!({ "content": "x" })).await;
    parses(&put, 200, t::MODULE_PROMPT_SET);
    get(&local, at, t::MODULE_PROMPT).await;
    parses(
        &local.send(Method::PUT, at, &json!({ "reset": true })).await,
        200,
        t::MODULE_PROMPT_SET,
    );
    get(&local, "/api/modules/chat/stats", t::MODULE_STATS).await;
}

#[tokio::test]
async fn usage_and_models_parse() {
    let api = ScriptedApi::start();
    let limit = json!({ "utilization": 3, "resets_at": "2026-11-20T15:00:00+00:00" });
    let extra = json!({ "is_enabled": true, "monthly_limit": 5.5, "used_credits": 1,
        "utilization": 2 });
    let body = json!({ "five_hour": limit, "seven_day": limit, "seven_day_sonnet": limit,
        "seven_day_opus": limit, "extra_usage": extra });
    let address = api.url.trim_start_matches("http://").parse().expect("an address");
    Caller::tcp(address).post("/__scripted/usage", &json!({ "body": body })).await;
    let mut home = Home::new();
    home.env.remove("ANTHROPIC_API_KEY");
    home.set("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat-x");
    home.set("ANTHROPIC_BASE_URL", &api.url);
    let server = home.server().await;
    let local = server.local();
    local.chat("", &json!({ "message": "x @@{\"n\":1}@@" })).await.whole().await;
    let usage = get(&local, "/api/usage", t::USAGE).await;
    assert_eq!(usage["days"].as_array().map(Vec::len), Some(1));
    get(&local, "/api/models", crate::tables::MODELS).await;
    get(&local, "/api/models?show_all=true", crate::tables::MODELS).await;
}

#[tokio::test]
async fn what_there_is_parses_and_hooks_are_named_and_not_run() {
    let home = Home::new();
    let ran = home.path("ran");
    let program = format!("open({:?}, 'w')\nHOOK_CONFIG = {{}}\n", ran.display().to_string());
    let mcp = r#"{"mcpServers": {"notes": {"command": "true"}}}"#;
    crate::contexts::write(
        &home,
        &[
            (".parachute/hooks/b.py", &program),
            (".parachute/hooks/a.py", &program),
            (".parachute/hooks/_private.py", &program),
            (".parachute/hooks/readme.md", "x"),
            ("agents/poet.md", "---\ndescription: Writes poems\n---\nBe brief."),
            (".skills/weekly.md", "---\nname: Weekly\n---\nReview."),
            (".mcp.json", mcp),
        ],
    );
    let server = home.server().await;
    let local = server.local();
    let all = get(&local, "/api/capabilities", t::EVERYTHING).await;
    assert_eq!(all["agents"][0]["name"], "vault-agent");
    assert_eq!(all["agents"][1]["source"], "vault_agents");
    assert_eq!(all["skills"][0]["name"], "Weekly");
    let names: Vec<&str> =
        all["mcps"].as_array().expect("a list").iter().filter_map(|m| m["name"].as_str()).collect();
    assert!(names.contains(&"notes"), "{all}");
    let hooks = get(&local, "/api/hooks", t::HOOKS).await;
    assert_eq!(hooks["hooks"].as_array().map(Vec::len), Some(2));
    assert_eq!(hooks["hooks"][0]["path"], ".parachute/hooks/a.py");
    assert_eq!(
        (&hooks["hooks"][0]["enabled"], &hooks["health"]["hooks_count"]),
        (&json!(false), &json!(0))
    );
    assert!(hooks["message"].as_str().expect("a sentence").contains("not run"));
    let errors = get(&local, "/api/hooks/errors", t::HOOK_ERRORS).await;
    assert_eq!(errors, json!({ "errors": [] }));
    assert!(!ran.exists());
}
